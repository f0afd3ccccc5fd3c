//! Reads of the store, and other blocking work on it, on their own threads.

use std::{sync::Arc, thread, time::Instant};

use tidings_server_core::{
    Principal,
    fair::Bounds,
    session::Request,
    store::{Answer, Query, Store, StoreError},
};
use tokio::sync::oneshot;

use super::{
    connection_handle::{ConnectionHandle, Notice},
    queue::{Queue, Server, UnderWay},
};
use crate::shares::{Bound, Shares};

/// The receiver of an answer.
enum Asker {
    Session(Arc<ConnectionHandle>, Request),
    Task(oneshot::Sender<(Result<Answer, StoreError>, Held)>),
}

/// Goes to a task together with its answer, so that the job ends only after the task has woken up.
/// If the thread went on earlier, it would answer hundreds of one user's jobs in a row, and all
/// these tasks would run before those of other users.
type Held = Option<UnderWay<Job>>;

/// Blocking work with the store.
type Work = Box<dyn FnOnce(Result<&dyn Store, StoreError>, Held) + Send>;

/// A job for a thread.
enum Job {
    Read(Query, Asker),
    Work(Work),
}

/// Threads that read, with callers taking turns.
#[derive(Clone, Debug)]
pub struct Readers {
    jobs: Queue<Job>,
}

impl Readers {
    /// Starts `threads` readers with a common queue. Full shares are reported to `shares`.
    ///
    /// # Errors
    /// The operating system gave no thread.
    pub fn start(
        store: &Arc<dyn Store>,
        threads: usize,
        bounds: Bounds,
        shares: Shares,
    ) -> std::io::Result<Self> {
        let threads = threads.max(1);
        let Bounds { each, total } = bounds;
        let jobs = Queue::new(total, move |whose| whose.reads(each, threads), Bound::Reads, shares);
        for number in 0..threads {
            let (store, waiting) = (Arc::clone(store), jobs.server());
            thread::Builder::new()
                .name(format!("tidings-read-{number}"))
                .spawn(move || read(&*store, &waiting))?;
        }
        Ok(Self { jobs })
    }

    /// Reads for a session; the answer comes as a notice.
    pub fn ask(
        &self,
        whose: &Principal,
        handle: &Arc<ConnectionHandle>,
        request: Request,
        query: Query,
    ) {
        self.submit(whose.clone(), Job::Read(query, Asker::Session(Arc::clone(handle), request)));
    }

    /// Reads for a task.
    ///
    /// # Errors
    /// The store's error; [`StoreError::Busy`] if too many reads wait.
    pub async fn read(&self, whose: Principal, query: Query) -> Result<Answer, StoreError> {
        let (sender, answer) = oneshot::channel();
        self.submit(whose, Job::Read(query, Asker::Task(sender)));
        let ended = || StoreError::Unavailable("the readers have ended".into());
        let (answer, held) = answer.await.map_err(|_| ended())?;
        drop(held);
        answer
    }

    /// Runs blocking work on the store, which a task must not do itself.
    ///
    /// # Errors
    /// The work's error; one made from [`StoreError::Busy`] if too many jobs wait.
    pub async fn run<T, E>(
        &self,
        whose: Principal,
        work: impl FnOnce(&dyn Store) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (sender, answer) = oneshot::channel();
        let work = Box::new(move |store: Result<&dyn Store, StoreError>, held: Held| {
            // The caller may be gone.
            drop(sender.send((store.map_err(E::from).and_then(work), held)));
        });
        self.submit(whose, Job::Work(work));
        let ended = || StoreError::Unavailable("the readers have ended".into());
        let (answer, held) = answer.await.map_err(|_| ended())?;
        drop(held);
        answer
    }

    fn submit(&self, whose: Principal, job: Job) {
        match self.jobs.push(whose, job) {
            None => {}
            Some((Job::Read(_, asker), why)) => asker.answer(Err(StoreError::Busy(why)), None),
            Some((Job::Work(work), why)) => work(Err(StoreError::Busy(why)), None),
        }
    }
}

impl Asker {
    fn answer(self, answer: Result<Answer, StoreError>, held: Held) {
        match self {
            Self::Session(handle, request) => handle.notify(Notice::Read(request, answer)),
            // The caller may be gone.
            Self::Task(sender) => drop(sender.send((answer, held))),
        }
    }
}

fn read(store: &dyn Store, waiting: &Server<Job>) {
    while let Some((held, job)) = waiting.take_one() {
        match job {
            Job::Read(query, asker) => {
                let began = Instant::now();
                let answer = store.read(std::slice::from_ref(&query)).and_then(|answers| {
                    let none = || Err(StoreError::Unavailable("the store gave no answer".into()));
                    answers.into_iter().next().unwrap_or_else(none)
                });
                metrics::histogram!("tidings_store_read_seconds").record(began.elapsed());
                asker.answer(answer, Some(held));
            }
            Job::Work(work) => work(Ok(store), Some(held)),
        }
    }
}
