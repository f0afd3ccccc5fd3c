//! Places of connections, shared by all nodes on this store.

use std::collections::{BTreeMap, BTreeSet};

use super::MemoryStore;
use crate::{
    seats::{Claim, Lease, Seat, Seats, Taken, Verdict, decide},
    store::StoreError,
};

#[derive(Debug, Default)]
pub(super) struct Places {
    users: BTreeMap<String, Vec<Taken>>,
    /// Ends of nodes' leases.
    nodes: BTreeMap<u64, u64>,
    /// Places that connections at other nodes took, until they are given back.
    replaced: BTreeSet<Seat>,
}

impl Places {
    /// Nodes whose lease has ended give up their places.
    fn expire(&mut self, wall: u64) {
        let Self { users, nodes, replaced } = self;
        nodes.retain(|_, end| wall < *end);
        replaced.retain(|seat| nodes.contains_key(&seat.node));
        users.retain(|_, places| {
            places.retain(|taken| nodes.contains_key(&taken.seat.node));
            !places.is_empty()
        });
    }
}

impl Seats for MemoryStore {
    fn claim(&self, wall: u64, claims: &[Claim]) -> Result<Vec<Verdict>, StoreError> {
        let mut state = self.lock();
        let places = &mut state.places;
        places.expire(wall);
        let give = |claim: &Claim| {
            let verdict = decide(places.users.entry(claim.user.clone()).or_default(), claim);
            if let Verdict::Admitted { replaced } = verdict {
                places.replaced.remove(&claim.seat);
                places.replaced.extend(replaced.filter(|older| older.node != claim.seat.node));
            }
            verdict
        };
        Ok(claims.iter().map(give).collect())
    }

    fn leave(&self, seats: &[Seat]) -> Result<(), StoreError> {
        let mut state = self.lock();
        state.places.replaced.retain(|seat| !seats.contains(seat));
        state.places.users.retain(|_, places| {
            places.retain(|taken| !seats.contains(&taken.seat));
            !places.is_empty()
        });
        Ok(())
    }

    fn renew(&self, wall: u64, node: u64, ttl_ms: u64) -> Result<Lease, StoreError> {
        let mut state = self.lock();
        let places = &mut state.places;
        places.expire(wall);
        let known = places.nodes.insert(node, wall.saturating_add(ttl_ms)).is_some();
        places.expire(wall);
        if !known {
            return Ok(Lease::Ended);
        }
        let of_node = places.replaced.iter().filter(|seat| seat.node == node);
        Ok(Lease::Held { replaced: of_node.map(|seat| seat.number).collect() })
    }
}
