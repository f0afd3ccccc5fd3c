//! State that all states of the machine share: settings, clocks, deadlines, the inbox, the outbox,
//! and the commands so far.

use tidings_protocol::{Channel, CloseCode, Encode, ErrorCode};

use crate::{
    Command, Config, DeferredLoaded, Error, FailedIntent, Now, Readable, Stored, TransportKind,
    account::Account,
    backoff::Failures,
    channels::Channels,
    clock::Clock,
    deferred,
    fallback::Fallback,
    inbox::Inbox,
    outbox::{ADOPTED, Intents, Persistence},
    requests::Requests,
    rng::Rng,
    round_trip::RoundTrip,
    storage::Store,
    timers::{Timer, TimerTable},
};

/// Longest time, in milliseconds, that the network may delay a request that opens a connection.
const STALE_MAX: u64 = 60_000;
/// Errors reported to the app per [`REPORT_WINDOW`]: a hostile server must not flood its log.
const REPORTS_MAX: u32 = 5;
/// Length of the window in milliseconds.
const REPORT_WINDOW: u64 = 60_000;

/// The outside world, as the app and the browser last described it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct World {
    /// Whether the app wants a connection.
    pub(crate) wanted: bool,
    /// Whether there seems to be a network. The browser's word is only a hint, because browsers
    /// err; received data overrides it.
    pub(crate) online: bool,
    /// Whether the page is visible.
    pub(crate) visible: bool,
}

/// The last numbers that were given out; each kind counts from 1.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Numbers {
    transport: u64,
    credential: u64,
    request: u64,
    lane: u64,
}

impl Numbers {
    pub(crate) fn next_lane(&mut self, config: &Config) -> String {
        self.lane += 1;
        let mut lane = config.client_id.clone();
        lane.push('-');
        self.lane.encode(&mut lane);
        lane
    }
}

/// State that outlives a single state of the machine.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) config: Config,
    pub(crate) now: Now,
    pub(crate) world: World,
    pub(crate) rng: Rng,
    pub(crate) timers: TimerTable,
    pub(crate) failures: Failures,
    pub(crate) fallback: Fallback,
    pub(crate) requests: Requests,
    pub(crate) clock: Clock,
    pub(crate) round_trip: RoundTrip,
    pub(crate) account: Account,
    pub(crate) inbox: Inbox,
    pub(crate) channels: Channels,
    pub(crate) outbox: Intents,
    pub(crate) persistence: Persistence,
    pub(crate) store: Store,
    /// Present if all of the client's code is loaded.
    pub(crate) deferred: Option<DeferredLoaded>,
    /// The error that keeps the client from being connected.
    pub(crate) trouble: Option<Error>,
    /// Monotonic time at which the last attempt began.
    pub(crate) began: u64,
    /// Monotonic time at which this page last gave up a connection: its request may still reach a
    /// server.
    pub(crate) parted: Option<u64>,
    /// The time in [`Self::parted`] for which a call was already repeated silently.
    pub(crate) hushed: Option<u64>,
    /// Monotonic time at which the connection last brought data.
    pub(crate) last_received: u64,
    /// Milliseconds of silence that end a connection without pings.
    pub(crate) quiet: Option<u64>,
    /// The last gap that was reported, until a snapshot closes it: a cut in between must not report
    /// it twice.
    pub(crate) gap: Option<(Channel, u64, u64)>,
    /// Records that arrived again and were dropped.
    pub(crate) duplicates: u64,
    pub(crate) numbers: Numbers,
    /// Start of the report window, and number of reports in it.
    reports: (u64, u32),
    /// Commands of the state machine: transports, credentials, storage.
    pub(crate) out: Vec<Command>,
    /// Events for the app. They follow the snapshots' changes, so that a handler never sees an
    /// older state than its event.
    emitted: Vec<Command>,
}

impl Context {
    pub(crate) fn new(mut config: Config) -> Self {
        if config.whole {
            deferred::check(DeferredLoaded::is_there(), &mut config);
        }
        let mut numbers = Numbers::default();
        let outbox = Intents::new(numbers.next_lane(&config));
        Self {
            now: Now { mono: 0, wall: 0 },
            world: World { wanted: false, online: true, visible: true },
            rng: Rng::new(config.seed),
            timers: TimerTable::default(),
            failures: Failures::default(),
            fallback: Fallback::default(),
            requests: Requests::default(),
            clock: Clock::default(),
            round_trip: RoundTrip::default(),
            account: Account::default(),
            inbox: Inbox::default(),
            channels: Channels::default(),
            outbox,
            persistence: Persistence::new(config.storage && config.lanes),
            store: Store::new(config.storage),
            deferred: config.whole.then(DeferredLoaded::is_there),
            trouble: None,
            began: 0,
            parted: None,
            hushed: None,
            last_received: 0,
            quiet: None,
            gap: None,
            duplicates: 0,
            numbers,
            reports: (0, 0),
            out: Vec::new(),
            emitted: Vec::new(),
            config,
        }
    }

    /// Adds a command for the driver.
    pub(crate) fn ask(&mut self, command: Command) {
        self.out.push(command);
    }

    /// Sends a message.
    pub(crate) fn send(&mut self, transport: u64, message: &dyn Encode) {
        self.send_text(transport, message.to_json());
    }

    /// Sends a message that is text already.
    pub(crate) fn send_text(&mut self, transport: u64, text: String) {
        self.queue(transport, Command::Send { transport, text });
    }

