//! A batch of writes as one transaction.

use std::fmt::{self, Display, Formatter};

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
use tidings_server_core::{
    Ids,
    steady::Kept,
    store::{Op, StoreError, Subject, Write, Written},
};

use super::{append, condition::Condition, dedupe, inbox, marks, row::int};

/// The one connection that writes.
#[derive(Debug)]
pub(super) struct Writer {
    db: Connection,
    /// Commits so far, as the database has it.
    commits: u64,
    pub(super) ids: Ids,
}

/// A transaction did not end well; nothing of it is known to be stored.
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
            let mut answers = Vec::with_capacity(writes.len());
            for write in writes {
                let savepoint = step.transaction.savepoint()?;
                match apply(&savepoint, stored, write) {
                    Ok(written) => {
                        savepoint.commit()?;
                        answers.push(Ok(written));
                    }
                    // The disk's errors are everybody's.
                    Err(cause) if is_disk(&cause) => return Err(cause),
                    // Dropping the savepoint rolls back to it.
                    Err(cause) => answers.push(Err(StoreError::Unavailable(cause.to_string()))),
                }
            }
            Ok(answers)
        })
    }

    /// Whether the disk has room again for more than a row: writes it, and takes it back.
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

    /// Runs one transaction and makes it durable, its number included. One that changed nothing costs no sync.
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

/// What a transaction works with.
pub(super) struct Step<'a> {
    pub(super) transaction: Transaction<'a>,
    pub(super) ids: &'a mut Ids,
}

fn apply(db: &Connection, stored: u64, write: &Write) -> rusqlite::Result<Written> {
    if let Some(answer) = dedupe::earlier(db, write)? {
        return Ok(answer);
    }
    let written = match &write.op {
        Op::Notify(drafts) => append::notify(db, stored, drafts)?,
        Op::Message { draft, from } => {
            append::message(db, stored, draft, from.as_ref(), write.lane.as_ref())?
        }
        Op::Mark(mark) => marks::mark(db, stored, mark, write.lane.as_ref())?,
        Op::OpenInbox { user } => {
            inbox::open(db, user)?;
            Written::Done
        }
        Op::Void => Written::Done,
        Op::Keep { hash, text, until } => {
            db.prepare_cached(
                "INSERT INTO kept (hash, text, until) VALUES (?1, ?2, ?3)
                 ON CONFLICT (hash) DO UPDATE SET until = max(until, excluded.until)",
            )?
            .execute((hash.as_slice(), &**text, int(*until)))?;
            Written::Done
        }
        Op::KeepClock(Kept { steady, wall }) => {
            db.execute("DELETE FROM clock", [])?;
            db.prepare_cached("INSERT INTO clock (steady, wall) VALUES (?1, ?2)")?
                .execute((int(*steady), int(*wall)))?;
            Written::Done
        }
        Op::InUse { channels, before } => {
            let mut update = db.prepare_cached(
                "UPDATE channel SET empty_since = ?2 WHERE name = ?1 AND empty_since < ?3",
            )?;
            for channel in channels {
                update.execute((channel.as_str(), int(stored), int(*before)))?;
            }
            Written::Done
        }
        Op::Revoke(revocation) => {
            let (kind, subject) = match &revocation.subject {
                Subject::Jti(jti) => ("jti", jti),
                Subject::Session(session) => ("session", session),
                Subject::User(user) => ("user", user),
            };
            db.prepare_cached(
                "INSERT INTO revocation (kind, subject, at, until) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute((kind, subject, int(revocation.at), int(revocation.until)))?;
            Written::Done
        }
    };
    dedupe::remember(db, stored, write, &written)?;
    Ok(written)
}

fn is_disk(cause: &rusqlite::Error) -> bool {
    matches!(
        cause.sqlite_error_code(),
        Some(
            ErrorCode::SystemIoFailure
                | ErrorCode::DiskFull
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
        )
    )
}

impl Failure {
    /// Tells what it says of the disk. One that failed, or lied, is not written any more; a full one may have room again.
    pub(super) fn tell(&self, condition: &Condition) {
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
    use tidings_server_core::store::{Draft, Store as _};

    use super::*;
    use crate::log::Sqlite;

    fn say(store: &Sqlite, id: u64) -> Result<(), StoreError> {
        let channel = Channel::parse("room:a").unwrap();
        let data = Json::string(&"x".repeat(60_000));
        let draft = Draft { channel, id: id.to_string(), kind: String::new(), at: 1, data };
        let write = Write { key: None, lane: None, op: Op::Message { draft, from: None } };
        store.commit(1, &[write])?.remove(0).map(drop)
    }

    /// As many pages as this at most: a disk of that size.
    fn limit_pages(store: &Sqlite, pages: u32) {
        let sql = format!("PRAGMA max_page_count = {pages}");
        store.writer().unwrap().db.query_row(&sql, [], |_| Ok(())).unwrap();
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
}
