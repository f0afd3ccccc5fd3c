//! A user's connections over all nodes: who takes a place, who makes room, who is refused.
//!
//! A place is held by its node's lease, not by one of its own: a node renews one lease for all its connections, and when it
//! dies, all its places are free once the lease ends. Until then a user may be refused (4230, retried with backoff): the
//! limit errs on the side of holding.

use crate::store::StoreError;

/// Places that nodes share. Implemented by stores that several nodes write to.
pub trait Seats: std::fmt::Debug + Send + Sync {
    /// Gives places, each claim decided by [`decide`] against the places of living nodes. A verdict for each claim, in order.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: nobody is let in whom nobody can count. [`StoreError::Unfit`]: one of the claims can't be kept; the
    /// others can, if they come without it.
    fn claim(&self, wall: u64, claims: &[Claim]) -> Result<Vec<Verdict>, StoreError>;

    /// Gives places back. Those that are gone already are no error.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: to be called again.
    fn leave(&self, seats: &[Seat]) -> Result<(), StoreError>;

    /// The node lives for `ttl_ms` from now, by the store's clock; `0`: it ends, and its places with it. Answers what became of its
    /// places meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    fn renew(&self, wall: u64, node: u64, ttl_ms: u64) -> Result<Lease, StoreError>;
}

/// What became of a node's places since it renewed its lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lease {
    /// It had ended: the node's places are gone and must be claimed anew.
    Ended,
    /// The places are counted.
    Held {
        /// But these, by their numbers: connections at other nodes took them, and the older ones must end. They are named again until
        /// they were given back, because the bus, which tells of them sooner, may lose a message.
        replaced: Vec<u64>,
    },
}

/// A connection's name over all nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seat {
    /// Random number of the node's process.
    pub node: u64,
    /// The node's number of the connection.
    pub number: u64,
}

/// A connection that wants to be counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Whose.
    pub user: String,
    /// Its name.
    pub seat: Seat,
    /// The page's random name: takes the place of its older connection, wherever that is.
    pub instance: Option<String>,
    /// Most connections of the user.
    pub limit: usize,
    /// It was counted until its node's lease ended: takes no place of its page's other connection, which came meanwhile.
    pub anew: bool,
}

/// A place that is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// By whom.
    pub seat: Seat,
    /// The page's random name.
    pub instance: Option<String>,
}

/// The answer to a [`Claim`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Counted in. An older connection of the same instance lost its place and must be told.
    Admitted {
        /// The older one.
        replaced: Option<Seat>,
    },
    /// The user has this many already.
    Full {
        /// How many.
        taken: usize,
    },
    /// To a claim made anew: the page has another connection by now. This one is to be ended so that a page which still holds it
    /// connects again, for after all leases ended the older connection may have been the first to claim.
    Superseded {
        /// The other one.
        by: Seat,
    },
}

/// Decides a claim against the places its user has, and changes them accordingly. A claim that comes twice has its place already.
pub fn decide(places: &mut Vec<Taken>, claim: &Claim) -> Verdict {
    if places.iter().any(|taken| taken.seat == claim.seat) {
        return Verdict::Admitted { replaced: None };
    }
    let older = claim.instance.as_ref().and_then(|instance| {
        places.iter().position(|taken| taken.instance.as_ref() == Some(instance))
    });
    if claim.anew
        && let Some(taken) = older.and_then(|older| places.get(older))
    {
        return Verdict::Superseded { by: taken.seat };
    }
    let replaced = older.map(|older| places.swap_remove(older).seat);
    // Whoever replaces brings its own place.
    if replaced.is_none() && places.len() >= claim.limit {
        return Verdict::Full { taken: places.len() };
    }
    places.push(Taken { seat: claim.seat, instance: claim.instance.clone() });
    Verdict::Admitted { replaced }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(node: u64, number: u64, instance: Option<&str>) -> Claim {
        let instance = instance.map(str::to_owned);
        Claim { user: "u1".into(), seat: Seat { node, number }, instance, limit: 2, anew: false }
    }

    #[test]
    fn the_limit_counts_all_nodes() {
        let mut places = Vec::new();
        for node in [1, 2] {
            let admitted = Verdict::Admitted { replaced: None };
            assert_eq!(decide(&mut places, &claim(node, 1, None)), admitted);
        }
        assert_eq!(decide(&mut places, &claim(3, 1, None)), Verdict::Full { taken: 2 });
    }

    #[test]
    fn a_page_takes_the_place_of_its_older_connection_on_another_node() {
        let mut places = Vec::new();
        decide(&mut places, &claim(1, 1, Some("page")));
        decide(&mut places, &claim(1, 2, None));
        let replaced = Some(Seat { node: 1, number: 1 });
        let verdict = decide(&mut places, &claim(2, 1, Some("page")));
        assert_eq!(verdict, Verdict::Admitted { replaced });
        assert_eq!(places.len(), 2);
    }

    #[test]
    fn a_claim_made_anew_takes_a_free_place_and_none_of_its_pages_newer_connection() {
        let mut places = Vec::new();
        let anew = |number, instance| Claim { anew: true, ..claim(1, number, instance) };
        decide(&mut places, &claim(2, 1, Some("page")));
        let by = Seat { node: 2, number: 1 };
        assert_eq!(decide(&mut places, &anew(1, Some("page"))), Verdict::Superseded { by });
        let admitted = Verdict::Admitted { replaced: None };
        assert_eq!(decide(&mut places, &anew(2, Some("other"))), admitted);
        assert_eq!(decide(&mut places, &anew(3, None)), Verdict::Full { taken: 2 });
        let seats: Vec<Seat> = places.iter().map(|taken| taken.seat).collect();
        assert_eq!(seats, [by, Seat { node: 1, number: 2 }]);
    }

    #[test]
    fn a_claim_that_comes_twice_takes_one_place() {
        let mut places = Vec::new();
        decide(&mut places, &claim(1, 1, None));
        decide(&mut places, &claim(1, 1, None));
        assert_eq!(places.len(), 1);
    }
}
