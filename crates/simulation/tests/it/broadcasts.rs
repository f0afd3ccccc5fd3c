use std::rc::Rc;

use tidings_simulation::{Faults, World};

use crate::{READ, ids};

#[test]
fn an_everyone_message_reaches_all_and_is_read_by_each_alone() {
    let mut world = World::new(1, Faults::NONE);
    let [mina, tablet, tom] = ["mina", "mina", "tom"].map(|user| world.device(user));
    world.settle(5_000);
    world.broadcast();
    world.notify("mina");
    world.settle(5_000);
    let counts: Vec<u64> =
        [mina, tablet, tom].map(|device| world.devices[device].view().unread).to_vec();
    assert_eq!(counts, [2, 2, 1]);
    let shared = world.devices[mina]
        .view()
        .items
        .iter()
        .find(|item| item.key.channel.is_system())
        .unwrap()
        .id
        .to_string();
    world.mark(mina, &[shared], READ);
    world.settle(5_000);
    let counts: Vec<u64> =
        [mina, tablet, tom].map(|device| world.devices[device].view().unread).to_vec();
    assert_eq!(counts, [1, 1, 1], "both of Mina's devices, not Tom's");
}

#[test]
fn everyone_messages_beyond_what_is_kept_are_loaded_and_marked_by_name() {
    let mut world = World::new(3, Faults::NONE);
    let desk = world.device("mina");
    let phone = world.device_in("mina", Rc::default(), |device| device.keep(4));
    world.settle(5_000);
    world.notify("mina");
    for _ in 0..12 {
        world.broadcast();
    }
    world.settle(5_000);
    let all = ids(&mut world, desk);
    assert_eq!(all.len(), 13);
    // Marked before anything older is loaded. Found by seeds 1796107822 and 1796108294: the client
    // looked it up without end.
    world.mark(phone, &all[9..11], READ);
    world.settle(20_000);
    assert_eq!(world.devices[desk].view().unread, 11);
    for _ in 0..2 {
        assert!(world.devices[phone].view().has_more);
        let asked = world.devices[phone].more(&mut world.env);
        world.settle(20_000);
        assert_eq!(world.devices[phone].seen.settled[&asked], Ok(None));
    }
    assert_eq!(ids(&mut world, phone), all, "with the item of the inbox that lies below them");
}

#[test]
fn everyone_messages_published_while_away_are_counted_on_return() {
    let mut world = World::new(2, Faults::NONE);
    let phone = world.device("mina");
    world.settle(5_000);
    world.cut(phone);
    for _ in 0..4 {
        world.broadcast();
        world.notify("mina");
    }
    world.settle(60_000);
    assert_eq!(ids(&mut world, phone).len(), 8);
    world.mark_all(phone, READ);
    world.settle(60_000);
    assert_eq!(world.devices[phone].view().unread, 0);
    world.broadcast();
    world.settle(60_000);
    assert_eq!(world.devices[phone].view().unread, 1);
}
