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
pub struct Visits {
    /// Most requests of one session at once.
    at_once: usize,
    book: Mutex<Book>,
}

#[derive(Debug)]
struct Book {
    visitors: HashMap<Box<str>, Arc<Visitor>>,
    /// Number of sessions at which the table is scanned.
    tidy_at: usize,
}

#[derive(Debug, Default)]
struct Visitor {
    /// Requests that wait or are served.
    requests: AtomicUsize,
    guard: tokio::sync::Mutex<Guard>,
}

/// A place in a session's queue. Given back when dropped.
#[derive(Debug)]
pub struct Turn(Arc<Visitor>);

impl Visits {
    /// An empty table.
    #[must_use]
    pub fn new(at_once: usize) -> Self {
        let book = Book { visitors: HashMap::new(), tidy_at: 64 };
        Self { at_once: at_once.max(1), book: Mutex::new(book) }
    }

    /// Queues a request of a session. `now` is monotonic.
    ///
    /// # Errors
    /// `flood` if too many of them wait already.
    pub fn enter(&self, session: &str, now: u64) -> Result<Turn, Refused> {
        let flood = || Refused { retry_after_ms: Some(RETRY_AFTER), ..ErrorCode::Flood.into() };
        let mut book = self.lock();
        if !book.visitors.contains_key(session) {
            book.tidy(now);
            if book.visitors.len() >= MOST {
                return Err(flood());
            }
        }
        let visitor = book.visitors.entry(session.into()).or_default();
        if visitor.requests.load(Ordering::Relaxed) >= self.at_once {
            return Err(flood());
        }
        visitor.requests.fetch_add(1, Ordering::Relaxed);
        Ok(Turn(Arc::clone(visitor)))
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
        if self.visitors.len() < self.tidy_at.min(MOST) {
            return;
        }
        self.visitors.retain(|_, visitor| {
            visitor.requests.load(Ordering::Relaxed) > 0
                || visitor.guard.try_lock().is_ok_and(|guard| !guard.is_even(now))
        });
        self.tidy_at = (2 * self.visitors.len()).max(64);
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
        let visits = Visits::new(2);
        let first = visits.enter("s", 0).unwrap();
        let _second = visits.enter("s", 0).unwrap();
        assert_eq!(visits.enter("s", 0).unwrap_err().code, ErrorCode::Flood);
        let _other = visits.enter("t", 0).unwrap();
        drop(first);
        visits.enter("s", 0).unwrap();
    }

    #[tokio::test]
    async fn calls_are_paced_and_refused_where_that_takes_too_long() {
        let (visits, clock) = (Visits::new(2), Clock::start());
        let limits = |message_interval_ms: u64| Limits {
            message_burst: 2,
            message_interval_ms,
            ..Limits::default()
        };
        for _ in 0..2 {
            visits.pace("s", clock, &limits(60_000)).await.unwrap();
        }
        let refused = visits.pace("s", clock, &limits(60_000)).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::Flood);
        assert!(refused.retry_after_ms.is_some_and(|wait| wait > 10_000));
        visits.pace("another", clock, &limits(60_000)).await.unwrap();
    }

    #[test]
    fn who_owes_nothing_is_forgotten() {
        let visits = Visits::new(2);
        let _here = visits.enter("here", 0).unwrap();
        for number in 0..1_000 {
            drop(visits.enter(&number.to_string(), 0).unwrap());
        }
        assert!(visits.lock().visitors.len() <= 64);
        assert!(visits.lock().visitors.contains_key("here"));
    }
}
