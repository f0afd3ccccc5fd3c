//! The unauthenticated connections. Their number is bounded, for each key and in all. When there
//! are too many, the one that has been silent the longest is closed.
//!
//! A new connection is always admitted. A well-behaved client authenticates within moments and
//! leaves this table. A connection that sends nothing stays here the longest, even if other
//! connections share its address.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use crate::fair::{Bounds, Fair, Full, Turned};

/// The unauthenticated connections, by key and by how long they have been silent.
#[derive(Debug)]
pub struct Crowd<K> {
    bounds: Bounds,
    /// (silent since, number) by key, the longest silent first. Most keys have one connection, so a
    /// map in the map would cost hundreds of bytes for each.
    keys: BTreeMap<K, Vec<(u64, u64)>>,
    /// Keys by the number of their connections, then by their longest silent one. The last entry
    /// makes room. By the number alone, the order of the keys would decide among equal numbers.
    sizes: BTreeSet<(usize, Reverse<u64>, K)>,
    /// Each connection's key, and the time since which it is silent, as a counter.
    refs: BTreeMap<u64, (K, u64)>,
    next: u64,
}

/// A connection that has to be closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaver<K> {
    /// The connection's number.
    pub number: u64,
    /// The connection's key.
    pub key: K,
    /// The reason.
    pub full: Full,
}

/// The entry that made room, in the table of connections or in the queue before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Room<K, T> {
    /// A connection of the table.
    Left(Leaver<K>),
    /// A job of the queue.
    Shed(Turned<K, T>),
}

impl<K: Clone + Ord> Crowd<K> {
    /// An empty table.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        let (keys, sizes, refs) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        Self { bounds, keys, sizes, refs, next: 0 }
    }

    /// Adds a connection under its number. Returns the connection that the caller has to close for
    /// it. That one is already removed.
    pub fn enter(&mut self, number: u64, key: K) -> Option<Leaver<K>> {
        self.leave(number);
        let here = self.count(&key);
        let leaver = if here >= self.bounds.each.max(1) {
            self.oldest(key.clone(), Full::Share)
        } else if self.refs.len() >= self.bounds.total.max(1) {
            self.make_room()
        } else {
            None
        };
        self.put(number, key);
        leaver
    }

    /// The connection sent something, so all others have been silent longer.
    pub fn spoke(&mut self, number: u64) {
        if let Some(key) = self.leave(number) {
            self.put(number, key);
        }
    }

    /// Removes a connection that is closed or authenticated. Returns its key, if it was here.
    pub fn leave(&mut self, number: u64) -> Option<K> {
        let (key, since) = self.refs.remove(&number)?;
        if let Some(of_key) = self.keys.get_mut(&key) {
            let before = size(of_key);
            // `put` appends growing counters, so the list is sorted.
            if let Ok(at) = of_key.binary_search_by_key(&since, |(since, _)| *since) {
                of_key.remove(at);
            }
            let after = size(of_key);
            if of_key.is_empty() {
                self.keys.remove(&key);
            }
            self.measure(key.clone(), before, after);
        }
        Some(key)
    }

    /// Removes a connection to make room: the longest silent one of the key with the most
    /// connections.
    pub fn make_room(&mut self) -> Option<Leaver<K>> {
        let (_, _, key) = self.sizes.last()?;
        self.oldest(key.clone(), Full::All)
    }

    /// Removes a connection here or a job in the queue before, to make room for both. Two keys are
    /// compared: the one with the most connections here, and the one with the most jobs in the
    /// queue. The key with the larger sum of both gives up one, where it has more: its longest
    /// silent connection here, or its newest job in the queue. The sum protects both sides: an
    /// honest burst in the queue is small beside a flood here, and a new connection here is small
    /// beside a flood in the queue.
    pub fn make_room_with<T>(&mut self, queue: &mut Fair<K, T>) -> Option<Room<K, T>> {
        let both = |key: &&K| self.count(key) + queue.waiting(key);
        let here = self.sizes.last().map(|(_, _, key)| key);
        let waiting = queue.longest().map(|(key, _)| key);
        // Two keys are enough: no other sum is more than twice the larger one of these. Of equal
        // sums, `max_by_key` returns the last: the key with the most connections here.
        let most = waiting.into_iter().chain(here).max_by_key(both)?.clone();
        match self.count(&most) >= queue.waiting(&most) {
            true => self.oldest(most, Full::All).map(Room::Left),
            false => queue.shed(most).map(Room::Shed),
        }
    }

    /// The number of this key's connections.
    fn count(&self, key: &K) -> usize {
        self.keys.get(key).map_or(0, Vec::len)
    }

    /// The number of connections.
    #[must_use]
    pub fn len(&self) -> usize {
        self.refs.len()
    }

    /// Whether the table is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.refs.is_empty()
    }

    fn oldest(&mut self, key: K, full: Full) -> Option<Leaver<K>> {
        let (_, number) = *self.keys.get(&key)?.first()?;
        self.leave(number)?;
        Some(Leaver { number, key, full })
    }

    fn put(&mut self, number: u64, key: K) {
        self.next += 1;
        let of_key = self.keys.entry(key.clone()).or_default();
        let before = size(of_key);
        // A `Vec` would reserve room for four entries at once, and most keys have one.
        of_key.reserve_exact(1.max(of_key.len() / 2));
        of_key.push((self.next, number));
        let after = size(of_key);
        self.refs.insert(number, (key.clone(), self.next));
        self.measure(key, before, after);
    }

    /// Moves a key to its new index in `sizes`.
    fn measure(&mut self, key: K, before: Option<Size>, after: Option<Size>) {
        if let Some((count, since)) = before {
            self.sizes.remove(&(count, since, key.clone()));
        }
        if let Some((count, since)) = after {
            self.sizes.insert((count, since, key));
        }
    }
}

