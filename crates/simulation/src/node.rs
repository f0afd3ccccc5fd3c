//! A server: drives sessions, hub and store, one commit at a time.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc};

use tidings_protocol::{CloseCode, ErrorCode};
use tidings_server_core::{
    Hub, Limits, Mailbox, MemoryStore, Refused, Session,
    hub::{Delivery, GoLive},
    service::Grant,
    session::{Command, Credential, Event, Request},
    store::{Answer, Query, Record, Store, StoreError, Write, Written},
};

use crate::{
    env::{Conn, Due, Env, Way},
    line::{Line, Shared},
};

#[derive(Debug)]
struct Connection {
    session: Session,
    line: Line,
    instance: Option<String>,
    batch: bool,
    writing: bool,
    awaits_drain: bool,
    paused: bool,
    /// Frames that came while reading was paused.
    unread: Vec<String>,
}

/// Who waits for a commit.
#[derive(Clone, Copy, Debug)]
enum Origin {
    Session(Conn, Request),
    Publisher(usize),
}

/// What the publisher hears.
pub type Published = (usize, Result<Written, StoreError>);

/// One server process, with the disk it leaves behind.
#[derive(Debug)]
pub struct Node {
    /// The disk.
    pub store: Arc<MemoryStore>,
    /// What sessions obey.
    pub limits: Arc<Limits>,
    hub: Hub<Line>,
    connections: BTreeMap<Conn, Connection>,
    queued: Vec<(Origin, Write)>,
    committing: Vec<(Origin, Write)>,
    /// Counts restarts; answers to an earlier life are lost.
    life: u32,
    up: bool,
    /// Most bytes that ever waited for one connection.
    pub most_queued: usize,
}

impl Node {
    /// A server with an empty disk.
    #[must_use]
    pub fn new(store: Arc<MemoryStore>, limits: Limits) -> Self {
        Self {
            store,
            limits: Arc::new(limits),
            hub: Hub::default(),
            connections: BTreeMap::new(),
            queued: Vec::new(),
            committing: Vec::new(),
            life: 0,
            up: true,
            most_queued: 0,
        }
    }

