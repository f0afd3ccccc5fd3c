//! A client in virtual time. The harness keeps the driver's side of the contract, and checks the
//! client's.

use tidings_client_core::{
    ChannelView, Client, Command, Config, Connection, Credential, Event, Filter, InboxView,
    ItemView, Kinds, MarkTargets, Now, Readable, Show, User,
};
use tidings_protocol::{ClientMessage, MarkSet};

use crate::says;

/// Wall clock at the start; the records of `says` have times near it.
pub(crate) const START: u64 = 1_700_000_000_000;

/// The driver's side, step by step.
pub(crate) struct Rig {
    pub(crate) client: Client,
    pub(crate) now: Now,
    /// Commands since the last [`Rig::take`].
    pub(crate) commands: Vec<Command>,
    /// Number of commands that a scenario's storage has seen.
    pub(crate) obeyed: usize,
    /// The transport that the client may use.
    pub(crate) transport: Option<u64>,
    /// Requests under way, in the form of [`crate::request`].
    pub(crate) requests: Vec<crate::request::Asked>,
    /// The ticket request under way.
    pub(crate) fetching: Option<u64>,
    /// Number of ticket requests so far.
    pub(crate) fetches: u32,
    pub(crate) timer: Option<u64>,
    /// Whether the deferred part loads at once, before any other event.
    pub(crate) deferred_at_once: bool,
    seen: Seen,
}

/// The snapshots that an app would have read last.
struct Seen {
    connection: Connection,
    views: Vec<(Filter, InboxView)>,
    room: ChannelView,
}

impl Rig {
    /// A client of `u1` that is idle.
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(adjust: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new(7, "page-1".into(), "lane".into());
        adjust(&mut config);
        let mut client = Client::new(config);
        let filters = [Show::Inbox, Show::Unread, Show::Archived, Show::All]
            .map(|show| Filter { show, kinds: Kinds::default() });
        let views = filters.map(|filter| (filter.clone(), client.inbox(&filter))).into();
        let room = ChannelView::default();
        let seen = Seen { connection: client.connection().clone(), views, room };
        Self {
            client,
            now: Now { mono: 1_000, wall: START },
            commands: Vec::new(),
            obeyed: 0,
            transport: None,
            requests: Vec::new(),
            fetching: None,
            fetches: 0,
            timer: None,
            deferred_at_once: true,
            seen,
        }
    }

    /// A client of `u1` that is live with an empty inbox.
    pub(crate) fn live() -> Self {
        let mut rig = Self::new();
        rig.go_live(&[]);
        rig
    }

    /// A client of `u1` that is live with these items, and `system:all`.
    pub(crate) fn live_with(items: &[&str]) -> Self {
        let mut rig = Self::new();
        rig.go_live(items);
        rig
    }

    pub(crate) fn go_live(&mut self, items: &[&str]) {
        self.event(Event::UserChanged(User::Named("u1".into())));
        self.event(Event::ConnectRequested);
        self.greet();
        let top = items.len() as u64;
        self.receive(&says::subscribed("inbox:u1", "inboxone", top, top, false));
        self.receive(&says::subscribed("system:all", "system01", 0, 0, false));
        self.receive(&says::snapshot(items));
        self.take();
    }

    /// The same, for a client whose user is named already.
    pub(crate) fn go_live_from_here(&mut self, items: &[&str]) {
        self.event(Event::ConnectRequested);
        self.greet();
        let top = items.len() as u64;
        self.receive(&says::subscribed("inbox:u1", "inboxone", top, top, false));
        self.receive(&says::subscribed("system:all", "system01", 0, 0, false));
        self.receive(&says::snapshot(items));
    }

    /// The same with storage, which is asked first and is empty.
    pub(crate) fn go_live_with_storage(&mut self, items: &[&str]) {
        self.event(Event::UserChanged(User::Named("u1".into())));
        self.event(Event::StorageLoaded { user: "u1".into(), saved: None });
        self.go_live(items);
    }

