use tidings_server_core::Limits;
use tidings_simulation::{Faults, World};

use crate::arrived;

#[test]
fn a_slow_consumer_catches_up_in_bounded_memory() {
    let limits = Limits {
        mailbox_bytes: 4_000,
        catch_up_bytes: 1_000,
        join_bytes: 500,
        ..Limits::default()
    };
    let mut world = World::with(1, Faults { pace: 100, ..Faults::NONE }, limits);
    let phone = world.device("mina");
    world.settle(20_000);
    for _ in 0..48 {
        world.notify("mina");
        world.run(5);
    }
    world.settle(300_000);
    assert_eq!(arrived(&world, phone), (1..=48).collect::<Vec<_>>());
    assert_eq!(world.devices[phone].seen.dials, 1, "it kept its connection");
    assert!(
        world.nodes[0].most_queued <= 4_000 + 1_500,
        "{} bytes waited",
        world.nodes[0].most_queued
    );
}
