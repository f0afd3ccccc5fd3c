//! A fair queue in front of worker threads.

use std::{
    fmt::{self, Debug, Formatter},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use tidings_server_core::{
    Principal,
    fair::{Fair, Share, Turned},
};

use crate::shares::{Bound, Shares};

/// The end that takes in jobs. After the last clone is gone, the threads serve the waiting jobs and
/// end.
pub(super) struct Queue<T>(Arc<Open<T>>);

/// The end from which a thread takes jobs.
pub(super) struct Server<T>(Arc<Shared<T>>);

/// A job in progress, until this is dropped.
pub(super) struct UnderWay<T> {
    shared: Arc<Shared<T>>,
    whose: Principal,
}

/// Closes the queue when dropped.
struct Open<T> {
    shared: Arc<Shared<T>>,
    bound: Bound,
    shares: Shares,
}

struct Shared<T> {
    inside: Mutex<Inside<T>>,
    wakeup: Condvar,
}

struct Inside<T> {
    fair: Fair<Principal, T>,
    is_closed: bool,
}

impl<T> Queue<T> {
    /// An empty queue. Full shares are reported as `bound`.
    pub(super) fn new(
        total: usize,
        share: impl Fn(&Principal) -> Share + Send + 'static,
        bound: Bound,
        shares: Shares,
    ) -> Self {
        let inside = Mutex::new(Inside { fair: Fair::new(total, share), is_closed: false });
        let shared = Arc::new(Shared { inside, wakeup: Condvar::new() });
        Self(Arc::new(Open { shared, bound, shares }))
    }

    pub(super) fn server(&self) -> Server<T> {
        Server(Arc::clone(&self.0.shared))
    }

    /// Queues a job. Returns the job that was turned away for it, which may be another key's, and
    /// the reason.
    pub(super) fn push(&self, whose: Principal, job: T) -> Option<(T, &'static str)> {
        let turned = self.0.shared.lock().fair.push(whose, job);
        self.0.shared.wakeup.notify_one();
        let Turned { key, job, full } = turned?;
        self.0.shares.hit(self.0.bound, full, &key);
        Some((job, self.0.bound.why(full)))
    }
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Debug for Queue<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("bound", &self.0.bound).finish_non_exhaustive()
    }
}

impl<T> Server<T> {
    /// Waits for jobs and takes up to `most` of them. Each has to be [`done`](Self::done). Empty:
    /// the queue is closed and empty.
    pub(super) fn take(&self, most: usize) -> Vec<(Principal, T)> {
        let mut inside = self.0.lock();
        loop {
            let taken: Vec<_> = std::iter::from_fn(|| inside.fair.pop()).take(most).collect();
            if !taken.is_empty() || (inside.is_closed && inside.fair.is_empty()) {
                return taken;
            }
            inside = self.0.wakeup.wait(inside).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes one job. It has ended when the returned guard is dropped.
    pub(super) fn take_one(&self) -> Option<(UnderWay<T>, T)> {
        let (whose, job) = self.take(1).pop()?;
        Some((UnderWay { shared: Arc::clone(&self.0), whose }, job))
    }

    /// Jobs of these keys have ended.
    pub(super) fn done<'a>(&self, whose: impl IntoIterator<Item = &'a Principal>) {
        self.0.done(whose);
    }
}

impl<T> Shared<T> {
    fn done<'a>(&self, whose: impl IntoIterator<Item = &'a Principal>) {
        let mut inside = self.lock();
        whose.into_iter().for_each(|whose| inside.fair.done(whose));
        // A thread may wait for the key's next job. At the end, every thread waits.
        match inside.is_closed {
            true => self.wakeup.notify_all(),
            false => self.wakeup.notify_one(),
        }
    }

    /// The queue is consistent between calls, so a panic elsewhere does no harm.
    fn lock(&self) -> MutexGuard<'_, Inside<T>> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Drop for UnderWay<T> {
    fn drop(&mut self) {
        self.shared.done([&self.whose]);
    }
}

impl<T> Drop for Open<T> {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.wakeup.notify_all();
    }
}
