//! Devices, servers, their store and bus, and backends, and the loop that lets time pass.
#![allow(clippy::panic, reason = "a test of a world in which a promise is broken ends")]

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc};

use tidings_client_core::{Credential, Event, MarkTargets};
use tidings_protocol::{
    Json, MarkSet,
    rest::{PublishNotification, RevocationRequest, Target, TicketRequest},
};
use tidings_server_core::{
    Ids, Limits, follow,
    service::{self, Caller},
    session,
    store::{IdempotencyKey, Op, Retention, Store, Write},
};

use crate::{
    bus::{Bus, News},
    clock::Clock,
    device::Device,
    disk::Disk,
    env::{Conn, Due, Env, Way},
    faults::Faults,
    invariants::{self, Breach, Checker, End, Scene},
    model::History,
    node::{Node, Published, Settings, hash_of},
    sight::{Page, Sight},
    storage::Storage,
    tally::Count,
};

/// Events of one world: more mean that something spins.
const EVENTS_MAX: u64 = 2_000_000;
/// How often it is looked whether all is quiet, in milliseconds.
const LOOK: u64 = 250;
/// How long a backend waits for an answer.
const ANSWER: u64 = 500;

/// What a world is made with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Everything comes of it.
    pub seed: u64,
    /// How bad it is.
    pub faults: Faults,
    /// What sessions obey.
    pub limits: Limits,
    /// Servers. One alone has its store inside; several share one, and a bus.
    pub nodes: usize,
    /// Most connections of a user.
    pub connections: usize,
    /// Servers' clocks drift.
    pub drift: bool,
    /// Prints a readable trace.
    pub told: bool,
}

/// A publish of a backend, repeated with the same key until it is acknowledged.
#[derive(Debug)]
struct Publish {
    body: PublishNotification,
    acknowledged: bool,
}

/// Everything.
#[derive(Debug)]
pub struct World {
    /// Time, chance and the wire.
    pub env: Env,
    /// The store.
    pub disk: Rc<Disk>,
    /// The servers.
    pub nodes: Vec<Node>,
    /// What they tell each other by.
    pub bus: Bus,
    /// The devices.
    pub devices: Vec<Device>,
    /// What the logs say.
    pub history: History,
    /// The first promise that was broken.
    pub breach: Option<Breach>,
    checkers: Vec<Box<dyn Checker>>,
    /// Which node a connection is at.
    routes: BTreeMap<Conn, usize>,
    publishes: Vec<Publish>,
    ids: Ids,
    tickets: u64,
    sessions: BTreeMap<usize, String>,
    /// The app's ticket function fails.
    pub tickets_fail: bool,
    /// Life of the sessions that tickets open, in milliseconds.
    pub session_ttl_ms: u64,
    events: u64,
}

impl World {
    /// A world of this seed with one server.
    #[must_use]
    pub fn new(seed: u64, faults: Faults) -> Self {
        Self::with(seed, faults, Limits::default())
    }

    /// The same with other limits.
    #[must_use]
    pub fn with(seed: u64, faults: Faults, limits: Limits) -> Self {
        Self::of(Setup {
            seed,
            faults,
            limits,
            nodes: 1,
            connections: 16,
            drift: false,
            told: false,
        })
    }