/// The number of a key's connections, and since when the longest silent one is silent.
type Size = (usize, Reverse<u64>);

/// `None`: the key has no connections.
fn size(of_key: &[(u64, u64)]) -> Option<Size> {
    of_key.first().map(|(since, _)| (of_key.len(), Reverse(*since)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fair::Share;

    fn crowd(each: usize, total: usize) -> Crowd<&'static str> {
        Crowd::new(Bounds { each, total })
    }

    fn gone(leaver: Option<Leaver<&'static str>>) -> Option<(u64, Full)> {
        leaver.map(|leaver| (leaver.number, leaver.full))
    }

    #[test]
    fn a_newcomer_takes_the_place_of_the_longest_silent_of_its_own_key() {
        let mut crowd = crowd(2, 9);
        for number in 0..2 {
            assert_eq!(crowd.enter(number, "many"), None);
        }
        assert_eq!(crowd.enter(9, "one"), None);
        assert_eq!(gone(crowd.enter(2, "many")), Some((0, Full::Share)));
        crowd.spoke(1);
        assert_eq!(gone(crowd.enter(3, "many")), Some((2, Full::Share)));
        assert_eq!(crowd.len(), 3);
    }

    #[test]
    fn where_all_is_taken_the_key_that_has_most_makes_room() {
        let mut crowd = crowd(9, 3);
        crowd.enter(0, "one");
        crowd.enter(1, "many");
        crowd.enter(2, "many");
        assert_eq!(gone(crowd.enter(3, "two")), Some((1, Full::All)));
        assert_eq!(crowd.leave(0), Some("one"));
        assert_eq!(crowd.enter(4, "three"), None);
    }

    #[test]
    fn where_each_key_has_as_many_the_longest_silent_makes_room_whatever_it_is_called() {
        let mut crowd = crowd(9, 3);
        for (number, key) in (0..).zip(["b", "a", "c"]) {
            assert_eq!(crowd.enter(number, key), None);
        }
        assert_eq!(gone(crowd.enter(3, "zz")), Some((0, Full::All)));
        crowd.spoke(1);
        assert_eq!(gone(crowd.enter(4, "z")), Some((2, Full::All)));
    }

    #[test]
    fn of_those_here_and_those_who_wait_the_key_with_most_of_both_makes_room() {
        let each = Share { waiting: Some(9), weight: 1, at_once: usize::MAX };
        let mut queue = Fair::new(99, move |_: &&str| each);
        let mut crowd = crowd(9, 99);
        assert_eq!(crowd.make_room_with(&mut queue), None);
        for number in 0..4 {
            queue.push("office", number);
        }
        for number in 10..13 {
            crowd.enter(number, "flood");
            queue.push("flood", number);
        }
        crowd.enter(20, "one");
        queue.push("two", 0);
        let order =
            std::iter::from_fn(|| crowd.make_room_with(&mut queue)).map(|room| match room {
                Room::Left(left) => ("here", left.key, left.number),
                Room::Shed(shed) => ("waiting", shed.key, shed.job),
            });
        let order: Vec<_> = order.collect();
        // The flood gives up six, down to the office's four. Then both give up in turn.
        let expected = [
            ("here", "flood", 10),
            ("waiting", "flood", 12),
            ("here", "flood", 11),
            ("waiting", "office", 3),
            ("waiting", "flood", 11),
            ("waiting", "office", 2),
            ("here", "flood", 12),
            ("waiting", "office", 1),
            ("here", "one", 20),
        ];
        assert_eq!(order, expected);
        assert_eq!(queue.len(), 3, "each that waits alone keeps its turn");
    }

    #[test]
    fn who_is_known_is_not_asked_to_go() {
        let mut crowd = crowd(1, 1);
        crowd.enter(0, "one");
        crowd.leave(0);
        assert_eq!(crowd.enter(1, "one"), None);
        crowd.spoke(0);
        assert_eq!(crowd.len(), 1, "whoever left is not back by a word");
    }

    proptest! {
        #[test]
        fn keeps_its_bounds_and_forgets_who_is_gone(actions in prop::collection::vec((0..9_u64, 0..3_u8, 0..4_u8), 0..200)) {
            let bounds = Bounds { each: 2, total: 4 };
            let mut crowd = Crowd::new(bounds);
            let mut here = BTreeMap::new();
            for (number, key, action) in actions {
                match action {
                    0 | 1 => {
                        let leaver = crowd.enter(number, key);
                        here.remove(&number);
                        if let Some(leaver) = leaver {
                            prop_assert_eq!(here.remove(&leaver.number), Some(leaver.key));
                        }
                        here.insert(number, key);
                    }
                    2 => crowd.spoke(number),
                    _ => prop_assert_eq!(crowd.leave(number), here.remove(&number)),
                }
                prop_assert_eq!(crowd.len(), here.len());
                prop_assert!(here.len() <= bounds.total);
                for key in 0..3 {
                    prop_assert!(here.values().filter(|of| **of == key).count() <= bounds.each);
                }
            }
            for number in here.keys() {
                crowd.leave(*number);
            }
            prop_assert!(crowd.is_empty() && crowd.keys.is_empty() && crowd.sizes.is_empty());
        }
    }
}