    /// From the ticket request to `connected`.
    pub(crate) fn greet(&mut self) {
        self.open();
        self.receive(&says::connected("u1"));
    }

    /// From the ticket request to an open transport.
    pub(crate) fn open(&mut self) {
        self.ticket(Ok(Credential::Ticket("t-1".into())));
        let transport = self.transport.expect("a transport was asked for");
        self.event(Event::TransportOpened { transport });
    }

    /// The app's ticket function returns.
    pub(crate) fn ticket(&mut self, result: Result<Credential, String>) {
        let attempt = self.fetching.take().expect("a ticket was asked for");
        self.event(Event::CredentialFetched { attempt, result });
    }

    pub(crate) fn receive(&mut self, text: &str) {
        let transport = self.transport.expect("a transport is open");
        self.event(Event::TransportReceived { transport, text: text.into() });
    }

    /// The connection breaks.
    pub(crate) fn cut(&mut self) {
        self.closed(1006);
    }

    /// The connection breaks, unless the heartbeat has already ended it.
    pub(crate) fn cut_if_open(&mut self) {
        if self.transport.is_some() {
            self.cut();
        }
    }

    pub(crate) fn closed(&mut self, code: u16) {
        let transport = self.transport.take().expect("a transport is open");
        self.event(Event::TransportClosed { transport, code, reason: String::new() });
    }

    /// Waits for the next attempt, and gives it a ticket and an open transport.
    pub(crate) fn reopen(&mut self) {
        self.wait_for_attempt();
        self.open();
    }

    /// Lets time pass until a ticket is requested.
    pub(crate) fn wait_for_attempt(&mut self) -> u64 {
        let from = self.now.mono;
        while self.fetching.is_none() {
            let at = self.timer.expect("an attempt is due");
            self.advance(at.saturating_sub(self.now.mono));
            assert!(self.now.mono - from < 4_000_000, "no attempt within an hour");
        }
        self.now.mono - from
    }

    /// Lets time pass; the timer fires when it is due.
    pub(crate) fn advance(&mut self, ms: u64) {
        let until = self.now.mono + ms;
        while let Some(at) = self.timer.filter(|at| *at <= until) {
            self.pass(at.saturating_sub(self.now.mono));
            self.event(Event::TimerFired);
        }
        self.pass(until.saturating_sub(self.now.mono));
    }

    fn pass(&mut self, ms: u64) {
        self.now.mono += ms;
        self.now.wall += ms;
    }

    pub(crate) fn mark(&mut self, intent: u64, ids: &[&str], set: MarkSet) {
        let targets = MarkTargets::Items(ids.iter().map(|id| String::from(*id)).collect());
        self.event(Event::MarkRequested { intent, targets, set });
    }

    /// Handles one event, and checks the invariants after it.
    pub(crate) fn event(&mut self, event: Event) {
        if event == Event::TimerFired {
            self.timer = None;
        }
        let mut commands = Vec::new();
        self.client.handle(self.now, event, &mut commands);
        if self.deferred_at_once
            && let Some(index) =
                commands.iter().position(|command| *command == Command::LoadDeferred)
        {
            commands.remove(index);
            self.client.handle(self.now, Event::DeferredLoaded, &mut commands);
        }
        for command in &commands {
            self.obey(command);
        }
        self.check_snapshots(&commands);
        self.check_room(&commands);
        self.commands.extend(commands);
    }

