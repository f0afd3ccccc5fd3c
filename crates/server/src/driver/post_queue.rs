//! Sessions that send one request after the other: one request at a time, with rates over all of
//! them.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tidings_protocol::ErrorCode;
use tidings_server_core::{Limits, Refused, session::Guard};
use tokio::time::sleep;

use super::clock::Clock;

/// Sessions remembered. Beyond this, those without debt are forgotten; if all have debt, new
/// sessions must wait.
const MOST: usize = 100_000;
/// Retry time, in milliseconds.
const RETRY_AFTER: u64 = 1_000;

/// The table of sessions that recently sent messages by POST.
#[derive(Debug)]
pub struct PostQueue {
    /// Most requests of one session at once.
    at_once: usize,
    book: Mutex<Book>,
}

#[derive(Debug)]
struct Book {
    senders: HashMap<Box<str>, Arc<Sender>>,
    /// Number of sessions at which the table is scanned.
    tidy_at: usize,
}

#[derive(Debug, Default)]
struct Sender {
    /// Requests that wait or are served.
    requests: AtomicUsize,
    guard: tokio::sync::Mutex<Guard>,
}

/// A place in a session's queue. Given back when dropped.
#[derive(Debug)]
pub struct Turn(Arc<Sender>);

impl PostQueue {
    /// An empty table.
    #[must_use]
    pub fn new(at_once: usize) -> Self {
        let book = Book { senders: HashMap::new(), tidy_at: 64 };
        Self { at_once: at_once.max(1), book: Mutex::new(book) }
    }

    /// Queues a request of a session. `now` is monotonic.
    ///
    /// # Errors
    /// `flood` if too many of them wait already.
    pub fn enter(&self, session: &str, now: u64) -> Result<Turn, Refused> {
        let flood = || Refused { retry_after_ms: Some(RETRY_AFTER), ..ErrorCode::Flood.into() };
        let mut book = self.lock();
        if !book.senders.contains_key(session) {
            book.tidy(now);
            if book.senders.len() >= MOST {
                return Err(flood());
            }
        }
        let sender = book.senders.entry(session.into()).or_default();
        if sender.requests.load(Ordering::Relaxed) >= self.at_once {
            return Err(flood());
        }
        sender.requests.fetch_add(1, Ordering::Relaxed);
        Ok(Turn(Arc::clone(sender)))
    }

    /// Waits until a session's next poll may be served. A client that comes again for each answer
    /// is held to the rate of messages by waiting. Messages that are published meanwhile come in
    /// one answer.
    ///
    /// # Errors
    /// `flood` if that would take too long, or too many polls wait already.
    pub async fn pace(&self, session: &str, clock: Clock, limits: &Limits) -> Result<(), Refused> {
        let mut turn = self.enter(&format!("{session} calls"), clock.now().mono)?;
        let mut guard = turn.guard().await;
        while let Err(wait) = guard.take(clock.now().mono, limits) {
            if wait > limits.timeout_ms {
                return Err(Refused { retry_after_ms: Some(wait), ..ErrorCode::Flood.into() });
            }
            sleep(Duration::from_millis(wait)).await;
        }
        Ok(())
    }

    /// The table is consistent between statements, so a panic elsewhere does no harm.
    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// Forgets the sessions without debt. Scans only when the table has doubled, so that the cost
    /// of a request does not depend on the number of sessions.
    fn tidy(&mut self, now: u64) {
        if self.senders.len() < self.tidy_at.min(MOST) {
            return;
        }
        self.senders.retain(|_, sender| {
            sender.requests.load(Ordering::Relaxed) > 0
                || sender.guard.try_lock().is_ok_and(|guard| !guard.is_even(now))
        });
        self.tidy_at = (2 * self.senders.len()).max(64);
    }
}

impl Turn {
    /// Waits for the request's turn. Requests are served in order of arrival.
    pub async fn guard(&mut self) -> tokio::sync::MutexGuard<'_, Guard> {
        self.0.guard.lock().await
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_only_so_many_requests_at_once() {
        let posts = PostQueue::new(2);
        let first = posts.enter("s", 0).unwrap();
        let _second = posts.enter("s", 0).unwrap();
        assert_eq!(posts.enter("s", 0).unwrap_err().code, ErrorCode::Flood);
        let _other = posts.enter("t", 0).unwrap();
        drop(first);
        posts.enter("s", 0).unwrap();
    }

    #[tokio::test]
    async fn calls_are_paced_and_refused_where_that_takes_too_long() {
        let (posts, clock) = (PostQueue::new(2), Clock::start());
        let limits = |message_interval_ms: u64| Limits {
            message_burst: 2,
            message_interval_ms,
            ..Limits::default()
        };
        for _ in 0..2 {
            posts.pace("s", clock, &limits(60_000)).await.unwrap();
        }
        let refused = posts.pace("s", clock, &limits(60_000)).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::Flood);
        assert!(refused.retry_after_ms.is_some_and(|wait| wait > 10_000));
        posts.pace("another", clock, &limits(60_000)).await.unwrap();
    }

    #[test]
    fn who_owes_nothing_is_forgotten() {
        let posts = PostQueue::new(2);
        let _here = posts.enter("here", 0).unwrap();
        for number in 0..1_000 {
            drop(posts.enter(&number.to_string(), 0).unwrap());
        }
        assert!(posts.lock().senders.len() <= 64);
        assert!(posts.lock().senders.contains_key("here"));
    }
}
