//! The reference store: everything in memory, with the rules written as plainly as possible.
//!
//! Simulations and tests use it. It defines the behaviour of a backend where words are not precise
//! enough. [`MemoryStore::crash`] loses the data that a crash would lose on a real disk.

mod dedupe;
mod items;
mod leases;
mod log;
mod read;
mod trim;
mod write;

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tidings_protocol::{
    Channel, Epoch,
    planted::{self, Planted},
};

use self::{dedupe::Dedupe, items::Inbox, log::Log};
use crate::store::{
    self, Answer, Query, Retention, Revocation, Share, Store, StoreError, TICKETS, USERS_TICKETS,
    Write, Written,
};
use crate::{
    leases::ConnectionLeases,
    retention_clock::{Checkpoint, Moment},
};

/// When a commit reaches the disk, and so survives a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syncing {
    /// Before it is answered, as the contract of [`Store::commit`] demands.
    BeforeTheAnswer,
    /// When [`MemoryStore::sync`] is called. This is a disk that lies, to check that tests notice.
    Late,
}

/// A store in memory.
#[derive(Debug)]
pub struct MemoryStore {
    state: Mutex<State>,
    syncing: Syncing,
}

#[derive(Debug)]
struct State {
    tables: Tables,
    /// The state after a crash, if it is not `tables`.
    synced: Option<Tables>,
    /// Not on the disk: a restart forgets tickets.
    tickets: BTreeMap<[u8; 32], Ticket>,
    /// Not on the disk either.
    leases: leases::LeaseTable,
}

#[derive(Clone, Debug)]
struct Ticket {
    expires_at: u64,
    grant: Bytes,
    share: Share,
}

/// The content of the disk.
#[derive(Clone, Debug, Default)]
struct Tables {
    logs: BTreeMap<Channel, Log>,
    inboxes: BTreeMap<String, Inbox>,
    /// Broadcasts as items, by offset.
    system: BTreeMap<u64, items::Body>,
    dedupe: Dedupe,
    revocations: BTreeMap<u64, Revocation>,
    last_revocation: u64,
    /// Texts of claims with their ends, by hash.
    claims: BTreeMap<[u8; 32], (u64, Bytes)>,
    clock: Option<Checkpoint>,
    epochs: EpochSource,
}

/// The source of epochs for new logs.
#[derive(Clone, Debug, Default)]
struct EpochSource(u64);

impl EpochSource {
    fn next(&mut self) -> Epoch {
        self.0 += 1;
        // Spreads a counter over the 48 bits. It is odd, so it is never the epoch that stands for
        // no log.
        Epoch::from_bits(self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }
}

impl MemoryStore {
    /// An empty store. The same seed gives the same epochs.
    #[must_use]
    pub fn new(seed: u64, syncing: Syncing) -> Self {
        let tables = Tables { epochs: EpochSource(seed << 20), ..Tables::default() };
        let synced = (syncing == Syncing::Late).then(|| tables.clone());
        Self {
            state: Mutex::new(State {
                tables,
                synced,
                tickets: BTreeMap::new(),
                leases: leases::LeaseTable::default(),
            }),
            syncing,
        }
    }

    /// Makes all commits so far survive a crash.
    pub fn sync(&self) {
        let mut state = self.lock();
        if self.syncing == Syncing::Late {
            state.synced = Some(state.tables.clone());
        }
    }

    /// Ends the process and starts it again. Unsynced commits and all tickets are lost.
    pub fn crash(&self) {
        let mut state = self.lock();
        if let Some(synced) = state.synced.clone() {
            state.tables = synced;
        }
        state.tickets.clear();
    }

