//! Devices, a server and a publisher, and the loop that lets time pass.
#![allow(clippy::panic, reason = "a world in which a promise is broken ends")]

use std::sync::Arc;

use tidings_client_core::{Credential, Event, MarkTargets};
use tidings_protocol::{
    MarkSet,
    rest::{PublishNotification, Target, TicketRequest},
};
use tidings_server_core::{
    Ids, Limits, MemoryStore,
    memory::Syncing,
    service::{self, Caller},
    session,
    store::{IdempotencyKey, Op, Place, Store, Write},
};

use crate::{
    device::Device,
    env::{Conn, Due, Env, Faults, Way},
    node::{Node, hash_of},
};

/// A publish of the backend, repeated with the same key until it is acknowledged.
#[derive(Debug)]
pub(crate) struct Publish {
    write: Write,
    pub(crate) acknowledged: Option<Vec<Place>>,
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
    pub(crate) publishes: Vec<Publish>,
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
            Ok(self.node.store.put_ticket(wall, hash_of(&text), limits.ticket_ms, grant)?)
        });
        let result = match made {
            Ok(()) if !self.tickets_fail && self.node.is_up() => Ok(Credential::Ticket(text)),
            Ok(()) => Err("the backend is away".to_owned()),
            Err(refused) => Err(refused.to_string()),
        };
        self.devices[device].ticket(&mut self.env, attempt, result);
    }
}
