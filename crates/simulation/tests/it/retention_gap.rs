use tidings_protocol::server::GapReason;
use tidings_server_core::store::Retention;
use tidings_simulation::{Faults, World};

const KEEP: Retention = Retention {
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
    world.trim(&KEEP);
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

#[test]
fn items_that_retention_removes_go_from_every_list() {
    let mut world = World::new(2, Faults::NONE);
    let phone = world.device("mina");
    for _ in 0..6 {
        world.notify("mina");
    }
    world.settle(5_000);
    world.trim(&Retention { items: 2, records: 1_000, ..KEEP });
    world.notify("mina");
    world.settle(60_000);
    let view = world.devices[phone].view();
    assert_eq!((view.items.len(), view.unread), (3, 3));
}
