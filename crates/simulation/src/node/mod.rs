//! A server: drives sessions, the hub, the log follower and the store, one commit at a time.

mod log;
mod requests;
mod sessions;

use std::{collections::BTreeMap, rc::Rc, sync::Arc};

use tidings_server_core::{
    Follow, Hub, Limits,
    budget::Account,
    follow,
    session::{Event, Guard, Request},
    store::{Answer, Query, Revocation, Store, StoreError, Write, Written},
};

use crate::{
    bus::News,
    clock::Clock,
    connection::{Connection, Line},
    disk::Disk,
    env::{Conn, Due, Env, Process, Way},
    gate::{self, Gate},
    observation::{Guest, Observation},
    tally::Count,
};

/// The caller that waits for a commit.
#[derive(Clone, Copy, Debug)]
enum Origin {
    Session(Conn, Request),
    Publisher(usize),
    Revoker,
}

/// The answer to a publisher.
pub type Published = (usize, Result<Written, StoreError>);

/// Settings of nodes.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The limits of sessions.
    pub limits: Arc<Limits>,
    /// Most connections of a user at one node.
    pub connections: usize,
    /// Whether other nodes write to the same store. If not, the store crashes with its process.
    pub cluster: bool,
}

/// One server process and the state that outlives it.
#[derive(Debug)]
pub struct Node {
    /// Its process; each start makes a new one.
    pub process: Process,
    settings: Settings,
    disk: Rc<Disk>,
    /// Its clocks.
    pub clock: Clock,
    hub: Hub<Line>,
    follow: Follow,
    gate: Gate,
    connections: BTreeMap<Conn, Connection>,
    queued: Vec<(Origin, Write)>,
    committing: Vec<(Origin, Write)>,
    /// The store's number of crashes when the commit under way began.
    crashes: u32,
    /// Messages for the other nodes.
    pub news: Vec<News>,
    up: bool,
    draining: bool,
    /// Budget guards of sessions that send messages by POST.
    guards: BTreeMap<String, Guard>,
    /// Each user's budgets at this process.
    accounts: BTreeMap<String, Arc<Account>>,
    /// Most bytes that ever waited for one connection.
    pub most_queued: usize,
}

impl Node {
    /// A server on this store.
    #[must_use]
    pub fn new(
        node: usize,
        disk: Rc<Disk>,
        settings: Settings,
        clock: Clock,
        env: &mut Env,
    ) -> Self {
        let gate = Gate::new(0, settings.connections, Vec::new());
        let mut out = Vec::new();
        let follow = Follow::new(polling(&settings), 0, clock.read(env.now), &mut out);
        let mut node = Self {
            process: Process { node, life: 0 },
            settings,
            disk,
            clock,
            hub: Hub::default(),
            follow,
            gate,
            connections: BTreeMap::new(),
            queued: Vec::new(),
            committing: Vec::new(),
            crashes: 0,
            news: Vec::new(),
            up: false,
            draining: false,
            guards: BTreeMap::new(),
            accounts: BTreeMap::new(),
            most_queued: 0,
        };
        node.start(env);
        node
    }

