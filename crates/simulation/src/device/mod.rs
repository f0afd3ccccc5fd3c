//! A device: drives the client core as a browser or an app would, and records what its app saw.

mod app;
mod lanes;
mod stored;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use tidings_client_core::{
    Client, Command, Config, Credential, Error, Event, FailedIntent, ItemKey, Now, Status, Stored,
    TransportKind, User,
};
use tidings_protocol::{Channel, server::GapReason};

use self::lanes::Desk;
use crate::{
    clock::Clock,
    env::{Asked, Conn, Due, Env, Way},
    observation::{Observation, Page},
    storage::{Save, Saved, Storage},
    tally::Count,
};

/// The events the app got since the page began.
#[derive(Debug, Default)]
pub struct Seen {
    /// Every notification that arrived, in order.
    pub arrived: Vec<ItemKey>,
    /// Every message that arrived in a room, in order: channel and offset.
    pub messages: Vec<(Channel, u64)>,
    /// Every gap.
    pub gaps: Vec<(Channel, u64, u64, GapReason)>,
    /// Answers to intents.
    pub settled: BTreeMap<u64, Result<Option<Stored>, Error>>,
    /// Refused intents.
    pub failed: Vec<FailedIntent>,
    /// Errors that belong to no call.
    pub reports: Vec<Error>,
    /// Number of calls of the ticket function.
    pub tickets: u32,
    /// Number of opened transports.
    pub dials: u32,
    /// Number of new subscriptions because records were missing.
    pub repairs: u32,
}

/// Faults of the network around a device.
#[derive(Clone, Copy, Debug, Default)]
pub struct Network {
    /// It lets no WebSocket through.
    pub no_sockets: bool,
    /// It holds streams back until it has this many bytes; 0: it does not.
    pub holds_back: usize,
}

/// One tab or app of a user.
#[derive(Debug)]
pub struct Device {
    /// Its user.
    pub user: String,
    /// Its page; each reload makes a new one.
    pub page: Page,
    client: Client,
    config: Config,
    /// The transport that is open or opening.
    pub transport: Option<u64>,
    /// Storage, which survives a reload. Tabs of one profile share it.
    pub storage: Rc<RefCell<Storage>>,
    /// Commands for the outbox's storage.
    desk: Desk,
    /// Requests without a complete answer.
    requests: BTreeSet<u64>,
    /// Its network.
    pub network: Network,
    /// Text that the network holds back, by request.
    held: BTreeMap<u64, String>,
    /// Its clocks.
    pub clock: Clock,
    /// The events its app got.
    pub seen: Seen,
    /// No code runs in it until then: the browser froze the tab, or the laptop is closed.
    pub frozen_until: u64,
    /// The transport of its connection, as the app was last told.
    carrier: Option<TransportKind>,
    /// The rooms its app shows, over all its pages.
    reads: BTreeSet<Channel>,
    /// The rooms that were subscribed on this transport.
    joined: BTreeSet<Channel>,
    intents: u64,
    dropped: u64,
}

impl Device {
    /// A device before its start.
    #[must_use]
    pub fn new(index: usize, user: &str, storage: Rc<RefCell<Storage>>, seed: u64) -> Self {
        let page = Page { device: index, life: 0 };
        let mut config = Config::new(seed, String::new(), String::new());
        config.storage = true;
        config.lanes = true;
        name(&mut config, page, seed);
        Self {
            user: user.to_owned(),
            page,
            client: Client::new(config.clone()),
            config,
            transport: None,
            storage,
            desk: Desk::default(),
            requests: BTreeSet::new(),
            network: Network::default(),
            held: BTreeMap::new(),
            clock: Clock::TRUE,
            seen: Seen::default(),
            frozen_until: 0,
            carrier: None,
            reads: BTreeSet::new(),
            joined: BTreeSet::new(),
            intents: 0,
            dropped: 0,
        }
    }

    /// Changes its settings; to be called before it starts.
    pub fn set(&mut self, change: impl FnOnce(&mut Config)) {
        change(&mut self.config);
        self.client = Client::new(self.config.clone());
    }

    /// Keeps fewer items than usual, in memory and in storage.
    pub fn keep(&mut self, items: u32) {
        self.set(|config| config.keep = items);
    }

    /// Loads its client in two parts, as in a browser.
    pub fn come_in_parts(&mut self) {
        self.set(|config| config.whole = false);
    }