    /// A world as it is to be.
    #[must_use]
    pub fn of(setup: Setup) -> Self {
        let Setup { seed, faults, limits, nodes, connections, drift, told } = setup;
        let mut env = Env::new(seed, faults, told);
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
            breach: None,
            checkers: invariants::all(),
            routes: BTreeMap::new(),
            publishes: Vec::new(),
            ids: Ids::new(seed ^ 0x5eed),
            tickets: 0,
            sessions: BTreeMap::new(),
            tickets_fail: false,
            session_ttl_ms: 3_600_000,
            events: 0,
            env,
        }
    }

    /// Adds a device of a user with a browser profile of its own, and starts it; answers its index.
    pub fn device(&mut self, user: &str) -> usize {
        self.device_in(user, Rc::default(), |_| ())
    }

    /// The same in a profile that others may share, prepared somehow.
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

    /// A backend notifies a user; answers the publish's number.
    pub fn notify(&mut self, user: &str) -> usize {
        self.publish(Target { user: Some(user.to_owned()), ..Target::default() })
    }

    /// A backend notifies everyone.
    pub fn notify_everyone(&mut self) -> usize {
        self.publish(Target { everyone: Some(true), ..Target::default() })
    }

    /// A backend notifies several users, in one transaction.
    pub fn notify_all(&mut self, users: &[&str]) -> usize {
        let users = users.iter().map(|user| (*user).to_owned()).collect();
        self.publish(Target { users: Some(users), ..Target::default() })
    }

    fn publish(&mut self, to: Target) -> usize {
        let number = self.publishes.len();
        let body = PublishNotification {
            to,
            kind: "like".to_owned(),
            title: title(number),
            ..PublishNotification::default()
        };
        self.publishes.push(Publish { body, acknowledged: false });
        self.env.saw(Sight::Sent { publish: number });
        self.try_publish(number);
        number
    }

    /// Sends a publish to some server; it is repeated until an answer comes.
    fn try_publish(&mut self, publish: usize) {
        if self.publishes[publish].acknowledged {
            return;
        }
        self.env.after(ANSWER, Due::PublisherRetries { publish });
        if !self.env.strikes(self.env.faults.request, Count::Request)
            && let Some(node) = self.some_node()
        {
            let of = self.nodes[node].process;
            self.env.after(1, Due::Requested { of, publish });
        }
    }

    /// A request arrives: the handler makes a write of it, with ids of its own each time.
    fn requested(&mut self, node: usize, publish: usize) {
        let mut fingerprint = [0; 32];
        fingerprint[..8].copy_from_slice(&(publish as u64).to_le_bytes());
        let key = IdempotencyKey {
            credential: "backend".to_owned(),
            key: publish.to_string(),
            fingerprint,
        };
        let wall = self.nodes[node].clock.read(self.env.now).wall;
        match service::notify(&self.publishes[publish].body, Some(key), wall, &mut self.ids) {
            Ok(write) => self.nodes[node].publish(&mut self.env, publish, write),
            Err(refused) => panic!("the simulation publishes nonsense: {refused}"),
        }
    }

    fn published(&mut self, answers: Vec<Published>) {
        for (publish, answer) in answers {
            let Ok(outcome) =
                answer.map_err(Into::into).and_then(|written| service::outcome(&written))
            else {
                continue;
            };
            if self.env.strikes(self.env.faults.request, Count::Response) {
                continue;
            }
            self.env.tally.count(if outcome.replayed { Count::Replays } else { Count::Publishes });
            self.env.saw(Sight::Acknowledged { publish, places: outcome.places });
            self.publishes[publish].acknowledged = true;
        }
    }

    /// A server that a load balancer would choose.
    fn some_node(&mut self) -> Option<usize> {
        let takes: Vec<usize> =
            (0..self.nodes.len()).filter(|node| self.nodes[*node].takes()).collect();
        (!takes.is_empty()).then(|| takes[self.env.rng.index(takes.len())])
    }

    /// A device marks items by id.
    pub fn mark(&mut self, device: usize, ids: &[String], set: MarkSet) -> u64 {
        self.devices[device].mark(&mut self.env, MarkTargets::Items(ids.to_vec()), set)
    }

    /// A device marks everything.
    pub fn mark_all(&mut self, device: usize, set: MarkSet) -> u64 {
        self.devices[device].mark(&mut self.env, MarkTargets::All, set)
    }

    /// Something happens to a device.
    pub fn tell(&mut self, device: usize, event: Event) {
        self.devices[device].feed(&mut self.env, event);
    }

    /// The page of a device is loaded again.
    pub fn reload(&mut self, device: usize) {
        self.devices[device].reload(&mut self.env);
    }

    /// The first server dies.
    pub fn crash(&mut self) {
        self.kill(0);
    }

    /// The first server starts.
    pub fn restart(&mut self) {
        self.start(0);
    }

    /// kill -9 of a server.
    pub fn kill(&mut self, node: usize) {
        self.history.refresh(&self.disk.memory);
        self.nodes[node].crash(&mut self.env);
    }

    /// A server starts.
    pub fn start(&mut self, node: usize) {
        self.nodes[node].start(&mut self.env);
    }

    /// A server lets nobody in any more and sends everybody elsewhere; it stops after this long and starts again.
    pub fn roll(&mut self, node: usize, within_ms: u64) {
        if self.nodes[node].takes() {
            self.nodes[node].drain(&mut self.env, within_ms);
            let of = self.nodes[node].process;
            self.env.after(within_ms + 2_000, Due::Stops { of });
        }
    }

    /// The store's process dies and starts again.
    pub fn crash_store(&mut self) {
        self.history.refresh(&self.disk.memory);
        self.disk.crash(&mut self.env);
    }

    /// The operator restores the store, with every server down.
    pub fn restore(&mut self) {
        for node in 0..self.nodes.len() {
            self.kill(node);
        }
        self.env.tally.count(Count::Restores);
        self.disk.memory.new_epochs();
        self.env.saw(Sight::Restored);
    }

    /// Retention runs.
    pub fn trim(&mut self, keep: &Retention) {
        self.env.tally.count(Count::Trims);
        self.history.refresh(&self.disk.memory);
        let _again = self.disk.memory.trim(self.env.now.wall, keep);
        // Trimming writes records that no commit tells of: whoever trims looks at the logs again.
        if let Some(node) = self.some_node() {
            self.nodes[node].follow(&mut self.env, follow::Event::HintsLost);
        }
    }

    /// A backend revokes the session a device had last, or everything of its user.
    pub fn revoke(&mut self, device: usize, everything: bool) {
        let mut body = RevocationRequest::default();
        if everything {
            body.user = Some(self.devices[device].user.clone());
        } else {
            body.session = self.sessions.get(&device).cloned();
        }
        let Some(node) = self.some_node() else { return };
        let node = &mut self.nodes[node];
        let wall = node.clock.read(self.env.now).wall;
        if let Ok(write) = service::revoke(body, wall, node.limits()) {
            node.revoke(&mut self.env, write);
        }
    }

    /// Cuts a device's connection, if it has one.
    pub fn cut(&mut self, device: usize) {
        if let Some(conn) = self.devices[device].conn() {
            self.env.cut(conn);
        }
    }

    /// Nothing gets through any more on a device's connection, and nobody is told.
    pub fn freeze(&mut self, device: usize) {
        if let Some(conn) = self.devices[device].conn() {
            self.env.freeze(conn);
        }
    }

    /// Nothing gets through any more in one direction of a device's connection, and nobody is told.
    pub fn mute(&mut self, device: usize, way: Way) {
        if let Some(conn) = self.devices[device].conn() {
            self.env.mute(conn, way);
        }
    }

    /// The bus loses what it carries; `noticed`: as by nodes whose connection to it broke.
    pub fn flush_bus(&mut self, noticed: bool) {
        self.bus.flush(&mut self.env);
        for node in self.nodes.iter_mut().filter(|node| noticed && node.is_up()) {
            node.follow(&mut self.env, follow::Event::HintsLost);
        }
    }

    /// Everything bad ends. What was broken meanwhile has to mend itself.
    pub fn calm(&mut self) {
        self.env.faults = Faults::NONE;
        self.tickets_fail = false;
        self.disk.come_back();
        for node in &mut self.nodes {
            node.clock.step(0);
            node.start(&mut self.env);
        }
        for device in &mut self.devices {
            device.clock.step(0);
            device.feed(&mut self.env, Event::WentOnline);
            device.feed(&mut self.env, Event::Woke);
            // Retries have ended for good; a person clicks.
            device.feed(&mut self.env, Event::ConnectRequested);
        }
    }

    /// Lets time pass, unless a promise is broken.
    pub fn run(&mut self, ms: u64) {
        self.run_until(ms, |_| false);
        if self.breach.is_none() {
            self.judge();
        }
    }

    /// Lets time pass until something is so; false when it is not within `ms`.
    pub fn run_until(&mut self, ms: u64, mut so: impl FnMut(&mut Self) -> bool) -> bool {
        let until = self.env.now.mono + ms;
        while self.breach.is_none() {
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

    fn happen(&mut self, due: Due) {
        self.events += 1;
        if self.events > EVENTS_MAX {
            let what = format!("{EVENTS_MAX} events and no end");
            self.breach = Some(Breach { invariant: "I7", what });
        }
        if self.env.trace.is_told() {
            due.describe().into_iter().for_each(|line| self.env.tell(line));
        }
        let Some(due) = self.held_back(due) else { return };
        let Self { env, nodes, devices, routes, .. } = self;
        match due {
            Due::Dial(conn) => self.dial(conn),
            Due::Opened(conn) => {
                if let Some(device) = of(devices, conn) {
                    let transport = conn.transport;
                    device.feed(env, Event::TransportOpened { transport });
                }
            }
            Due::Arrives(conn, way, _) if env.is_dead(conn, way) => {}
            Due::Arrives(conn, Way::Up, text) => {
                let Some(node) = routes.get(&conn) else { return };
                if text.is_empty() {
                    nodes[*node].feed(env, conn, session::Event::ShowedLife);
                } else {
                    nodes[*node].receive(env, conn, text);
                }
            }
            // The transport's own ping is answered by the transport.
            Due::Arrives(conn, Way::Down, text) if text.is_empty() => env.send(conn, Way::Up, text),
            Due::Arrives(conn, Way::Down, text) => {
                if let Some(device) = of(devices, conn) {
                    let transport = conn.transport;
                    device.feed(env, Event::TransportReceived { transport, text });
                }
            }
            Due::Closed(conn, Way::Up, _) => {
                if let Some(node) = routes.get(&conn) {
                    nodes[*node].feed(env, conn, session::Event::TransportClosed);
                }
            }
            Due::Closed(conn, Way::Down, code) => {
                if let Some(device) = of(devices, conn) {
                    device.closed(env, conn.transport, code);
                }
            }
            Due::Timer { page, .. } => {
                if let Some(device) = at(devices, page) {
                    device.feed(env, Event::TimerFired);
                }
            }
            Due::Credential { page, attempt } => self.make_ticket(page, attempt),
            Due::RestLoaded { page } => {
                if let Some(device) = at(devices, page) {
                    device.rest(env);
                }
            }
            Due::Loaded { page, user } => {
                if let Some(device) = at(devices, page) {
                    device.loaded(env, user);
                }
            }
            Due::Saves { page, save } => devices[page.device].saves(env, page, save),
            Due::PublisherRetries { publish } => self.try_publish(publish),
            due => self.happen_at_node(due),
        }
    }

    fn happen_at_node(&mut self, due: Due) {
        let Self { env, nodes, routes, bus, .. } = self;
        match due {
            Due::Deadline { conn, .. } => {
                if let Some(node) = routes.get(&conn) {
                    nodes[*node].feed(env, conn, session::Event::DeadlinePassed);
                }
            }
            Due::Writes(conn) => {
                if let Some(node) = routes.get(&conn) {
                    nodes[*node].write(env, conn);
                }
            }
            Due::ReadDone { of, conn, request, answer } => {
                nodes[of.node].read_done(env, of, conn, request, answer)
            }
            Due::CommitDone { of } => {
                let answers = nodes[of.node].commit_done(env, of);
                self.published(answers);
            }
            Due::Starts { node } => nodes[node].start(env),
            Due::Requested { of, publish } if nodes[of.node].process == of => {
                self.requested(of.node, publish);
            }
            Due::Stops { of } if nodes[of.node].process == of => {
                let answers = nodes[of.node].stop(env);
                env.after(1_000, Due::Starts { node: of.node });
                self.published(answers);
            }
            Due::Renews { of } if nodes[of.node].process == of => nodes[of.node].renew(env),
            Due::Follows { of, .. } if nodes[of.node].process == of => {
                nodes[of.node].follow(env, follow::Event::DeadlinePassed);
            }
            Due::FollowRead { of, request, answers } if nodes[of.node].process == of => {
                let event = match answers {
                    Ok(answers) => follow::Event::Read { request, answers },
                    Err(_) => follow::Event::ReadFailed { request },
                };
                nodes[of.node].follow(env, event);
            }
            Due::Hinted { of, generation, news }
                if nodes[of.node].process == of && bus.carries(generation) =>
            {
                let node = &mut nodes[of.node];
                match news {
                    News::Hint(hint) => node.follow(env, follow::Event::Hinted(vec![hint])),
                    News::Revocation => node.follow(env, follow::Event::RevocationHinted),
                    News::Replaced(seat) => node.replaced(env, seat),
                }
            }
            // Of a process that is no more.
            _ => {}
        }
    }

    /// What concerns a device in which nothing runs waits until something does.
    fn held_back(&mut self, due: Due) -> Option<Due> {
        let page = match &due {
            Due::Opened(conn) | Due::Closed(conn, Way::Down, _) => conn.page,
            Due::Arrives(conn, Way::Down, text) if !text.is_empty() => conn.page,
            Due::Timer { page, .. }
            | Due::Credential { page, .. }
            | Due::Loaded { page, .. }
            | Due::RestLoaded { page } => *page,
            _ => return Some(due),
        };
        let left = self.devices[page.device].frozen_until.saturating_sub(self.env.now.mono);
        if left == 0 {
            return Some(due);
        }
        self.env.after(left, due);
        None
    }

    fn dial(&mut self, conn: Conn) {
        let hangs = self.env.rng.hits(5_000);
        if self.env.strikes(self.env.faults.unreachable, Count::Unreachable) && hangs {
            return;
        }
        match self.some_node() {
            Some(node) => {
                self.routes.insert(conn, node);
                self.nodes[node].accept(&mut self.env, conn);
            }
            None => {
                let wait = self.env.delay();
                self.env.after(wait, Due::Closed(conn, Way::Down, 1006));
            }
        }
    }

    /// What nodes want each other to know is on its way.
    fn pass_on(&mut self) {
        for from in 0..self.nodes.len() {
            for news in std::mem::take(&mut self.nodes[from].news) {
                let others = self.nodes.iter().filter(|node| node.is_up());
                let others = others.map(|node| node.process).filter(|other| other.node != from);
                self.bus.publish(&mut self.env, &news, others);
            }
        }
    }

    /// The app's backend makes a ticket.
    fn make_ticket(&mut self, page: Page, attempt: u64) {
        let fails = self.env.strikes(self.env.faults.ticket, Count::NoTicket) || self.tickets_fail;
        let result = match self.some_node().filter(|_| !fails && !self.disk.is_away(&self.env)) {
            Some(node) => self.ticket_of(node, page),
            None => Err("the backend is away".to_owned()),
        };
        if let Some(device) = at(&mut self.devices, page) {
            device.ticket(&mut self.env, attempt, result);
        }
    }

    fn ticket_of(&mut self, node: usize, page: Page) -> Result<Credential, String> {
        self.tickets += 1;
        let text = format!("ticket-{}", self.tickets);
        let session = format!("session-{}", self.tickets);
        self.sessions.insert(page.device, session.clone());
        let body = TicketRequest {
            user: Some(self.devices[page.device].user.clone()),
            session_ttl_ms: Some(self.session_ttl_ms),
            ..TicketRequest::default()
        };
        let node = &self.nodes[node];
        let (wall, limits) = (node.clock.read(self.env.now).wall, node.limits());
        let store_wall = node.store_wall(&self.env);
        service::grant(Caller::Backend, body, session, wall, limits)
            .and_then(|grant| grant.encode())
            .and_then(|grant| {
                let hash = hash_of(&text);
                Ok(self.disk.memory.put_ticket(store_wall, hash, limits.ticket_ms, grant)?)
            })
            .map(|()| Credential::Ticket(text))
            .map_err(|refused| refused.to_string())
    }

    /// Holds what was seen against what is promised.
    fn judge(&mut self) {
        if self.env.sights.is_empty() || self.breach.is_some() {
            return;
        }
        self.history.refresh(&self.disk.memory);
        let sights = std::mem::take(&mut self.env.sights);
        let scene =
            Scene { now: self.env.now.mono, store: &self.disk.memory, history: &self.history };
        for sight in &sights {
            for checker in &mut self.checkers {
                if let Err(what) = checker.saw(&scene, sight) {
                    let invariant = checker.invariant();
                    self.breach.get_or_insert(Breach { invariant, what });
                }
            }
        }
    }

    /// Whether everything published is acknowledged and every device shows what the logs say; else what is missing, with
    /// the promise's number.
    pub fn unsettled(&mut self) -> Option<(&'static str, String)> {
        self.history.refresh(&self.disk.memory);
        if let Some(publish) = self.publishes.iter().position(|one| !one.acknowledged) {
            return Some(("I7", format!("publish {publish} has no answer")));
        }
        let ends: Vec<End> = self.devices.iter_mut().map(end).collect();
        let scene =
            Scene { now: self.env.now.mono, store: &self.disk.memory, history: &self.history };
        ends.iter().find_map(|end| invariants::difference(&scene, end))
    }

    /// Lets time pass until all is quiet, then holds all of it against what is promised.
    ///
    /// # Errors
    /// The promise that is broken: by something seen, by how all ends, or because it does not end within `ms`.
    pub fn try_settle(&mut self, ms: u64) -> Result<(), Breach> {
        let until = self.env.now.mono + ms;
        while self.breach.is_none()
            && let Some((invariant, what)) = self.unsettled()
        {
            if self.env.now.mono >= until {
                let what = format!("after {ms} ms of quiet, {what}");
                self.breach = Some(Breach { invariant, what });
            }
            self.run(LOOK);
        }
        self.judge();
        self.history.refresh(&self.disk.memory);
        let scene =
            Scene { now: self.env.now.mono, store: &self.disk.memory, history: &self.history };
        for checker in &mut self.checkers {
            if let Err(what) = checker.settled(&scene) {
                let invariant = checker.invariant();
                self.breach.get_or_insert(Breach { invariant, what });
            }
        }
        self.breach.clone().map_or(Ok(()), Err)
    }

    /// The same for tests.
    ///
    /// # Panics
    /// When a promise is broken.
    pub fn settle(&mut self, ms: u64) {
        if let Err(breach) = self.try_settle(ms) {
            panic!("{breach}");
        }
    }
}

/// The device a connection is of, if that is still its transport.
fn of(devices: &mut [Device], conn: Conn) -> Option<&mut Device> {
    at(devices, conn.page).filter(|device| device.transport == Some(conn.transport))
}

/// The device a page is of, if it is still there.
fn at(devices: &mut [Device], page: Page) -> Option<&mut Device> {
    devices.get_mut(page.device).filter(|device| device.page == page)
}

fn end(device: &mut Device) -> End {
    End {
        page: device.page,
        user: device.user.clone(),
        status: device.status(),
        error: device.error().map(ToString::to_string),
        pending: device.pending(),
        view: device.view(),
    }
}

/// The title by which a publish is found again.
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
