//! Decides which waiting job is served next. Keys take turns, even if one of them has many jobs
//! waiting.
//!
//! This is round robin over one queue per key, as routers schedule packets (RFC 7567, 2.2.1;
//! deficit round robin with jobs for bytes). A key that fills its queue delays only itself. When
//! all room is taken, the longest queue gives up a job, so that a new key is not turned away
//! because of another key's backlog.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt::{self, Debug, Formatter},
};

/// Bounds of a shared table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Most entries of one key.
    pub each: usize,
    /// Most entries of all keys together.
    pub total: usize,
}

/// How a key is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Most waiting jobs. `None`: no bound of its own, and no job is given up for other keys.
    pub waiting: Option<usize>,
    /// Jobs in one turn; at least 1.
    pub weight: u32,
    /// Jobs in progress at a time; at least 1. A value below the number of workers leaves some of
    /// them to other keys.
    pub at_once: usize,
}

/// The reason why a job found no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// The key has reached its share of waiting jobs.
    Share,
    /// All room is taken, and no other key has more jobs waiting.
    All,
}

/// A job that was turned away: the new one, or one of a longer queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turned<K, T> {
    /// The job's key.
    pub key: K,
    /// The job.
    pub job: T,
    /// The reason.
    pub full: Full,
}

/// Waiting jobs, by key.
pub struct Fair<K, T> {
    total: usize,
    share: Box<dyn Fn(&K) -> Share + Send>,
    /// Keys with jobs, waiting or in progress.
    queues: BTreeMap<K, Queue<T>>,
    /// Keys that may be served, the next one first.
    turns: VecDeque<K>,
    /// Keys by the number of their waiting jobs, without the keys that give up no jobs.
    lengths: BTreeSet<(usize, K)>,
    len: usize,
}

struct Queue<T> {
    waiting: VecDeque<T>,
    under_way: usize,
    /// Jobs that are left in this turn.
    credit: u32,
    /// Whether the key is in `turns`.
    has_turn: bool,
}

impl<K: Clone + Ord, T> Fair<K, T> {
    /// An empty queue for at most `total` waiting jobs. `share` returns how a key is served.
    pub fn new(total: usize, share: impl Fn(&K) -> Share + Send + 'static) -> Self {
        Self {
            total,
            share: Box::new(share),
            queues: BTreeMap::new(),
            turns: VecDeque::new(),
            lengths: BTreeSet::new(),
            len: 0,
        }
    }

    /// Adds a job. Returns the job that was turned away for it, which may be the new one.
    pub fn push(&mut self, key: K, job: T) -> Option<Turned<K, T>> {
        let share = (self.share)(&key);
        let waiting = self.waiting(&key);
        if share.waiting.is_some_and(|most| waiting >= most) {
            return Some(Turned { key, job, full: Full::Share });
        }
        let mut turned = None;
        if self.len >= self.total {
            // The longest queue must stay at least as long as this one. Otherwise two keys would
            // displace each other's jobs for ever.
            let may_take_from =
                |(length, _): &&(usize, K)| share.waiting.is_none() || *length > waiting + 1;
            let longest = self.lengths.last().filter(may_take_from);
            let Some(longest) = longest.map(|(_, longest)| longest.clone()) else {
                return Some(Turned { key, job, full: Full::All });
            };
            turned = self.give_way(longest);
        }
        let queue = self.queues.entry(key.clone()).or_insert_with(Queue::new);
        queue.waiting.push_back(job);
        let length = queue.waiting.len();
        if !queue.has_turn && queue.under_way < share.at_once.max(1) {
            queue.has_turn = true;
            self.turns.push_back(key.clone());
        }
        self.len += 1;
        self.measure(key, length - 1, length);
        turned
    }

