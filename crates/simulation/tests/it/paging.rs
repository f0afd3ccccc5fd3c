use std::rc::Rc;

use tidings_simulation::{Faults, World};

/// Found by seed 617: a record that came while a page was under way pushed an item out right above
/// the page, and the client did not load that item again.
#[test]
fn an_item_pushed_out_while_a_page_is_under_way_is_loaded_after_all() {
    for moment in 0..100 {
        let mut world = World::new(moment, Faults { store: (60, 5), ..Faults::NONE });
        let phone = world.device_in("mina", Rc::default(), |device| device.keep(4));
        world.settle(5_000);
        for _ in 0..12 {
            world.notify("mina");
        }
        world.settle(5_000);
        let asked = world.devices[phone].more(&mut world.env);
        world.run(moment);
        world.notify("mina");
        // Compares the list with the log.
        world.settle(20_000);
        assert_eq!(world.devices[phone].seen.settled[&asked], Ok(None));
        let view = world.devices[phone].view();
        assert!(view.items.len() > 5, "older ones were loaded at {moment} ms");
    }
}
