//! Devices, a server and a publisher, and the loop that lets time pass.
#![allow(clippy::panic, reason = "a world in which a promise is broken ends")]

use std::sync::Arc;

use tidings_client_core::{Credential, Event, InboxStatus, MarkTargets, Status};
use tidings_protocol::{
    Channel, Decode, Epoch, MarkSet,
    rest::{PublishNotification, Target, TicketRequest},
    server::Snapshot,
};
use tidings_server_core::{
    Ids, Limits, MemoryStore,
    memory::Syncing,
    service::{self, Caller},
    session,
    store::{Answer, IdempotencyKey, Op, Place, Query, Store, Write},
};

use crate::{
    device::{Device, Saved},
    env::{Conn, Due, Env, Faults, Way},
    model::{Model, is_whole, log},
    node::{Node, hash_of},
};

/// A publish of the backend, repeated with the same key until it is acknowledged.
#[derive(Debug)]
struct Publish {
    write: Write,
    acknowledged: Option<Vec<Place>>,
}

/// Everything.
#[derive(Debug)]
pub struct World {
    /// Time, chance and the wire.
    pub env: Env,
    /// The server.
    pub node: Node,
    /// The devices.
    pub devices: Vec<Device>,
    publishes: Vec<Publish>,
    ids: Ids,
    tickets: u64,
    /// The app's ticket function fails.
    pub tickets_fail: bool,
    /// Life of the sessions that tickets open, in milliseconds.
    pub session_ttl_ms: u64,
}

impl World {
    /// A world of this seed; the disk keeps what was committed.
    #[must_use]
    pub fn new(seed: u64, faults: Faults) -> Self {
        Self::with(seed, faults, Limits::default())
    }

    /// The same with other limits.
    #[must_use]
    pub fn with(seed: u64, faults: Faults, limits: Limits) -> Self {
        let store = Arc::new(MemoryStore::new(seed, Syncing::BeforeTheAnswer));
        Self {
            env: Env::new(seed, faults),
            node: Node::new(store, limits),
            devices: Vec::new(),
            publishes: Vec::new(),
            ids: Ids::new(seed ^ 0x5eed),
            tickets: 0,
            tickets_fail: false,
            session_ttl_ms: 3_600_000,
        }
    }

    /// Adds a device of a user whose inbox exists, and starts it; answers its index.
    pub fn device(&mut self, user: &str) -> usize {
        let open = Write { key: None, lane: None, op: Op::OpenInbox { user: user.to_owned() } };
        let _made = self.node.store.commit(self.env.now.wall, &[open]);
        let index = self.devices.len();
        let mut device = Device::new(index, user, self.env.rng.bits());
        device.start(&mut self.env);
        self.devices.push(device);
        index
    }

    /// The backend notifies a user; answers the publish's number.
    pub fn notify(&mut self, user: &str) -> usize {
        self.publish(Target { user: Some(user.to_owned()), ..Target::default() })
    }

    /// The backend notifies everyone.
    pub fn notify_everyone(&mut self) -> usize {
        self.publish(Target { everyone: Some(true), ..Target::default() })
    }

    fn publish(&mut self, to: Target) -> usize {
        let number = self.publishes.len();
        let title = format!("Notification {number}");
        let body = PublishNotification {
            to,
            kind: "like".to_owned(),
            title,
            ..PublishNotification::default()
        };
        let mut fingerprint = [0; 32];
        fingerprint[..8].copy_from_slice(&(number as u64).to_le_bytes());
        let key = IdempotencyKey {
            credential: "backend".to_owned(),
            key: number.to_string(),
            fingerprint,
        };
        match service::notify(&body, Some(key), self.env.now.wall, &mut self.ids) {
            Ok(write) => self.publishes.push(Publish { write, acknowledged: None }),
            Err(refused) => panic!("the simulation publishes nonsense: {refused}"),
        }
        self.try_publish(number);
        number
    }