    fn obey(&mut self, command: &Command) {
        match command {
            Command::OpenTransport { transport, .. } => {
                assert_eq!(self.transport, None, "one transport at a time");
                self.transport = Some(*transport);
            }
            Command::CloseTransport { transport, .. } => {
                assert_eq!(self.transport.take(), Some(*transport), "closes what is open");
            }
            Command::Send { transport, text } => {
                assert_eq!(self.transport, Some(*transport), "sends on what is open");
                ClientMessage::decode(text).expect("what a client sends can be read");
            }
            Command::FetchCredential { attempt, .. } => {
                assert_eq!(self.fetching, None, "one ticket at a time");
                self.fetching = Some(*attempt);
                self.fetches += 1;
            }
            Command::AbortCredential { attempt } => {
                assert_eq!(self.fetching.take(), Some(*attempt), "aborts what is out");
            }
            Command::Request { .. } | Command::AbortRequest { .. } => self.obey_request(command),
            Command::SetTimer { at } => self.timer = *at,
            _ => {}
        }
    }

    /// A snapshot is a new object exactly when `Changed` named it.
    fn check_snapshots(&mut self, commands: &[Command]) {
        let told = |readable| {
            commands.iter().filter(|command| **command == Command::Changed(readable)).count()
        };
        for readable in [Readable::Connection, Readable::Inbox, Readable::Outbox] {
            assert!(told(readable) <= 1, "{readable:?} changed once per event");
        }
        let connection = self.client.connection().clone();
        assert_eq!(connection != self.seen.connection, told(Readable::Connection) == 1);
        self.seen.connection = connection;
        for (filter, old) in &mut self.seen.views {
            let new = self.client.inbox(filter);
            if told(Readable::Inbox) == 0 {
                assert_eq!(new, *old, "{filter:?} changed in silence");
            }
            let same = std::sync::Arc::ptr_eq(&new.items, &old.items);
            assert_eq!(
                same,
                new.items == old.items,
                "{filter:?} keeps its list while it is the same"
            );
            *old = new;
        }
    }

    fn check_room(&mut self, commands: &[Command]) {
        let room = crate::room::channel(crate::room::ROOM);
        let told = commands.iter().filter(|one| **one == Command::ChannelChanged(room.clone()));
        let told = told.count();
        let new = self.client.channel(&room);
        assert!(told <= 1, "a room changes once per event");
        assert!(told == 1 || new == self.seen.room, "a room changed in silence");
        let same = std::sync::Arc::ptr_eq(&new.messages, &self.seen.room.messages);
        let equal = new.messages == self.seen.room.messages;
        assert!(
            same || !equal || new.messages.is_empty(),
            "it keeps its list while it is the same"
        );
        self.seen.room = new;
    }

    /// The commands since the last call.
    pub(crate) fn take(&mut self) -> Vec<Command> {
        self.obeyed = 0;
        std::mem::take(&mut self.commands)
    }

    /// The messages sent since the last call.
    pub(crate) fn sent(&mut self) -> Vec<ClientMessage> {
        self.take()
            .iter()
            .filter_map(|command| match command {
                Command::Send { text, .. } => ClientMessage::decode(text).ok(),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn arrived(&self) -> Vec<String> {
        self.commands
            .iter()
            .filter_map(|command| match command {
                Command::Arrived(item) => Some(item.id.to_string()),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn inbox(&mut self) -> InboxView {
        self.client.inbox(&Filter::default())
    }

    pub(crate) fn all(&mut self) -> InboxView {
        self.client.inbox(&Filter { show: Show::All, kinds: Kinds::default() })
    }

    pub(crate) fn item(&mut self, id: &str) -> ItemView {
        let all = self.all();
        all.items.iter().find(|item| &*item.id == id).expect("the item is loaded").clone()
    }

    /// Ids in the default view.
    pub(crate) fn ids(&mut self) -> Vec<String> {
        self.inbox().items.iter().map(|item| item.id.to_string()).collect()
    }

    /// Unread and unseen.
    pub(crate) fn counts(&mut self) -> (u64, u64) {
        let inbox = self.inbox();
        (inbox.unread, inbox.unseen)
    }
}

pub(crate) const READ: MarkSet = MarkSet { seen: None, read: Some(true), archived: None };
pub(crate) const UNREAD: MarkSet = MarkSet { seen: None, read: Some(false), archived: None };
