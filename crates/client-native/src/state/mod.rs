//! What outlives the process: caches with their cursors, and the outbox, in files of one folder.
//!
//! ```text
//!  {folder}/lock                      held while a cache is written: processes may share the folder
//!  {folder}/caches/{key}              cursors on the first line, the core's text after it
//!  {folder}/outbox/{user}/{lane}.log  rows of one lane; locked by the process that holds it
//! ```
//!
//! A thread of its own does the work in order: a sync to disk takes milliseconds, which is too long for the client's task.
//! The locks are the operating system's, so that they end with the process, however it ends.

mod caches;
mod lane;
mod names;
mod outbox;
mod private;

use std::{io, path::Path, sync::mpsc, thread};

use tidings_client_core::{Change, Event, Lane};
use tidings_protocol::Epoch;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use caches::Caches;
use outbox::Outbox;

/// Cursors of a cache.
pub(crate) type Cursors = [(Epoch, u64); 2];

/// What the core asks of storage.
pub(crate) enum Job {
    Load { key: String },
    Save { key: String, cursors: Cursors, over: Vec<Epoch>, text: String },
    Wipe { user: String },
    Keep { user: String, number: u64, changes: Vec<Change> },
    Claim { user: String },
    Release { lane: String },
}

/// The folder, as the client's task sees it. Both queues are bounded by what the core has under way.
pub(crate) struct State {
    jobs: mpsc::Sender<Job>,
    answers: UnboundedReceiver<Event>,
}

impl State {
    /// Opens the folder, or makes it. `channels_max`: of so many channels a user has caches.
    pub(crate) fn open(folder: &Path, channels_max: usize) -> io::Result<Self> {
        let caches = Caches::open(folder, channels_max)?;
        let outbox = Outbox::open(folder)?;
        let (jobs, todo) = mpsc::channel();
        let (done, answers) = unbounded_channel();
        let work = move || Worker { caches, outbox, done }.run(&todo);
        thread::Builder::new().name(String::from("tidings-state")).spawn(work)?;
        Ok(Self { jobs, answers })
    }

    pub(crate) fn ask(&self, job: Job) {
        // The thread ends when this does, and not before.
        let _ = self.jobs.send(job);
    }

    /// The next answer. Dropping this future loses nothing.
    pub(crate) async fn next(&mut self) -> Event {
        match self.answers.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        }
    }

    /// Waits until everything that was asked is done and the lanes are let go.
    pub(crate) async fn finish(self) {
        let Self { jobs, mut answers } = self;
        drop(jobs);
        while answers.recv().await.is_some() {}
    }
}

struct Worker {
    caches: Caches,
    outbox: Outbox,
    done: UnboundedSender<Event>,
}

impl Worker {
    fn run(mut self, todo: &mpsc::Receiver<Job>) {
        while let Ok(job) = todo.recv() {
            if let Some(answer) = self.work(job) {
                // A client that is gone wants no answer; what it asked for before is done all the same.
                let _ = self.done.send(answer);
            }
        }
    }

    fn work(&mut self, job: Job) -> Option<Event> {
        match job {
            Job::Load { key } => Some(match self.caches.load(&key) {
                Ok(saved) => Event::StorageLoaded { user: key, saved },
                Err(error) => storage_failed(&error),
            }),
            Job::Save { key, cursors, over, text } => self
                .caches
                .save(&key, cursors, &over, &text)
                .err()
                .map(|error| storage_failed(&error)),
            Job::Wipe { user } => {
                let wiped = self.caches.wipe(&user).and_then(|()| self.outbox.wipe(&user));
                wiped.err().map(|error| storage_failed(&error))
            }
            Job::Keep { user, number, changes } => Some(match self.outbox.keep(&user, &changes) {
                Ok(()) => Event::Kept { number },
                Err(error) => lanes_failed(&error),
            }),
            Job::Claim { user } => Some(match self.outbox.claim(&user) {
                Ok(lanes) => claimed(user, lanes),
                Err(error) => lanes_failed(&error),
            }),
            Job::Release { lane } => {
                self.outbox.release(&lane);
                None
            }
        }
    }
}

fn claimed(user: String, lanes: Vec<Lane>) -> Event {
    Event::LanesClaimed { user, lanes: lanes.into() }
}

fn storage_failed(error: &io::Error) -> Event {
    Event::StorageFailed { reason: format!("the state folder: {error}") }
}

fn lanes_failed(error: &io::Error) -> Event {
    Event::LanesFailed { reason: format!("the outbox in the state folder: {error}") }
}
