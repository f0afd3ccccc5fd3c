//! Leases of connections, shared by all nodes on this store.

use std::collections::{BTreeMap, BTreeSet};

use super::MemoryStore;
use crate::{
    leases::{Claim, ConnectionId, ConnectionLeases, Lease, Taken, Verdict, decide},
    store::StoreError,
};

#[derive(Debug, Default)]
pub(super) struct LeaseTable {
    users: BTreeMap<String, Vec<Taken>>,
    /// Ends of the nodes' leases.
    nodes: BTreeMap<u64, u64>,
    /// Connections that were replaced from other nodes, until their own node gives them up.
    replaced: BTreeSet<ConnectionId>,
}

impl LeaseTable {
    /// Removes the connections of nodes whose lease has ended.
    fn expire(&mut self, wall: u64) {
        let Self { users, nodes, replaced } = self;
        nodes.retain(|_, end| wall < *end);
        replaced.retain(|connection| nodes.contains_key(&connection.node));
        users.retain(|_, leases| {
            leases.retain(|taken| nodes.contains_key(&taken.connection.node));
            !leases.is_empty()
        });
    }
}

impl ConnectionLeases for MemoryStore {
    fn claim(&self, wall: u64, claims: &[Claim]) -> Result<Vec<Verdict>, StoreError> {
        let mut state = self.lock();
        let leases = &mut state.leases;
        leases.expire(wall);
        let give = |claim: &Claim| {
            let verdict = decide(leases.users.entry(claim.user.clone()).or_default(), claim);
            if let Verdict::Admitted { replaced } = verdict {
                leases.replaced.remove(&claim.connection);
                leases
                    .replaced
                    .extend(replaced.filter(|older| older.node != claim.connection.node));
            }
            verdict
        };
        Ok(claims.iter().map(give).collect())
    }

    fn leave(&self, connections: &[ConnectionId]) -> Result<(), StoreError> {
        let mut state = self.lock();
        state.leases.replaced.retain(|connection| !connections.contains(connection));
        state.leases.users.retain(|_, leases| {
            leases.retain(|taken| !connections.contains(&taken.connection));
            !leases.is_empty()
        });
        Ok(())
    }

    fn renew(&self, wall: u64, node: u64, ttl_ms: u64) -> Result<Lease, StoreError> {
        let mut state = self.lock();
        let leases = &mut state.leases;
        leases.expire(wall);
        let known = leases.nodes.insert(node, wall.saturating_add(ttl_ms)).is_some();
        leases.expire(wall);
        if !known {
            return Ok(Lease::Ended);
        }
        let of_node = leases.replaced.iter().filter(|connection| connection.node == node);
        Ok(Lease::Held { replaced: of_node.map(|connection| connection.number).collect() })
    }
}
