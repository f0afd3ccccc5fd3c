//! The workload of a seed: users and devices, their actions, and the faults that strike.

use std::{cell::RefCell, rc::Rc};

use tidings_client_core::{Event, TransportKind};
use tidings_protocol::{
    Channel, MarkSet,
    limits::MESSAGE_BYTES,
    rights::{Right, RightSet},
};
use tidings_server_core::{
    Limits,
    budget::{Rate, Rates},
    store::Retention,
};

use crate::{
    clock::Clock,
    env::{Due, Way},
    faults::Faults,
    invariants::PATIENCE,
    rng::Rng,
    scroll,
    storage::Storage,
    tally::Count,
    world::{Setup, World},
};

/// An hour: the error of clocks that are set wrong.
const HOUR: u64 = 3_600_000;
/// The states that users mark.
const MARKS: [MarkSet; 5] = [
    MarkSet { seen: Some(true), read: None, archived: None },
    MarkSet { seen: None, read: Some(true), archived: None },
    MarkSet { seen: None, read: Some(false), archived: None },
    MarkSet { seen: None, read: None, archived: Some(true) },
    MarkSet { seen: None, read: None, archived: Some(false) },
];
const USERS: [&str; 3] = ["mina", "tom", "ada"];
const TRANSPORTS: [TransportKind; 3] = [TransportKind::Ws, TransportKind::Sse, TransportKind::Poll];
const ROOMS: [&str; 2] = ["room:hall", "room:attic"];

/// Chances, out of ten thousand per action, of faults that need an actor. Half of all worlds lack a
/// given fault, as with [`Faults`].
#[derive(Clone, Copy, Debug)]
struct FaultRates {
    kill: u32,
    store_crash: u32,
    outage: u32,
    roll: u32,
    restore: u32,
    trim: u32,
    flush: u32,
    revoke: u32,
    step: u32,
    rights: u32,
    tab_crash: u32,
    browser_crash: u32,
    reload: u32,
    freeze: u32,
    offline: u32,
    cut: u32,
    network: u32,
}

impl FaultRates {
    const fn drawn(rng: &mut Rng) -> Self {
        Self {
            kill: rng.chance(800),
            store_crash: rng.chance(500),
            outage: rng.chance(500),
            roll: rng.chance(500),
            restore: rng.chance(100),
            trim: rng.chance(500),
            flush: rng.chance(800),
            revoke: rng.chance(500),
            step: rng.chance(500),
            rights: rng.chance(500),
            tab_crash: rng.chance(800),
            browser_crash: rng.chance(300),
            reload: rng.chance(500),
            freeze: rng.chance(500),
            offline: rng.chance(500),
            cut: rng.chance(1_000),
            network: rng.chance(600),
        }
    }
}

/// Runs a seed until all is quiet or an invariant is broken; `narrated`: with a readable trace.
#[must_use]
pub fn live(seed: u64, narrated: bool) -> World {
    let mut rng = Rng::new(!seed);
    let mut world = begin(seed, narrated, &mut rng);
    let rates = FaultRates::drawn(&mut rng);
    for _ in 0..rng.between(20, 70) {
        if world.violation.is_some() {
            return world;
        }
        inject_faults(&mut world, rates, &mut rng);
        act(&mut world, &mut rng);
        let pause = match rng.between(0, 19) {
            0 => rng.between(10_000, 50_000),
            1..=4 => rng.between(1_000, 5_000),
            _ => rng.between(0, 400),
        };
        world.run(pause);
    }
    world.env.narrate("all is well again");
    world.calm();
    // The result is in `violation`.
    if world.try_settle(PATIENCE).is_ok() {
        scroll::to_the_end(&mut world);
    }
    world
}

/// Budgets that a few tabs use up.
fn small_budgets() -> Rates {
    Rates {
        messages: Rate::every_ms(12, 150),
        bytes: Rate::per_second(4_000, 2_000),
        opens: Rate::every_ms(4, 700),
        ..Rates::default()
    }
}

