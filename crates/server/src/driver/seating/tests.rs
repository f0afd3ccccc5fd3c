//! Against a store whose places can't be counted for a while.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tidings_server_core::{
    MemoryStore,
    memory::Syncing,
    seats::Seats,
    store::{Answer, Query, Retention, Write, Written},
};

use super::*;
use crate::driver::{
    line::Line,
    registry::{Arrival, Bounds},
};

const NODE: u64 = 1;
/// More than two transactions of claims.
const CONNECTIONS: usize = 2 * TOGETHER + 10;
/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the node asked of the store.
#[derive(Debug, PartialEq)]
enum Asked {
    Claimed(Vec<u64>),
    Failed,
    Left,
}

/// A store that counts so many batches, and then none.
#[derive(Debug)]
struct Flaky {
    store: MemoryStore,
    batches: AtomicUsize,
    told: mpsc::Sender<Asked>,
}

impl Store for Flaky {
    fn commit(
        &self,
        wall: u64,
        writes: &[Write],
    ) -> Result<Vec<Result<Written, StoreError>>, StoreError> {
        self.store.commit(wall, writes)
    }

    fn read(&self, queries: &[Query]) -> Result<Vec<Result<Answer, StoreError>>, StoreError> {
        self.store.read(queries)
    }

    fn put_ticket(
        &self,
        wall: u64,
        hash: [u8; 32],
        ttl_ms: u64,
        grant: Bytes,
    ) -> Result<(), StoreError> {
        self.store.put_ticket(wall, hash, ttl_ms, grant)
    }

    fn take_ticket(&self, wall: u64, hash: [u8; 32]) -> Result<Option<Bytes>, StoreError> {
        self.store.take_ticket(wall, hash)
    }

    fn trim(&self, wall: u64, retention: &Retention) -> Result<bool, StoreError> {
        self.store.trim(wall, retention)
    }

    fn health(&self) -> Result<(), StoreError> {
        self.store.health()
    }

    fn seats(&self) -> Option<&dyn Seats> {
        Some(self)
    }
}

impl Seats for Flaky {
    fn claim(&self, wall: u64, claims: &[Claim]) -> Result<Vec<Verdict>, StoreError> {
        let fewer = |left: usize| left.checked_sub(1);
        if self.batches.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer).is_err() {
            self.told.send(Asked::Failed).unwrap();
            return Err(StoreError::Unavailable("the test says so".to_owned()));
        }
        let verdicts = self.store.claim(wall, claims)?;
        let numbers = claims.iter().map(|claim| claim.seat.number).collect();
        self.told.send(Asked::Claimed(numbers)).unwrap();
        Ok(verdicts)
    }

    fn leave(&self, seats: &[Seat]) -> Result<(), StoreError> {
        self.store.leave(seats)?;
        self.told.send(Asked::Left).unwrap();
        Ok(())
    }

    fn renew(&self, wall: u64, node: u64, ttl_ms: u64) -> Result<bool, StoreError> {
        self.store.renew(wall, node, ttl_ms)
    }
}

fn user(number: usize) -> String {
    format!("u{number}")
}

#[test]
fn who_lost_a_place_with_the_lease_is_counted_anew_though_the_store_fails_in_the_middle() {
    let (told, asked) = mpsc::channel();
    let store = MemoryStore::new(1, Syncing::BeforeTheAnswer);
    let store = Arc::new(Flaky { store, batches: AtomicUsize::new(1), told });
    let registry = Arc::new(Registry::new(Bounds { per_user: 1, total: CONNECTIONS }));
    let line = Arc::new(Line::new(1_000));
    let mut seats: Vec<_> = (0..CONNECTIONS)
        .map(|at| {
            let (number, user, session) = (registry.number(), user(at), "s".to_owned());
            let arrival = Arrival { number, user, session, instance: None, issued_at: 0 };
            registry.admit(arrival, &line).unwrap()
        })
        .collect();
    // They are here, and the store knows nothing of the node: the first renewal finds that out.
    let seating = Seating::start(Parts {
        store: Arc::clone(&store) as _,
        registry: Arc::clone(&registry),
        bus: None,
        node: NODE,
        per_user: 1,
        lease: Duration::from_secs(3_600),
    })
    .unwrap();
    let hear = || asked.recv_timeout(PATIENCE).expect("the node asks");
    let mut counted = match hear() {
        Asked::Claimed(numbers) => numbers,
        other => panic!("{other:?}"),
    };
    assert_eq!(hear(), Asked::Failed);
    // One of those who wait goes meanwhile.
    let gone = seats.pop().unwrap().number();
    seating.leave(gone);
    store.batches.store(usize::MAX, Ordering::SeqCst);
    let mut left = false;
    while !left || counted.iter().filter(|number| **number != gone).count() < CONNECTIONS - 1 {
        match hear() {
            Asked::Claimed(numbers) => counted.extend(numbers),
            Asked::Left => left = true,
            Asked::Failed => {}
        }
    }
    let elsewhere = Claim {
        user: String::new(),
        seat: Seat { node: NODE + 1, number: 1 },
        instance: None,
        limit: 1,
        anew: false,
    };
    for at in 0..CONNECTIONS {
        let claim = Claim { user: user(at), ..elsewhere.clone() };
        let verdict = store.store.claim(Clock::wall(), &[claim]).unwrap().remove(0);
        let is_free = at == CONNECTIONS - 1;
        assert_eq!(verdict == Verdict::Admitted { replaced: None }, is_free, "{at}: {verdict:?}");
    }
}
