//! The only place that commits: writes that wait together become durable together.
//!
//! There are two threads, so that the next commit syncs while the last one fans out. Order is kept:
//! the second thread takes batches in the order of commits, hands each record to the hub, and only
//! then answers.

use std::{
    sync::{Arc, mpsc},
    thread,
    time::Instant,
};

use tidings_server_core::{
    Principal,
    fair::Bounds,
    follow::Event,
    hub::{Delivery, Hint, Hubs as _},
    session::Request,
    store::{Record, Store, StoreError, Write, Written},
};
use tokio::sync::oneshot;

use super::{
    connection_handle::{ConnectionHandle, Notice},
    follower::Follower,
    queue::{Queue, Server},
    retention_clock::RetentionClock,
    shards::Shards,
};
use crate::{
    bus::{Bus, BusMessage},
    shares::{Bound, Shares},
};

/// Writes of one commit. A larger batch mostly adds latency: 64 reach nine tenths of the throughput
/// of 256, with a tenth of the wait.
pub(crate) const BATCH: usize = 64;
/// Commits that may wait for their fan-out.
const BEHIND: usize = 4;

/// The receiver of an answer.
#[derive(Debug)]
enum Asker {
    Session(Arc<ConnectionHandle>, Request),
    Task(oneshot::Sender<Result<Written, StoreError>>),
}

#[derive(Debug)]
struct Job {
    write: Write,
    asker: Asker,
    since: Instant,
}

/// The answers of one commit, with their receivers.
type Answered = Vec<(Asker, Result<Written, StoreError>, Instant)>;

/// The receivers of committed records.
#[derive(Debug)]
pub struct FanOut {
    /// The subscribers on this node.
    pub shards: Arc<Shards>,
    /// Fills holes.
    pub follower: Follower,
    /// The bus to other nodes, if there is one.
    pub bus: Option<Arc<dyn Bus>>,
}

/// The queue in front of the writer thread.
#[derive(Clone, Debug)]
pub struct Writer {
    jobs: Queue<Job>,
}

impl Writer {
    /// Starts both threads. Full shares are reported to `shares`.
    ///
    /// # Errors
    /// The operating system gave no thread.
    pub fn start(
        store: &Arc<dyn Store>,
        fan_out: FanOut,
        steady: RetentionClock,
        bounds: Bounds,
        shares: Shares,
    ) -> std::io::Result<Self> {
        let Bounds { each, total } = bounds;
        let jobs = Queue::new(total, move |whose| whose.writes(each), Bound::Writes, shares);
        let waiting = jobs.server();
        let (done, answered) = mpsc::sync_channel(BEHIND);
        let committing = Arc::clone(store);
        thread::Builder::new()
            .name("tidings-write".into())
            .spawn(move || commit(&*committing, &steady, &waiting, &done))?;
        thread::Builder::new()
            .name("tidings-fan-out".into())
            .spawn(move || fan_out.run(&answered))?;
        Ok(Self { jobs })
    }

    /// Commits for a session; the answer comes as a notice.
    pub fn ask(
        &self,
        whose: &Principal,
        handle: &Arc<ConnectionHandle>,
        request: Request,
        write: Write,
    ) {
        self.submit(whose.clone(), write, Asker::Session(Arc::clone(handle), request));
    }

    /// Commits for a task. When this returns, the write is durable and its records are being
    /// delivered.
    ///
    /// # Errors
    /// The store's error; [`StoreError::Busy`] if too many writes wait.
    pub async fn commit(&self, whose: Principal, write: Write) -> Result<Written, StoreError> {
        let (sender, answer) = oneshot::channel();
        self.submit(whose, write, Asker::Task(sender));
        answer.await.unwrap_or_else(|_| Err(StoreError::Unknown("the writer has ended".into())))
    }

    fn submit(&self, whose: Principal, write: Write, asker: Asker) {
        let job = Job { write, asker, since: Instant::now() };
        if let Some((job, why)) = self.jobs.push(whose, job) {
            job.asker.answer(Err(StoreError::Busy(why)));
        }
    }
}

impl Asker {
    fn answer(self, answer: Result<Written, StoreError>) {
        match self {
            Self::Session(handle, request) => handle.notify(Notice::Committed(request, answer)),
            // The caller may be gone.
            Self::Task(sender) => drop(sender.send(answer)),
        }
    }
}

fn commit(
    store: &dyn Store,
    steady: &RetentionClock,
    waiting: &Server<Job>,
    done: &mpsc::SyncSender<Answered>,
) {
    let mut writes = Vec::with_capacity(BATCH);
    loop {
        let jobs = waiting.take(BATCH);
        if jobs.is_empty() {
            return;
        }
        // One thread commits them all, so jobs need no bound while they are in progress.
        waiting.done(jobs.iter().map(|(whose, _)| whose));
        let mut askers = Vec::with_capacity(BATCH);
        for (_, job) in jobs {
            writes.push(job.write);
            askers.push((job.asker, job.since));
        }
        let began = Instant::now();
        let written = store.commit(steady.now(), &writes);
        metrics::histogram!("tidings_store_commit_seconds").record(began.elapsed());
        metrics::histogram!("tidings_store_commit_writes").record(writes.len() as f64);
        writes.clear();
        let mut answers = match written {
            Ok(answers) => answers.into_iter(),
            Err(error) => {
                tracing::error!(%error, "a commit failed");
                askers.iter().map(|_| Err(error.clone())).collect::<Vec<_>>().into_iter()
            }
        };
        let missing = || Err(StoreError::Unknown("the store gave no answer".into()));
        let answered = askers
            .into_iter()
            .map(|(asker, since)| (asker, answers.next().unwrap_or_else(missing), since))
            .collect();
        if done.send(answered).is_err() {
            return;
        }
    }
}

impl FanOut {
    fn run(&self, answered: &mpsc::Receiver<Answered>) {
        let mut shards = &*self.shards;
        while let Ok(batch) = answered.recv() {
            let mut news = Vec::new();
            let mut doubtful = false;
            for (asker, answer, since) in batch {
                doubtful |= matches!(answer, Err(StoreError::Unknown(_)));
                if let Ok(Written::Records { records, .. }) = &answer {
                    for record in records {
                        let Record { channel, epoch, offset: top, .. } = record;
                        let hint = || Hint { channel: channel.clone(), epoch: *epoch, top: *top };
                        if let Delivery::Hole { .. } = shards.committed(record) {
                            self.follower.hint(hint());
                        }
                        if self.bus.is_some() {
                            news.push(BusMessage::Hint(hint()));
                        }
                        metrics::counter!("tidings_records_total").increment(1);
                    }
                    metrics::histogram!("tidings_publish_seconds").record(since.elapsed());
                }
                asker.answer(answer);
            }
            // Such a commit may have stored records without a hint, so the logs must be read.
            if doubtful {
                self.follower.notify(Event::HintsLost);
            }
            if let Some(bus) = &self.bus {
                bus.publish(&news);
            }
        }
    }
}
