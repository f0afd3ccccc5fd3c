use std::rc::Rc;

use tidings_client_core::TransportKind::{self, Poll, Sse, Ws};
use tidings_simulation::{Faults, World, device::Network, tally::Count};

use crate::{READ, arrived, ids};

/// A device of Mina in this network, with all transports.
fn device(world: &mut World, network: Network) -> usize {
    world.device_in("mina", Rc::default(), |device| {
        device.set(|config| {
            config.transports = vec![Ws, Sse, Poll];
            config.upgrade_after = 5_000;
        });
        device.network = network;
    })
}

fn carrier(world: &World, device: usize) -> Option<TransportKind> {
    world.devices[device].carrier()
}

fn goes_both_ways(world: &mut World, device: usize) {
    let before = arrived(world, device).len();
    for _ in 0..3 {
        world.notify("mina");
        world.run(200);
    }
    world.settle(60_000);
    assert_eq!(arrived(world, device).len(), before + 3);
    let all = ids(world, device);
    world.mark(device, &all, READ);
    world.settle(60_000);
    assert_eq!(world.devices[device].view().unread, 0);
}

#[test]
fn a_network_without_sockets_is_done_without() {
    let mut world = World::new(1, Faults::NONE);
    let phone = device(&mut world, Network { no_sockets: true, holds_back: 0 });
    world.settle(60_000);
    assert_eq!(carrier(&world, phone), Some(Sse));
    goes_both_ways(&mut world, phone);
    world.devices[phone].network = Network::default();
    assert!(world.run_until(300_000, |world| carrier(world, phone) == Some(Ws)), "up again");
    goes_both_ways(&mut world, phone);
}

#[test]
fn a_stream_that_is_held_back_gives_way_to_polls() {
    let mut world = World::new(2, Faults::NONE);
    let network = Network { no_sockets: true, holds_back: 1 << 20 };
    let phone = device(&mut world, network);
    assert!(world.run_until(120_000, |world| carrier(world, phone) == Some(Poll)));
    goes_both_ways(&mut world, phone);
}

#[test]
fn answers_of_polls_that_are_lost_after_they_were_made_lose_nothing() {
    let faults = Faults { cut: 2_500, delay: (1, 100), ..Faults::NONE };
    let mut world = World::new(3, faults);
    let phone = world.device_in("mina", Rc::default(), |device| {
        device.set(|config| config.transports = vec![Poll]);
    });
    for _ in 0..40 {
        world.notify("mina");
        world.run(1_000);
    }
    world.env.faults = Faults::NONE;
    world.settle(300_000);
    goes_both_ways(&mut world, phone);
    assert!(world.env.tally.of(Count::Cut) > 3);
    assert!(world.env.tally.of(Count::Polls) > 10);
}
