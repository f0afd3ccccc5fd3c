use tidings_client_core::InboxStatus;
use tidings_simulation::{Faults, World};

use crate::arrived;

#[test]
fn a_reloaded_page_shows_its_cache_and_resumes_from_it() {
    let mut world = World::new(1, Faults::NONE);
    let phone = world.device("mina");
    for _ in 0..3 {
        world.notify("mina");
    }
    world.settle(5_000);
    world.run(1_000);
    world.reload(phone);
    world.run(6);
    let view = world.devices[phone].view();
    assert_eq!((view.status, view.items.len()), (InboxStatus::Cached, 3));
    world.notify("mina");
    world.settle(60_000);
    assert_eq!(arrived(&world, phone), [4], "what was seen before does not arrive again");
}