    /// Sends a publish; it is repeated until an answer comes.
    fn try_publish(&mut self, number: usize) {
        let Some(publish) = self.publishes.get(number) else { return };
        if publish.acknowledged.is_none() {
            self.node.publish(&mut self.env, number, publish.write.clone());
            self.env.after(500, Due::PublisherRetries { publish: number });
        }
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

    /// The server dies.
    pub fn crash(&mut self) {
        self.node.crash(&mut self.env);
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

    /// Lets time pass.
    pub fn run(&mut self, ms: u64) {
        let until = self.env.now.mono + ms;
        while let Some(due) = self.env.next(until) {
            self.happen(due);
            self.check_saves();
        }
        self.env.advance(until);
    }

    /// Lets time pass until something is so; false when it is not within `ms`.
    pub fn run_until(&mut self, ms: u64, mut so: impl FnMut(&mut Self) -> bool) -> bool {
        let until = self.env.now.mono + ms;
        loop {
            if so(self) {
                return true;
            }
            let Some(due) = self.env.next(until) else { return false };
            self.happen(due);
            self.check_saves();
        }
    }

    fn happen(&mut self, due: Due) {
        let Self { env, node, devices, .. } = self;
        match due {
            Due::Dial(conn) => node.accept(env, conn),
            Due::Opened(Conn { device, transport }) => {
                if devices[device].transport == Some(transport) {
                    devices[device].feed(env, Event::TransportOpened { transport });
                }
            }
            Due::Arrives(conn, ..) if env.is_cut(conn) => {}
            Due::Arrives(conn, Way::Up, text) if text.is_empty() => {
                node.feed(env, conn, session::Event::ShowedLife);
            }
            Due::Arrives(conn, Way::Up, text) => node.receive(env, conn, text),
            // The transport's own ping is answered by the transport.
            Due::Arrives(conn, Way::Down, text) if text.is_empty() => env.send(conn, Way::Up, text),
            Due::Arrives(Conn { device, transport }, Way::Down, text) => {
                if devices[device].transport == Some(transport) {
                    devices[device].feed(env, Event::TransportReceived { transport, text });
                }
            }
            Due::Closed(conn, Way::Up, _) => node.feed(env, conn, session::Event::TransportClosed),
            Due::Closed(conn, Way::Down, code) => {
                devices[conn.device].closed(env, conn.transport, code)
            }
            Due::Timer { device, .. } => devices[device].feed(env, Event::TimerFired),
            Due::Credential { device, attempt } => self.make_ticket(device, attempt),
            Due::Loaded { device, user } => {
                let saved = devices[device].storage.get(&user).map(|saved| saved.text.clone());
                devices[device].feed(env, Event::StorageLoaded { user, saved });
            }
            Due::Deadline { conn, .. } => node.feed(env, conn, session::Event::DeadlinePassed),
            Due::Writes(conn) => node.write(env, conn),
            Due::ReadDone { life, conn, request, answer } => {
                node.read_done(env, life, conn, request, answer)
            }
            Due::CommitDone { life } => {
                for (number, answer) in node.commit_done(env, life) {
                    if let Ok(outcome) =
                        answer.map_err(Into::into).and_then(|written| service::outcome(&written))
                    {
                        self.publishes[number].acknowledged = Some(outcome.places);
                    }
                }
            }
            Due::PublisherRetries { publish } => self.try_publish(publish),
        }
    }

    /// The app's backend makes a ticket.
    fn make_ticket(&mut self, device: usize, attempt: u64) {
        self.tickets += 1;
        let text = format!("ticket-{}", self.tickets);
        let body = TicketRequest {
            user: Some(self.devices[device].user.clone()),
            session_ttl_ms: Some(self.session_ttl_ms),
            ..TicketRequest::default()
        };
        let wall = self.env.now.wall;
        let limits = self.node.limits.clone();
        let made = service::grant(
            Caller::Backend,
            body,
            format!("session-{}", self.tickets),
            wall,
            &limits,
        )
        .and_then(|grant| grant.encode())
        .and_then(|grant| {
            Ok(self.node.store.put_ticket(hash_of(&text), wall + limits.ticket_ms, grant)?)
        });
        let result = match made {
            Ok(()) if !self.tickets_fail && self.node.is_up() => Ok(Credential::Ticket(text)),
            Ok(()) => Err("the backend is away".to_owned()),
            Err(refused) => Err(refused.to_string()),
        };
        self.devices[device].ticket(&mut self.env, attempt, result);
    }

    /// I12 at every save: list and counts at offset n equal the fold of the log up to n.
    fn check_saves(&mut self) {
        for device in 0..self.devices.len() {
            if let Some(saved) = self.devices[device].unchecked.take() {
                self.check_saved(device, &saved);
            }
        }
    }

    fn check_saved(&self, device: usize, saved: &Saved) {
        let user = &self.devices[device].user;
        let Ok(snapshot) = Snapshot::from_json(saved.text.get(1..).unwrap_or_default()) else {
            panic!("device {device} saved what is no snapshot: {}", saved.text)
        };
        let [(epoch, inbox), (_, system)] = saved.cursors;
        if self.epoch_of(&snapshot.channel) != Some(epoch) || !is_whole(&self.node.store, user) {
            // Another log by now, or not all of it.
            return;
        }
        let at = snapshot.counts.system.at.max(system);
        let model = Model::of(&self.node.store, user, inbox, at);
        let newer = log(&self.node.store, &Channel::system())
            .iter()
            .filter(|record| record.offset > snapshot.counts.system.at && record.offset <= system)
            .count() as u64;
        let what = format!("device {device} of {user} at offsets {inbox} and {system}");
        assert_eq!(snapshot.counts.inbox, model.tally(false), "counts of {what}");
        let shown = snapshot.counts.system;
        let shown = (shown.unread + newer, shown.unseen + newer);
        let counted = model.tally(true);
        assert_eq!(
            shown,
            (counted.unread, counted.unseen),
            "counts of everyone-messages of {what}"
        );
        for item in &snapshot.items {
            let expected = model.items.get(&(item.channel.is_system(), item.offset));
            let found =
                crate::model::State { seen: item.seen, read: item.read, archived: item.archived };
            assert_eq!(expected, Some(&(item.id.clone(), found)), "item {} of {what}", item.offset);
        }
    }

    fn epoch_of(&self, channel: &Channel) -> Option<Epoch> {
        match self.node.store.read(&[Query::Heads(vec![channel.clone()])]).ok()?.pop()?.ok()? {
            Answer::Heads(heads) => heads.first().copied().flatten().map(|head| head.epoch),
            _ => None,
        }
    }

    /// All devices are connected, show what the log says and have nothing under way.
    pub fn is_settled(&mut self) -> bool {
        let publishes = self.publishes.iter().all(|publish| publish.acknowledged.is_some());
        publishes && (0..self.devices.len()).all(|device| self.difference(device).is_none())
    }

    /// In words, what a device shows differently from the fold of the whole log; `None`: nothing.
    pub fn difference(&mut self, device: usize) -> Option<String> {
        let device = &mut self.devices[device];
        let model = Model::now(&self.node.store, &device.user);
        if device.status() != Status::Connected {
            return Some(format!("it is {:?}: {:?}", device.status(), device.error()));
        }
        if device.pending() > 0 {
            return Some(format!("{} intents are pending", device.pending()));
        }
        let view = device.view();
        if view.status != InboxStatus::Live {
            return Some(format!("its list is {:?}", view.status));
        }
        let mut shown: Vec<_> = view
            .items
            .iter()
            .map(|item| {
                let state = crate::model::State {
                    seen: item.seen,
                    read: item.read,
                    archived: item.archived,
                };
                ((item.key.channel.is_system(), item.key.offset), (item.id.to_string(), state))
            })
            .collect();
        shown.sort_by_key(|(key, _)| *key);
        let expected: Vec<_> = model.items.iter().map(|(key, item)| (*key, item.clone())).collect();
        if shown != expected {
            return Some(format!("it shows {shown:?}\nthe log says {expected:?}"));
        }
        let (own, system) = (model.tally(false), model.tally(true));
        let counts = (own.unread + system.unread, own.unseen + system.unseen);
        if (view.unread, view.unseen) != counts {
            return Some(format!(
                "it counts {:?}, the log says {counts:?}",
                (view.unread, view.unseen)
            ));
        }
        None
    }

    /// Lets time pass until everything is settled.
    ///
    /// # Panics
    /// When it is not within `ms`, or when something acknowledged is not in the log.
    pub fn settle(&mut self, ms: u64) {
        if !self.run_until(ms, Self::is_settled) {
            let differences: Vec<_> =
                (0..self.devices.len()).map(|device| self.difference(device)).collect();
            panic!("not settled after {ms} ms: {differences:#?}");
        }
        self.check_acknowledged();
        self.check_arrivals();
    }

    /// I1 and I2: what was acknowledged is in the log once, at its offset, and the log is dense.
    fn check_acknowledged(&self) {
        let places =
            self.publishes.iter().filter_map(|publish| publish.acknowledged.as_ref()).flatten();
        let mut logs = std::collections::BTreeMap::new();
        for place in places {
            let log = logs
                .entry(place.channel.clone())
                .or_insert_with(|| log(&self.node.store, &place.channel));
            if log.first().is_some_and(|record| record.offset > place.offset) {
                // Retention took it.
                continue;
            }
            let found: Vec<u64> = log
                .iter()
                .filter(|record| record.id == place.id)
                .map(|record| record.offset)
                .collect();
            assert_eq!(found, [place.offset], "{} of {} was acknowledged", place.id, place.channel);
        }
        for (channel, log) in logs {
            assert!(
                log.windows(2).all(|pair| pair[0].offset + 1 == pair[1].offset),
                "{channel} is dense"
            );
        }
    }

    /// I3 and I4: no notification arrives twice, and those of a channel arrive in order.
    fn check_arrivals(&self) {
        for device in &self.devices {
            let mut last = std::collections::BTreeMap::new();
            for key in &device.seen.arrived {
                let before = last.insert((key.channel.clone(), key.epoch), key.offset);
                assert!(
                    before.is_none_or(|before| before < key.offset),
                    "device {}: {key:?} arrived after {before:?}",
                    device.index
                );
            }
        }
    }
}