    /// The next job and its key. The job is in progress from now on. `None`: no waiting job may be
    /// served.
    pub fn pop(&mut self) -> Option<(K, T)> {
        let key = self.turns.pop_front()?;
        let share = (self.share)(&key);
        let queue = self.queues.get_mut(&key)?;
        if queue.credit == 0 {
            queue.credit = share.weight.max(1);
        }
        queue.credit -= 1;
        let job = queue.waiting.pop_front()?;
        queue.under_way += 1;
        let length = queue.waiting.len();
        queue.has_turn = length > 0 && queue.under_way < share.at_once.max(1);
        // A key with credit left stays in front. Without credit it goes behind all other keys.
        match (queue.has_turn, queue.credit) {
            (true, 0) => self.turns.push_back(key.clone()),
            (true, _) => self.turns.push_front(key.clone()),
            // The key's next turn begins with full credit.
            (false, _) => queue.credit = 0,
        }
        self.len -= 1;
        self.measure(key.clone(), length + 1, length);
        Some((key, job))
    }

    /// Removes the newest job of this key, because its resources are needed.
    pub fn shed(&mut self, key: K) -> Option<Turned<K, T>> {
        self.give_way(key)
    }

    /// The key with the longest queue, and its length. A key with a single job is never returned:
    /// it keeps its job. `None`: no key that gives up jobs has several.
    #[must_use]
    pub fn longest(&self) -> Option<(&K, usize)> {
        let (length, key) = self.lengths.last()?;
        (*length > 1).then_some((key, *length))
    }

    /// The number of jobs of this key in the queue.
    pub fn waiting(&self, key: &K) -> usize {
        self.queues.get(key).map_or(0, |queue| queue.waiting.len())
    }

    /// Notes that a job of this key has ended.
    pub fn done(&mut self, key: &K) {
        let at_once = (self.share)(key).at_once.max(1);
        let Some(queue) = self.queues.get_mut(key) else { return };
        queue.under_way = queue.under_way.saturating_sub(1);
        if queue.waiting.is_empty() {
            if queue.under_way == 0 {
                self.queues.remove(key);
            }
        } else if !queue.has_turn && queue.under_way < at_once {
            queue.has_turn = true;
            self.turns.push_back(key.clone());
        }
    }

    /// The number of waiting jobs.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether no job is waiting.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Removes the newest job of this key. Earlier jobs keep their order.
    fn give_way(&mut self, key: K) -> Option<Turned<K, T>> {
        let queue = self.queues.get_mut(&key)?;
        let job = queue.waiting.pop_back()?;
        let length = queue.waiting.len();
        if length == 0 {
            queue.has_turn = false;
            queue.credit = 0;
            self.turns.retain(|other| *other != key);
            if queue.under_way == 0 {
                self.queues.remove(&key);
            }
        }
        self.len -= 1;
        self.measure(key.clone(), length + 1, length);
        Some(Turned { key, job, full: Full::All })
    }

    /// Moves a key to its new index in `lengths`.
    fn measure(&mut self, key: K, from: usize, to: usize) {
        if (self.share)(&key).waiting.is_none() {
            return;
        }
        let mut measured = (from, key);
        self.lengths.remove(&measured);
        measured.0 = to;
        if to > 0 {
            self.lengths.insert(measured);
        }
    }
}

impl<T> Queue<T> {
    const fn new() -> Self {
        Self { waiting: VecDeque::new(), under_way: 0, credit: 0, has_turn: false }
    }
}

