//! Advisory locks of a batch, for rows that may not exist yet.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};
use tidings_server_core::log::Needs;

/// The locks, in the order that every node uses.
pub(super) fn of(needs: &Needs) -> Vec<i64> {
    let keys = needs.keys.iter().map(|(credential, key)| turn("key", credential, key));
    // The first lock is the user's: the user's lanes are counted under it. Servers of older
    // versions take only the lane's own.
    let lanes = needs
        .lanes
        .keys()
        .flat_map(|(user, client_id)| [turn("lanes", user, ""), turn("lane", user, client_id)]);
    let turns: BTreeSet<i64> = keys.chain(lanes).collect();
    turns.into_iter().collect()
}

/// The number of a lock, the same on all nodes. Two names with the same number only wait for one
/// another.
pub(super) fn turn(kind: &str, one: &str, two: &str) -> i64 {
    let mut hasher = Sha256::new();
    for part in [kind, one, two] {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(hasher.finalize());
    i64::from_le_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use tidings_server_core::store::{Lane, Op, Write};

    use super::*;

    #[test]
    fn locks_are_taken_in_one_order_whatever_the_order_of_writes() {
        let lane = |user: &str| Lane { user: user.into(), client_id: "c".into(), seq: 1, most: 10 };
        let void = |user: &str| Write { key: None, lane: Some(lane(user)), op: Op::Void };
        let one = Needs::of(&[void("a"), void("b"), void("a")]);
        let two = Needs::of(&[void("b"), void("a")]);
        assert_eq!(of(&one), of(&two));
        assert_eq!(of(&one).len(), 4);
        assert!(of(&one).is_sorted());
    }

    #[test]
    fn a_turn_knows_where_a_name_ends() {
        assert_ne!(turn("key", "ab", "c"), turn("key", "a", "bc"));
    }
}
