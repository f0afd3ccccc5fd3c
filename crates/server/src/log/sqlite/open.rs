//! Opens a folder: its lock, its schema, its connections, and the check for lost records.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, atomic::AtomicUsize},
};

use rusqlite::{Connection, OpenFlags, params};

use super::{
    Sqlite,
    commit::Writer,
    condition::Condition,
    folder::{self, Files, Proof},
    row::uint,
    schema,
    tickets::Tickets,
    trim::Sweep,
};
use crate::{
    log::{new_epoch, touched::Touched},
    private,
};

/// Connections that read. More than the machine's cores would only queue elsewhere.
const READERS: usize = 4;

/// Prepared statements that a connection caches: more than this module has.
const STATEMENTS: usize = 64;

/// A data folder can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process uses the folder.
    #[error("another server uses the data folder {}; stop it first, or give this one a folder of its own with --data", .0.display())]
    Locked(PathBuf),
    /// The schema was made by an edited or foreign build.
    #[error(
        "the database's migration {0} is not the one this build has: use the build that made it"
    )]
    ForeignMigration(String),
    /// The schema is of a later version.
    #[error("the database has {newest} migrations, this build knows {known}: use a newer build")]
    NewerDatabase {
        /// Migrations the database has.
        newest: i64,
        /// Migrations this build knows.
        known: usize,
    },
    /// The folder can't be read or written.
    #[error("the data folder can't be used: {0}")]
    Io(#[from] io::Error),
    /// SQLite can't open the database.
    #[error("the database can't be opened: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The operating system gives no random bytes.
    #[error("no random bytes: {0}")]
    Random(#[from] getrandom::Error),
}

impl Sqlite {
    /// Opens the log in a folder, and makes the folder if it is missing.
    ///
    /// Channels get new epochs when the folder shows that acknowledged records may be gone.
    ///
    /// # Errors
    /// [`OpenError`], whose text names the remedy.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_as(folder.as_ref(), false)
    }

    /// Opens the log and gives every channel a new epoch: for a folder that was restored from a
    /// backup.
    ///
    /// # Errors
    /// As [`Sqlite::open`].
    pub fn open_with_new_epochs(folder: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_as(folder.as_ref(), true)
    }

    fn open_as(path: &Path, new_epochs: bool) -> Result<Self, OpenError> {
        private::folder(path)?;
        let lock = folder::lock(path)?;
        private::tighten(path)?;
        let database = folder::make_database(path)?;
        let mut db = Connection::open(&database)?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        // FULL: the WAL is synced at each commit. That sync is the promise of `stored`.
        db.pragma_update(None, "synchronous", "FULL")?;
        db.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
        prepare(&db)?;
        schema::migrate(&mut db)?;
        let commits: u64 = db.query_row("SELECT number FROM commits", [], |row| uint(row, 0))?;
        let proven = folder::proven(path)?;
        let lost = match proven {
            Some(proven) => proven > commits,
            None => commits > 0,
        };
        if lost && !new_epochs {
            tracing::warn!(commits, ?proven, "acknowledged records may be gone: new epochs");
        }
        let commits = if lost || new_epochs {
            give_new_epochs(&mut db, commits.max(proven.unwrap_or(0)) + 1)?
        } else {
            commits
        };
        folder::prove(path, commits)?;
        let readers = (0..READERS).map(|_| reader(&database)).collect::<Result<_, _>>()?;
        let writer = Arc::new(Mutex::new(Writer::new(db, commits, getrandom::u64()?)));
        let condition = Arc::new(Condition::new(Files::note(path)?));
        let probe = probe(&writer, &condition);
        let proof = Proof::start(path.to_owned(), commits, lock, Arc::clone(&condition), probe)?;
        Ok(Self {
            writer,
            readers,
            next_reader: AtomicUsize::new(0),
            tickets: Mutex::new(Tickets::default()),
            sweep: Mutex::new(Sweep::default()),
            touched: Touched::default(),
            condition,
            proof,
        })
    }
}

/// Checks whether a full disk has room again.
fn probe(writer: &Arc<Mutex<Writer>>, condition: &Arc<Condition>) -> impl Fn() + Send + use<> {
    let (writer, condition) = (Arc::clone(writer), Arc::clone(condition));
    move || {
        // A writer that panicked is reported by every commit, so not here.
        let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
        match writer.probe() {
            Ok(()) => condition.filled(None),
            Err(failure) => failure.report(&condition),
        }
    }
}

fn reader(database: &Path) -> rusqlite::Result<Mutex<Connection>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(database, flags)?;
    prepare(&db)?;
    // SQLite opens the WAL at a connection's first read. The process may be out of files by then.
    db.query_row("SELECT number FROM commits", [], |_| Ok(()))?;
    Ok(Mutex::new(db))
}

fn prepare(db: &Connection) -> rusqlite::Result<()> {
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    db.busy_timeout(std::time::Duration::from_secs(5))?;
    db.pragma_update(None, "temp_store", "MEMORY")
}

/// Gives each log a new identity. Clients compare epochs for equality only.
fn give_new_epochs(db: &mut Connection, commits: u64) -> Result<u64, OpenError> {
    let transaction = db.transaction()?;
    {
        let mut ids = transaction.prepare("SELECT id FROM channel")?;
        let ids = ids.query_map([], |row| row.get::<_, i64>(0))?;
        let mut update = transaction.prepare("UPDATE channel SET epoch = ?2 WHERE id = ?1")?;
        for id in ids.collect::<Result<Vec<_>, _>>()? {
            update.execute(params![id, new_epoch(getrandom::u64()?).as_str()])?;
        }
        let mut hashes = transaction.prepare("SELECT hash FROM gone")?;
        let hashes = hashes.query_map([], |row| row.get::<_, i64>(0))?;
        let mut update = transaction.prepare("UPDATE gone SET epoch = ?2 WHERE hash = ?1")?;
        for hash in hashes.collect::<Result<Vec<_>, _>>()? {
            update.execute(params![hash, new_epoch(getrandom::u64()?).as_str()])?;
        }
        transaction.execute("UPDATE commits SET number = ?1", [super::row::int(commits)])?;
    }
    transaction.commit()?;
    Ok(commits)
}
