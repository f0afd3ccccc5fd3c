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

/// Found by seed 255: a record was committed after `subscribed` had told the top, and lost before
/// the subscription went live.
#[test]
fn a_message_lost_while_catching_up_is_found_by_the_first_heartbeat() {
    for moment in 0..120 {
        let mut world = World::new(moment, Faults { store: (60, 5), ..Faults::NONE });
        let phone = world.device("mina");
        world.settle(5_000);
        world.cut(phone);
        let again = |world: &mut World| world.devices[phone].seen.dials == 2;
        assert!(world.run_until(60_000, again), "it comes back");
        world.env.faults.lose = 10_000;
        world.run(moment);
        world.notify("mina");
        world.run(1_000);
        world.env.faults.lose = 0;
        world.settle(30_000);
        assert_eq!(world.devices[phone].seen.dials, 2, "without a new connection, {moment} ms");
    }
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
