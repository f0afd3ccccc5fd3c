use std::rc::Rc;

use tidings_client_core::ChannelStatus;
use tidings_protocol::{
    Channel,
    rights::{Right, RightSet},
};
use tidings_server_core::Limits;
use tidings_simulation::{Faults, World, model::log, world::Setup};

fn hall() -> Channel {
    Channel::parse("room:hall").unwrap()
}

/// Two devices of two users with all rights in the hall, which both show.
fn in_the_hall(seed: u64, faults: Faults) -> (World, [usize; 2]) {
    let mut world = World::new(seed, faults);
    for user in ["mina", "tom"] {
        world.allow(user, &hall(), RightSet::ALL);
    }
    let devices = ["mina", "tom"]
        .map(|user| world.device_in(user, Rc::default(), |device| device.begin_with(hall())));
    world.settle(5_000);
    (world, devices)
}

fn shown(world: &World, device: usize) -> Vec<String> {
    let messages = world.devices[device].room(&hall()).messages;
    messages.iter().map(|message| message.data.as_str().trim_matches(['"', ' ']).into()).collect()
}

#[test]
fn what_is_said_in_a_room_is_seen_by_all_in_one_order() {
    let (mut world, [mina, tom]) = in_the_hall(1, Faults { delay: (1, 400), ..Faults::NONE });
    for _ in 0..5 {
        world.say(mina, &hall(), 0);
        world.say(tom, &hall(), 0);
        world.post(&hall());
        world.run(100);
    }
    world.settle(20_000);
    assert_eq!(shown(&world, mina).len(), 15);
    assert_eq!(shown(&world, mina), shown(&world, tom));
}

#[test]
fn without_the_right_a_room_is_refused_and_a_message_fails() {
    let mut world = World::new(2, Faults::NONE);
    world.allow("mina", &hall(), RightSet::default().with(Right::Publish));
    let [mina, tom] = ["mina", "tom"].map(|user| world.device(user));
    world.read(mina, &hall());
    world.say(mina, &hall(), 0);
    world.say(tom, &hall(), 0);
    world.settle(5_000);
    assert_eq!(world.devices[mina].room(&hall()).status, ChannelStatus::Refused);
    assert_eq!(log(&world.disk.memory, &hall()).len(), 1);
    assert_eq!(world.devices[tom].seen.failed.len(), 1);
}

#[test]
fn a_right_that_is_taken_away_ends_with_the_next_credential() {
    let (mut world, [mina, tom]) = in_the_hall(3, Faults::NONE);
    world.allow("tom", &hall(), RightSet::default());
    world.cut(tom);
    world.settle(60_000);
    world.say(mina, &hall(), 0);
    world.settle(5_000);
    assert_eq!(world.devices[tom].room(&hall()).status, ChannelStatus::Refused);
    assert!(world.devices[tom].seen.messages.is_empty());
}

#[test]
fn what_a_crashed_tab_had_kept_is_said_by_the_next_and_once() {
    for moment in 0..60 {
        let (mut world, [mina, tom]) = in_the_hall(moment, Faults::NONE);
        world.say(mina, &hall(), 0);
        world.say(mina, &hall(), 0);
        world.run(moment);
        world.devices[mina].crash(&mut world.env);
        world.settle(60_000);
        // Rows that were not on disk are lost with the tab; every row on disk is published once.
        let said = shown(&world, tom);
        assert!(moment < 10 || said.len() == 2, "{said:?} after {moment} ms");
        assert_eq!(said, shown(&world, mina));
    }
}

#[test]
fn another_tab_of_the_user_goes_on_with_what_a_dead_one_left() {
    let mut world = World::new(5, Faults::NONE);
    world.allow("mina", &hall(), RightSet::ALL);
    let profile = Rc::default();
    let [one, two] = [(); 2].map(|()| world.device_in("mina", Rc::clone(&profile), |_| ()));
    world.settle(5_000);
    world.cut(one);
    world.say(one, &hall(), 0);
    world.run(10);
    world.devices[one].frozen_until = u64::MAX;
    world.run(20_000);
    assert!(log(&world.disk.memory, &hall()).is_empty(), "its page lives");
    profile.borrow_mut().died(world.devices[one].page);
    assert!(
        world.run_until(20_000, |world| log(&world.disk.memory, &hall()).len() == 1),
        "the other one sends it"
    );
    let answered = |world: &mut World| world.devices[two].pending() == 0;
    assert!(world.run_until(5_000, answered), "and has its answer");
}

#[test]
fn one_who_may_not_read_back_has_what_came_since_the_first_subscription_and_nothing_before() {
    for nodes in [1, 3] {
        let mut world = World::of(Setup {
            seed: 7,
            faults: Faults::NONE,
            limits: Limits::default(),
            nodes,
            connections: 16,
            drift: false,
            narrated: false,
        });
        world.allow("mina", &hall(), RightSet::default().with(Right::Subscribe));
        let phone = world.device_in("mina", Rc::default(), |_| {});
        for _ in 0..3 {
            world.post(&hall());
        }
        world.settle(5_000);
        world.read(phone, &hall());
        world.settle(5_000);
        assert_eq!(shown(&world, phone).len(), 0, "what was said yesterday");
        for _ in 0..2 {
            world.post(&hall());
        }
        world.settle(5_000);
        // Over a lost link, and over a page that resumes from its cache.
        for round in 1..=4 {
            if round % 2 == 0 {
                world.reload(phone);
            } else {
                world.cut(phone);
            }
            world.post(&hall());
            world.settle(60_000);
            assert_eq!(shown(&world, phone).len(), 2 + round);
        }
        assert_eq!(world.devices[phone].seen.gaps.len(), 0, "nothing of it was missed");
    }
}
