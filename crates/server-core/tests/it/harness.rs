//! A server whose commands are executed at once, and peers that write text and store all they
//! receive.

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    rc::Rc,
    sync::Arc,
};

use bytes::Bytes;
use tidings_protocol::{
    Channel, CloseCode, ErrorCode, Json, ServerMessage,
    rest::{PublishNotification, Target},
    rights::Rights,
};
use tidings_server_core::{
    Hub, Identity, Ids, Limits, Mailbox, MemoryStore, Now, ProofKey, Refused, Session,
    budget::Account,
    hub::{Delivery, GoLive, Sink, Slot},
    memory::Syncing,
    service,
    session::{Command, Credential, Event, Guard, Wanted},
    store::{Answer, Query, Store, Write, Written},
};

/// The key that all nodes share.
pub(crate) const PROOFS: ProofKey = ProofKey::new([7; 32]);

/// The part of a connection that hub and session share.
#[derive(Clone)]
pub(crate) struct Line(Rc<RefCell<Shared>>);

struct Shared {
    mailbox: Mailbox,
    lagged: Vec<(Channel, Slot, u64)>,
}

impl Sink for Line {
    fn push(&self, frame: &Bytes) -> bool {
        self.0.borrow_mut().mailbox.offer(frame)
    }

    fn lagged(&self, channel: &Channel, slot: Slot, sent: u64) {
        self.0.borrow_mut().lagged.push((channel.clone(), slot, sent));
    }
}

pub(crate) struct Server {
    pub(crate) store: MemoryStore,
    pub(crate) hub: Hub<Line>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) now: Now,
    pub(crate) accounts: BTreeMap<String, Arc<Account>>,
    ids: Ids,
}

/// One connection.
pub(crate) struct Peer {
    session: Session,
    line: Line,
    /// Commands that the harness does not answer by itself.
    pub(crate) seen: Vec<Command>,
    pub(crate) closed: Option<CloseCode>,
    pub(crate) deadline: Option<u64>,
    pub(crate) paused: bool,
    /// The socket is not read: no message leaves the mailbox.
    pub(crate) stuck: bool,
    /// Answers of the store are held back.
    pub(crate) slow_store: bool,
    awaits_drain: bool,
    waiting: VecDeque<Command>,
    got: Vec<String>,
}

