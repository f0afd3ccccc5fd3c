//! Devices, servers, their store and bus, and backends, and the loop that lets time pass.
#![allow(clippy::panic, reason = "a test of a world in which a promise is broken ends")]

mod actions;
mod backends;
mod dispatch;

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc};

use tidings_protocol::{Channel, Json, rest::PublishNotification};
use tidings_server_core::{
    Ids, Limits,
    store::{Op, Store, Write},
};

use crate::{
    bus::Bus,
    clock::Clock,
    device::Device,
    disk::Disk,
    env::{Conn, Env},
    faults::Faults,
    invariants::{self, Checker, End, Scene, Violation},
    model::History,
    node::{Node, Settings},
    observation::{Allowed, Observation, Page},
    storage::{RowKey, Storage},
};

/// Most events of one world: more of them mean an endless loop.
const EVENTS_MAX: u64 = 2_000_000;
/// How often the world is checked for quiet, in milliseconds.
const LOOK: u64 = 250;
/// How long a backend waits for an answer.
const ANSWER: u64 = 500;

/// Parameters of a world.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The seed of all chance.
    pub seed: u64,
    /// Its faults.
    pub faults: Faults,
    /// The limits of sessions.
    pub limits: Limits,
    /// Number of servers. A single one has an embedded store; several share a store and a bus.
    pub nodes: usize,
    /// Most connections of a user.
    pub connections: usize,
    /// Servers' clocks drift.
    pub drift: bool,
    /// Whether to print a readable trace.
    pub narrated: bool,
}

/// A publish of a backend, repeated with the same key until it is acknowledged.
#[derive(Debug)]
struct Publish {
    body: Body,
    acknowledged: bool,
}

/// The content of a publish.
#[derive(Clone, Debug)]
enum Body {
    Notification(Box<PublishNotification>),
    Message { channel: Channel, data: Json },
}

/// The world of one seed.
#[derive(Debug)]
pub struct World {
    /// Time, chance and the network.
    pub env: Env,
    /// The store.
    pub disk: Rc<Disk>,
    /// The servers.
    pub nodes: Vec<Node>,
    /// The bus between the servers.
    pub bus: Bus,
    /// The devices.
    pub devices: Vec<Device>,
    /// The contents of the logs.
    pub history: History,
    /// The first invariant that was broken.
    pub violation: Option<Violation>,
    checkers: Vec<Box<dyn Checker>>,
    /// The node of a connection.
    routes: BTreeMap<Conn, usize>,
    publishes: Vec<Publish>,
    /// Number of messages that apps published in rooms.
    messages: u64,
    /// Rights of tickets, by user.
    allowed: BTreeMap<String, Allowed>,
    ids: Ids,
    tickets: u64,
    sessions: BTreeMap<usize, String>,
    /// The last offset of a channel up to which apps were told that records are missing.
    missing: BTreeMap<Channel, u64>,
    /// Rights of each session's credential.
    granted: BTreeMap<String, Allowed>,
    /// Whether the app's ticket function fails.
    pub tickets_fail: bool,
    /// Duration of the sessions that tickets open, in milliseconds.
    pub session_ttl_ms: u64,
    events: u64,
}

impl World {
    /// A world of this seed with one server.
    #[must_use]
    pub fn new(seed: u64, faults: Faults) -> Self {
        Self::with(seed, faults, Limits::default())
    }

    /// A world of this seed with other limits.
    #[must_use]
    pub fn with(seed: u64, faults: Faults, limits: Limits) -> Self {
        Self::of(Setup {
            seed,
            faults,
            limits,
            nodes: 1,
            connections: 16,
            drift: false,
            narrated: false,
        })
    }

    /// A world with these parameters.
    #[must_use]
    pub fn of(setup: Setup) -> Self {
        let Setup { seed, faults, limits, nodes, connections, drift, narrated } = setup;
        let mut env = Env::new(seed, faults, narrated);
        let disk = Rc::new(Disk::new(seed));
        let settings = Settings { limits: Arc::new(limits), connections, cluster: nodes > 1 };
        let node = |node| {
            let clock = if drift { Clock::drifting(env.rng.bits()) } else { Clock::TRUE };
            Node::new(node, disk.clone(), settings.clone(), clock, &mut env)
        };
        Self {
            nodes: (0..nodes).map(node).collect(),
            disk,
            bus: Bus::default(),
            devices: Vec::new(),
            history: History::default(),
            violation: None,
            checkers: invariants::all(),
            routes: BTreeMap::new(),
            publishes: Vec::new(),
            messages: 0,
            allowed: BTreeMap::new(),
            ids: Ids::new(seed ^ 0x5eed),
            tickets: 0,
            sessions: BTreeMap::new(),
            missing: BTreeMap::new(),
            granted: BTreeMap::new(),
            tickets_fail: false,
            session_ttl_ms: 3_600_000,
            events: 0,
            env,
        }
    }