    /// Whether it falls back to HTTP transports where no WebSocket gets through.
    #[must_use]
    pub fn steps_down(&self) -> bool {
        self.config.transports.len() > 1
    }

    /// Takes the Web Locks away, as on a page that is not served over https.
    pub const fn lack_locks(&mut self) {
        self.desk.lack_locks();
    }

    /// Starts the app: it names its user, shows its rooms and connects.
    pub fn start(&mut self, env: &mut Env) {
        env.observe(Observation::Began { page: self.page, user: self.user.clone() });
        let user = User::Named(self.user.clone());
        self.feed(env, Event::UserChanged(user));
        for channel in self.reads.clone() {
            self.feed(env, Event::ChannelWanted { channel });
        }
        self.feed(env, Event::ConnectRequested);
    }

    /// Reloads the page: memory is lost, storage stays.
    pub fn reload(&mut self, env: &mut Env) {
        env.tally.count(Count::Reload);
        self.feed(env, Event::Hidden);
        for conn in self.conns() {
            env.close(conn, Way::Up, 1001);
        }
        self.begin_anew(env);
    }

    /// Crashes the tab without a word to the app or the server. A new tab takes its place.
    pub fn crash(&mut self, env: &mut Env) {
        env.tally.count(Count::TabCrash);
        for conn in self.conns() {
            env.cut(conn);
        }
        self.begin_anew(env);
    }

    fn begin_anew(&mut self, env: &mut Env) {
        self.die(env);
        self.transport = None;
        self.requests.clear();
        self.held.clear();
        self.joined.clear();
        self.carrier = None;
        self.page.life += 1;
        name(&mut self.config, self.page, env.rng.bits());
        self.client = Client::new(self.config.clone());
        self.seen = Seen::default();
        self.dropped = 0;
        self.intents = 0;
        self.frozen_until = 0;
        self.start(env);
    }

    /// Its connections: a socket, and requests.
    #[must_use]
    pub fn conns(&self) -> Vec<Conn> {
        let socket = self.transport.map(|transport| self.conn_of(transport));
        let requests = self.requests.iter().map(|request| Conn::of_request(self.page, *request));
        socket.into_iter().chain(requests).collect()
    }

    /// Whether it is connected.
    #[must_use]
    pub fn status(&self) -> Status {
        self.client.connection().status
    }

    /// The error that keeps it from being connected.
    #[must_use]
    pub fn error(&self) -> Option<&Error> {
        self.client.connection().error.as_ref()
    }

    /// Intents without an answer.
    #[must_use]
    pub fn pending(&self) -> u32 {
        self.client.outbox().pending
    }

    /// Records that arrived again and were dropped.
    #[must_use]
    pub fn duplicates(&self) -> u64 {
        self.client.duplicates()
    }

    /// Gives the core an event.
    pub fn feed(&mut self, env: &mut Env, event: Event) {
        let mut out = Vec::new();
        let tidings_server_core::Now { mono, wall } = self.clock.read(env.now);
        self.client.handle(Now { mono, wall }, event, &mut out);
        for command in out {
            self.execute(env, command);
        }
        let dropped = self.client.duplicates();
        env.tally.more(Count::Duplicates, dropped - self.dropped);
        self.dropped = dropped;
    }

    const fn conn_of(&self, transport: u64) -> Conn {
        Conn { page: self.page, transport }
    }

    fn execute(&mut self, env: &mut Env, command: Command) {
        let page = self.page;
        match command {
            Command::OpenTransport { transport, .. } => {
                assert_eq!(self.transport, None, "{page:?} opens a second socket");
                self.transport = Some(transport);
                self.joined.clear();
                self.seen.dials += 1;
                let conn = self.conn_of(transport);
                env.set_out(conn, Due::Dial(conn));
            }
            Command::Send { transport, text } if self.transport == Some(transport) => {
                self.send(env, transport, text);
            }
            Command::CloseTransport { transport, code } if self.transport == Some(transport) => {
                self.transport = None;
                env.close(self.conn_of(transport), Way::Up, code);
            }
            Command::Request { request, path, bearer, body } => {
                self.requests.insert(request);
                let asked = Asked { path, bearer, body };
                let conn = Conn::of_request(page, request);
                env.set_out(conn, Due::Asks(conn, Box::new(asked)));
            }
            Command::AbortRequest { request } => {
                if self.requests.remove(&request) {
                    self.held.remove(&request);
                    env.close(Conn::of_request(page, request), Way::Up, 1000);
                }
            }
            Command::FetchCredential { attempt, .. } => {
                self.seen.tickets += 1;
                let wait = env.delay();
                env.after(wait, Due::Credential { page, attempt });
            }
            Command::SetTimer { at: Some(at) } => {
                let wait = self.clock.until(env.now, at);
                env.timer(wait, Due::Timer { page, at });
            }
            Command::LoadDeferred => {
                let wait = env.rng.between(1, 3_000);
                env.after(wait, Due::DeferredLoaded { page });
            }
            Command::Load { user } => {
                let wait = env.rng.between(1, 5);
                env.after(wait, Due::Loaded { page, key: user });
            }
            Command::Save { user, cursors, over, text } => {
                let (saved, life) = (Saved { cursors, text }, self.storage.borrow().life());
                let save = Box::new(Save { key: user, saved, over, life });
                env.after(1, Due::Saves { page, save });
            }
            Command::Wipe { user, .. } => self.storage.borrow_mut().wipe(&user),
            command @ (Command::Persist { .. }
            | Command::Claim { .. }
            | Command::Release { .. }) => {
                self.ask(env, command);
            }
            command => self.hear(env, command),
        }
    }

