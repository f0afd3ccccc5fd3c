//! A store that fails where a test wants it to.

use std::sync::{
    atomic::{AtomicUsize, Ordering},
    mpsc,
};

use bytes::Bytes;
use tidings_server_core::{
    MemoryStore,
    leases::{Claim, ConnectionId, ConnectionLeases, Lease, Verdict},
    memory::Syncing,
    retention_clock::Moment,
    store::{Answer, Query, Retention, Store, StoreError, Ticket, Write, Written},
};

/// A user whose claims it can't store.
pub(super) const UNFIT: &str = "unfit";

/// A call that it got.
#[derive(Debug, PartialEq)]
pub(super) enum Asked {
    /// Claims, by their numbers.
    Claimed(Vec<u64>),
    /// A call that it failed.
    Failed,
    /// A removal of connections.
    Left,
    /// A read.
    Read,
}

/// A store in memory that serves some calls this many times, and then fails.
#[derive(Debug)]
pub(super) struct FailingStore {
    pub(super) store: MemoryStore,
    /// Batches of claims it still takes.
    pub(super) claims: AtomicUsize,
    /// Reads it still answers.
    pub(super) reads: AtomicUsize,
    recorded: mpsc::Sender<Asked>,
}

impl FailingStore {
    /// A store that does not fail yet. It reports its calls to `recorded`.
    pub(super) fn new(recorded: mpsc::Sender<Asked>) -> Self {
        let for_ever = || AtomicUsize::new(usize::MAX);
        let store = MemoryStore::new(1, Syncing::BeforeTheAnswer);
        Self { store, claims: for_ever(), reads: for_ever(), recorded }
    }

    fn record(&self, asked: Asked) {
        // The test may have ended.
        let _ended = self.recorded.send(asked);
    }

    fn fails(&self, left: &AtomicUsize) -> Result<(), StoreError> {
        let fewer = |left: usize| left.checked_sub(1);
        if left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer).is_ok() {
            return Ok(());
        }
        self.record(Asked::Failed);
        Err(StoreError::Unavailable("the test says so".to_owned()))
    }
}

impl Store for FailingStore {
    fn commit(
        &self,
        wall: u64,
        writes: &[Write],
    ) -> Result<Vec<Result<Written, StoreError>>, StoreError> {
        self.store.commit(wall, writes)
    }

    fn read(&self, queries: &[Query]) -> Result<Vec<Result<Answer, StoreError>>, StoreError> {
        self.fails(&self.reads)?;
        self.record(Asked::Read);
        self.store.read(queries)
    }

    fn put_ticket(&self, wall: u64, ticket: &Ticket) -> Result<(), StoreError> {
        self.store.put_ticket(wall, ticket)
    }

    fn take_ticket(&self, wall: u64, hash: [u8; 32]) -> Result<Option<Bytes>, StoreError> {
        self.store.take_ticket(wall, hash)
    }

    fn trim(&self, now: Moment, retention: &Retention) -> Result<bool, StoreError> {
        self.store.trim(now, retention)
    }

    fn health(&self) -> Result<(), StoreError> {
        self.store.health()
    }

    fn leases(&self) -> Option<&dyn ConnectionLeases> {
        Some(self)
    }
}

impl ConnectionLeases for FailingStore {
    fn claim(&self, wall: u64, claims: &[Claim]) -> Result<Vec<Verdict>, StoreError> {
        self.fails(&self.claims)?;
        if claims.iter().any(|claim| claim.user == UNFIT) {
            return Err(StoreError::Unfit("the test says so".to_owned()));
        }
        let verdicts = self.store.claim(wall, claims)?;
        let numbers = claims.iter().map(|claim| claim.connection.number).collect();
        self.record(Asked::Claimed(numbers));
        Ok(verdicts)
    }

    fn leave(&self, connections: &[ConnectionId]) -> Result<(), StoreError> {
        self.store.leave(connections)?;
        self.record(Asked::Left);
        Ok(())
    }

    fn renew(&self, wall: u64, node: u64, ttl_ms: u64) -> Result<Lease, StoreError> {
        self.store.renew(wall, node, ttl_ms)
    }
}
