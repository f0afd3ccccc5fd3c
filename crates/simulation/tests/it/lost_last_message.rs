use tidings_simulation::{Faults, World};

use crate::arrived;

#[test]
fn a_lost_last_message_is_found_by_the_heartbeat() {
    let mut world = World::new(1, Faults::NONE);
    let phone = world.device("mina");
    world.settle(5_000);
    world.env.faults = Faults { lose: 10_000, ..Faults::NONE };
    world.notify("mina");
    world.run(1_000);
    world.env.faults = Faults::NONE;
    assert!(arrived(&world, phone).is_empty(), "it was lost");
    world.settle(30_000);
    assert_eq!(arrived(&world, phone), [1]);
    assert_eq!(world.devices[phone].seen.dials, 1, "without a new connection");
}

#[test]
fn a_lost_message_in_the_middle_is_found_by_the_next() {
    let mut world = World::new(2, Faults::NONE);
    let phone = world.device("mina");
    world.settle(5_000);
    world.env.faults = Faults { lose: 10_000, ..Faults::NONE };
    world.notify("mina");
    world.run(1_000);
    world.env.faults = Faults::NONE;
    world.notify("mina");
    world.settle(2_000);
    assert_eq!(arrived(&world, phone), [1, 2]);
}