fn begin(seed: u64, narrated: bool, rng: &mut Rng) -> World {
    let mailbox = [1_500, 4_000, 512 * 1024][rng.index(3)];
    let limits = Limits {
        mailbox_bytes: mailbox,
        catch_up_bytes: (mailbox / 8) as u32,
        catch_up_records: [3, 20, 100][rng.index(3)],
        join_bytes: [500, 16 * 1024][rng.index(2)],
        snapshot_items: [5, 50][rng.index(2)],
        page: [5, 100][rng.index(2)],
        page_bytes: (mailbox / 2) as u32,
        snapshot_bytes: (mailbox / 4) as u32,
        message_bytes: [MESSAGE_BYTES, MESSAGE_BYTES, 700][rng.index(3)],
        ..Limits::default()
    };
    let limits = match seed % 3 {
        0 => Limits { user: small_budgets(), ..limits },
        _ => limits,
    };
    let mut world = World::of(Setup {
        seed,
        faults: Faults::drawn(rng),
        limits,
        nodes: [1, 1, 2, 3][rng.index(4)],
        connections: [3, 16][rng.index(2)],
        drift: true,
        narrated,
    });
    world.session_ttl_ms = [30_000, 120_000, HOUR][rng.index(3)];
    let users = rng.between(1, 3) as usize;
    let rooms = &ROOMS[..rng.index(ROOMS.len() + 1)];
    for user in &USERS[..users] {
        for room in rooms {
            world.allow(user, &channel(room), rights(rng));
        }
    }
    let mut profiles: Vec<Vec<Rc<RefCell<Storage>>>> = vec![Vec::new(); users];
    // At most three devices a user, so that all can connect under every limit.
    for device in 0..rng.between(2, 2 + users as u64) {
        let user = device as usize % users;
        let shared = profiles[user].last().filter(|_| rng.hits(5_000)).cloned();
        let profile = shared.unwrap_or_default();
        profiles[user].push(profile.clone());
        let (parts, drift) = (rng.hits(5_000), rng.bits());
        let reads: Vec<Channel> =
            rooms.iter().filter(|_| rng.hits(7_000)).map(|room| channel(room)).collect();
        world.device_in(USERS[user], profile, |device| {
            device.set(|config| {
                config.keep = [4, 50][rng.index(2)];
                config.messages_max = [6, 500][rng.index(2)];
                config.linger = [500, 5_000][rng.index(2)];
                if rng.hits(7_500) {
                    config.transports = TRANSPORTS.to_vec();
                    config.upgrade_after = [5_000, 60_000][rng.index(2)];
                }
                // A private window stores nothing, an old browser no outbox.
                config.storage = rng.hits(9_500);
                config.lanes = config.storage && rng.hits(9_500);
            });
            if rng.hits(500) {
                device.lack_locks();
            }
            if parts {
                device.come_in_parts();
            }
            reads.into_iter().for_each(|room| device.begin_with(room));
            device.clock = Clock::drifting(drift);
        });
    }
    world.run(rng.between(0, 3_000));
    world
}

fn channel(room: &str) -> Channel {
    #[allow(clippy::panic, reason = "the names above are good")]
    Channel::parse(room).unwrap_or_else(|error| panic!("{room}: {error}"))
}

/// A user's rights in a room.
fn rights(rng: &mut Rng) -> RightSet {
    let set = |rights: &[Right]| rights.iter().copied().collect();
    match rng.between(0, 9) {
        0 => RightSet::default(),
        1 => set(&[Right::Publish]),
        2 => set(&[Right::Subscribe, Right::History]),
        3 => set(&[Right::Subscribe, Right::Publish]),
        _ => RightSet::ALL,
    }
}

/// One action of a user or a backend.
fn act(world: &mut World, rng: &mut Rng) {
    if rng.hits(4_000) {
        return act_in_rooms(world, rng);
    }
    let device = rng.index(world.devices.len());
    let user = world.devices[device].user.clone();
    match rng.between(0, 19) {
        0..=8 => {
            // Now and then a burst: more than a slow link takes.
            let most = if rng.hits(1_000) { 30 } else { 4 };
            for _ in 0..rng.between(1, most) {
                world.notify(&user);
                world.run(rng.between(0, 30));
            }
        }
        9..=10 => {
            world.broadcast();
        }
        11 => {
            let users: Vec<String> = world.devices.iter().map(|one| one.user.clone()).collect();
            let mut users: Vec<&str> = users.iter().map(String::as_str).collect();
            users.sort_unstable();
            users.dedup();
            world.notify_all(&users);
        }
        12..=16 => {
            let items = world.devices[device].view().items;
            let mut ids: Vec<String> = items.iter().map(|item| item.id.to_string()).collect();
            ids.retain(|_| rng.hits(3_000));
            if !ids.is_empty() {
                world.mark(device, &ids, MARKS[rng.index(MARKS.len())]);
            }
        }
        17 => {
            world.mark_all(device, MARKS[rng.index(MARKS.len())]);
        }
        18 => {
            world.devices[device].more(&mut world.env);
        }
        _ => world.feed(device, Event::Woke),
    }
}

/// One action in a room.
fn act_in_rooms(world: &mut World, rng: &mut Rng) {
    let device = rng.index(world.devices.len());
    let room = channel(ROOMS[rng.index(ROOMS.len())]);
    match rng.between(0, 19) {
        0..=9 => {
            let most = if rng.hits(1_000) { 40 } else { 3 };
            for _ in 0..rng.between(1, most) {
                world.say(device, &room, [0, 0, 0, 300, 1_500, 12_000][rng.index(6)]);
                if rng.hits(5_000) {
                    world.run(rng.between(0, 30));
                }
            }
        }
        10..=12 => {
            for _ in 0..rng.between(1, 5) {
                world.post(&room);
            }
        }
        13..=14 => {
            world.devices[device].older(&mut world.env, room);
        }
        15 => world.read(device, &room),
        16 => world.devices[device].leave(&mut world.env, &room),
        17..=18 => world.devices[device].retry(&mut world.env),
        _ => world.devices[device].discard(&mut world.env),
    }
}

