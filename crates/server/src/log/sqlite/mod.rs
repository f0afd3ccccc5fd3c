//! The embedded log: SQLite in one folder.
//!
//! | file | content |
//! |---|---|
//! | `schema.rs` | migrations, each with a checksum |
//! | `folder.rs` | the lock and the proof file beside the database |
//! | `condition.rs` | whether the log can be written |
//! | `open.rs` | connections and their pragmas; new epochs |
//! | `commit.rs` | a batch as one transaction |
//! | `load.rs`, `save.rs` | rows ↔ memory; the decisions are in [`tidings_server_core::log`] |
//! | `read.rs`, `items.rs` | queries |
//! | `trim.rs` | retention |
//! | `examine.rs` | the checks of `tidings doctor` |
//! | `tickets.rs` | one-time tickets, in memory only: no connect costs a sync |

mod commit;
mod condition;
mod examine;
mod folder;
mod items;
mod load;
mod open;
mod read;
mod row;
mod save;
mod schema;
mod tickets;
mod trim;

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use rusqlite::Connection;
use tidings_server_core::{
    retention_clock::Moment,
    store::{Answer, Query, Retention, Store, StoreError, Ticket, Write, Written},
};

pub use examine::Report;
pub use open::OpenError;

use self::{commit::Writer, condition::Condition, folder::Proof, tickets::Tickets, trim::Sweep};
use crate::log::touched::Touched;

/// A log in its own folder: the database, a lock file, and the file that proves the newest commit.
#[derive(Debug)]
pub struct Sqlite {
    writer: Arc<Mutex<Writer>>,
    readers: Vec<Mutex<Connection>>,
    next_reader: AtomicUsize,
    tickets: Mutex<Tickets>,
    sweep: Mutex<Sweep>,
    touched: Touched,
    condition: Arc<Condition>,
    proof: Proof,
}

impl Sqlite {
    fn writer(&self) -> Result<MutexGuard<'_, Writer>, StoreError> {
        // After a panic in a transaction the writer's state is unknown.
        self.writer
            .lock()
            .map_err(|_| StoreError::Unavailable("the writer broke; restart".to_owned()))
    }

    /// A reader that is free, or one to wait for.
    fn reader(&self) -> Result<MutexGuard<'_, Connection>, StoreError> {
        let start = self.next_reader.fetch_add(1, Ordering::Relaxed);
        let order = || (0..self.readers.len()).map(|step| (start + step) % self.readers.len());
        let free = order().find_map(|index| self.readers.get(index)?.try_lock().ok());
        let waited = || self.readers.get(start % self.readers.len().max(1));
        // A reader has no state between queries, so a panic leaves nothing half done.
        free.or_else(|| Some(waited()?.lock().unwrap_or_else(PoisonError::into_inner)))
            .ok_or_else(|| StoreError::Unavailable("no reader".to_owned()))
    }
}

impl Store for Sqlite {
    fn commit(
        &self,
        stored: u64,
        writes: &[Write],
    ) -> Result<Vec<Result<Written, StoreError>>, StoreError> {
        self.condition.may_write()?;
        self.condition.look()?;
        let mut writer = self.writer()?;
        let before = writer.commits();
        let answer = writer.commit(stored, writes);
        let answers = self.settle(&writer, before, answer)?;
        self.touched.note(&answers);
        Ok(answers)
    }

    fn read(&self, queries: &[Query]) -> Result<Vec<Result<Answer, StoreError>>, StoreError> {
        let mut reader = self.reader()?;
        Ok(queries.iter().map(|query| read::answer(&mut reader, query)).collect())
    }

    fn put_ticket(&self, _wall: u64, ticket: &Ticket) -> Result<(), StoreError> {
        self.tickets().put(ticket)
    }

    fn take_ticket(&self, _wall: u64, hash: [u8; 32]) -> Result<Option<Bytes>, StoreError> {
        Ok(self.tickets().take(hash))
    }

    fn trim(&self, now: Moment, retention: &Retention) -> Result<bool, StoreError> {
        // Runs even if the proof file can't be written, because it frees room.
        self.condition.look()?;
        self.tickets().trim();
        let mut sweep = self.sweep.lock().unwrap_or_else(PoisonError::into_inner);
        let mut writer = self.writer()?;
        let before = writer.commits();
        let answer = writer.transaction(|writer| sweep.step(writer, &self.touched, now, retention));
        if answer.is_err() {
            self.touched.lost();
        }
        self.settle(&writer, before, answer)
    }

    fn health(&self) -> Result<(), StoreError> {
        self.condition.health()
    }
}

impl Sqlite {
    fn tickets(&self) -> MutexGuard<'_, Tickets> {
        // The maps are consistent between any two calls.
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a transaction. A commit advances the proof; a failure of the disk stops all writing.
    fn settle<T>(
        &self,
        writer: &Writer,
        before: u64,
        answer: Result<T, commit::Failure>,
    ) -> Result<T, StoreError> {
        match answer {
            Ok(answer) => {
                // The answer promises that the record stays. So check first that the files in the
                // folder are still those that the commit went to.
                let stays = self.condition.look();
                stays.map_err(|error| StoreError::Unknown(error.to_string()))?;
                // A transaction without changes does not prove that there is room.
                if writer.commits() > before {
                    self.condition.filled(None);
                }
                self.proof.advance(writer.commits());
                Ok(answer)
            }
            Err(failure) => {
                failure.report(&self.condition);
                Err(failure.into())
            }
        }
    }
}
