//! State that outlives the process: caches with their cursors, and the outbox, in files of one
//! folder.
//!
//! ```text
//!  {folder}/lock                      held while a cache is written: processes may share the folder
//!  {folder}/caches/{key}              cursors on the first line, the core's text after it
//!  {folder}/outbox/{user}/{lane}.log  rows of one lane; locked by the process that holds it
//! ```
//!
//! A separate thread does the work in order: a sync to disk takes milliseconds, too long for the
//! client's task. The locks are the operating system's, so they end with the process, even on a
//! crash.

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

/// The core's requests to storage.
pub(crate) enum Job {
    Load { key: String },
    Save { key: String, cursors: Cursors, over: Vec<Epoch>, text: String },
    Wipe { user: String },
    Persist { user: String, number: u64, changes: Vec<Change> },
    Claim { user: String },
    Release { lane: String },
}

/// The folder, as the client's task sees it. The core's requests under way bound both queues.
pub(crate) struct State {
    jobs: mpsc::Sender<Job>,
    answers: UnboundedReceiver<Event>,
}

impl State {
    /// Opens the folder; creates it if needed. `channels_max`: most channels with caches per user.
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
        // The thread runs as long as this sender exists.
        let _ = self.jobs.send(job);
    }

    /// Returns the next answer. Dropping this future loses nothing.
    pub(crate) async fn next(&mut self) -> Event {
        match self.answers.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        }
    }

    /// Waits until all requests are done and the lanes are released.
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
                // If the client is gone, the answer is dropped; its requests are executed all the
                // same.
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
            Job::Persist { user, number, changes } => {
                Some(match self.outbox.persist(&user, &changes) {
                    Ok(()) => Event::Persisted { number },
                    Err(error) => lanes_failed(&error),
                })
            }
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
