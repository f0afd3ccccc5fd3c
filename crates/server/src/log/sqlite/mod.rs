//! The embedded log: SQLite in one folder.
//!
//! | file | what |
//! |---|---|
//! | `schema.rs` | migrations, each with a checksum |
//! | `folder.rs` | the lock and the proof file beside the database |
//! | `open.rs` | connections and their pragmas; new epochs |
//! | `commit.rs` | a batch as one transaction, each write in a savepoint |
//! | `append.rs` | records |
//! | `inbox.rs`, `marks.rs`, `everyone.rs` | items, states and counts |
//! | `dedupe.rs` | idempotency keys and lanes |
//! | `read.rs`, `items.rs` | queries |
//! | `trim.rs` | retention |
//! | `examine.rs` | what `tidings doctor` verifies |
//! | `tickets.rs` | one-time tickets, in memory: a restart forgets them, no fsync per connect |

mod append;
mod commit;
mod dedupe;
mod everyone;
mod examine;
mod folder;
mod inbox;
mod items;
mod marks;
mod open;
mod read;
mod row;
mod schema;
mod tickets;
mod trim;

use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use rusqlite::Connection;
use tidings_server_core::store::{Answer, Query, Retention, Store, StoreError, Write, Written};

pub use examine::Report;
pub use open::OpenError;

use self::{commit::Writer, folder::Proof, tickets::Tickets, trim::Sweep};

/// A log in a folder of its own: database, lock file, and the file that proves how far it came.
#[derive(Debug)]
pub struct Sqlite {
    writer: Mutex<Writer>,
    readers: Vec<Mutex<Connection>>,
    next_reader: AtomicUsize,
    tickets: Mutex<Tickets>,
    sweep: Mutex<Sweep>,
    /// Why nothing may be written any more. After a failed fsync the kernel may have dropped the pages it could not
    /// write, so a second one that succeeds proves nothing: only a restart, which reads the log again, goes on.
    failed: Arc<OnceLock<String>>,
    proof: Arc<Proof>,
}

impl Sqlite {
    fn writer(&self) -> Result<MutexGuard<'_, Writer>, StoreError> {
        // A panic mid-transaction leaves a writer whose state nobody knows.
        self.writer
            .lock()
            .map_err(|_| StoreError::Unavailable("the writer broke; restart".to_owned()))
    }

    fn sound(&self) -> Result<(), StoreError> {
        match self.failed.get() {
            Some(why) => Err(StoreError::Unavailable(format!("the log stopped writing: {why}"))),
            None => Ok(()),
        }
    }

    /// A reader that is free, or one to wait for.
    fn reader(&self) -> Result<MutexGuard<'_, Connection>, StoreError> {
        let start = self.next_reader.fetch_add(1, Ordering::Relaxed);
        let order = || (0..self.readers.len()).map(|step| (start + step) % self.readers.len());
        let free = order().find_map(|place| self.readers.get(place)?.try_lock().ok());
        let waited = || self.readers.get(start % self.readers.len().max(1));
        // A reader holds nothing between queries that a panic could have left half done.
        free.or_else(|| Some(waited()?.lock().unwrap_or_else(PoisonError::into_inner)))
            .ok_or_else(|| StoreError::Unavailable("no reader".to_owned()))
    }
}

impl Store for Sqlite {
    fn commit(
        &self,
        wall: u64,
        writes: &[Write],
    ) -> Result<Vec<Result<Written, StoreError>>, StoreError> {
        self.sound()?;
        let mut writer = self.writer()?;
        let answer = writer.commit(wall, writes);
        self.settle(&writer, answer)
    }

    fn read(&self, queries: &[Query]) -> Result<Vec<Result<Answer, StoreError>>, StoreError> {
        let mut reader = self.reader()?;
        Ok(queries.iter().map(|query| read::answer(&mut reader, query)).collect())
    }

    fn put_ticket(
        &self,
        wall: u64,
        hash: [u8; 32],
        ttl_ms: u64,
        grant: Bytes,
    ) -> Result<(), StoreError> {
        self.tickets().put(hash, wall.saturating_add(ttl_ms), grant)
    }

    fn take_ticket(&self, wall: u64, hash: [u8; 32]) -> Result<Option<Bytes>, StoreError> {
        Ok(self.tickets().take(wall, hash))
    }

    fn trim(&self, wall: u64, retention: &Retention) -> Result<bool, StoreError> {
        self.sound()?;
        self.tickets().trim(wall);
        let mut sweep = self.sweep.lock().unwrap_or_else(PoisonError::into_inner);
        let mut writer = self.writer()?;
        let answer = writer.transaction(|writer| sweep.step(writer, wall, retention));
        self.settle(&writer, answer)
    }

    fn health(&self) -> Result<(), StoreError> {
        self.sound()?;
        self.proof.sound().map_err(StoreError::Unavailable)
    }
}

impl Sqlite {
    fn tickets(&self) -> MutexGuard<'_, Tickets> {
        // Its maps are whole between any two calls.
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// After a commit: repeats its number in the proof file, or stops for good when the disk failed.
    fn settle<T>(
        &self,
        writer: &Writer,
        answer: Result<T, commit::Failure>,
    ) -> Result<T, StoreError> {
        match answer {
            Ok(answer) => {
                self.proof.advance(writer.commits());
                Ok(answer)
            }
            Err(failure) => {
                if failure.is_final() {
                    let why = self.failed.get_or_init(|| failure.to_string());
                    tracing::error!(%why, "the log stopped writing; restart after the disk is repaired");
                }
                Err(failure.into())
            }
        }
    }
}
