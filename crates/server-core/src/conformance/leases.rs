//! The table of connections, for stores that several nodes share.

use super::{Case, T0};
use crate::{
    leases::{Claim, ConnectionId, ConnectionLeases, Lease, Verdict},
    store::Store,
};

pub(super) const CASES: &[Case] = &[
    ("a user's places are counted over all nodes", places_are_counted),
    ("who leaves makes room", who_leaves_makes_room),
    ("a page takes its older place from any node", a_page_takes_its_older_place),
    ("a node hears of places taken elsewhere until they are given back", a_place_taken_elsewhere),
    ("a node that ends frees its places", a_node_that_ends),
    ("a claim made anew takes nobody's place", a_claim_made_anew),
    ("claims of one batch see each other", claims_of_one_batch),
];

const LIMIT: usize = 2;
/// Longer than any test takes by the store's clock.
const TTL: u64 = 600_000;

/// `None` for a store that only one node writes to: it has no shared table to test.
fn shared(store: &dyn Store) -> Option<&dyn ConnectionLeases> {
    let leases = store.leases()?;
    for node in 1..=3 {
        leases.renew(T0, node, TTL).unwrap();
    }
    Some(leases)
}

fn claim(user: &str, node: u64, number: u64) -> Claim {
    let (user, connection) = (user.into(), ConnectionId { node, number });
    Claim { user, connection, instance: None, limit: LIMIT, anew: false }
}

fn give(leases: &dyn ConnectionLeases, claim: Claim) -> Verdict {
    leases.claim(T0, &[claim]).unwrap().remove(0)
}

const ADMITTED: Verdict = Verdict::Admitted { replaced: None };

fn places_are_counted(store: &dyn Store) {
    let Some(leases) = shared(store) else { return };
    assert_eq!(give(leases, claim("u1", 1, 1)), ADMITTED);
    assert_eq!(give(leases, claim("u1", 2, 1)), ADMITTED);
    assert_eq!(give(leases, claim("u1", 3, 1)), Verdict::Full { taken: 2 });
    assert_eq!(give(leases, claim("u2", 3, 2)), ADMITTED, "somebody else");
    assert_eq!(give(leases, claim("u1", 1, 1)), ADMITTED, "a claim may come twice");
}

fn who_leaves_makes_room(store: &dyn Store) {
    let Some(leases) = shared(store) else { return };
    give(leases, claim("u1", 1, 1));
    give(leases, claim("u1", 2, 1));
    leases
        .leave(&[ConnectionId { node: 1, number: 1 }, ConnectionId { node: 1, number: 77 }])
        .unwrap();
    leases.leave(&[]).unwrap();
    assert_eq!(give(leases, claim("u1", 3, 1)), ADMITTED);
}

fn a_page_takes_its_older_place(store: &dyn Store) {
    let Some(leases) = shared(store) else { return };
    let of_page =
        |node, number| Claim { instance: Some("page".into()), ..claim("u1", node, number) };
    assert_eq!(give(leases, of_page(1, 1)), ADMITTED);
    assert_eq!(give(leases, claim("u1", 1, 2)), ADMITTED);
    let replaced = Some(ConnectionId { node: 1, number: 1 });
    assert_eq!(give(leases, of_page(2, 1)), Verdict::Admitted { replaced });
    assert_eq!(give(leases, claim("u1", 3, 1)), Verdict::Full { taken: 2 });
}

