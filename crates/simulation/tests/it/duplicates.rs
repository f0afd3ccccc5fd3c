use tidings_simulation::{Faults, World};

use crate::{READ, arrived, ids};

#[test]
fn doubled_frames_are_folded_once() {
    let mut world = World::new(1, Faults { double: 10_000, ..Faults::NONE });
    let phone = world.device("mina");
    world.settle(5_000);
    for _ in 0..10 {
        world.notify("mina");
    }
    world.settle(5_000);
    let items = ids(&mut world, phone);
    world.mark(phone, &items[..3], READ);
    world.settle(5_000);
    assert_eq!(arrived(&world, phone), (1..=10).collect::<Vec<_>>());
    assert_eq!(world.devices[phone].view().unread, 7);
    assert!(world.devices[phone].duplicates() >= 10, "the faults happened");
}

#[test]
fn overtaken_records_are_put_in_order() {
    let mut world = World::new(2, Faults { overtake: 3_000, ..Faults::NONE });
    let phone = world.device("mina");
    world.settle(5_000);
    for _ in 0..30 {
        world.notify("mina");
        world.run(20);
    }
    world.env.faults = Faults::NONE;
    world.settle(60_000);
    assert_eq!(arrived(&world, phone), (1..=30).collect::<Vec<_>>());
}
