//! Tests with a store that can't count connections for a while.

use std::sync::atomic::Ordering;

use tidings_server_core::{fair, leases::ConnectionLeases as _};

use super::*;
use crate::{
    driver::{
        connection_handle::{ConnectionHandle, Notice},
        failing_store::{Asked, FailingStore, UNFIT},
        registry::{Arrival, Bounds},
    },
    shares::Shares,
};

const NODE: u64 = 1;
/// More than two transactions of claims.
const CONNECTIONS: usize = 2 * TOGETHER + 10;
/// Much longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A node without a bus, whose lease outlives the test.
fn parts(store: &Arc<FailingStore>, registry: &Arc<Registry>) -> Parts {
    Parts {
        store: Arc::clone(store) as _,
        registry: Arc::clone(registry),
        bus: None,
        node: NODE,
        per_user: 1,
        lease: Duration::from_secs(3_600),
    }
}

fn registry() -> Arc<Registry> {
    let strangers = fair::Bounds { each: CONNECTIONS, total: CONNECTIONS };
    let bounds = Bounds { per_user: 1, total: CONNECTIONS, strangers };
    Arc::new(Registry::new(bounds, Shares::default()))
}

fn user(number: usize) -> String {
    format!("u{number}")
}

#[test]
fn who_lost_a_place_with_the_lease_is_counted_anew_though_the_store_fails_in_the_middle() {
    let (asks, asked) = mpsc::channel();
    let store = Arc::new(FailingStore::new(asks));
    store.claims.store(1, Ordering::SeqCst);
    let registry = registry();
    let handle = Arc::new(ConnectionHandle::new(1_000));
    let mut held: Vec<_> = (0..CONNECTIONS)
        .map(|at| {
            let (number, user, session) = (registry.number(), user(at), "s".to_owned());
            let arrival = Arrival { number, user, session, instance: None, issued_at: 0 };
            registry.admit(arrival, &handle, None).unwrap()
        })
        .collect();
    // They are connected, but the store does not know the node: the first renewal finds that out.
    let leases = Leases::start(parts(&store, &registry)).unwrap();
    let hear = || asked.recv_timeout(PATIENCE).expect("the node asks");
    let mut counted = match hear() {
        Asked::Claimed(numbers) => numbers,
        other => panic!("{other:?}"),
    };
    assert_eq!(hear(), Asked::Failed);
    // One of the waiting connections closes meanwhile.
    let gone = held.pop().unwrap().number();
    leases.leave(gone);
    store.claims.store(usize::MAX, Ordering::SeqCst);
    let mut left = false;
    while !left || counted.iter().filter(|number| **number != gone).count() < CONNECTIONS - 1 {
        match hear() {
            Asked::Claimed(numbers) => counted.extend(numbers),
            Asked::Left => left = true,
            Asked::Failed | Asked::Read => {}
        }
    }
    let elsewhere = Claim {
        user: String::new(),
        connection: ConnectionId { node: NODE + 1, number: 1 },
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

#[tokio::test]
async fn a_claim_that_can_not_be_stored_fails_alone() {
    let (asks, _asked) = mpsc::channel();
    let store = Arc::new(FailingStore::new(asks));
    let registry = registry();
    let leases = Leases::start(parts(&store, &registry)).unwrap();
    let claims = (1..=CONNECTIONS as u64).map(|number| {
        let user = if number % 3 == 0 { UNFIT.to_owned() } else { number.to_string() };
        let leases = &leases;
        async move { (number, leases.claim(&user, None, number).await) }
    });
    for (number, verdict) in futures_util::future::join_all(claims).await {
        let code = verdict.map_err(|refused| refused.code);
        let expected = if number % 3 == 0 { Err(ErrorCode::BadRequest) } else { Ok(()) };
        assert_eq!(code, expected, "{number}");
    }
}

#[test]
fn a_connection_that_can_not_be_counted_anew_ends_and_holds_up_nobody() {
    let (asks, asked) = mpsc::channel();
    let store = Arc::new(FailingStore::new(asks));
    let registry = registry();
    let handle = Arc::new(ConnectionHandle::new(1_000));
    let _seats: Vec<_> = (0..CONNECTIONS)
        .map(|at| {
            let user = if at == 0 { UNFIT.to_owned() } else { user(at) };
            let (number, session) = (registry.number(), "s".to_owned());
            let arrival = Arrival { number, user, session, instance: None, issued_at: 0 };
            registry.admit(arrival, &handle, None).unwrap()
        })
        .collect();
    let _seating = Leases::start(parts(&store, &registry)).unwrap();
    let mut counted = 0;
    while counted < CONNECTIONS - 1 {
        if let Asked::Claimed(numbers) = asked.recv_timeout(PATIENCE).expect("the node asks") {
            counted += numbers.len();
        }
    }
}

#[test]
fn a_connection_that_was_replaced_elsewhere_ends_though_the_bus_lost_the_news() {
    let (asks, _asked) = mpsc::channel();
    let store = Arc::new(FailingStore::new(asks));
    let registry = registry();
    let handle = Arc::new(ConnectionHandle::new(1_000));
    let mut thread = Thread::new(parts(&store, &registry));
    thread.renew();
    let page = || Some("page".to_owned());
    let claim = |node, number| {
        let (user, connection) = (user(1), ConnectionId { node, number });
        let claim = Claim { user, connection, instance: page(), limit: 1, anew: false };
        store.store.claim(Clock::wall(), &[claim]).unwrap();
    };
    let is_told = || handle.take_notices().iter().any(|notice| matches!(notice, Notice::Replaced));
    let (number, session) = (registry.number(), "s".to_owned());
    let arrival = Arrival { number, user: user(1), session, instance: page(), issued_at: 0 };
    let lease = registry.admit(arrival, &handle, None).unwrap();
    claim(NODE, number);
    thread.renew();
    assert!(!is_told());
    store.store.renew(Clock::wall(), NODE + 1, 3_600_000).unwrap();
    claim(NODE + 1, 1);
    thread.renew();
    assert!(is_told());
    // It closed without a removal, and is removed all the same.
    drop(lease);
    for replaced in [vec![number], vec![number], vec![]] {
        let lease = store.store.renew(Clock::wall(), NODE, 3_600_000).unwrap();
        assert_eq!(lease, Lease::Held { replaced });
        thread.renew();
        thread.leave();
    }
}