    /// Adds a device of a user with its own browser profile, and starts it; returns its index.
    pub fn device(&mut self, user: &str) -> usize {
        self.device_in(user, Rc::default(), |_| ())
    }

    /// Adds a device in a profile that others may share, after `prepare`.
    pub fn device_in(
        &mut self,
        user: &str,
        profile: Rc<RefCell<Storage>>,
        prepare: impl FnOnce(&mut Device),
    ) -> usize {
        let open = Write { key: None, lane: None, op: Op::OpenInbox { user: user.to_owned() } };
        let _made = self.disk.memory.commit(self.env.now.wall, &[open]);
        self.history.user(&self.disk.memory, user);
        let index = self.devices.len();
        let mut device = Device::new(index, user, profile, self.env.rng.bits());
        prepare(&mut device);
        device.start(&mut self.env);
        self.devices.push(device);
        index
    }

    /// A server that a load balancer would choose.
    fn some_node(&mut self) -> Option<usize> {
        let takes: Vec<usize> =
            (0..self.nodes.len()).filter(|node| self.nodes[*node].takes()).collect();
        (!takes.is_empty()).then(|| takes[self.env.rng.index(takes.len())])
    }

    /// Lets time pass, until an invariant is broken.
    pub fn run(&mut self, ms: u64) {
        self.run_until(ms, |_| false);
        if self.violation.is_none() {
            self.judge();
        }
    }

    /// Lets time pass until `so` is true; `false` if that takes longer than `ms`.
    pub fn run_until(&mut self, ms: u64, mut so: impl FnMut(&mut Self) -> bool) -> bool {
        let until = self.env.now.mono + ms;
        while self.violation.is_none() {
            if so(self) {
                return true;
            }
            let Some(due) = self.env.next(until) else {
                self.env.advance(until);
                return false;
            };
            self.happen(due);
            self.pass_on();
            self.judge();
        }
        false
    }

    /// Checks the observations against the invariants.
    fn judge(&mut self) {
        if self.env.observations.is_empty() || self.violation.is_some() {
            return;
        }
        self.history.refresh(&self.disk.memory);
        let observations = std::mem::take(&mut self.env.observations);
        let scene =
            Scene { now: self.env.now.mono, store: &self.disk.memory, history: &self.history };
        for observation in &observations {
            if let Observation::Missing { channel, to, .. } = observation {
                let told = self.missing.entry(channel.clone()).or_default();
                *told = (*to).max(*told);
            }
            for checker in &mut self.checkers {
                if let Err(what) = checker.observe(&scene, observation) {
                    let invariant = checker.invariant();
                    self.violation.get_or_insert(Violation { invariant, what });
                }
            }
        }
    }

    /// Whether every publish is acknowledged and every device shows the contents of the logs. If
    /// not, returns what is missing, with the invariant's number.
    pub fn unsettled(&mut self) -> Option<(&'static str, String)> {
        self.history.refresh(&self.disk.memory);
        if let Some(publish) = self.publishes.iter().position(|one| !one.acknowledged) {
            return Some(("I7", format!("publish {publish} has no answer")));
        }
        let ends: Vec<End> = (0..self.devices.len()).map(|device| self.end(device)).collect();
        let scene =
            Scene { now: self.env.now.mono, store: &self.disk.memory, history: &self.history };
        ends.iter()
            .find_map(|end| invariants::difference(&scene, end))
            .or_else(|| self.left_over().map(|what| ("I15", what)))
    }

    fn end(&mut self, device: usize) -> End {
        let device = &mut self.devices[device];
        let allowed = |conn: Conn| {
            let guest = self.nodes.get(*self.routes.get(&conn)?)?.guest(conn)?;
            self.granted.get(&guest.session)
        };
        End {
            allowed: device.conns().into_iter().find_map(allowed).cloned().unwrap_or_default(),
            page: device.page,
            user: device.user.clone(),
            status: device.status(),
            error: device.error().map(ToString::to_string),
            pending: device.pending(),
            calls: device.calls(),
            rooms: device.reads().map(|room| (room.clone(), device.room(room))).collect(),
            view: device.view(),
            missing: self.missing.clone(),
        }
    }

