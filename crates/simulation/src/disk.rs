//! The store as nodes see it: the reference store behind a connection that fails, on a machine that
//! crashes.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use tidings_server_core::{
    MemoryStore,
    memory::Syncing,
    service::Grant,
    store::{Answer, Query, Store, StoreError, Write, Written},
};

use crate::{env::Env, observation::Observation, tally::Count};

/// The results of a group of writes, one for each.
pub type Fates = Vec<Result<Written, StoreError>>;

/// The store with its faults.
#[derive(Debug)]
pub struct Disk {
    /// The reference store.
    pub memory: MemoryStore,
    /// No node can reach the store until then.
    away_until: Cell<u64>,
    crashes: Cell<u32>,
    /// Grants of session tokens, which every node can read.
    signed: RefCell<BTreeMap<String, Grant>>,
}

impl Disk {
    /// An empty store that syncs before it answers.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let memory = MemoryStore::new(seed, Syncing::BeforeTheAnswer);
        Self { memory, away_until: Cell::new(0), crashes: Cell::new(0), signed: RefCell::default() }
    }

    /// Makes a session token.
    pub fn sign(&self, grant: &Grant) -> String {
        let token = format!("session of {}", grant.session);
        self.signed.borrow_mut().insert(token.clone(), grant.clone());
        token
    }

    /// The grant of a session token.
    pub fn signed(&self, token: &str) -> Option<Grant> {
        self.signed.borrow().get(token).cloned()
    }

    /// How often the store crashed: a commit that began before a crash has an unknown result.
    #[must_use]
    pub const fn crashes(&self) -> u32 {
        self.crashes.get()
    }

    /// Crashes and restarts the store: writes that were not synced are lost, and so are tickets.
    pub fn crash(&self, env: &mut Env) {
        env.tally.count(Count::StoreCrash);
        self.crashes.set(self.crashes.get() + 1);
        self.memory.crash();
        env.observe(Observation::StoreFailed);
    }

    /// Makes the store unreachable for a while.
    pub fn go_away(&self, env: &mut Env, ms: u64) {
        self.away_until.set(env.now.mono + ms);
        env.observe(Observation::StoreFailed);
    }

    /// Makes the store reachable again.
    pub fn come_back(&self) {
        self.away_until.set(0);
    }

    /// Commits a batch at the store's time `wall`. `cut_off`: the caller will not get the result.
    pub fn commit(&self, env: &mut Env, wall: u64, writes: &[Write], cut_off: bool) -> Fates {
        if self.is_away(env) || env.strikes(env.faults.away, Count::Away) {
            return fail(env, writes, &StoreError::Unavailable("connection refused".into()));
        }
        if env.strikes(env.faults.full, Count::Full) {
            let error = StoreError::Unavailable("no space left on device".into());
            return fail(env, writes, &error);
        }
        if cut_off || env.strikes(env.faults.unknown, Count::Unknown) {
            if env.rng.hits(5_000) {
                self.store(env, wall, writes);
                env.tally.more(Count::Unanswered, writes.len() as u64);
            } else {
                env.tally.more(Count::Unsynced, writes.len() as u64);
            }
            return fail(env, writes, &StoreError::Unknown("connection reset".into()));
        }
        self.store(env, wall, writes)
    }

    /// Commits each write in its own savepoint: a write that fails does not take others with it.
    fn store(&self, env: &mut Env, wall: u64, writes: &[Write]) -> Fates {
        let failing: Vec<bool> =
            writes.iter().map(|_| env.strikes(env.faults.alone, Count::Alone)).collect();
        let kept: Vec<Write> = (writes.iter().zip(&failing))
            .filter(|(_, fails)| !**fails)
            .map(|(write, _)| write.clone())
            .collect();
        let mut answers = self.memory.commit(wall, &kept).unwrap_or_default().into_iter();
        let failed = || Err(StoreError::Unavailable("disk I/O error".to_owned()));
        let none = || Err(StoreError::Unknown("no answer".to_owned()));
        failing
            .iter()
            .map(|fails| if *fails { failed() } else { answers.next().unwrap_or_else(none) })
            .collect()
    }

    /// Reads, or fails.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn read(
        &self,
        env: &mut Env,
        queries: &[Query],
    ) -> Result<Vec<Result<Answer, StoreError>>, StoreError> {
        if self.is_away(env) || env.strikes(env.faults.away, Count::Away) {
            env.observe(Observation::StoreFailed);
            return Err(StoreError::Unavailable("connection refused".into()));
        }
        self.memory.read(queries)
    }

    /// Whether no node can reach the store.
    #[must_use]
    pub const fn is_away(&self, env: &Env) -> bool {
        env.now.mono < self.away_until.get()
    }
}

fn fail(env: &mut Env, writes: &[Write], error: &StoreError) -> Fates {
    env.observe(Observation::StoreFailed);
    writes.iter().map(|_| Err(error.clone())).collect()
}
