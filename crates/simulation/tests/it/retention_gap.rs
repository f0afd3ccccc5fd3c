use std::rc::Rc;

use tidings_protocol::{Channel, rights::RightSet, server::GapReason};
use tidings_server_core::{Limits, store::Retention};
use tidings_simulation::{Faults, World};

const KEEP_ALL: Retention = Retention {
    records: 3,
    age_ms: 1 << 40,
    items: 1_000,
    keys_ms: 1 << 40,
    lanes_ms: 1 << 40,
    empty_lanes_ms: 1 << 40,
    channels_ms: 1 << 40,
};

#[test]
fn one_who_was_away_beyond_retention_is_told_what_is_missing() {
    let mut world = World::new(1, Faults::NONE);
    let phone = world.device("mina");
    world.settle(5_000);
    world.notify("mina");
    world.settle(5_000);
    world.cut(phone);
    for _ in 0..9 {
        world.notify("mina");
    }
    world.run(20);
    world.trim(&KEEP_ALL);
    world.settle(60_000);
    let gaps: Vec<_> = world.devices[phone]
        .seen
        .gaps
        .iter()
        .map(|gap| (gap.0.to_string(), gap.1, gap.2, gap.3))
        .collect();
    assert_eq!(gaps, [("inbox:mina".to_owned(), 2, 7, GapReason::Retention)]);
    assert_eq!(world.devices[phone].view().items.len(), 10, "items outlive the log");
}

/// Seed 1799001545: pages saved where the server went on before they had heard what is missing.
#[test]
fn a_page_that_dies_before_it_heard_of_a_gap_leaves_it_to_the_next() {
    let hall = Channel::parse("room:hall").unwrap();
    for moment in 0..200 {
        // Each message goes alone, and takes its time.
        let limits = Limits { join_bytes: 1, ..Limits::default() };
        let mut world = World::with(moment, Faults { pace: 500, ..Faults::NONE }, limits);
        world.allow("mina", &hall, RightSet::ALL);
        let phone = world.device_in("mina", Rc::default(), |device| {
            device.begin_with(hall.clone());
        });
        world.settle(5_000);
        world.post(&hall);
        world.settle(5_000);
        // Until it is saved.
        world.run(1_000);
        world.devices[phone].frozen_until = u64::MAX;
        for _ in 0..9 {
            world.post(&hall);
        }
        world.run(20_000);
        world.trim(&KEEP_ALL);
        // Two pages, one after the other; the first lives for a moment only.
        let mut told = Vec::new();
        for lives_for in [moment * 20, 60_000] {
            world.devices[phone].crash(&mut world.env);
            world.run(lives_for);
            let gaps = &world.devices[phone].seen.gaps;
            told.extend(gaps.iter().map(|gap| (gap.1, gap.2)));
        }
        world.settle(60_000);
        assert!(told.contains(&(2, 7)), "{told:?} where it lived for {}", moment * 20);
    }
}

#[test]
fn items_that_retention_removes_go_from_every_list() {
    let mut world = World::new(2, Faults::NONE);
    let phone = world.device("mina");
    for _ in 0..6 {
        world.notify("mina");
    }
    world.settle(5_000);
    world.trim(&Retention { items: 2, records: 1_000, ..KEEP_ALL });
    world.notify("mina");
    world.settle(60_000);
    let view = world.devices[phone].view();
    assert_eq!((view.items.len(), view.unread), (3, 3));
}