    /// Whether it runs.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        self.up
    }

    /// Connections it holds.
    pub fn connections(&self) -> impl Iterator<Item = Conn> {
        self.connections.keys().copied()
    }

    /// Dies. A commit under way has reached the disk, or not; nobody hears of it.
    pub fn crash(&mut self, env: &mut Env) {
        if env.rng.hits(5_000) {
            self.commit_to_disk(env);
        }
        self.life += 1;
        self.up = false;
        self.hub = Hub::default();
        self.queued.clear();
        self.committing.clear();
        self.store.crash();
        for conn in std::mem::take(&mut self.connections).into_keys() {
            env.close(conn, Way::Down, 1006);
        }
    }

    /// Starts on the disk that is left.
    pub const fn restart(&mut self) {
        self.up = true;
    }

    /// Tells all connections that it will go away.
    pub fn drain(&mut self, env: &mut Env, within_ms: u64) {
        let conns: Vec<Conn> = self.connections.keys().copied().collect();
        for conn in conns {
            self.feed(env, conn, Event::Draining { within_ms });
        }
    }

    /// A device dials in.
    pub fn accept(&mut self, env: &mut Env, conn: Conn) {
        let wait = env.delay();
        if !self.up {
            return env.after(wait, Due::Closed(conn, Way::Down, 1006));
        }
        let mut out = Vec::new();
        let session = Session::new(self.limits.clone(), env.rng.bits(), env.now, &mut out);
        let shared =
            Shared { mailbox: Mailbox::new(self.limits.mailbox_bytes), lagged: Vec::new() };
        let connection = Connection {
            session,
            line: Line(Rc::new(RefCell::new(shared))),
            instance: None,
            batch: false,
            writing: false,
            awaits_drain: false,
            paused: false,
            unread: Vec::new(),
        };
        self.connections.insert(conn, connection);
        env.after(wait, Due::Opened(conn));
        self.execute(env, conn, out);
    }

    /// A frame came up.
    pub fn receive(&mut self, env: &mut Env, conn: Conn, text: String) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        if connection.paused {
            connection.unread.push(text);
        } else {
            self.feed(env, conn, Event::Received { text: &text });
        }
    }

    /// Something happened to a session. What it leads to is done before this returns.
    pub fn feed(&mut self, env: &mut Env, conn: Conn, event: Event<'_>) {
        let gone = matches!(event, Event::TransportClosed);
        self.step(env, conn, event);
        if gone {
            self.connections.remove(&conn);
        }
        self.settle(env);
    }

    fn step(&mut self, env: &mut Env, conn: Conn, event: Event<'_>) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let mut out = Vec::new();
        connection.session.handle(env.now, event, &mut out);
        self.execute(env, conn, out);
    }

    /// Tells of lagging and draining, reads what was left unread, and writes.
    fn settle(&mut self, env: &mut Env) {
        let conns: Vec<Conn> = self.connections.keys().copied().collect();
        for conn in conns {
            while let Some(connection) = self.connections.get_mut(&conn) {
                let lagged = std::mem::take(&mut connection.line.0.borrow_mut().lagged);
                let low = connection.line.0.borrow().mailbox.is_low();
                if let Some((channel, slot, sent)) = lagged.first().cloned() {
                    connection.line.0.borrow_mut().lagged.extend(lagged.into_iter().skip(1));
                    self.step(env, conn, Event::Lagged { channel, slot, sent });
                } else if connection.awaits_drain && low {
                    connection.awaits_drain = false;
                    self.step(env, conn, Event::Drained);
                } else if !connection.paused && !connection.unread.is_empty() {
                    let text = connection.unread.remove(0);
                    self.step(env, conn, Event::Received { text: &text });
                } else {
                    break;
                }
            }
            self.start_writing(env, conn);
        }
    }

    fn start_writing(&mut self, env: &mut Env, conn: Conn) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let waits = connection.line.0.borrow().mailbox.bytes();
        self.most_queued = self.most_queued.max(waits);
        if waits > 0 && !connection.writing {
            connection.writing = true;
            env.after(env.faults.pace, Due::Writes(conn));
        }
    }

    /// One more frame leaves.
    pub fn write(&mut self, env: &mut Env, conn: Conn) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.writing = false;
        let frame =
            connection.line.0.borrow_mut().mailbox.take(connection.batch, self.limits.join_bytes);
        if let Some(frame) = frame {
            env.send(conn, Way::Down, String::from_utf8_lossy(&frame).into_owned());
        }
        self.settle(env);
    }

    fn execute(&mut self, env: &mut Env, conn: Conn, commands: Vec<Command>) {
        let mut answers = Vec::new();
        let mut rest = Vec::new();
        for command in commands {
            let Some(connection) = self.connections.get_mut(&conn) else { return };
            match command {
                Command::Attach { channel } => {
                    let slot = self.hub.attach(&channel, connection.line.clone());
                    answers.push(Event::Attached { channel, slot });
                }
                Command::GoLive { channel, slot, epoch, sent } => {
                    answers.push(match self.hub.go_live(&channel, slot, epoch, sent) {
                        GoLive::Live => Event::WentLive { channel, slot },
                        GoLive::Behind => Event::FellBehind { channel, slot },
                    });
                }
                Command::Detach { channel, slot } => self.hub.detach(&channel, slot),
                Command::Tops { id, of } => {
                    let live = of.into_iter().filter_map(|(channel, slot)| {
                        let top = self.hub.live_top(&channel, slot)?;
                        Some((channel, top))
                    });
                    answers.push(Event::TopsRead { id, tops: live.collect() });
                }
                Command::Send(frame) => connection.line.0.borrow_mut().mailbox.push(frame),
                Command::JoinFrames => connection.batch = true,
                Command::AwaitDrain => connection.awaits_drain = true,
                Command::PauseReading => connection.paused = true,
                Command::ResumeReading => connection.paused = false,
                Command::SetDeadline { at: Some(at) } => {
                    env.after(at.saturating_sub(env.now.mono), Due::Deadline { conn, at });
                }
                // The device's driver answers a transport's ping without asking anyone.
                Command::Ping => env.send(conn, Way::Down, String::new()),
                command => rest.push(command),
            }
        }
        for answer in answers {
            self.step(env, conn, answer);
        }
        for command in rest {
            self.execute_slowly(env, conn, command);
        }
    }

    fn execute_slowly(&mut self, env: &mut Env, conn: Conn, command: Command) {
        match command {
            Command::Authenticate { credential } => {
                let answer = match self.authenticate(env, &credential) {
                    Ok(grant) => {
                        let token = format!("session of {}", grant.session);
                        Event::Authenticated(Box::new(grant.identity(token)))
                    }
                    Err(refused) => Event::AuthRefused(refused),
                };
                self.step(env, conn, answer);
            }
            Command::Admit { instance, .. } => {
                let same = |one: &Connection| instance.is_some() && one.instance == instance;
                let old = self.connections.iter().find(|(_, one)| same(one)).map(|(old, _)| *old);
                if let Some(old) = old.filter(|old| *old != conn) {
                    self.step(env, old, Event::Replaced);
                }
                if let Some(connection) = self.connections.get_mut(&conn) {
                    connection.instance = instance;
                }
                self.step(env, conn, Event::Admitted);
            }
            Command::Read { request, query } => {
                let answer = self.read(query);
                let wait = env.rng.between(0, env.faults.store.0);
                env.after(wait, Due::ReadDone { life: self.life, conn, request, answer });
            }
            Command::Commit { request, write } => {
                self.queue(env, Origin::Session(conn, request), *write)
            }
            Command::Close { code, .. } => self.close(env, conn, code),
            _ => {}
        }
    }

    fn close(&mut self, env: &mut Env, conn: Conn, code: CloseCode) {
        let Some(connection) = self.connections.remove(&conn) else { return };
        let mut line = connection.line.0.borrow_mut();
        while let Some(frame) = line.mailbox.take(connection.batch, self.limits.join_bytes) {
            env.send(conn, Way::Down, String::from_utf8_lossy(&frame).into_owned());
        }
        env.close(conn, Way::Down, code.0);
    }

    fn authenticate(&self, env: &Env, credential: &Credential) -> Result<Grant, Refused> {
        let Credential::Ticket(ticket) = credential else {
            return Err(ErrorCode::Unauthorized.into());
        };
        let grant = self.store.take_ticket(env.now.wall, hash_of(ticket))?;
        let grant = Grant::decode(&grant.ok_or(ErrorCode::TicketInvalid)?)?;
        if grant.expires_at <= env.now.wall { Err(ErrorCode::Expired.into()) } else { Ok(grant) }
    }

    fn read(&self, query: Query) -> Result<Answer, StoreError> {
        let lost = || StoreError::Unavailable("no answer".to_owned());
        self.store.read(&[query])?.pop().ok_or_else(lost)?
    }

    /// The store answers a read of this life.
    pub fn read_done(
        &mut self,
        env: &mut Env,
        life: u32,
        conn: Conn,
        request: Request,
        answer: Result<Answer, StoreError>,
    ) {
        if life == self.life {
            let event = match answer {
                Ok(answer) => Event::Read { request, answer },
                Err(error) => Event::StoreFailed { request, error },
            };
            self.feed(env, conn, event);
        }
    }

    /// A backend publishes; it hears nothing when the server is down.
    pub fn publish(&mut self, env: &mut Env, publish: usize, write: Write) {
        if self.up {
            self.queue(env, Origin::Publisher(publish), write);
        }
    }

    fn queue(&mut self, env: &mut Env, origin: Origin, write: Write) {
        self.queued.push((origin, write));
        self.start_commit(env);
    }

    fn start_commit(&mut self, env: &mut Env) {
        if self.committing.is_empty() && !self.queued.is_empty() {
            self.committing = std::mem::take(&mut self.queued);
            let wait = env.rng.between(1, env.faults.store.1);
            env.after(wait, Due::CommitDone { life: self.life });
        }
    }

    fn commit_to_disk(&self, env: &Env) -> Vec<Result<Written, StoreError>> {
        let writes: Vec<Write> = self.committing.iter().map(|(_, write)| write.clone()).collect();
        self.store.commit(env.now.wall, &writes).unwrap_or_default()
    }

    /// A group commit has reached the disk: fan out in order, then answer.
    pub fn commit_done(&mut self, env: &mut Env, life: u32) -> Vec<Published> {
        if life != self.life {
            return Vec::new();
        }
        let answers = self.commit_to_disk(env);
        let origins = std::mem::take(&mut self.committing);
        let mut published = Vec::new();
        for ((origin, _), answer) in origins.into_iter().zip(answers) {
            if let Ok(Written::Records { records, .. }) = &answer {
                records.iter().for_each(|record| self.fan_out(record));
            }
            match origin {
                Origin::Publisher(publish) => published.push((publish, answer)),
                Origin::Session(conn, request) => {
                    let event = match answer {
                        Ok(written) => Event::Committed { request, written },
                        Err(error) => Event::StoreFailed { request, error },
                    };
                    self.step(env, conn, event);
                }
            }
        }
        self.start_commit(env);
        self.settle(env);
        published
    }

    /// Hands a record to the hub; a hole (records made by trimming) is read from the log.
    fn fan_out(&mut self, record: &Record) {
        if let Delivery::Hole { after } = self.hub.committed(record) {
            let query = Query::Records {
                channel: record.channel.clone(),
                after,
                limit: 1_000,
                bytes: u32::MAX,
            };
            if let Ok(Answer::Records { records, .. }) = self.read(query) {
                for record in &records {
                    self.hub.committed(record);
                }
            }
        }
    }
}

/// Tickets are short texts here; their hash is the text itself.
#[must_use]
pub fn hash_of(ticket: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    for (place, byte) in hash.iter_mut().zip(ticket.bytes()) {
        *place = byte;
    }
    hash
}
