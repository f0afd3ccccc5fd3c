//! Runs the core's [`Follow`] on its own thread: hints in, reads of the log out.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use tidings_server_core::{
    Follow,
    follow::{Command, Event, Figures, Polling},
    hub::Hint,
    store::{Query, Revocation, Store},
};

use super::{clock::Clock, shards::Shards};

/// Events that may wait. If there are more, all logs are read.
const WAITING: usize = 4_096;
/// Events taken in before the next read.
const TOGETHER: usize = 1_000;

/// The parts a follower needs.
pub struct Parts {
    /// The log.
    pub store: Arc<dyn Store>,
    /// The subscribers.
    pub shards: Arc<Shards>,
    /// The clocks.
    pub clock: Clock,
    /// When to read the log without a hint.
    pub polling: Polling,
    /// Number of the newest known revocation.
    pub revoked: u64,
    /// Applies a revocation on this node.
    pub heed: Box<dyn Fn(Revocation) + Send>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("polling", &self.polling).finish_non_exhaustive()
    }
}

/// The handle of the follower's thread. The thread ends with the last handle.
#[derive(Clone, Debug)]
pub struct Follower {
    events: mpsc::SyncSender<Event>,
    /// An event found no room.
    lost: Arc<AtomicBool>,
}

impl Follower {
    /// Starts the thread.
    ///
    /// # Errors
    /// The operating system gave none.
    pub fn start(parts: Parts) -> io::Result<Self> {
        let (events, waiting) = mpsc::sync_channel(WAITING);
        let lost = Arc::new(AtomicBool::new(false));
        let own = Arc::clone(&lost);
        thread::Builder::new()
            .name("tidings-follow".into())
            .spawn(move || Thread::new(parts, own).run(&waiting))?;
        Ok(Self { events, lost })
    }

    /// Sends an event. Never waits.
    pub fn notify(&self, event: Event) {
        if self.events.try_send(event).is_err() {
            self.lost.store(true, Ordering::Relaxed);
        }
    }

    /// Sends a hint of how far a log goes.
    pub fn hint(&self, hint: Hint) {
        self.notify(Event::Hinted(vec![hint]));
    }
}

struct Thread {
    parts: Parts,
    follow: Follow,
    lost: Arc<AtomicBool>,
    deadline: Option<u64>,
    read: Option<(u32, Vec<Query>)>,
    counted: Figures,
}

impl Thread {
    fn new(parts: Parts, lost: Arc<AtomicBool>) -> Self {
        let mut out = Vec::new();
        let follow = Follow::new(parts.polling, parts.revoked, parts.clock.now(), &mut out);
        let counted = Figures::default();
        let mut thread = Self { parts, follow, lost, deadline: None, read: None, counted };
        thread.execute(out);
        thread
    }

    fn run(mut self, waiting: &mpsc::Receiver<Event>) {
        while self.turn(waiting) {}
    }

    /// Waits for the next event and handles it. False if all handles are gone.
    fn turn(&mut self, waiting: &mpsc::Receiver<Event>) -> bool {
        // A wanted read does not wait for events, but takes in those that are queued.
        let first = match (&self.read, self.deadline) {
            (Some(_), _) => waiting.try_recv().map_err(|_| RecvTimeoutError::Timeout),
            (None, None) => waiting.recv().map_err(|_| RecvTimeoutError::Disconnected),
            (None, Some(at)) => {
                let left = at.saturating_sub(self.parts.clock.now().mono);
                waiting.recv_timeout(Duration::from_millis(left))
            }
        };
        match first {
            Ok(first) => {
                for event in std::iter::once(first).chain(waiting.try_iter().take(TOGETHER)) {
                    self.feed(event);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return false,
        }
        if self.lost.swap(false, Ordering::Relaxed) {
            self.feed(Event::HintsLost);
        }
        if self.deadline.is_some_and(|at| at <= self.parts.clock.now().mono) {
            // The deadline fires once. The machine sets a new one only if it needs one.
            self.deadline = None;
            self.feed(Event::DeadlinePassed);
        }
        if let Some((request, queries)) = self.read.take() {
            let event = match self.parts.store.read(&queries) {
                Ok(answers) => Event::Read { request, answers },
                Err(error) => {
                    tracing::debug!(%error, "records of other nodes could not be read yet");
                    Event::ReadFailed { request }
                }
            };
            self.feed(event);
        }
        self.count();
        true
    }

    fn feed(&mut self, event: Event) {
        let mut out = Vec::new();
        let mut shards = &*self.parts.shards;
        self.follow.handle(self.parts.clock.now(), event, &mut shards, &mut out);
        self.execute(out);
    }

    fn execute(&mut self, commands: Vec<Command>) {
        for command in commands {
            match command {
                Command::Read { request, queries } => self.read = Some((request, queries)),
                Command::SetDeadline { at } => self.deadline = at,
                Command::Heed(revocation) => (self.parts.heed)(revocation),
            }
        }
    }

    fn count(&mut self) {
        let (now, before) = (self.follow.figures(), self.counted);
        metrics::counter!("tidings_hole_reads_total").increment(now.holes - before.holes);
        metrics::counter!("tidings_polled_channels_total").increment(now.polled - before.polled);
        metrics::counter!("tidings_poll_finds_total").increment(now.found - before.found);
        self.counted = now;
    }
}

#[cfg(test)]
mod tests;
