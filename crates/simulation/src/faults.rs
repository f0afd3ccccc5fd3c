//! The chances of faults that strike by themselves. Faults that need an actor (kills, crashes,
//! revocations) are in [`crate::workload`].

use crate::rng::Rng;

/// Chances are out of ten thousand: per frame for the network, per call for the store, per hint for
/// the bus, per save or load for browsers. Times are in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// Shortest and longest delay of a frame.
    pub delay: (u64, u64),
    /// The connection is cut.
    pub cut: u32,
    /// Of cuts: one end is not told and must find out.
    pub half_open: u32,
    /// From this frame on, all frames in its direction are lost, and neither end is told.
    pub one_way: u32,
    /// The frame ends in the middle, then the connection is cut.
    pub tear: u32,
    /// The frame comes twice.
    pub double: u32,
    /// Later messages overtake a record. Only records can be overtaken: transports keep the order,
    /// a hub may not.
    pub overtake: u32,
    /// A record is lost although the connection stays, as by a bug of a hub.
    pub lose: u32,
    /// Of dials: no server answers.
    pub unreachable: u32,
    /// Of connections: one on a slow link.
    pub slow: u32,
    /// Time the server needs to write one frame; a hundred times as long on a slow link, at least
    /// 100.
    pub pace: u64,
    /// Of a backend's requests: it is lost on its way. As often, its answer is lost.
    pub request: u32,
    /// Longest time of a read and of a group commit.
    pub store: (u64, u64),
    /// The store can't be reached, or an operation ends in an error of the disk.
    pub away: u32,
    /// There is no room left for a commit.
    pub full: u32,
    /// The commit's answer is lost; half of these commits are stored.
    pub unknown: u32,
    /// Of writes: this one fails, the others of its commit do not.
    pub alone: u32,
    /// A hint between nodes is lost.
    pub hint_lost: u32,
    /// A hint arrives twice.
    pub hint_doubled: u32,
    /// Longest delay of a hint; the next may overtake it.
    pub hint_delay: u64,
    /// A save is aborted.
    pub save: u32,
    /// Of transactions on the outbox's rows, and of claims: aborted.
    pub persist: u32,
    /// Of the same transactions: it takes seconds, or never ends.
    pub hang: u32,
    /// A load fails, or has no answer at all.
    pub load: u32,
    /// A load or a claim reads garbage.
    pub corrupt: u32,
    /// The app's ticket function fails.
    pub ticket: u32,
    /// A timer goes off in half its time.
    pub early: u32,
}

impl Faults {
    /// No faults.
    pub const NONE: Self = Self {
        delay: (1, 20),
        cut: 0,
        half_open: 0,
        one_way: 0,
        tear: 0,
        double: 0,
        overtake: 0,
        lose: 0,
        unreachable: 0,
        slow: 0,
        pace: 0,
        request: 0,
        store: (5, 10),
        away: 0,
        full: 0,
        unknown: 0,
        alone: 0,
        hint_lost: 0,
        hint_doubled: 0,
        hint_delay: 20,
        save: 0,
        persist: 0,
        hang: 0,
        load: 0,
        corrupt: 0,
        ticket: 0,
        early: 0,
    };

    /// Connections break often, but lose nothing while they last.
    pub const CUTS: Self =
        Self { delay: (1, 300), cut: 200, half_open: 2_000, store: (100, 40), ..Self::NONE };

    /// A bad network, in every way at once.
    pub const ROUGH: Self = Self {
        delay: (1, 300),
        cut: 150,
        half_open: 2_000,
        tear: 50,
        double: 500,
        overtake: 500,
        lose: 300,
        pace: 1,
        store: (100, 40),
        ..Self::NONE
    };

    /// The faults of a seed. Half of all worlds lack a given fault, so that it does not hide the
    /// effect of another.
    #[must_use]
    pub const fn drawn(rng: &mut Rng) -> Self {
        let longest = [20, 100, 300, 800][rng.index(4)];
        Self {
            delay: (1, longest),
            cut: rng.chance(200),
            half_open: rng.chance(5_000),
            one_way: rng.chance(60),
            tear: rng.chance(60),
            double: rng.chance(600),
            overtake: rng.chance(600),
            lose: rng.chance(300),
            unreachable: rng.chance(3_000),
            slow: rng.chance(2_000),
            pace: rng.between(0, 2),
            request: rng.chance(1_500),
            store: (rng.between(0, 100), rng.between(1, 60)),
            away: rng.chance(150),
            full: rng.chance(300),
            unknown: rng.chance(600),
            alone: rng.chance(200),
            hint_lost: rng.chance(3_000),
            hint_doubled: rng.chance(2_000),
            hint_delay: rng.between(1, 400),
            save: rng.chance(400),
            persist: rng.chance(200),
            hang: rng.chance(400),
            load: rng.chance(2_000),
            corrupt: rng.chance(2_000),
            ticket: rng.chance(2_000),
            early: rng.chance(500),
        }
    }
}
