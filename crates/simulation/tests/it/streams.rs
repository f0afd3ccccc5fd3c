use std::rc::Rc;

use tidings_client_core::{
    Event, Status,
    TransportKind::{self, Poll, Sse, Ws},
};
use tidings_protocol::{Channel, rights::RightSet};
use tidings_server_core::Limits;
use tidings_simulation::{
    Faults, World,
    tally::Count,
    world::{Setup, title},
};

use crate::arrived;

/// A world in which each user may have so many connections.
fn world(seed: u64, connections: usize) -> World {
    World::of(Setup {
        seed,
        faults: Faults::NONE,
        limits: Limits::default(),
        nodes: 1,
        connections,
        drift: false,
        narrated: false,
    })
}

/// A device of Mina that has only this transport.
fn device(world: &mut World, kind: TransportKind) -> usize {
    world.device_in("mina", Rc::default(), |device| {
        device.set(|config| config.transports = vec![kind]);
    })
}

/// Delays all frames from now on by `ms`.
fn delay(world: &mut World, ms: u64) {
    world.env.faults.delay = (ms, ms);
}

/// Found by seeds 1796090992, 1796091636, 1796091901 and 1796092786: a server can't see that a
/// stream has no reader any more.
#[test]
fn a_stream_that_nobody_reads_holds_its_permit_for_minutes_and_not_for_ever() {
    let mut world = world(1, 1);
    let phone = device(&mut world, Sse);
    world.settle(5_000);
    world.freeze(phone);
    world.devices[phone].crash(&mut world.env);
    world.run(10_000);
    assert!(world.unsettled().is_some(), "the place is taken");
    world.notify("mina");
    world.settle(300_000);
}

/// Found by seed 1796097071: a stream had no heartbeat that told the tops.
#[test]
fn a_lost_last_message_is_found_on_a_stream_by_its_heartbeat() {
    for everyone in [false, true] {
        let mut world = world(2, 16);
        let phone = device(&mut world, Sse);
        world.settle(5_000);
        world.env.faults.lose = 10_000;
        if everyone {
            world.broadcast();
        } else {
            world.notify("mina");
        }
        world.run(1_000);
        world.env.faults.lose = 0;
        assert!(world.devices[phone].view().items.is_empty(), "it was lost");
        world.settle(30_000);
        assert_eq!(world.devices[phone].seen.arrived.len(), 1);
        assert_eq!(world.devices[phone].seen.tickets, 1, "without a new connection");
    }
}

/// Found by seed 1796098690: a call that was given up arrived after its successor, and replaced it.
#[test]
fn a_page_that_its_own_late_request_replaced_goes_on_and_nobody_sees_it() {
    for kind in [Poll, Sse] {
        let mut world = world(3, 16);
        let room = Channel::parse("room:hall").unwrap();
        world.allow("mina", &room, RightSet::ALL);
        let phone = device(&mut world, kind);
        world.settle(5_000);
        world.run(15_000);
        delay(&mut world, 3_000);
        world.feed(phone, Event::Woke);
        delay(&mut world, 1);
        world.read(phone, &room);
        world.run(2_000);
        let before = world.env.tally.of(Count::Replaced);
        world.run(5_000);
        assert!(world.env.tally.of(Count::Replaced) > before, "{kind:?}: it was replaced");
        assert_eq!(world.devices[phone].status(), Status::Connected, "{kind:?}: nobody sees it");
        assert_eq!(world.devices[phone].seen.tickets, 1, "{kind:?}: with the session it has");
        world.notify("mina");
        world.settle(60_000);
        assert_eq!(arrived(&world, phone), [1], "{kind:?}");
    }
}

/// Found by seed 1796096942, where a request was given up before it arrived.
#[test]
fn a_request_that_is_given_up_on_its_way_holds_no_permit() {
    let mut world = world(4, 1);
    delay(&mut world, 3_000);
    let phone = device(&mut world, Sse);
    world.run(4_000);
    delay(&mut world, 1);
    world.reload(phone);
    world.settle(30_000);
}

#[test]
fn a_stream_whose_time_is_up_is_opened_again_and_nobody_sees_it() {
    let mut world = world(5, 1);
    let phone = device(&mut world, Sse);
    world.settle(5_000);
    for publish in 0..60 {
        world.notify("mina");
        world.run(20_000);
        let titles = world.devices[phone].view().items;
        assert!(titles.iter().any(|item| item.data.as_str().contains(&title(publish))));
    }
    let streams = world.env.tally.of(Count::Streams);
    assert!((5..=8).contains(&streams), "{streams} streams in 20 minutes");
    assert_eq!(world.devices[phone].seen.tickets, 1);
    world.settle(5_000);
    assert_eq!(arrived(&world, phone).len(), 60);
}

#[test]
fn a_clock_that_is_set_while_connected_hides_no_arrival() {
    for kind in [Ws, Sse, Poll] {
        let mut world = world(6, 16);
        let phone = device(&mut world, kind);
        world.settle(5_000);
        for (count, step) in [3_600_000, -3_600_000, 40_000_000_000, 0].into_iter().enumerate() {
            world.devices[phone].clock.step(step);
            world.notify("mina");
            world.run(40_000);
            world.notify("mina");
            world.run(1_000);
            assert_eq!(arrived(&world, phone).len(), 2 * count + 2, "{kind:?}, {step}");
        }
        assert_eq!(world.devices[phone].seen.tickets, 1, "{kind:?}: it was connected all the time");
    }
}

/// Found by seed 1797105709: if a node missed a message of the bus, it held a page's older
/// connection as long as its stream was open.
#[test]
fn a_connection_that_was_replaced_at_another_node_ends_though_the_bus_lost_the_news() {
    for kind in [Ws, Sse] {
        let mut world = World::of(Setup {
            seed: 7,
            faults: Faults { hint_lost: 10_000, ..Faults::NONE },
            limits: Limits::default(),
            nodes: 3,
            connections: 1,
            drift: false,
            narrated: false,
        });
        let phone = device(&mut world, kind);
        world.settle(5_000);
        let held = |world: &World| -> Vec<usize> {
            world.nodes.iter().map(|node| node.connections().count()).collect()
        };
        let mut moves = 0;
        for _ in 0..6 {
            let before = held(&world);
            let World { env, devices, .. } = &mut world;
            for conn in devices[phone].conns() {
                // The page notices the cut, the server never does.
                env.freeze(conn);
                match conn.request() {
                    Some(request) => devices[phone].ended(env, request, true),
                    None => devices[phone].closed(env, conn.transport, 1006),
                }
            }
            world.settle(60_000);
            world.run(3_001);
            assert_eq!(held(&world).iter().sum::<usize>(), 1, "{kind:?}");
            moves += usize::from(held(&world) != before);
        }
        assert!(moves > 0, "{kind:?}: it never came to another node");
    }
}
