//! A user's connections over all nodes: which are admitted, replaced or refused.
//!
//! A connection counts as long as its node's lease. A node renews one lease for all its
//! connections. When the node dies, its connections stop counting once the lease ends; until then a
//! user may be refused (4230, retried with backoff). The limit may count too many connections,
//! never too few.

use crate::store::StoreError;

/// The table of connections that nodes share. Implemented by stores that several nodes write to.
pub trait ConnectionLeases: std::fmt::Debug + Send + Sync {
    /// Admits connections. [`decide`] decides each claim against the connections of living nodes.
    /// Returns a verdict for each claim, in order.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: a connection that can't be counted is not admitted.
    /// [`StoreError::Unfit`]: one of the claims can't be stored; the others can, in a call without
    /// it.
    fn claim(&self, wall: u64, claims: &[Claim]) -> Result<Vec<Verdict>, StoreError>;

    /// Removes connections. Unknown ones are no error.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: call it again.
    fn leave(&self, connections: &[ConnectionId]) -> Result<(), StoreError>;

    /// Extends the node's lease to `ttl_ms` from now, by the store's clock. `0` ends the lease, and
    /// its connections no longer count. Returns the state of the node's connections.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    fn renew(&self, wall: u64, node: u64, ttl_ms: u64) -> Result<Lease, StoreError>;
}

/// The state of a node's connections since it last renewed its lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lease {
    /// The lease had ended: the node's connections no longer count and must be claimed again.
    Ended,
    /// The connections are counted.
    Held {
        /// The numbers of connections that newer ones at other nodes replaced; these must end. They
        /// are listed until they are removed: the bus reports them sooner, but may lose a message.
        replaced: Vec<u64>,
    },
}

/// A connection's id over all nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionId {
    /// Random number of the node's process.
    pub node: u64,
    /// The node's number of the connection.
    pub number: u64,
}

/// A request to count a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The connection's user.
    pub user: String,
    /// The connection's id.
    pub connection: ConnectionId,
    /// The page's random name. The new connection replaces the page's older one, on any node.
    pub instance: Option<String>,
    /// The user's limit of connections.
    pub limit: usize,
    /// The connection was counted before, until its node's lease ended. It must not replace a newer
    /// connection of its page.
    pub anew: bool,
}

/// A connection that is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The connection's id.
    pub connection: ConnectionId,
    /// The page's random name.
    pub instance: Option<String>,
}

/// The answer to a [`Claim`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The connection is counted. An older connection of the same page no longer is, and must end.
    Admitted {
        /// The older connection.
        replaced: Option<ConnectionId>,
    },
    /// The user has reached the limit.
    Full {
        /// The user's connections.
        taken: usize,
    },
    /// The answer to a repeated claim (`anew`): the page has another connection by now. This
    /// connection must end. A page that still uses it reconnects: after the end of all leases, the
    /// page's older connection may have been the first to claim.
    Superseded {
        /// The other connection.
        by: ConnectionId,
    },
}

/// Decides a claim against the user's connections, and updates them. A repeated claim is already
/// admitted.
pub fn decide(leases: &mut Vec<Taken>, claim: &Claim) -> Verdict {
    if leases.iter().any(|taken| taken.connection == claim.connection) {
        return Verdict::Admitted { replaced: None };
    }
    let older = claim.instance.as_ref().and_then(|instance| {
        leases.iter().position(|taken| taken.instance.as_ref() == Some(instance))
    });
    if claim.anew
        && let Some(taken) = older.and_then(|older| leases.get(older))
    {
        return Verdict::Superseded { by: taken.connection };
    }
    let replaced = older.map(|older| leases.swap_remove(older).connection);
    // A replaced connection frees its own place, so the limit does not matter.
    if replaced.is_none() && leases.len() >= claim.limit {
        return Verdict::Full { taken: leases.len() };
    }
    leases.push(Taken { connection: claim.connection, instance: claim.instance.clone() });
    Verdict::Admitted { replaced }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(node: u64, number: u64, instance: Option<&str>) -> Claim {
        let instance = instance.map(str::to_owned);
        Claim {
            user: "u1".into(),
            connection: ConnectionId { node, number },
            instance,
            limit: 2,
            anew: false,
        }
    }

    #[test]
    fn the_limit_counts_all_nodes() {
        let mut leases = Vec::new();
        for node in [1, 2] {
            let admitted = Verdict::Admitted { replaced: None };
            assert_eq!(decide(&mut leases, &claim(node, 1, None)), admitted);
        }
        assert_eq!(decide(&mut leases, &claim(3, 1, None)), Verdict::Full { taken: 2 });
    }

    #[test]
    fn a_page_takes_the_place_of_its_older_connection_on_another_node() {
        let mut leases = Vec::new();
        decide(&mut leases, &claim(1, 1, Some("page")));
        decide(&mut leases, &claim(1, 2, None));
        let replaced = Some(ConnectionId { node: 1, number: 1 });
        let verdict = decide(&mut leases, &claim(2, 1, Some("page")));
        assert_eq!(verdict, Verdict::Admitted { replaced });
        assert_eq!(leases.len(), 2);
    }

    #[test]
    fn a_claim_made_anew_takes_a_free_place_and_none_of_its_pages_newer_connection() {
        let mut leases = Vec::new();
        let anew = |number, instance| Claim { anew: true, ..claim(1, number, instance) };
        decide(&mut leases, &claim(2, 1, Some("page")));
        let by = ConnectionId { node: 2, number: 1 };
        assert_eq!(decide(&mut leases, &anew(1, Some("page"))), Verdict::Superseded { by });
        let admitted = Verdict::Admitted { replaced: None };
        assert_eq!(decide(&mut leases, &anew(2, Some("other"))), admitted);
        assert_eq!(decide(&mut leases, &anew(3, None)), Verdict::Full { taken: 2 });
        let connections: Vec<ConnectionId> = leases.iter().map(|taken| taken.connection).collect();
        assert_eq!(connections, [by, ConnectionId { node: 1, number: 2 }]);
    }

    #[test]
    fn a_claim_that_comes_twice_takes_one_place() {
        let mut leases = Vec::new();
        decide(&mut leases, &claim(1, 1, None));
        decide(&mut leases, &claim(1, 1, None));
        assert_eq!(leases.len(), 1);
    }
}
