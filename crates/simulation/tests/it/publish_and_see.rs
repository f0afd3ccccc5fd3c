use tidings_client_core::{InboxStatus, Status};
use tidings_simulation::{Faults, World};

use crate::arrived;

#[test]
fn what_is_published_is_seen_by_every_device_of_the_user_and_by_nobody_else() {
    let mut world = World::new(1, Faults::NONE);
    let [phone, laptop, other] = ["mina", "mina", "tom"].map(|user| world.device(user));
    world.settle(5_000);
    for _ in 0..3 {
        world.notify("mina");
        world.run(50);
    }
    world.settle(5_000);
    assert_eq!(arrived(&world, phone), [1, 2, 3]);
    assert_eq!(arrived(&world, laptop), [1, 2, 3]);
    assert!(arrived(&world, other).is_empty());
    let view = world.devices[phone].view();
    assert_eq!((view.unread, view.unseen, view.status), (3, 3, InboxStatus::Live));
}

#[test]
fn what_was_published_before_is_in_the_list_and_does_not_arrive() {
    let mut world = World::new(2, Faults::NONE);
    world.notify("mina");
    world.run(1_000);
    let phone = world.device("mina");
    world.settle(5_000);
    assert_eq!(world.devices[phone].view().items.len(), 1);
    assert!(arrived(&world, phone).is_empty());
}

#[test]
fn a_quiet_connection_stays() {
    let mut world = World::new(3, Faults::NONE);
    let phone = world.device("mina");
    world.settle(5_000);
    world.run(30 * 60_000);
    assert_eq!(world.devices[phone].status(), Status::Connected);
    assert_eq!(world.devices[phone].seen.dials, 1);
    assert!(world.devices[phone].seen.reports.is_empty());
}

#[test]
fn what_is_published_while_a_device_connects_comes_without_waiting_for_a_heartbeat() {
    for moment in 0..200 {
        let mut world = World::new(moment, Faults { store: (60, 5), ..Faults::NONE });
        let phone = world.device("mina");
        world.run(moment);
        world.notify("mina");
        world.settle(3_000);
        assert_eq!(world.devices[phone].seen.repairs, 0, "published after {moment} ms");
    }
}
