use tidings_simulation::{Faults, World};

use crate::arrived;

#[test]
fn a_link_that_stopped_forwarding_is_noticed_by_both_ends() {
    let mut world = World::new(1, Faults::NONE);
    let phone = world.device("mina");
    world.settle(5_000);
    world.freeze(phone);
    world.notify("mina");
    world.settle(60_000);
    assert_eq!(arrived(&world, phone), [1]);
    assert_eq!(world.devices[phone].seen.dials, 2);
    assert!(
        world.run_until(60_000, |world| world.nodes[0].connections().count() == 1),
        "the ghost is gone"
    );
}
