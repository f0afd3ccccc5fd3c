use tidings_protocol::Channel;
use tidings_simulation::{Faults, World, model::log};

use crate::{ARCHIVED, READ, UNREAD, ids};

#[test]
fn marks_of_two_devices_converge_whatever_their_order() {
    for seed in 0..30 {
        let mut world = World::new(seed, Faults { delay: (1, 400), ..Faults::NONE });
        let [phone, laptop] = ["mina", "mina"].map(|user| world.device(user));
        for _ in 0..5 {
            world.notify("mina");
        }
        world.settle(20_000);
        let items = ids(&mut world, phone);
        world.mark(phone, &items[..2], READ);
        world.mark(laptop, &items[1..4], ARCHIVED);
        world.run(seed * 10);
        world.mark(laptop, &items[..1], UNREAD);
        world.mark_all(phone, READ);
        world.settle(60_000);
        let (one, two) = (world.devices[phone].view(), world.devices[laptop].view());
        assert_eq!((one.unread, one.items.len()), (two.unread, two.items.len()), "seed {seed}");
    }
}

#[test]
fn a_mark_made_offline_is_stored_on_return() {
    let mut world = World::new(1, Faults::NONE);
    let [phone, laptop] = ["mina", "mina"].map(|user| world.device(user));
    world.notify("mina");
    world.settle(5_000);
    world.cut(phone);
    world.run(100);
    let items = ids(&mut world, phone);
    world.mark(phone, &items, READ);
    assert_eq!(world.devices[phone].view().unread, 0, "shown at once");
    world.settle(60_000);
    assert_eq!(world.devices[laptop].view().unread, 0);
}

#[test]
fn a_mark_sent_again_does_not_undo_what_came_after_its_first_time() {
    let mut world = World::new(2, Faults::NONE);
    let [phone, laptop] = ["mina", "mina"].map(|user| world.device(user));
    world.notify("mina");
    world.settle(5_000);
    let items = ids(&mut world, phone);
    let inbox = Channel::inbox("mina").unwrap();
    world.mark(phone, &items, READ);
    assert!(
        world.run_until(5_000, |world| log(&world.disk.memory, &inbox).len() == 2),
        "it is stored"
    );
    world.cut(phone);
    world.run_until(5_000, |world| world.devices[laptop].view().unread == 0);
    world.mark(laptop, &items, UNREAD);
    world.settle(60_000);
    assert_eq!(world.devices[phone].view().unread, 1);
    assert_eq!(log(&world.disk.memory, &inbox).len(), 3, "the repeat made no record");
}
