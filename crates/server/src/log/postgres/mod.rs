//! The log of many nodes: one PostgreSQL database.
//!
//! A batch of writes of any size is one transaction in two round trips. The first locks the needed
//! rows in sorted order and loads them. Then all writes are decided in memory. The second stores
//! the changes and commits. If that fails because of one write, the batch is repeated write by
//! write, each in a savepoint.
//!
//! | file | content |
//! |---|---|
//! | `open.rs`, `tls.rs` | the URL, the pool, the session settings of a connection |
//! | `schema.rs` | migrations, one node at a time |
//! | `timeline.rs` | new epochs on another database |
//! | `commit.rs` | a batch as one transaction, and the meaning of its failures |
//! | `load.rs`, `save.rs` | rows ↔ memory; the decisions are in [`tidings_server_core::log`] |
//! | `turns.rs` | locks for rows that may not exist yet |
//! | `read.rs`, `items.rs` | queries |
//! | `tickets.rs`, `leases.rs`, `secrets.rs` | state that nodes share besides the log |
//! | `trim.rs` | retention, one node at a time |
//! | `health.rs` | whether the database is available |
//!
//! The driver's threads call [`Store`] and wait there. The work runs on a small runtime of the
//! store's own, so a caller needs none.

mod commit;
mod examine;
mod health;
mod items;
mod leases;
mod load;
mod open;
mod read;
mod row;
mod save;
mod schema;
mod secrets;
mod tickets;
mod timeline;
mod tls;
mod trim;
mod turns;
mod url;

pub use examine::Findings;
pub use open::{ConnectError, Connector};

use std::{
    fmt::{self, Debug, Formatter},
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use bytes::Bytes;
use deadpool_postgres::Pool;
use tidings_server_core::{
    Ids,
    leases::ConnectionLeases,
    retention_clock::Moment,
    store::{Answer, Query, Retention, Store, StoreError, Ticket, Write, Written},
};
use tokio::{runtime::Runtime, time::timeout};

use self::{commit::Known, health::HealthWatch};
use crate::log::touched::{Round, Touched};

/// A store in a PostgreSQL database that other nodes use too.
pub struct Postgres {
    inner: Arc<Inner>,
    /// Taken on drop. A store may be dropped in async code, which must not wait for a runtime.
    runtime: Option<Runtime>,
}

/// State that all work on the runtime shares.
struct Inner {
    pool: Pool,
    health_watch: HealthWatch,
    /// Channels that have a row, as far as this node knows.
    known: Known,
    ids: Mutex<Ids>,
    /// Channels that this node wrote to.
    touched: Touched,
    round: Mutex<Round>,
    /// How long a call may take before its connection is dropped.
    patience: Duration,
}

impl Debug for Postgres {
    /// The URL may hold a password.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("pool", &self.inner.pool.status()).finish_non_exhaustive()
    }
}

impl Postgres {
    /// Runs work on the store's runtime and waits for it.
    fn wait<T, F>(&self, work: impl FnOnce(Arc<Inner>) -> F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let gone = || StoreError::Unavailable("the store has ended".to_owned());
        let runtime = self.runtime.as_ref().ok_or_else(gone)?;
        let (sender, answer) = mpsc::sync_channel(1);
        let work = work(Arc::clone(&self.inner));
        runtime.spawn(async move {
            // The send fails if the caller no longer waits. It needs no answer then.
            let _ = sender.send(work.await);
        });
        answer.recv().unwrap_or_else(|_| Err(gone()))
    }

    /// The same for calls without a lasting change. A call that takes too long ends as unavailable.
    fn wait_shortly<T, F>(&self, work: impl FnOnce(Arc<Inner>) -> F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        self.inner.health_watch.health()?;
        self.wait(|inner| {
            let (patience, watched) = (inner.patience, Arc::clone(&inner));
            let work = work(inner);
            async move {
                let late = || StoreError::Unavailable("PostgreSQL does not answer".to_owned());
                // Twice the patience: once for a connection, and once for the work, which has its
                // own limit.
                let result = timeout(2 * patience, work).await.unwrap_or_else(|_| Err(late()));
                watched.health_watch.note(result.as_ref().err());
                result
            }
        })
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Store for Postgres {
    fn commit(
        &self,
        stored: u64,
        writes: &[Write],
    ) -> Result<Vec<Result<Written, StoreError>>, StoreError> {
        self.inner.health_watch.health()?;
        let writes = writes.to_vec();
        self.wait(|inner| async move {
            let result = commit::commit(&inner, stored, &writes).await;
            if let Ok(answers) = &result {
                inner.touched.note(answers);
            }
            inner.health_watch.note(result.as_ref().err());
            result
        })
    }

    fn read(&self, queries: &[Query]) -> Result<Vec<Result<Answer, StoreError>>, StoreError> {
        let queries = queries.to_vec();
        self.wait_shortly(|inner| async move { read::answer(&inner, &queries).await })
    }

    fn put_ticket(&self, _wall: u64, ticket: &Ticket) -> Result<(), StoreError> {
        let ticket = ticket.clone();
        self.wait_shortly(|inner| async move { tickets::put(&inner, &ticket).await })
    }

    fn take_ticket(&self, _wall: u64, hash: [u8; 32]) -> Result<Option<Bytes>, StoreError> {
        self.wait_shortly(|inner| async move { tickets::take(&inner, hash).await })
    }

    fn trim(&self, now: Moment, retention: &Retention) -> Result<bool, StoreError> {
        let retention = retention.clone();
        self.wait_shortly(|inner| async move { trim::step(&inner, now, &retention).await })
    }

    fn health(&self) -> Result<(), StoreError> {
        self.inner.health_watch.health()
    }

    fn leases(&self) -> Option<&dyn ConnectionLeases> {
        Some(self)
    }
}
