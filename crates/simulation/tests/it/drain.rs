use tidings_server_core::Limits;
use tidings_simulation::{Faults, World, world::Setup};

use crate::arrived;

#[test]
fn devices_leave_a_draining_server_and_miss_nothing() {
    let (faults, limits) = (Faults::NONE, Limits::default());
    let setup =
        Setup { seed: 1, faults, limits, nodes: 2, connections: 16, drift: false, narrated: false };
    let mut world = World::of(setup);
    let devices: Vec<usize> = (0..10).map(|n| world.device(&format!("user-{n}"))).collect();
    world.settle(5_000);
    let here = world.nodes[0].connections().count();
    assert!(here > 0, "somebody has to leave");
    world.roll(0, 5_000);
    for n in 0..10 {
        world.notify(&format!("user-{n}"));
    }
    world.run(6_000);
    assert_eq!(world.nodes[0].connections().count(), 0, "before it stops");
    world.settle(60_000);
    let dials: u32 = devices.iter().map(|device| world.devices[*device].seen.dials).sum();
    assert_eq!(dials as usize, 10 + here, "who had to leave came back once");
    for device in devices {
        assert_eq!(arrived(&world, device), [1]);
    }
}
