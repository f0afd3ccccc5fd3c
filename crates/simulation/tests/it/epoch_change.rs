use tidings_protocol::server::GapReason;
use tidings_simulation::{Faults, World};

use crate::arrived;

#[test]
fn a_restored_server_is_a_fresh_start_for_everyone_and_says_so() {
    let mut world = World::new(1, Faults::NONE);
    let phone = world.device("mina");
    world.settle(5_000);
    for _ in 0..3 {
        world.notify("mina");
    }
    world.settle(5_000);
    world.crash();
    world.restore();
    world.run(2_000);
    world.restart();
    world.settle(60_000);
    let gaps = &world.devices[phone].seen.gaps;
    assert!(gaps.iter().any(|gap| gap.3 == GapReason::Epoch), "{gaps:?}");
    world.notify("mina");
    world.settle(60_000);
    assert_eq!(arrived(&world, phone), [1, 2, 3, 4]);
    assert_eq!(world.devices[phone].view().unread, 4);
}