    /// A row that waits in an outbox although a living page could end it.
    fn left_over(&self) -> Option<String> {
        let able = |device: &&Device| device.can_persist() && !device.is_impaired();
        for device in self.devices.iter().filter(able) {
            let storage = device.storage.borrow();
            let waits = |(user, lane, _): &RowKey| {
                let holder = storage.holder(lane).unwrap_or(device.page);
                *user == device.user && holder == device.page
            };
            // A third line holds the refusal, which waits for the app.
            let mut rows = storage.rows().filter(|(_, text)| text.lines().nth(2).is_none());
            if let Some(((_, lane, seq), _)) = rows.find(|(index, _)| waits(index)) {
                return Some(format!("{} has lane {lane} {seq} still to end", device.page));
            }
        }
        None
    }

    /// Reloads the pages that could not store their outbox: only then do the intents end that such
    /// a page left to others, or others left to it. Returns whether there are any.
    fn mend_outboxes(&mut self) -> bool {
        let mut ill: Vec<usize> = (0..self.devices.len()).collect();
        ill.retain(|device| self.devices[*device].is_impaired());
        ill.iter().for_each(|device| self.reload(*device));
        !ill.is_empty()
    }

    /// Lets time pass until all is quiet, then checks the final state against all invariants.
    ///
    /// # Errors
    /// The invariant that is broken: by an observation, by the final state, or because the end is
    /// not reached within `ms`.
    pub fn try_settle(&mut self, ms: u64) -> Result<(), Violation> {
        self.quiet(ms);
        if self.violation.is_none() && self.mend_outboxes() {
            self.env.narrate("pages that could not keep their outbox are loaded again");
            self.quiet(ms);
        }
        self.judge();
        self.history.refresh(&self.disk.memory);
        let scene =
            Scene { now: self.env.now.mono, store: &self.disk.memory, history: &self.history };
        for checker in &mut self.checkers {
            if let Err(what) = checker.settled(&scene) {
                let invariant = checker.invariant();
                self.violation.get_or_insert(Violation { invariant, what });
            }
        }
        self.violation.clone().map_or(Ok(()), Err)
    }

    /// Lets time pass until all is quiet. If that takes longer than `ms`, an invariant is broken.
    fn quiet(&mut self, ms: u64) {
        let until = self.env.now.mono + ms;
        while self.violation.is_none()
            && let Some((invariant, what)) = self.unsettled()
        {
            if self.env.now.mono >= until {
                let what = format!("after {ms} ms of quiet, {what}");
                self.violation = Some(Violation { invariant, what });
            }
            self.run(LOOK);
        }
    }

    /// The same as [`Self::try_settle`], for tests.
    ///
    /// # Panics
    /// If an invariant is broken.
    pub fn settle(&mut self, ms: u64) {
        if let Err(violation) = self.try_settle(ms) {
            panic!("{violation}");
        }
    }
}

/// The device of a connection, if that is still its transport.
fn of(devices: &mut [Device], conn: Conn) -> Option<&mut Device> {
    at(devices, conn.page).filter(|device| device.transport == Some(conn.transport))
}

/// The device of a page, if the page still exists.
fn at(devices: &mut [Device], page: Page) -> Option<&mut Device> {
    devices.get_mut(page.device).filter(|device| device.page == page)
}

/// The title that identifies a publish.
#[must_use]
pub fn title(publish: usize) -> String {
    format!("Notification {publish}")
}

/// The title in a record's body.
#[must_use]
pub(crate) fn publish_of(data: &Json) -> Option<String> {
    let (_, rest) = data.as_str().split_once("Notification ")?;
    Some(rest.chars().take_while(char::is_ascii_digit).collect())
}

/// The text of a message: its number, which identifies it, and `more` filler characters.
#[must_use]
pub fn words(message: u64, more: usize) -> Json {
    Json::string(&format!("Message {message} {}", ".".repeat(more)))
}

/// The number of a message, from its text, if an app published it.
#[must_use]
pub(crate) fn message_of(data: &Json) -> Option<u64> {
    let rest = data.as_str().strip_prefix("\"Message ")?;
    rest.split(' ').next()?.parse().ok()
}
