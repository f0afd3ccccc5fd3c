//! A batch of writes as one transaction.

use std::fmt::{self, Display, Formatter};

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
use tidings_server_core::{
    Ids,
    log::Needs,
    store::{StoreError, Write, Written},
};

use super::{condition::Condition, load::load, row::int, save::save};

/// The one connection that writes.
#[derive(Debug)]
pub(super) struct Writer {
    db: Connection,
    /// Number of commits so far, as stored in the database.
    commits: u64,
    pub(super) ids: Ids,
}

/// A transaction failed. It is not known to be stored.
#[derive(Debug)]
pub(super) struct Failure {
    cause: rusqlite::Error,
    /// `COMMIT` was sent.
    sent: bool,
}

impl Writer {
    pub(super) fn new(db: Connection, commits: u64, seed: u64) -> Self {
        Self { db, commits, ids: Ids::new(seed) }
    }

    /// Commits that are durable.
    pub(super) fn commits(&self) -> u64 {
        self.commits
    }

    pub(super) fn commit(
        &mut self,
        stored: u64,
        writes: &[Write],
    ) -> Result<Vec<Result<Written, StoreError>>, Failure> {
        self.transaction(|step| {
            let together = savepoint(step, |db| apply(db, stored, writes));
            match together {
                // An error of the disk, or a lack of open files, concerns all writes.
                Ok(_) => together,
                Err(ref cause) if is_disk(cause) || is_unopened(cause) => together,
                Err(_) => one_by_one(step, stored, writes),
            }
        })
    }

    /// Checks whether the disk has room for more than a row again: writes 64 KiB, and deletes them.
    pub(super) fn probe(&mut self) -> Result<(), Failure> {
        const ROOM: i64 = 64 * 1024;
        let hash = [0_u8; 32];
        self.transaction(|step| {
            let sql =
                "INSERT OR REPLACE INTO kept (hash, text, until) VALUES (?1, zeroblob(?2), 0)";
            step.transaction.execute(sql, (hash, ROOM))
        })?;
        self.transaction(|step| {
            step.transaction.execute("DELETE FROM kept WHERE hash = ?1", [hash])
        })?;
        Ok(())
    }