impl<K: Debug, T> Debug for Fair<K, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fair").field("total", &self.total).field("len", &self.len).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fair(each: usize, total: usize) -> Fair<&'static str, u32> {
        Fair::new(total, move |_| share(each, 1))
    }

    const fn share(waiting: usize, weight: u32) -> Share {
        Share { waiting: Some(waiting), weight, at_once: usize::MAX }
    }

    fn order(fair: &mut Fair<&'static str, u32>) -> Vec<(&'static str, u32)> {
        std::iter::from_fn(|| fair.pop()).collect()
    }

    #[test]
    fn each_key_has_its_turn_however_much_another_has_waiting() {
        let mut fair = fair(9, 99);
        for number in 0..3 {
            assert_eq!(fair.push("many", number), None);
        }
        fair.push("one", 0);
        fair.push("two", 0);
        let served = [("many", 0), ("one", 0), ("two", 0), ("many", 1), ("many", 2)];
        assert_eq!(order(&mut fair), served);
    }

    #[test]
    fn turns_go_by_who_came_first_and_not_by_name() {
        let mut fair = fair(9, 99);
        for number in 0..2 {
            for key in ["c", "a", "b"] {
                fair.push(key, number);
            }
        }
        let served = [("c", 0), ("a", 0), ("b", 0), ("c", 1), ("a", 1), ("b", 1)];
        assert_eq!(order(&mut fair), served);
    }

    #[test]
    fn a_key_has_only_so_many_waiting() {
        let mut fair = fair(2, 99);
        fair.push("many", 0);
        fair.push("many", 1);
        let turned = fair.push("many", 2).unwrap();
        assert_eq!((turned.job, turned.full), (2, Full::Share));
        assert_eq!(fair.push("one", 0), None);
    }

    #[test]
    fn where_all_room_is_taken_the_longest_queue_gives_way_to_who_has_less() {
        let mut fair = fair(9, 4);
        for number in 0..4 {
            fair.push("many", number);
        }
        let turned = fair.push("one", 0).unwrap();
        assert_eq!((turned.key, turned.job, turned.full), ("many", 3, Full::All));
        let turned = fair.push("many", 4).unwrap();
        assert_eq!((turned.key, turned.job), ("many", 4), "who has most gives way itself");
        let turned = fair.push("two", 0).unwrap();
        assert_eq!((turned.key, turned.job), ("many", 2));
        let turned = fair.push("two", 1).unwrap();
        assert_eq!((turned.key, turned.job), ("two", 1), "nobody gives way to as many");
        assert_eq!(order(&mut fair), [("many", 0), ("one", 0), ("two", 0), ("many", 1)]);
    }

    #[test]
    fn a_key_without_a_bound_of_its_own_gives_way_to_none_and_takes_what_it_needs() {
        let waiting = |key: &&str| (*key != "proxy").then_some(9);
        let mut fair = Fair::new(3, move |key| Share { waiting: waiting(key), ..share(9, 1) });
        fair.push("proxy", 0);
        fair.push("proxy", 1);
        fair.push("one", 0);
        let turned = fair.push("two", 0).unwrap();
        assert_eq!((turned.key, turned.full), ("two", Full::All));
        let turned = fair.push("proxy", 2).unwrap();
        assert_eq!((turned.key, turned.job), ("one", 0));
        let turned = fair.push("proxy", 3).unwrap();
        assert_eq!((turned.key, turned.job), ("proxy", 3), "nobody else is left");
        assert_eq!(order(&mut fair), [("proxy", 0), ("proxy", 1), ("proxy", 2)]);
    }

    #[test]
    fn the_key_with_most_sheds_its_newest_and_none_sheds_its_only_one() {
        let waiting = |key: &&str| (*key != "proxy").then_some(9);
        let mut fair = Fair::new(99, move |key| Share { waiting: waiting(key), ..share(9, 1) });
        for number in 0..3 {
            fair.push("proxy", number);
            fair.push("many", number);
        }
        fair.push("zone", 0);
        for newest in [2, 1] {
            let (longest, _) = fair.longest().unwrap();
            let shed = fair.shed(longest).unwrap();
            assert_eq!((shed.key, shed.job, shed.full), ("many", newest, Full::All));
        }
        assert_eq!(
            fair.longest(),
            None,
            "a proxy's are many clients', and the others have one each"
        );
        assert_eq!(fair.len(), 5);
    }

    #[test]
    fn a_key_has_only_so_many_under_way() {
        let mut fair = Fair::new(9, |_: &&str| Share { at_once: 1, ..share(9, 1) });
        fair.push("many", 0);
        fair.push("many", 1);
        assert_eq!(fair.pop(), Some(("many", 0)));
        assert_eq!(fair.pop(), None, "the other one is free for somebody else");
        fair.push("one", 0);
        assert_eq!(fair.pop(), Some(("one", 0)));
        fair.done(&"many");
        assert_eq!(fair.pop(), Some(("many", 1)));
    }

    #[test]
    fn a_turn_may_be_of_several_jobs() {
        let weight = |key: &&str| if *key == "backend" { 2 } else { 1 };
        let mut fair = Fair::new(99, move |key| share(9, weight(key)));
        for number in 0..4 {
            fair.push("backend", number);
            fair.push("user", number);
        }
        let served: Vec<_> = std::iter::from_fn(|| fair.pop()).map(|(key, _)| key).collect();
        let (backend, user) = ("backend", "user");
        assert_eq!(served, [backend, backend, user, backend, backend, user, user, user]);
    }

    proptest! {
        /// Checks the queue against a model: no job is lost or doubled, order is kept within a key,
        /// bounds are kept, and keys without jobs are removed.
        #[test]
        fn holds_its_promises(actions in prop::collection::vec((0..4_u8, 0..4_u8), 0..200)) {
            let bounds = Bounds { each: 4, total: 6 };
            let mut fair = Fair::new(bounds.total, move |_| Share { at_once: 2, ..share(bounds.each, 2) });
            let mut waiting: BTreeMap<u8, VecDeque<usize>> = BTreeMap::new();
            let mut under_way = Vec::new();
            for (number, (key, action)) in actions.into_iter().enumerate() {
                match action {
                    0 => {
                        waiting.entry(key).or_default().push_back(number);
                        if let Some(turned) = fair.push(key, number) {
                            let newest = waiting.get_mut(&turned.key).and_then(VecDeque::pop_back);
                            prop_assert_eq!(newest, Some(turned.job));
                        }
                    }
                    1 => match fair.pop() {
                        Some((key, job)) => {
                            let oldest = waiting.get_mut(&key).and_then(VecDeque::pop_front);
                            prop_assert_eq!(oldest, Some(job));
                            under_way.push(key);
                            prop_assert!(under_way.iter().filter(|of| **of == key).count() <= 2);
                        }
                        None => {
                            let free = |key: &u8| under_way.iter().filter(|of| *of == key).count() < 2;
                            let left = waiting.iter().find(|(key, jobs)| free(key) && !jobs.is_empty());
                            prop_assert_eq!(left, None);
                        }
                    },
                    2 => {
                        let most = waiting.values().map(VecDeque::len).max().unwrap_or_default();
                        let longest = fair.longest().map(|(key, length)| (*key, length));
                        prop_assert_eq!(longest.map(|(_, length)| length), Some(most).filter(|most| *most > 1));
                        let shed = longest.and_then(|(key, _)| fair.shed(key));
                        prop_assert_eq!(shed.is_some(), longest.is_some());
                        if let Some(shed) = shed {
                            let jobs = waiting.entry(shed.key).or_default();
                            prop_assert_eq!(jobs.len(), most);
                            prop_assert_eq!(jobs.pop_back(), Some(shed.job));
                        }
                    }
                    _ => {
                        if let Some(key) = under_way.pop() {
                            fair.done(&key);
                        }
                    }
                }
                let count: usize = waiting.values().map(VecDeque::len).sum();
                prop_assert_eq!(fair.len(), count);
                prop_assert!(count <= bounds.total && waiting.values().all(|jobs| jobs.len() <= bounds.each));
            }
            while let Some((key, _)) = fair.pop() {
                fair.done(&key);
            }
            under_way.iter().for_each(|key| fair.done(key));
            while let Some((key, _)) = fair.pop() {
                fair.done(&key);
            }
            prop_assert!(fair.queues.is_empty() && fair.lengths.is_empty() && fair.turns.is_empty());
        }
    }
}