/// One fault of a server, the store, the bus or a device.
fn inject_faults(world: &mut World, rates: FaultRates, rng: &mut Rng) {
    let FaultRates { kill, store_crash, outage, roll, restore, trim, flush, revoke, .. } = rates;
    let node = rng.index(world.nodes.len());
    let cluster = world.nodes.len() > 1;
    if rng.hits(kill) && world.nodes[node].is_up() {
        world.env.narrate(format_args!("node {node} is killed"));
        world.kill(node);
        let wait = rng.between(200, 5_000);
        world.env.after(wait, Due::Starts { node });
    }
    if cluster && rng.hits(store_crash) {
        world.env.narrate("the store dies");
        world.crash_store();
        let wait = rng.between(100, 3_000);
        world.disk.go_away(&mut world.env, wait);
    }
    if rng.hits(outage) {
        let wait = rng.between(100, 5_000);
        world.env.narrate(format_args!("the store is away for {wait} ms"));
        world.disk.go_away(&mut world.env, wait);
    }
    if rng.hits(roll) {
        world.env.narrate(format_args!("node {node} drains"));
        world.roll(node, rng.between(0, 3_000));
    }
    if rng.hits(restore) {
        world.env.narrate("the store is restored");
        world.restore();
        for node in 0..world.nodes.len() {
            world.env.after(1_000, Due::Starts { node });
        }
    }
    if rng.hits(trim) {
        world.env.narrate("retention runs");
        let (records, items) = (rng.between(1, 30), rng.between(3, 60));
        let age_ms = 1 << 40;
        world.trim(&Retention {
            records,
            age_ms,
            items,
            keys_ms: age_ms,
            lanes_ms: age_ms,
            empty_lanes_ms: age_ms,
            channels_ms: age_ms,
        });
    }
    if cluster && rng.hits(flush) {
        world.env.narrate("the bus loses everything");
        world.flush_bus(rng.hits(5_000));
    }
    if rng.hits(revoke) {
        let device = rng.index(world.devices.len());
        // Revoking a user ends the credentials issued before; wrong clocks make that time
        // meaningless.
        let everything = rates.step == 0 && rng.hits(5_000);
        world.env.narrate(format_args!("device {device} is revoked"));
        world.revoke(device, everything);
    }
    if rng.hits(rates.rights) {
        let user = world.devices[rng.index(world.devices.len())].user.clone();
        let (room, rights) = (channel(ROOMS[rng.index(ROOMS.len())]), rights(rng));
        world.env.tally.count(Count::Rights);
        world.env.narrate(format_args!("{user} may do {rights:?} in {room}"));
        world.allow(&user, &room, rights);
    }
    inject_device_faults(world, rates, rng);
}

fn inject_device_faults(world: &mut World, rates: FaultRates, rng: &mut Rng) {
    let FaultRates {
        step, tab_crash, browser_crash, reload, freeze, offline, cut, network, ..
    } = rates;
    let index = rng.index(world.devices.len());
    if rng.hits(step) {
        let by = rng.between(0, 2 * HOUR) as i64 - HOUR as i64;
        world.env.tally.count(Count::ClockStep);
        world.env.narrate(format_args!("a clock is set wrong by {by} ms"));
        let node = rng.index(world.nodes.len());
        if rng.hits(5_000) {
            world.nodes[node].clock.step(by);
        } else {
            world.devices[index].clock.step(by);
        }
    }
    if rng.hits(tab_crash) {
        world.env.narrate(format_args!("the tab of device {index} crashes"));
        world.devices[index].crash(&mut world.env);
    }
    if rng.hits(browser_crash) {
        world.env.narrate(format_args!("the browser of device {index} crashes"));
        world.crash_browser(index);
    }
    if rng.hits(reload) {
        world.env.narrate(format_args!("device {index} is reloaded"));
        world.reload(index);
    }
    if rng.hits(freeze) {
        let ms = rng.between(100, 60_000);
        world.env.tally.count(Count::Freeze);
        world.env.narrate(format_args!("device {index} is frozen for {ms} ms"));
        world.devices[index].frozen_until = world.env.now.mono + ms;
    }
    if rng.hits(offline) {
        world.env.tally.count(Count::Offline);
        world.env.narrate(format_args!("device {index} goes offline"));
        world.feed(index, Event::WentOffline);
        if rng.hits(5_000) {
            world.freeze(index);
        }
        world.run(rng.between(0, 3_000));
        world.feed(index, Event::WentOnline);
    }
    if rng.hits(network) && world.devices[index].steps_down() {
        let device = &mut world.devices[index];
        device.network.no_sockets = rng.hits(6_000);
        device.network.holds_back = [0, 0, 600, 1 << 20][rng.index(4)];
        let device = &world.devices[index];
        world
            .env
            .narrate(format_args!("device {index} is in another network: {:?}", device.network));
    }
    if rng.hits(cut) {
        world.env.narrate(format_args!("something happens to the link of device {index}"));
        match rng.between(0, 3) {
            0 => world.cut(index),
            1 => world.freeze(index),
            2 => world.mute(index, Way::Up),
            _ => world.mute(index, Way::Down),
        }
    }
}
