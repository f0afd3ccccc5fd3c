use tidings_simulation::{Faults, World};

use crate::arrived;

#[test]
fn devices_leave_a_draining_server_and_miss_nothing() {
    let mut world = World::new(1, Faults::NONE);
    let devices: Vec<usize> = (0..10).map(|n| world.device(&format!("user-{n}"))).collect();
    world.settle(5_000);
    world.node.drain(&mut world.env, 5_000);
    for n in 0..10 {
        world.notify(&format!("user-{n}"));
    }
    world.run(10_000);
    world.settle(60_000);
    for device in devices {
        assert_eq!(world.devices[device].seen.dials, 2, "device {device} came back once");
        assert_eq!(arrived(&world, device), [1]);
    }
}
