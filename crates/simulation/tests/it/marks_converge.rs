use tidings_simulation::{Faults, World};

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