    /// Opens a new transport.
    pub(crate) fn open_transport(&mut self, kind: TransportKind) -> u64 {
        let transport = self.next_transport();
        let command = Command::OpenTransport { transport, kind };
        match kind {
            TransportKind::Sse | TransportKind::Poll => self.requests.commands.push(command),
            TransportKind::Ws | TransportKind::Relay => self.ask(command),
        }
        transport
    }

    /// Closes a transport.
    pub(crate) fn close_transport(&mut self, transport: u64) {
        let code = CloseCode::NORMAL.0;
        if !self.requests.carries(transport) {
            self.parted = Some(self.now.mono);
        }
        self.queue(transport, Command::CloseTransport { transport, code });
    }

    /// The driver carries a transport, or HTTP requests do.
    fn queue(&mut self, transport: u64, command: Command) {
        if self.requests.carries(transport) {
            self.requests.commands.push(command);
        } else {
            self.ask(command);
        }
    }

    /// Adds an event for the app, to be delivered when its snapshots are up to date.
    pub(crate) fn emit(&mut self, command: Command) {
        self.emitted.push(command);
    }

    /// Ends a call of the app with an error code.
    pub(crate) fn refuse(&mut self, intent: u64, code: ErrorCode, detail: &str) {
        self.refuse_with(intent, Error::new(code, detail));
    }

    /// Ends a call of the app with an error. An intent of another client instance has no caller any
    /// more.
    pub(crate) fn refuse_with(&mut self, intent: u64, error: Error) {
        if intent < ADOPTED {
            self.emit(Command::Settled { intent, result: Err(error) });
        }
    }

    /// Notes that an intent was refused for good.
    pub(crate) fn failed(&mut self, failed: FailedIntent) {
        self.outbox.forget_failed(self.config.failed_max as usize);
        self.refuse_with(failed.id, failed.error.clone());
        self.emit(Command::Failed(failed));
    }

    /// Ends a call of the app with success.
    pub(crate) fn settle(&mut self, intent: u64, stored: Option<Stored>) {
        if intent < ADOPTED {
            self.emit(Command::Settled { intent, result: Ok(stored) });
        }
    }

    /// Reports an error that belongs to no call, within a limited rate.
    pub(crate) fn report(&mut self, error: Error) {
        let (since, count) = self.reports;
        if self.now.mono.saturating_sub(since) >= REPORT_WINDOW || count == 0 {
            self.reports = (self.now.mono, 1);
        } else if count < REPORTS_MAX {
            self.reports.1 += 1;
        } else {
            return;
        }
        self.emit(Command::Report(error));
    }

    /// Sets a deadline from now.
    #[inline(never)]
    pub(crate) fn set(&mut self, timer: Timer, delay: u64) {
        self.timers.set(timer, self.now.mono, delay);
    }

    /// Sets a deadline for the peer's answer.
    pub(crate) fn await_answer(&mut self, timer: Timer) {
        self.set(timer, self.round_trip.patience(self.config.timeout));
    }

    /// Takes the server's time from an answer to a request that was sent at `asked`.
    pub(crate) fn timed(&mut self, asked: u64, server: u64) {
        let took = self.now.mono.saturating_sub(asked);
        self.world.online = true;
        self.round_trip.took(took);
        self.clock.learn(self.now, server, took);
    }

    /// Sets a deadline from now, unless an earlier one is set.
    #[inline(never)]
    pub(crate) fn bring_forward(&mut self, timer: Timer, delay: u64) {
        self.timers.bring_forward(timer, self.now.mono, delay);
    }

    fn next_transport(&mut self) -> u64 {
        self.numbers.transport += 1;
        self.numbers.transport
    }

    pub(crate) fn next_credential(&mut self) -> u64 {
        self.numbers.credential += 1;
        self.numbers.credential
    }

    /// The number that [`Self::next_request`] will return.
    pub(crate) fn upcoming_request(&self) -> u64 {
        self.numbers.request + 1
    }

    pub(crate) fn next_request(&mut self) -> u64 {
        self.numbers.request += 1;
        self.numbers.request
    }

    /// A name that no other lane of this or another client has.
    pub(crate) fn next_lane(&mut self) -> String {
        self.numbers.next_lane(&self.config)
    }

    /// Calls the app's ticket function.
    pub(crate) fn fetch_credential(&mut self) -> u64 {
        let attempt = self.next_credential();
        let user = self.account.user().map(String::from);
        self.ask(Command::FetchCredential { attempt, user });
        attempt
    }

    /// Whether a newer connection that replaced this one may be an older one of this page, whose
    /// request arrived late.
    pub(crate) fn may_be_its_own_rival(&self) -> bool {
        self.parted.is_some_and(|at| self.now.mono.saturating_sub(at) <= STALE_MAX)
    }

    /// The same, but only once for each connection that was given up: two pages with one name must
    /// not replace each other silently without end.
    pub(crate) fn is_its_own_rival_once(&mut self) -> bool {
        let once = self.may_be_its_own_rival() && self.hushed != self.parted;
        if once {
            self.hushed = self.parted;
        }
        once
    }

    /// Whether the shown data and the intents outlive the page.
    pub(crate) fn durable(&self) -> bool {
        self.store.usable() && (self.persistence.usable() || !self.config.lanes)
    }

    /// Moves the commands to the driver's buffer: first the machine's, then the changed snapshots,
    /// then the app's events.
    pub(crate) fn deliver(&mut self, changed: [Option<Readable>; 3], out: &mut Vec<Command>) {
        out.append(&mut self.out);
        for readable in changed.iter().flatten() {
            out.push(Command::Changed(*readable));
        }
        out.append(&mut self.emitted);
    }
}