    /// Runs one transaction and makes it durable with its number. A transaction without changes
    /// costs no sync.
    pub(super) fn transaction<T>(
        &mut self,
        work: impl FnOnce(&mut Step<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, Failure> {
        let before = |cause| Failure { cause, sent: false };
        let changes = self.db.total_changes();
        let transaction =
            self.db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(before)?;
        let mut step = Step { transaction, ids: &mut self.ids };
        let answer = work(&mut step).map_err(before)?;
        let Step { transaction, .. } = step;
        let changed = transaction.total_changes() != changes;
        // The number is stored in the same transaction as the changes: the proof file repeats it,
        // and must never be ahead of the database.
        let number = self.commits + u64::from(changed);
        if changed {
            transaction
                .prepare_cached("UPDATE commits SET number = ?1")
                .and_then(|mut update| update.execute([int(number)]))
                .map_err(before)?;
        }
        transaction.commit().map_err(|cause| Failure { cause, sent: true })?;
        self.commits = number;
        Ok(answer)
    }
}

/// The tools of a transaction.
pub(super) struct Step<'a> {
    pub(super) transaction: Transaction<'a>,
    pub(super) ids: &'a mut Ids,
}

type Answers = Vec<Result<Written, StoreError>>;

fn apply(db: &Connection, stored: u64, writes: &[Write]) -> rusqlite::Result<Answers> {
    let mut loaded = load(db, &Needs::of(writes))?;
    let answers = writes.iter().map(|write| loaded.rows.write(stored, write)).collect();
    save(db, &loaded)?;
    Ok(answers)
}

/// Finds the writes that can't be stored, and stores the others.
fn one_by_one(step: &mut Step<'_>, stored: u64, writes: &[Write]) -> rusqlite::Result<Answers> {
    let mut answers = Vec::with_capacity(writes.len());
    for write in writes {
        match savepoint(step, |db| apply(db, stored, std::slice::from_ref(write))) {
            Ok(answer) => answers.extend(answer),
            Err(cause) if is_disk(&cause) || is_unopened(&cause) => return Err(cause),
            Err(cause) => answers.push(Err(StoreError::Unavailable(cause.to_string()))),
        }
    }
    Ok(answers)
}

/// Does all of the work or, after an error, none of it.
fn savepoint<T>(
    step: &mut Step<'_>,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    // Dropping the savepoint rolls back to it.
    let savepoint = step.transaction.savepoint()?;
    let answer = work(&savepoint)?;
    savepoint.commit()?;
    Ok(answer)
}

fn is_disk(cause: &rusqlite::Error) -> bool {
    matches!(
        cause.sqlite_error_code(),
        Some(
            ErrorCode::SystemIoFailure
                | ErrorCode::DiskFull
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::ReadOnly
        )
    )
}

/// A file could not be opened: the process may have too many. Earlier commits are not in doubt, so
/// the next commit may be tried. [`Condition::look`] finds a missing file.
fn is_unopened(cause: &rusqlite::Error) -> bool {
    cause.sqlite_error_code() == Some(ErrorCode::CannotOpen)
}

impl Failure {
    /// Reports the failure to `condition`. A failed disk is not written to any more; a full one may
    /// have room again.
    pub(super) fn report(&self, condition: &Condition) {
        if self.cause.sqlite_error_code() == Some(ErrorCode::DiskFull) {
            condition.filled(Some(self.to_string()));
        } else if is_disk(&self.cause) {
            condition.fail(&self.to_string());
        }
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(cause: rusqlite::Error) -> Self {
        Self { cause, sent: false }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        if failure.sent {
            Self::Unknown(failure.to_string())
        } else {
            Self::Unavailable(failure.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use tidings_protocol::{Channel, Json};
    use tidings_server_core::store::{Draft, Op, Store as _};

    use super::*;
    use crate::log::Sqlite;

    fn message(room: &str, id: u64) -> Write {
        let channel = Channel::parse(room).unwrap();
        let data = Json::string(&"x".repeat(60_000));
        let draft = Draft { channel, id: id.to_string(), kind: String::new(), at: 1, data };
        Write { key: None, lane: None, op: Op::Message { draft, from: None } }
    }

    fn say(store: &Sqlite, id: u64) -> Result<(), StoreError> {
        store.commit(1, &[message("room:a", id)])?.remove(0).map(drop)
    }

    /// Limits the database to this many pages, like a disk of that size.
    fn limit_pages(store: &Sqlite, pages: u32) {
        let sql = format!("PRAGMA max_page_count = {pages}");
        store.writer().unwrap().db.query_row(&sql, [], |_| Ok(())).unwrap();
    }

    #[test]
    fn a_file_that_could_not_be_opened_ends_one_commit_and_not_all() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(folder.path()).unwrap();
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
        let failure = Failure::from(rusqlite::Error::SqliteFailure(code, None));
        failure.report(&store.condition);
        assert!(matches!(StoreError::from(failure), StoreError::Unavailable(_)));
        say(&store, 1).unwrap();
    }

    #[test]
    fn a_full_disk_is_known_to_health_until_it_has_room_though_nobody_writes() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(folder.path()).unwrap();
        limit_pages(&store, 200);
        let failed = (0..100).find_map(|id| say(&store, id).err()).expect("a page too many");
        assert!(matches!(failed, StoreError::Unavailable(_)), "{failed:?}");
        let sick = store.health().unwrap_err().to_string();
        assert!(sick.contains("the disk is full"), "{sick}");
        limit_pages(&store, 100_000);
        let began = Instant::now();
        while store.health().is_err() {
            assert!(began.elapsed() < Duration::from_secs(60), "{:?}", store.health());
            std::thread::yield_now();
        }
        say(&store, 1_000).unwrap();
    }

    #[test]
    fn a_write_that_the_database_refuses_is_refused_alone() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(folder.path()).unwrap();
        say(&store, 1).unwrap();
        let stray = "INSERT INTO record SELECT channel, 2, at, id, frame, checksum FROM record";
        store.writer().unwrap().db.execute(stray, []).unwrap();
        let batch = [message("room:b", 2), message("room:a", 3), message("room:b", 4)];
        let answers = store.commit(1, &batch).unwrap();
        let offset = |answer: &Result<Written, StoreError>| match answer {
            Ok(Written::Records { records, .. }) => Some(records[0].offset),
            _ => None,
        };
        assert_eq!(answers.iter().map(offset).collect::<Vec<_>>(), [Some(1), None, Some(2)]);
    }
}