impl Server {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        Self {
            store: MemoryStore::new(1, Syncing::BeforeTheAnswer),
            hub: Hub::default(),
            limits: Arc::new(limits),
            now: Now { mono: 1_000, wall: 1_800_000_000_000 },
            accounts: BTreeMap::new(),
            ids: Ids::new(99),
        }
    }

    pub(crate) fn pass(&mut self, ms: u64) {
        self.now = Now { mono: self.now.mono + ms, wall: self.now.wall + ms };
    }

    /// A connection whose client has sent nothing yet.
    pub(crate) fn open(&mut self) -> Peer {
        let mut out = Vec::new();
        let mut session = Session::new(self.limits.clone(), 5, self.now, &mut out);
        session.prove_with(Arc::new(PROOFS));
        self.peer(session, out)
    }

    /// A session for posts, of a user with rights on `room:` channels.
    pub(crate) fn post(&mut self, user: &str, guard: Guard) -> Peer {
        let mut out = Vec::new();
        let (limits, who) = (self.limits.clone(), self.identity(user));
        let account = self.account(&who.user);
        let session = Session::for_posts(limits, 5, self.now, who, guard, &mut out);
        let mut peer = self.peer(session, out);
        self.step(&mut peer, Event::Accounted(account));
        peer
    }

    pub(crate) fn account(&mut self, user: &str) -> Arc<Account> {
        Arc::clone(self.accounts.entry(user.to_owned()).or_default())
    }

    fn peer(&mut self, session: Session, out: Vec<Command>) -> Peer {
        let shared =
            Shared { mailbox: Mailbox::new(self.limits.mailbox_bytes), lagged: Vec::new() };
        let mut peer = Peer {
            session,
            line: Line(Rc::new(RefCell::new(shared))),
            seen: Vec::new(),
            closed: None,
            deadline: None,
            paused: false,
            stuck: false,
            slow_store: false,
            awaits_drain: false,
            waiting: VecDeque::new(),
            got: Vec::new(),
        };
        self.execute(&mut peer, out);
        peer
    }

    /// An admitted connection of `user`; the token names the user.
    pub(crate) fn connect(&mut self, user: &str) -> Peer {
        self.connect_with(user, "")
    }

    /// `more` are further fields of `connect`, such as `,"cursors":{…}`.
    pub(crate) fn connect_with(&mut self, user: &str, more: &str) -> Peer {
        let mut peer = self.open();
        self.say(&mut peer, &format!(r#"{{"type":"connect","version":1,"token":"{user}"{more}}}"#));
        peer
    }

    pub(crate) fn say(&mut self, peer: &mut Peer, text: &str) {
        self.feed(peer, Event::Received { text });
    }

    pub(crate) fn feed(&mut self, peer: &mut Peer, event: Event<'_>) {
        let mut out = Vec::new();
        peer.session.handle(self.now, event, &mut out);
        self.execute(peer, out);
        self.settle(peer);
    }

    /// The driver's work between events: reports lagging and draining, and writes.
    pub(crate) fn settle(&mut self, peer: &mut Peer) {
        loop {
            let lagged = std::mem::take(&mut peer.line.0.borrow_mut().lagged);
            for (channel, slot, sent) in &lagged {
                let mut out = Vec::new();
                let event = Event::Lagged { channel: channel.clone(), slot: *slot, sent: *sent };
                peer.session.handle(self.now, event, &mut out);
                self.execute(peer, out);
            }
            peer.write();
            if peer.awaits_drain && peer.line.0.borrow().mailbox.is_low() {
                peer.awaits_drain = false;
                let mut out = Vec::new();
                peer.session.handle(self.now, Event::Drained, &mut out);
                self.execute(peer, out);
            } else if lagged.is_empty() {
                return;
            }
        }
    }

    /// Lets the store answer the commands that were held back.
    pub(crate) fn answer_store(&mut self, peer: &mut Peer) {
        peer.slow_store = false;
        let waiting = std::mem::take(&mut peer.waiting);
        self.execute(peer, waiting.into());
        self.settle(peer);
    }

    fn execute(&mut self, peer: &mut Peer, commands: Vec<Command>) {
        let mut soon = Vec::new();
        let mut later = Vec::new();
        for command in commands {
            let line = peer.line.clone();
            match command {
                Command::Send(frame) => line.0.borrow_mut().mailbox.push(frame),
                Command::Attach { channel } => {
                    let slot = self.hub.attach(&channel, line);
                    soon.push(Event::Attached { channel, slot });
                }
                Command::GoLive { channel, slot, epoch, sent } => {
                    soon.push(match self.hub.go_live(&channel, slot, epoch, sent) {
                        GoLive::Live => Event::WentLive { channel, slot },
                        GoLive::Behind => Event::FellBehind { channel, slot },
                    });
                }
                Command::Detach { channel, slot } => self.hub.detach(&channel, slot),
                Command::ReadTops { id, of } => {
                    let live = |(channel, slot): (Channel, Slot)| {
                        let top = self.hub.live_top(&channel, slot)?;
                        Some((channel, top))
                    };
                    soon.push(Event::TopsRead {
                        id,
                        tops: of.into_iter().filter_map(live).collect(),
                    });
                }
                Command::AwaitDrain => peer.awaits_drain = true,
                Command::SetDeadline { at } => peer.deadline = at,
                Command::PauseReading => peer.paused = true,
                Command::ResumeReading => peer.paused = false,
                Command::Close { code, .. } => peer.closed = Some(code),
                command @ (Command::Read { .. } | Command::Commit { .. }) if peer.slow_store => {
                    peer.waiting.push_back(command);
                }
                command => later.push(command),
            }
        }
        for event in soon {
            self.step(peer, event);
        }
        for command in later {
            match command {
                Command::Authenticate { credential } => {
                    let event = self.authenticate(&credential);
                    if let Event::Authenticated(identity) = &event {
                        let account = self.account(&identity.user);
                        self.step(peer, Event::Accounted(account));
                    }
                    self.step(peer, event);
                }
                Command::Read { request, query } => {
                    let answer = self.store.read(&[query]).unwrap().remove(0).unwrap();
                    self.step(peer, Event::Read { request, answer });
                }
                Command::Commit { request, write } => {
                    let written = self.commit(*write);
                    self.step(peer, Event::Committed { request, written });
                }
                command @ Command::Admit { .. } => {
                    peer.seen.push(command);
                    self.step(peer, Event::Admitted);
                }
                command => peer.seen.push(command),
            }
        }
    }

    fn step(&mut self, peer: &mut Peer, event: Event<'_>) {
        let mut out = Vec::new();
        peer.session.handle(self.now, event, &mut out);
        self.execute(peer, out);
    }

    /// Tokens are user names. `…+rooms` has all rights in rooms; `…+live` may not read back.
    fn authenticate(&self, credential: &Credential) -> Event<'static> {
        let (Credential::Token(user) | Credential::Ticket(user)) = credential else {
            return Event::AuthRefused(ErrorCode::Unauthorized.into());
        };
        if user == "wrong" {
            return Event::AuthRefused(ErrorCode::TicketInvalid.into());
        }
        Event::Authenticated(Box::new(self.identity(user)))
    }

    pub(crate) fn identity(&self, user: &str) -> Identity {
        let claim = |allow: &str| {
            let claim = format!(r#"[{{"pattern":"room:*","allow":[{allow}]}}]"#);
            Json::parse(&claim).unwrap().to().unwrap()
        };
        let (user, rights) = match user.split_once('+') {
            Some((user, "rooms")) => (user, claim(r#""subscribe","publish","history""#)),
            Some((user, _live)) => (user, claim(r#""subscribe","publish""#)),
            None => (user, Rights::default()),
        };
        Identity {
            user: user.into(),
            info: None,
            rights,
            session: "s1".into(),
            session_token: "secret".into(),
            issued_at: self.now.wall,
            expires_at: Some(self.now.wall + 3_600_000),
        }
    }

    pub(crate) fn commit(&mut self, write: Write) -> Written {
        let written = self.store.commit(self.now.wall, &[write]).unwrap().remove(0).unwrap();
        if let Written::Records { records, .. } = &written {
            for record in records {
                assert!(
                    !matches!(self.hub.committed(record), Delivery::Hole { .. }),
                    "one node has no holes"
                );
            }
        }
        written
    }

    /// A backend notifies a user. Returns the offset.
    pub(crate) fn notify(&mut self, user: &str) -> u64 {
        self.publish(Target { user: Some(user.into()), ..Target::default() })
    }

    pub(crate) fn broadcast(&mut self) -> u64 {
        self.publish(Target { everyone: Some(true), ..Target::default() })
    }

    fn publish(&mut self, to: Target) -> u64 {
        let body = PublishNotification {
            to,
            kind: "like".into(),
            title: "Mina".into(),
            ..Default::default()
        };
        let write = service::notify(&body, None, self.now.wall, &mut self.ids).unwrap();
        let written = self.commit(write);
        service::outcome(&written).unwrap().refs[0].offset
    }

    pub(crate) fn top(&self, channel: &str) -> u64 {
        let channel = Channel::parse(channel).unwrap();
        match self.store.read(&[Query::Heads(vec![channel])]).unwrap().remove(0).unwrap() {
            Answer::Heads(heads) => heads[0].map_or(0, |head| head.top),
            other => panic!("{other:?}"),
        }
    }
}

impl Peer {
    pub(crate) fn want(&mut self, wanted: Wanted) {
        self.session.want(wanted);
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.session.is_settled()
    }

    pub(crate) fn guard(&self) -> Guard {
        self.session.guard()
    }

    fn write(&mut self) {
        while !self.stuck
            && let Some(frame) = self.line.0.borrow_mut().mailbox.take(false, 0)
        {
            self.got.push(String::from_utf8(frame.to_vec()).unwrap());
        }
    }

    pub(crate) fn texts(&mut self) -> Vec<String> {
        self.write();
        std::mem::take(&mut self.got)
    }

    /// The messages since the last call.
    pub(crate) fn got(&mut self) -> Vec<ServerMessage> {
        self.texts().iter().map(|text| ServerMessage::decode(text).unwrap()).collect()
    }

    /// The types of the messages since the last call.
    pub(crate) fn types(&mut self) -> Vec<&'static str> {
        self.got().iter().map(ServerMessage::type_name).collect()
    }

    /// The one command to the store that was held back.
    pub(crate) fn kept_back(&mut self) -> Command {
        self.waiting.pop_front().expect("a command to the store")
    }

    /// Commands to the store that were held back.
    pub(crate) fn kept_back_count(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn queued(&self) -> usize {
        self.line.0.borrow().mailbox.bytes()
    }

    /// The one error since the last call.
    pub(crate) fn error(&mut self) -> tidings_protocol::server::Error {
        match self.got().as_slice() {
            [ServerMessage::Error(error)] => error.clone(),
            other => panic!("an error was expected: {other:?}"),
        }
    }
}

/// Offsets of the records among these messages, by channel.
pub(crate) fn offsets(messages: &[ServerMessage], channel: &str) -> Vec<u64> {
    let of = |message: &ServerMessage| match message {
        ServerMessage::Notification(one) => Some((one.channel.clone(), one.offset)),
        ServerMessage::Marked(one) => Some((one.channel.clone(), one.offset)),
        ServerMessage::Message(one) => Some((one.channel.clone(), one.offset)),
        ServerMessage::Trimmed(one) => Some((one.channel.clone(), one.offset)),
        _ => None,
    };
    messages
        .iter()
        .filter_map(of)
        .filter(|(name, _)| name.as_str() == channel)
        .map(|(_, offset)| offset)
        .collect()
}

pub(crate) fn unavailable() -> Refused {
    ErrorCode::StorageUnavailable.into()
}
