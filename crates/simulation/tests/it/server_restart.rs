use tidings_simulation::{Faults, World};

use crate::arrived;

#[test]
fn a_server_that_dies_while_publishing_loses_and_doubles_nothing() {
    for seed in 0..30 {
        let mut world = World::new(seed, Faults::NONE);
        let devices: Vec<usize> = ["mina", "mina", "tom"].map(|user| world.device(user)).to_vec();
        world.settle(5_000);
        for round in 0..4 {
            for _ in 0..5 {
                world.notify("mina");
                world.notify("tom");
                world.run(2);
            }
            world.run(round);
            world.crash();
            world.run(2_000);
            world.restart();
            world.run(500 * round);
        }
        world.settle(120_000);
        for device in devices {
            assert_eq!(
                arrived(&world, device),
                (1..=20).collect::<Vec<_>>(),
                "seed {seed}, device {device}"
            );
        }
    }
}
