use tidings_simulation::{Faults, World};

use crate::{READ, arrived, ids};

#[test]
fn a_cut_while_publishing_loses_and_doubles_nothing() {
    for seed in 0..20 {
        let mut world = World::new(seed, Faults::NONE);
        let phone = world.device("mina");
        world.settle(5_000);
        for round in 0..10 {
            world.notify("mina");
            world.run(round * 3);
            if round % 3 == 0 {
                world.cut(phone);
            }
        }
        world.settle(120_000);
        assert_eq!(arrived(&world, phone), (1..=10).collect::<Vec<_>>(), "seed {seed}");
    }
}

#[test]
fn a_mark_whose_answer_was_cut_off_is_stored_once() {
    for seed in 0..20 {
        let mut world = World::new(seed, Faults::NONE);
        let phone = world.device("mina");
        world.notify("mina");
        world.settle(5_000);
        let item = ids(&mut world, phone);
        let intent = world.mark(phone, &item, READ);
        // Cuts between sending, storing and answering.
        world.run(seed);
        world.cut(phone);
        world.settle(120_000);
        let stored = world.devices[phone].seen.settled[&intent].clone().unwrap().unwrap();
        assert_eq!(stored.offset, 2, "seed {seed}");
        assert_eq!(world.devices[phone].view().unread, 0, "seed {seed}");
    }
}