    /// Whether it runs.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        self.up
    }

    /// Whether a load balancer sends it connections.
    #[must_use]
    pub const fn takes(&self) -> bool {
        self.up && !self.draining
    }

    fn account(&mut self, user: &str) -> Arc<Account> {
        Arc::clone(self.accounts.entry(user.to_owned()).or_default())
    }

    /// The limits of sessions.
    #[must_use]
    pub const fn limits(&self) -> &Arc<Limits> {
        &self.settings.limits
    }

    /// Time of the store: its own clock in a cluster, this machine's clock if it is embedded.
    #[must_use]
    pub const fn store_wall(&self, env: &Env) -> u64 {
        if self.settings.cluster { env.now.wall } else { self.clock.read(env.now).wall }
    }

    /// Its connections.
    pub fn connections(&self) -> impl Iterator<Item = Conn> {
        self.connections.keys().copied()
    }

    /// The user and session of a connection.
    #[must_use]
    pub fn guest(&self, conn: Conn) -> Option<&Rc<Guest>> {
        self.connections.get(&conn)?.guest.as_ref()
    }

    /// Starts on the existing store.
    pub fn start(&mut self, env: &mut Env) {
        if self.up {
            return;
        }
        self.process.life += 1;
        self.up = true;
        self.draining = false;
        self.hub = Hub::default();
        let known = self.revocations();
        let last = known.last().map_or(0, |(number, _)| *number);
        let known = known.into_iter().map(|(_, revocation)| revocation).collect();
        let number = u64::from(self.process.life) << 8 | self.process.node as u64;
        self.gate = Gate::new(number, self.settings.connections, known);
        self.renew(env);
        let mut out = Vec::new();
        self.follow =
            Follow::new(polling(&self.settings), last, self.clock.read(env.now), &mut out);
        self.follow_on(env, out);
    }

    /// Renews the lease of its connections.
    pub fn renew(&mut self, env: &mut Env) {
        if !self.disk.is_away(env) {
            let (ended, replaced) = self.gate.renew(&self.disk.memory, env.now.wall);
            for conn in ended {
                self.feed(env, conn, Event::Stopping);
            }
            for connection in replaced {
                self.replaced(env, connection);
            }
        }
        env.after(gate::RENEW, Due::Renews { of: self.process });
    }

    /// All revocations: a server does not start without them.
    fn revocations(&self) -> Vec<(u64, Revocation)> {
        let all = Query::Revocations { after: 0, limit: u32::MAX };
        match self.disk.memory.read(&[all]).map(|mut answers| answers.pop()) {
            Ok(Some(Ok(Answer::Revocations(all)))) => all,
            _ => Vec::new(),
        }
    }

    /// Crashes. A commit under way has reached the disk or not; no caller gets an answer.
    pub fn crash(&mut self, env: &mut Env) {
        if !self.up {
            return;
        }
        env.tally.count(Count::Kill);
        if !self.committing.is_empty() {
            let writes: Vec<Write> = self.committing.drain(..).map(|(_, write)| write).collect();
            let wall = self.store_wall(env);
            self.disk.commit(env, wall, &writes, true);
        }
        env.tally.more(Count::Unsynced, self.queued.len() as u64);
        if !self.settings.cluster {
            self.disk.crash(env);
        }
        self.end(env);
    }

    /// The process ended: the operating system closes its sockets.
    fn end(&mut self, env: &mut Env) {
        self.up = false;
        self.process.life += 1;
        self.hub = Hub::default();
        self.guards.clear();
        self.accounts.clear();
        self.queued.clear();
        self.committing.clear();
        self.news.clear();
        // Connections it can't end any more are ended by the process after it.
        env.observe(Observation::StoreFailed);
        for conn in std::mem::take(&mut self.connections).into_keys() {
            env.observe(Observation::Ended { conn });
            env.close(conn, Way::Down, 1006);
        }
    }

    /// Tells all connections that it will go away.
    pub fn drain(&mut self, env: &mut Env, within_ms: u64) {
        env.tally.count(Count::Drains);
        self.draining = true;
        let conns: Vec<Conn> = self.connections.keys().copied().collect();
        for conn in conns {
            self.feed(env, conn, Event::Draining { within_ms });
        }
    }

    /// The drain is over: ends the remaining connections, then the process. Returns the answers of
    /// commits under way.
    pub fn stop(&mut self, env: &mut Env) -> Vec<Published> {
        let conns: Vec<Conn> = self.connections.keys().copied().collect();
        for conn in conns {
            self.feed(env, conn, Event::Stopping);
        }
        let mut published = Vec::new();
        while !self.committing.is_empty() {
            published.extend(self.commit_done(env, self.process));
        }
        self.end(env);
        published
    }

    /// A device opens a connection.
    pub fn accept(&mut self, env: &mut Env, conn: Conn) {
        let wait = env.delay();
        env.tally.count(Count::Dials);
        env.link(conn);
        let (connection, out) =
            Connection::new(&self.settings.limits, env.rng.bits(), self.clock.read(env.now));
        self.connections.insert(conn, connection);
        env.after(wait, Due::Opened(conn));
        self.execute(env, conn, out);
    }

    /// A frame arrived.
    pub fn receive(&mut self, env: &mut Env, conn: Conn, text: String) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        if connection.paused || connection.is_full() || !connection.unread.is_empty() {
            connection.unread.push(text);
        } else {
            self.feed(env, conn, Event::Received { text: &text });
        }
    }

    /// Gives a session an event, and executes all commands that follow from it.
    pub fn feed(&mut self, env: &mut Env, conn: Conn, event: Event<'_>) {
        let gone = matches!(event, Event::TransportClosed);
        self.step(env, conn, event);
        if gone && self.connections.remove(&conn).is_some() {
            self.gate.leave(&self.disk.memory, conn);
            env.observe(Observation::Ended { conn });
        }
        self.settle(env);
    }

    fn step(&mut self, env: &mut Env, conn: Conn, event: Event<'_>) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let mut out = Vec::new();
        connection.session.handle(self.clock.read(env.now), event, &mut out);
        self.execute(env, conn, out);
    }

    /// Handles lagging and draining, reads frames that were left unread, and writes.
    fn settle(&mut self, env: &mut Env) {
        let conns: Vec<Conn> = self.connections.keys().copied().collect();
        for conn in conns {
            while let Some(connection) = self.connections.get_mut(&conn) {
                if let Some((channel, slot, sent)) = connection.take_lagged() {
                    env.tally.count(Count::Lags);
                    self.step(env, conn, Event::Lagged { channel, slot, sent });
                } else if connection.awaits_drain && connection.is_low() {
                    connection.awaits_drain = false;
                    self.step(env, conn, Event::Drained);
                } else if !(connection.paused
                    || connection.is_full()
                    || connection.unread.is_empty())
                {
                    let text = connection.unread.remove(0);
                    self.step(env, conn, Event::Received { text: &text });
                } else {
                    break;
                }
            }
            self.start_writing(env, conn);
            self.on_settled(env, conn);
        }
    }

    fn start_writing(&mut self, env: &mut Env, conn: Conn) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let bytes = connection.queued();
        if bytes > 0 && !connection.writing {
            connection.writing = true;
            env.after(env.pace(conn), Due::Writes(conn));
        }
        if bytes > self.most_queued {
            self.most_queued = bytes;
            env.observe(Observation::Queued { conn, bytes, limits: self.settings.limits.clone() });
        }
    }

    /// Sends one more frame.
    pub fn write(&mut self, env: &mut Env, conn: Conn) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.writing = false;
        connection.write(env, conn, self.settings.limits.join_bytes);
        self.settle(env);
    }
}

const fn polling(settings: &Settings) -> follow::Polling {
    if settings.cluster { follow::Polling::Every { ms: 1_000 } } else { follow::Polling::Never }
}

/// Tickets are short texts here; the hash is the text itself.
#[must_use]
pub fn hash_of(ticket: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    for (index, byte) in hash.iter_mut().zip(ticket.bytes()) {
        *index = byte;
    }
    hash
}
