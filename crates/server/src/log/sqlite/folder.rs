//! What lies beside the database: the lock, and the proof of how far the log came.
//!
//! A database that was restored from a copy looks sound, but acknowledged records may be gone. So a file beside it
//! repeats the number of commits each second, never ahead of the database. A number above the database's, or none at
//! all, is evidence of a loss: the channels get new epochs and clients start fresh. (A whole folder that was restored
//! brings its file along; that is what `tidings doctor --new-epochs` is for.)

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use super::open::OpenError;

const LOCK: &str = "lock";
const PROOF: &str = "commits";

/// Takes the folder for this process, as long as the file lives. The kernel lets go even of a killed process.
pub(super) fn lock(folder: &Path) -> Result<File, OpenError> {
    let path = folder.join(LOCK);
    let file = File::options().create(true).truncate(false).write(true).open(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(OpenError::Locked(folder.to_owned())),
        Err(fs::TryLockError::Error(error)) => Err(error.into()),
    }
}

/// The number in the proof file; `None` when there is none that can be read.
pub(super) fn proven(folder: &Path) -> Option<u64> {
    fs::read_to_string(folder.join(PROOF)).ok()?.trim().parse().ok()
}

/// Writes the proof file, whole or not at all.
pub(super) fn prove(folder: &Path, commits: u64) -> io::Result<()> {
    let draft = folder.join("commits.new");
    let mut file = File::create(&draft)?;
    writeln!(file, "{commits}")?;
    file.sync_all()?;
    fs::rename(&draft, folder.join(PROOF))?;
    File::open(folder)?.sync_all()
}

/// Keeps the proof file up to date from a thread of its own, so that no commit waits for it.
#[derive(Debug)]
pub(super) struct Proof {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    /// The newest commit known to be durable.
    commits: AtomicU64,
    ended: Mutex<bool>,
    end: Condvar,
    failed: Mutex<Option<String>>,
    /// Held as long as anything writes here.
    _lock: File,
}

impl Proof {
    pub(super) fn start(folder: PathBuf, commits: u64, lock: File) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            folder,
            commits: AtomicU64::new(commits),
            ended: Mutex::new(false),
            end: Condvar::new(),
            failed: Mutex::new(None),
            _lock: lock,
        });
        let own = Arc::clone(&shared);
        let thread =
            thread::Builder::new().name("tidings-proof".to_owned()).spawn(move || own.run())?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// A commit is durable.
    pub(super) fn advance(&self, commits: u64) {
        self.shared.commits.fetch_max(commits, Ordering::Relaxed);
    }

    /// Whether the last write of the file succeeded.
    pub(super) fn sound(&self) -> Result<(), String> {
        match &*self.shared.failed.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(why) => Err(format!("the proof file can't be written: {why}")),
            None => Ok(()),
        }
    }
}

impl Drop for Proof {
    fn drop(&mut self) {
        *self.shared.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.end.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // It only fails when it panicked, and then there is nothing left to wait for.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self) {
        let mut written = self.commits.load(Ordering::Relaxed);
        loop {
            let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
            let (ended, _) = self
                .end
                .wait_timeout_while(ended, Duration::from_secs(1), |ended| !*ended)
                .unwrap_or_else(PoisonError::into_inner);
            let last = *ended;
            drop(ended);
            let commits = self.commits.load(Ordering::Relaxed);
            if commits > written {
                let result = prove(&self.folder, commits);
                if result.is_ok() {
                    written = commits;
                }
                *self.failed.lock().unwrap_or_else(PoisonError::into_inner) =
                    result.err().map(|error| error.to_string());
            }
            if last {
                return;
            }
        }
    }
}
