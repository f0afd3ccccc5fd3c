//! I1–I4, I7, I12, I15 and I17 over many seeds of a bad network.

use proptest::prelude::*;
use tidings_simulation::{Faults, Rng, World};

use crate::{ARCHIVED, READ, UNREAD, ids};

/// Random actions of three devices, a publisher and faults, then a good network until all is quiet.
fn live_through(seed: u64, actions: u32, faults: Faults) -> World {
    let mut world = World::new(seed, faults);
    let mut rng = Rng::new(!seed);
    for user in ["mina", "mina", "tom"] {
        world.device(user);
    }
    for _ in 0..actions {
        let device = rng.between(0, 2) as usize;
        match rng.between(0, 19) {
            0..=5 => {
                let user = if rng.hits(6_000) { "mina" } else { "tom" };
                for _ in 0..rng.between(1, 2) {
                    world.notify(user);
                    let pause = rng.between(0, 30);
                    world.run(pause);
                }
            }
            6..=7 => {
                world.broadcast();
            }
            8..=12 => {
                let mut items = ids(&mut world, device);
                items.retain(|_| rng.hits(3_000));
                let set = [READ, UNREAD, ARCHIVED][rng.between(0, 2) as usize];
                if !items.is_empty() {
                    world.mark(device, &items, set);
                }
            }
            13 => {
                world.mark_all(device, READ);
            }
            14..=15 => world.cut(device),
            16 => world.freeze(device),
            17 if world.nodes[0].is_up() => world.crash(),
            _ => world.restart(),
        }
        let pause = rng.between(0, 1_500);
        world.run(pause);
    }
    world.env.faults = Faults::NONE;
    world.restart();
    world.settle(600_000);
    world
}

/// A few seeds a run; `PROPTEST_CASES` sets more for a long run.
fn config() -> ProptestConfig {
    let asked = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { asked.cases } else { 32 };
    ProptestConfig { cases, failure_persistence: None, ..asked }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_happens_every_device_ends_at_the_fold_of_the_log(seed: u64) {
        let world = live_through(seed, 60, Faults::ROUGH);
        // I15: every intent was answered.
        for device in &world.devices {
            prop_assert!(device.pending() == 0);
        }
    }

    /// The client could repair a hole that the server left, but it never has to.
    #[test]
    fn over_links_that_only_break_nobody_ever_misses_a_record(seed: u64) {
        let world = live_through(seed, 60, Faults::CUTS);
        for device in &world.devices {
            prop_assert_eq!(device.seen.repairs, 0);
            prop_assert_eq!(device.duplicates(), 0);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_trace(seed: u64) {
        let [one, two] = [0, 1].map(|_| live_through(seed, 15, Faults::ROUGH).env.trace.hash());
        prop_assert_eq!(one, two);
    }
}

#[test]
fn another_seed_gives_another_trace() {
    assert_ne!(
        live_through(1, 5, Faults::ROUGH).env.trace.hash(),
        live_through(2, 5, Faults::ROUGH).env.trace.hash()
    );
}
