//! Reads of the store, and whatever else waits for it, on threads of their own.

use std::{
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Instant,
};

use tidings_server_core::{
    session::Request,
    store::{Answer, Query, Store, StoreError},
};
use tokio::sync::oneshot;

use super::line::{Line, Notice};

/// Who asked.
#[derive(Debug)]
enum Asker {
    Session(Arc<Line>, Request),
    Task(oneshot::Sender<Result<Answer, StoreError>>),
}

/// Something to do with the store.
type Work = Box<dyn FnOnce(&dyn Store) + Send>;

/// What a thread does.
enum Job {
    Read(Query, Asker),
    Work(Work),
}

/// A few threads that read.
#[derive(Clone, Debug)]
pub struct Readers {
    jobs: mpsc::SyncSender<Job>,
}

impl Readers {
    /// Starts `threads` readers with a common queue of at most `queue` questions.
    ///
    /// # Errors
    /// The operating system gave no thread.
    pub fn start(store: &Arc<dyn Store>, threads: usize, queue: usize) -> std::io::Result<Self> {
        let (jobs, waiting) = mpsc::sync_channel(queue);
        let waiting = Arc::new(Mutex::new(waiting));
        for number in 0..threads.max(1) {
            let (store, waiting) = (Arc::clone(store), Arc::clone(&waiting));
            thread::Builder::new()
                .name(format!("tidings-read-{number}"))
                .spawn(move || read(&*store, &waiting))?;
        }
        Ok(Self { jobs })
    }

    /// Reads for a session; the answer comes as a notice.
    pub fn ask(&self, line: &Arc<Line>, request: Request, query: Query) {
        self.submit(query, Asker::Session(Arc::clone(line), request));
    }

    /// Reads for a task.
    ///
    /// # Errors
    /// What the store says; [`StoreError::Unavailable`] when too many wait.
    pub async fn read(&self, query: Query) -> Result<Answer, StoreError> {
        let (sender, answer) = oneshot::channel();
        self.submit(query, Asker::Task(sender));
        answer
            .await
            .unwrap_or_else(|_| Err(StoreError::Unavailable("the readers have ended".into())))
    }

    /// Does something with the store that may wait for it: tasks must not.
    ///
    /// # Errors
    /// What the work says; [`StoreError::Unavailable`] as the error's kind when too many wait.
    pub async fn run<T, E>(
        &self,
        work: impl FnOnce(&dyn Store) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (sender, answer) = oneshot::channel();
        let work = Box::new(move |store: &dyn Store| {
            // A caller that went away needs no answer.
            drop(sender.send(work(store)));
        });
        let full = || StoreError::Unavailable("too many reads wait".into());
        self.jobs.try_send(Job::Work(work)).map_err(|_| full())?;
        let ended = || StoreError::Unavailable("the readers have ended".into());
        answer.await.map_err(|_| ended())?
    }

    fn submit(&self, query: Query, asker: Asker) {
        if let Err(refused) = self.jobs.try_send(Job::Read(query, asker)) {
            let (mpsc::TrySendError::Full(job) | mpsc::TrySendError::Disconnected(job)) = refused;
            if let Job::Read(_, asker) = job {
                asker.answer(Err(StoreError::Unavailable("too many reads wait".into())));
            }
        }
    }
}

impl Asker {
    fn answer(self, answer: Result<Answer, StoreError>) {
        match self {
            Self::Session(line, request) => line.notify(Notice::Read(request, answer)),
            // A caller that went away needs no answer.
            Self::Task(sender) => drop(sender.send(answer)),
        }
    }
}

fn read(store: &dyn Store, waiting: &Mutex<mpsc::Receiver<Job>>) {
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        let (query, asker) = match job {
            Job::Read(query, asker) => (query, asker),
            Job::Work(work) => {
                work(store);
                continue;
            }
        };
        let began = Instant::now();
        let answer = store.read(std::slice::from_ref(&query)).and_then(|answers| {
            let none = || Err(StoreError::Unavailable("the store gave no answer".into()));
            answers.into_iter().next().unwrap_or_else(none)
        });
        metrics::histogram!("tidings_store_read_seconds").record(began.elapsed());
        asker.answer(answer);
    }
}