fn a_place_taken_elsewhere(store: &dyn Store) {
    let Some(leases) = shared(store) else { return };
    let of_page =
        |node, number| Claim { instance: Some("page".into()), ..claim("u1", node, number) };
    let held = |replaced: &[u64]| Lease::Held { replaced: replaced.to_vec() };
    give(leases, claim("u1", 1, 7));
    give(leases, of_page(1, 8));
    give(leases, of_page(1, 9));
    assert_eq!(leases.renew(T0, 1, TTL).unwrap(), held(&[]), "the node saw to that by itself");
    give(leases, of_page(2, 1));
    for _ in 0..2 {
        assert_eq!(leases.renew(T0, 1, TTL).unwrap(), held(&[9]), "said until it is done");
    }
    assert_eq!(leases.renew(T0, 2, TTL).unwrap(), held(&[]), "nothing of this one");
    assert_eq!(give(leases, claim("u1", 3, 1)), Verdict::Full { taken: 2 }, "no place of its own");
    leases.leave(&[ConnectionId { node: 1, number: 9 }]).unwrap();
    assert_eq!(leases.renew(T0, 1, TTL).unwrap(), held(&[]));

    // The page's newer connection has closed before the older one was told to end. The older one is
    // claimed again. It counts, and is not told to end.
    give(leases, of_page(3, 2));
    leases.leave(&[ConnectionId { node: 3, number: 2 }]).unwrap();
    assert_eq!(give(leases, Claim { anew: true, ..of_page(2, 1) }), ADMITTED);
    assert_eq!(leases.renew(T0, 2, TTL).unwrap(), held(&[]));
    assert_eq!(give(leases, claim("u1", 3, 3)), Verdict::Full { taken: 2 });

    // Connections that a node lost with its lease do not count against its next lease.
    give(leases, of_page(3, 4));
    leases.renew(T0, 2, 0).unwrap();
    assert_eq!(leases.renew(T0, 2, TTL).unwrap(), Lease::Ended);
    assert_eq!(leases.renew(T0, 2, TTL).unwrap(), held(&[]));
}

fn a_node_that_ends(store: &dyn Store) {
    let Some(leases) = shared(store) else { return };
    give(leases, claim("u1", 1, 1));
    give(leases, claim("u1", 1, 2));
    assert_eq!(give(leases, claim("u1", 2, 1)), Verdict::Full { taken: 2 });
    let held = Lease::Held { replaced: Vec::new() };
    assert_eq!(leases.renew(T0, 1, TTL).unwrap(), held, "renewed in time");
    leases.renew(T0, 1, 0).unwrap();
    assert_eq!(give(leases, claim("u1", 2, 1)), ADMITTED);
    let renewed = leases.renew(T0, 1, TTL).unwrap();
    assert_eq!(renewed, Lease::Ended, "its places are gone: it claims them anew");
    assert_eq!(give(leases, claim("u1", 1, 1)), ADMITTED);
    assert_eq!(give(leases, claim("u1", 1, 2)), Verdict::Full { taken: 2 });
}

fn a_claim_made_anew(store: &dyn Store) {
    let Some(leases) = shared(store) else { return };
    let of_page =
        |node, number| Claim { instance: Some("page".into()), ..claim("u1", node, number) };
    give(leases, of_page(1, 1));
    leases.renew(T0, 1, 0).unwrap();
    assert_eq!(give(leases, of_page(2, 1)), ADMITTED, "the page came back elsewhere meanwhile");
    assert_eq!(leases.renew(T0, 1, TTL).unwrap(), Lease::Ended);
    let by = ConnectionId { node: 2, number: 1 };
    let anew = Claim { anew: true, ..of_page(1, 1) };
    assert_eq!(give(leases, anew.clone()), Verdict::Superseded { by });
    assert_eq!(give(leases, claim("u1", 1, 2)), ADMITTED);
    assert_eq!(give(leases, claim("u1", 3, 1)), Verdict::Full { taken: 2 }, "one place each");
    leases.leave(&[by]).unwrap();
    assert_eq!(give(leases, anew), ADMITTED, "the place is free");
}

fn claims_of_one_batch(store: &dyn Store) {
    let Some(leases) = shared(store) else { return };
    let claims = [claim("u2", 1, 1), claim("u1", 1, 2), claim("u1", 2, 1), claim("u1", 3, 1)];
    let verdicts = leases.claim(T0, &claims).unwrap();
    assert_eq!(verdicts, [ADMITTED, ADMITTED, ADMITTED, Verdict::Full { taken: 2 }]);
}