    /// Gives each log a new epoch, as a server does on evidence that acknowledged records are gone.
    pub fn new_epochs(&self) {
        let mut state = self.lock();
        let Tables { logs, epochs, .. } = &mut state.tables;
        for log in logs.values_mut() {
            log.rename(epochs.next());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The tables are consistent between two writes, so a panic in another thread's test does no
        // harm.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn commit(
        &self,
        stored: u64,
        writes: &[Write],
    ) -> Result<Vec<Result<Written, StoreError>>, StoreError> {
        let mut state = self.lock();
        if planted::on(Planted::AckBeforeCommit) {
            state.synced = Some(state.tables.clone());
        }
        let apart = planted::on(Planted::IdempotencyApart).then(|| state.tables.dedupe.clone());
        let answers = writes.iter().map(|write| state.tables.write(stored, write)).collect();
        if let Some(dedupe) = apart {
            state.synced = Some(Tables { dedupe, ..state.tables.clone() });
        }
        Ok(answers)
    }

    fn read(&self, queries: &[Query]) -> Result<Vec<Result<Answer, StoreError>>, StoreError> {
        let state = self.lock();
        Ok(queries.iter().map(|query| state.tables.read(query)).collect())
    }

    fn put_ticket(&self, wall: u64, ticket: &store::Ticket) -> Result<(), StoreError> {
        let store::Ticket { hash, ttl_ms, grant, share } = ticket;
        let mut state = self.lock();
        state.tickets.retain(|_, ticket| wall < ticket.expires_at);
        let waiting = |of: &dyn Fn(&Share) -> bool| {
            state.tickets.values().filter(|ticket| of(&ticket.share)).count() as u64
        };
        if waiting(&|other| other.of == share.of) >= share.most {
            return Err(StoreError::TooMany(TICKETS));
        }
        if let Some((user, most)) = &share.user {
            let theirs = |other: &Share| other.user.as_ref().is_some_and(|(name, _)| name == user);
            if waiting(&theirs) >= *most {
                return Err(StoreError::TooMany(USERS_TICKETS));
            }
        }
        let expires_at = wall.saturating_add(*ttl_ms);
        let ticket = Ticket { expires_at, grant: grant.clone(), share: share.clone() };
        state.tickets.insert(*hash, ticket);
        Ok(())
    }

    fn take_ticket(&self, wall: u64, hash: [u8; 32]) -> Result<Option<Bytes>, StoreError> {
        let ticket = self.lock().tickets.remove(&hash);
        Ok(ticket.filter(|ticket| wall < ticket.expires_at).map(|ticket| ticket.grant))
    }

    fn trim(&self, now: Moment, retention: &Retention) -> Result<bool, StoreError> {
        let mut state = self.lock();
        state.tickets.retain(|_, ticket| now.over() < ticket.expires_at);
        state.tables.trim(now, retention);
        Ok(false)
    }

    fn health(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn leases(&self) -> Option<&dyn ConnectionLeases> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance;

    #[test]
    fn the_reference_store_keeps_the_contract() {
        conformance::run(&|| Box::new(MemoryStore::new(1, Syncing::BeforeTheAnswer)));
    }

    #[test]
    fn a_crash_takes_what_was_not_synced() {
        let user = "u1".to_owned();
        let open = Write { key: None, lane: None, op: store::Op::OpenInbox { user: user.clone() } };
        let made = |store: &MemoryStore| {
            matches!(
                store.read(&[Query::Inbox { user: user.clone() }]).unwrap()[0],
                Ok(Answer::Inbox(Some(_)))
            )
        };
        for (syncing, survives) in [(Syncing::BeforeTheAnswer, true), (Syncing::Late, false)] {
            let store = MemoryStore::new(1, syncing);
            store.commit(0, std::slice::from_ref(&open)).unwrap();
            assert!(made(&store));
            store.crash();
            assert_eq!(made(&store), survives, "{syncing:?}");
        }
        let store = MemoryStore::new(1, Syncing::Late);
        store.commit(0, std::slice::from_ref(&open)).unwrap();
        store.sync();
        store.crash();
        assert!(made(&store));
    }
}