    fn send(&mut self, env: &mut Env, transport: u64, text: String) {
        let conn = self.conn_of(transport);
        if let Some(channel) = subscribed_in(&text) {
            // On a dead link it may subscribe as often as it likes.
            let again = channel.namespace() != "room" || !self.joined.insert(channel);
            if again && !env.is_dead(conn, Way::Down) {
                self.seen.repairs += 1;
                env.tally.count(Count::Repairs);
            }
        }
        env.send(conn, Way::Up, text);
    }

    /// The network or the server closed a transport.
    pub fn closed(&mut self, env: &mut Env, transport: u64, code: u16) {
        if self.transport == Some(transport) {
            self.transport = None;
            self.feed(env, Event::TransportClosed { transport, code, reason: String::new() });
        }
    }

    /// The head of an answer arrived.
    pub fn answered(&mut self, env: &mut Env, request: u64, status: u16, after: Option<u64>) {
        if self.requests.contains(&request) {
            self.feed(env, Event::RequestAnswered { request, status, retry_after_ms: after });
        }
    }

    /// A piece of an answer arrived; the network may hold it back together with earlier pieces.
    pub fn received(&mut self, env: &mut Env, request: u64, piece: &str) {
        if !self.requests.contains(&request) {
            return;
        }
        let held = self.held.entry(request).or_default();
        held.push_str(if piece.is_empty() { ":\n\n" } else { piece });
        if held.len() < self.network.holds_back {
            env.tally.count(Count::HeldBack);
            return;
        }
        let text = self.held.remove(&request).unwrap_or_default();
        self.feed(env, Event::RequestReceived { request, text });
    }

    /// An answer ended; `cut`: before it was complete.
    pub fn ended(&mut self, env: &mut Env, request: u64, cut: bool) {
        if self.requests.remove(&request) {
            if let Some(text) = self.held.remove(&request) {
                self.feed(env, Event::RequestReceived { request, text });
            }
            let reason = cut.then(|| "connection reset".to_owned());
            self.feed(env, Event::RequestEnded { request, reason });
        }
    }

    /// The app's ticket function returns.
    pub fn ticket(&mut self, env: &mut Env, attempt: u64, result: Result<Credential, String>) {
        self.feed(env, Event::CredentialFetched { attempt, result });
    }

    /// Loads the deferred part of the client. If that fails, it is tried again.
    pub fn deferred_loaded(&mut self, env: &mut Env) {
        if env.strikes(env.faults.load, Count::DeferredFailed) {
            return env.after(1_000, Due::DeferredLoaded { page: self.page });
        }
        env.tally.count(Count::DeferredPart);
        self.feed(env, Event::DeferredLoaded);
    }
}

/// Sets the names of a page, which no other page has.
fn name(config: &mut Config, Page { device, life }: Page, seed: u64) {
    config.seed = seed;
    config.instance = format!("page-{device}-{life}-{seed}");
    config.client_id = format!("lane-{device}-{life}-{seed}");
}

/// The channel that a frame subscribes to.
fn subscribed_in(text: &str) -> Option<Channel> {
    use tidings_protocol::ClientMessage;
    if !text.starts_with("{\"type\":\"subscribe\"") {
        return None;
    }
    match ClientMessage::decode(text).ok()? {
        ClientMessage::Subscribe(ask) => Some(ask.channel),
        _ => None,
    }
}
