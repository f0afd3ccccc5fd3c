//! The files beside the database: the lock, and the proof of the newest commit.
//!
//! A database that was restored from a copy looks sound, but acknowledged records may be gone. So a
//! file beside it repeats the number of commits each second, never ahead of the database. A number
//! above the database's, or no number at all, is evidence of a loss: the channels get new epochs
//! and clients start fresh. (A restored folder brings its old proof along. It needs `tidings doctor
//! --new-epochs`.)

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{condition::Condition, open::OpenError};
use crate::{files, private};

/// Name of the database in its folder.
pub(super) const DATABASE: &str = "tidings.db";
const LOCK: &str = "lock";
const PROOF: &str = "commits";

/// How long the proof may wait for a file to open before writes stop.
const LATEST_PROOF: Duration = Duration::from_secs(60);

/// Locks the folder for this process, as long as the file is open. The kernel releases the lock
/// even of a killed process.
pub(super) fn lock(folder: &Path) -> Result<File, OpenError> {
    let path = folder.join(LOCK);
    let file = private::options().truncate(false).open(&path)?;
    private::hand_over(&file, folder)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(OpenError::Locked(folder.to_owned())),
        Err(fs::TryLockError::Error(error)) => Err(error.into()),
    }
}

/// Makes the database's file if it is missing. SQLite would make it readable for all users, and
/// gives the files beside it the same mode. Call this only before SQLite opens the file: closing
/// another handle of the process releases SQLite's locks.
pub(super) fn make_database(folder: &Path) -> io::Result<PathBuf> {
    let path = folder.join(DATABASE);
    let file = private::options().truncate(false).open(&path)?;
    private::hand_over(&file, folder)?;
    Ok(path)
}

/// The number in the proof file. `None`: there is no file, or no number in it.
///
/// # Errors
/// The file exists and can't be read, which proves nothing.
pub(super) fn proven(folder: &Path) -> io::Result<Option<u64>> {
    match fs::read(folder.join(PROOF)) {
        Ok(bytes) => Ok(str::from_utf8(&bytes).ok().and_then(|text| text.trim().parse().ok())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes the proof file, completely or not at all.
pub(super) fn prove(folder: &Path, commits: u64) -> io::Result<()> {
    let draft = folder.join("commits.new");
    let mut file = private::options().truncate(true).open(&draft)?;
    private::hand_over(&file, folder)?;
    writeln!(file, "{commits}")?;
    file.sync_all()?;
    fs::rename(&draft, folder.join(PROOF))?;
    File::open(folder)?.sync_all()
}

/// The files of a running server, by device and inode. Data written to a removed or replaced file
/// is lost with the process, and a removed lock file keeps no other process out.
#[derive(Debug)]
pub(super) struct Files(Vec<(PathBuf, (u64, u64))>);

impl Files {
    /// Notes the files as they are now. All must be open.
    pub(super) fn note(folder: &Path) -> io::Result<Self> {
        // A process with another -shm file does not coordinate with this process, and writes to the
        // same database.
        let [wal, shm] = ["wal", "shm"].map(|kind| format!("{DATABASE}-{kind}"));
        let mut files = Vec::new();
        for name in [DATABASE, &wal, &shm, LOCK] {
            let path = folder.join(name);
            files.push((path.clone(), identity(&path)?));
        }
        Ok(Self(files))
    }

    /// The first file that was removed or replaced.
    pub(super) fn missing(&self) -> Option<String> {
        let changed = |(path, before): &(PathBuf, (u64, u64))| match identity(path) {
            Ok(now) if now == *before => None,
            Ok(_) => Some(format!("{} was replaced while the server ran", path.display())),
            Err(error) => Some(format!("{} is not there any more: {error}", path.display())),
        };
        self.0.iter().find_map(changed)
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::metadata(path).map(|about| (about.dev(), about.ino()))
}

/// A thread that keeps the proof file up to date, so that no commit waits for it. It also checks
/// whether an obstacle to writing is gone.
#[derive(Debug)]
pub(super) struct Proof {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    /// The newest commit that is durable.
    commits: AtomicU64,
    ended: Mutex<bool>,
    end: Condvar,
    condition: Arc<Condition>,
    /// Held as long as this process writes to the folder.
    _lock: File,
}

impl Proof {
    pub(super) fn start(
        folder: PathBuf,
        commits: u64,
        lock: File,
        condition: Arc<Condition>,
        probe: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            folder,
            commits: AtomicU64::new(commits),
            ended: Mutex::new(false),
            end: Condvar::new(),
            condition,
            _lock: lock,
        });
        let own = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("tidings-proof".to_owned())
            .spawn(move || own.run(probe))?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// A commit is durable.
    pub(super) fn advance(&self, commits: u64) {
        self.shared.commits.fetch_max(commits, Ordering::Relaxed);
    }
}

impl Drop for Proof {
    fn drop(&mut self) {
        *self.shared.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.end.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // The join fails only if the thread panicked. Nothing is left to wait for then.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self, probe: impl Fn()) {
        let mut written = self.commits.load(Ordering::Relaxed);
        let mut lateness = Lateness::default();
        loop {
            let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
            let (ended, _) = self
                .end
                .wait_timeout_while(ended, Duration::from_secs(1), |ended| !*ended)
                .unwrap_or_else(PoisonError::into_inner);
            let last = *ended;
            drop(ended);
            // The folder's files are not this server's any more, so no proof is written.
            if self.condition.look().is_err() {
                return;
            }
            if self.condition.is_full() && !last {
                probe();
            }
            let commits = self.commits.load(Ordering::Relaxed);
            if commits > written {
                let result = prove(&self.folder, commits);
                if result.is_ok() {
                    written = commits;
                }
                if let Some(result) = lateness.judge(result, Instant::now()) {
                    self.condition.proved(result);
                }
            }
            if last {
                return;
            }
        }
    }
}

/// The proof waits for a file to open. It is a second late anyway. A little later it still proves
/// as much, so writes go on.
#[derive(Debug, Default)]
struct Lateness {
    since: Option<Instant>,
}

impl Lateness {
    /// The result to report for this try. `None`: the next try may succeed.
    fn judge(&mut self, tried: io::Result<()>, now: Instant) -> Option<io::Result<()>> {
        match &tried {
            Err(error) if files::are_out(error) => {
                if self.since.is_none() {
                    tracing::warn!(%error, "the proof file waits: this process can open no more files");
                }
                let since = *self.since.get_or_insert(now);
                (now.duration_since(since) >= LATEST_PROOF).then_some(tried)
            }
            _ => {
                self.since = None;
                Some(tried)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn a_proof_may_be_late_for_lack_of_open_files_and_for_nothing_else() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let none_left = || Err(io::Error::from(Errno::MFILE));
        let mut lateness = Lateness::default();
        assert!(lateness.judge(none_left(), at(0)).is_none());
        assert!(lateness.judge(none_left(), at(59)).is_none());
        assert!(lateness.judge(Ok(()), at(60)).is_some_and(|told| told.is_ok()));
        assert!(lateness.judge(none_left(), at(61)).is_none(), "since then, and not before");
        assert!(lateness.judge(none_left(), at(121)).is_some_and(|told| told.is_err()));
        let full = Err(io::Error::from(Errno::NOSPC));
        assert!(lateness.judge(full, at(122)).is_some_and(|told| told.is_err()));
    }
}
