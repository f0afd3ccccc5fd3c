//! The client: takes events in order, runs the state machine, and reports changes.

use tidings_protocol::{Channel, ErrorCode, codec::messages_of};

use crate::{
    ChannelView, Command, Config, Connection, DeferredLoaded, Error, Event, Filter, InboxSummary,
    InboxView, ItemView, Now, Outbox, Readable, Status,
    context::Context,
    deferred, explain,
    idle::Idle,
    machine::{Input, State},
    requests::TransportEvent,
    round_trip::RoundTrip,
    startup::StartupQueue,
    timers::Timer,
};

/// The client. See the crate's documentation for its contract.
#[derive(Debug)]
pub struct Client {
    pub(crate) cx: Context,
    pub(crate) state: State,
    /// The time the driver's timer is set to.
    pub(crate) timer: Option<u64>,
    /// Whether a wanted connection has been missing for a while.
    pub(crate) lost: bool,
    /// Events that wait for the deferred part.
    pub(crate) startup_queue: StartupQueue,
    connection: Connection,
    outbox: Outbox,
}

impl Client {
    /// A client that is idle. Settings that would stall it or make it loop are brought into range,
    /// once all of its code is loaded.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let cx = Context::new(config);
        let connection = Connection {
            status: Status::Idle,
            user: None,
            error: None,
            attempt: 0,
            retry_at: None,
            lost: false,
            transport: None,
            durable: cx.durable(),
        };
        Self {
            cx,
            state: State::Idle(Idle),
            timer: None,
            lost: false,
            startup_queue: StartupQueue::default(),
            connection,
            outbox: Outbox::default(),
        }
    }

    /// Handles an event. Appends commands to `out`; the driver executes them in order after this
    /// returns.
    pub fn handle(&mut self, now: Now, event: Event, out: &mut Vec<Command>) {
        self.cx.now = now;
        let jumped = self.cx.clock.tick(now);
        match self.cx.deferred {
            Some(deferred) => deferred::handle(deferred, self, event, jumped, out),
            None => self.handle_startup(event, jumped, out),
        }
    }

    /// Handles an event with all of the client's code.
    #[allow(
        clippy::needless_pass_by_value,
        reason = "it is over with this; nobody needs the event after it"
    )]
    pub(crate) fn handle_any(&mut self, event: Event, jumped: bool, out: &mut Vec<Command>) {
        let now = self.cx.now;
        if self.state.is_closed() {
            self.refuse_as_closed(&event);
            self.cx.deliver([None; 3], out);
            return;
        }
        if let Event::DeferredLoaded = event {
            self.cx.config.check();
            self.cx.claim();
            if let State::Connected(state) = &mut self.state {
                state.go_on(&mut self.cx);
            }
            // Held events come first, in their order.
            let (events, jumped) = self.startup_queue.take();
            for event in events {
                if self.state.is_closed() {
                    self.refuse_as_closed(&event);
                } else {
                    self.happened(&event);
                }
            }
            if jumped {
                self.on(Input::Doubt);
            }
        } else {
            self.happened(&event);
        }
        if jumped {
            self.on(Input::Doubt);
        }
        // After the event: it may be the one that a deadline waits for, however late the driver's
        // timer is.
        for &timer in &Timer::ALL {
            if let Some(late) = self.cx.timers.take_due(timer, now.mono) {
                self.due(timer, late);
            }
        }
        self.finish(out);
    }

    /// The connection's snapshot.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// A view of the inbox. Its `Arc`s stay the same as long as the content does.
    pub fn inbox(&mut self, filter: &Filter) -> InboxView {
        self.cx.inbox.view(filter)
    }

    /// A channel besides the inbox; idle and empty without readers. Its `Arc`s stay the same as
    /// long as the content does.
    #[must_use]
    pub fn channel(&self, channel: &Channel) -> ChannelView {
        self.cx.channel(channel)
    }

    /// All items of the inbox, newest first, for drivers with views of their own: [`Filter::fits`]
    /// of each item, [`Client::summary`] and [`Client::loads`] together make up [`Client::inbox`].
    #[must_use]
    pub fn items(&self) -> &[ItemView] {
        &self.cx.inbox.shown().items
    }

    /// The fields of a view besides its items.
    #[must_use]
    pub fn summary(&self, filter: &Filter) -> InboxSummary {
        self.cx.inbox.shown().summary(filter)
    }

    /// Whether older items of a view are being loaded, and the error of the last load.
    #[must_use]
    pub fn loads(&self, filter: &Filter) -> (bool, Option<Error>) {
        let pager = &self.cx.inbox.pager;
        (pager.loading(filter), pager.error(filter))
    }

    /// Intents without an answer, and refused intents.
    #[must_use]
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Server time in milliseconds since 1970, if known.
    #[must_use]
    pub fn server_time(&self, now: Now) -> Option<u64> {
        self.cx.clock.server_time(now)
    }

    /// Describes why the client is not connected, and what happens next. Empty until the whole
    /// client is loaded.
    #[must_use]
    pub fn explain(&self, now: Now) -> String {
        match self.cx.deferred {
            Some(deferred) => deferred::explain(deferred, self, now),
            None => String::new(),
        }
    }

    /// Describes the state, with all of the client's code.
    pub(crate) fn explained(&self, now: Now) -> String {
        explain::explain(&self.state, &self.cx, now)
    }

    /// Proof that all of the client's code is loaded, for drivers that load theirs in two parts as
    /// well.
    #[must_use]
    pub fn deferred(&self) -> Option<DeferredLoaded> {
        self.cx.deferred
    }

    /// Number of records that arrived again and were dropped, over the client's life.
    #[must_use]
    pub fn duplicates(&self) -> u64 {
        self.cx.duplicates
    }

    pub(crate) fn on(&mut self, input: Input<'_>) {
        let state = core::mem::replace(&mut self.state, State::Idle(Idle));
        self.state = state.on(input, &mut self.cx);
    }

    fn happened(&mut self, event: &Event) {
        match event {
            Event::ConnectRequested => {
                self.cx.world.wanted = true;
                self.on(Input::Wanted);
            }
            Event::DisconnectRequested => {
                self.cx.world.wanted = false;
                self.on(Input::Unwanted);
            }
            Event::RetryRequested => {
                // The app knows more than the browser.
                self.cx.world.online = true;
                self.on(Input::RetryNow);
            }
            Event::CloseRequested => self.close(),
            Event::UserChanged(user) => {
                if self.cx.account.is_leaving() {
                    self.sign_out();
                }
                if self.cx.change_user(user.clone()) {
                    self.on(Input::Restart);
                } else if self.state.is_signed_out() {
                    // A user who was signed out has returned: the ticket function may have a ticket
                    // again.
                    self.on(Input::Wanted);
                }
            }
            Event::SignOutRequested { discard } => {
                self.cx.begin_sign_out();
                if *discard {
                    self.sign_out();
                } else if self.cx.outbox.unanswered() > 0 && !self.state.is_connected() {
                    self.hurry_out();
                }
            }
            Event::SignedOutElsewhere { user } => {
                if self.cx.account.user() == Some(user) {
                    self.cx.leave_signed_out();
                    self.on(Input::Restart);
                }
            }
            Event::IntentUnreadable { intent, reason } => {
                self.cx.refuse(*intent, ErrorCode::InvalidArgument, reason);
            }
            Event::MarkRequested { intent, targets, set } => self.mark(*intent, targets, *set),
            Event::MoreRequested { filter, intent } => self.more(filter, *intent),
            Event::ChannelWanted { channel } => self.cx.want_channel(channel),
            Event::ChannelUnwanted { channel } => self.cx.unwant_channel(channel),
            Event::PublishRequested { intent, channel, data } => {
                self.publish(*intent, channel, data);
            }
            Event::OlderRequested { channel, intent } => {
                self.cx.older(channel, *intent);
                self.on(Input::Work);
            }
            Event::FailedRetried { id, intent } => match self.cx.outbox.take_failed(*id) {
                Some(body) => self.retry(*intent, body),
                None => self.cx.refuse(*intent, ErrorCode::NotFound, ""),
            },
            Event::FailedDiscarded { id } => drop(self.cx.outbox.take_failed(*id)),
            Event::CredentialFetched { attempt, result } => {
                let was = self.state.is_signed_out();
                self.on(Input::Credential { attempt: *attempt, result });
                if !was && self.state.is_signed_out() {
                    self.cx.signed_out_elsewhere();
                }
            }
            Event::StorageLoaded { user, saved } => {
                match user.split_once('\t') {
                    Some((user, channel)) => {
                        self.cx.channel_loaded(user, channel, saved.as_deref());
                    }
                    None => self.cx.loaded(user, saved.as_deref()),
                }
                self.on(Input::CacheSettled);
            }
            Event::StorageFailed { reason } => {
                self.cx.storage_failed(reason);
                self.on(Input::CacheSettled);
                self.on(Input::Work);
            }
            Event::Persisted { number } => {
                self.cx.persisted(*number);
                self.on(Input::Work);
            }
            Event::LanesClaimed { user, lanes } => {
                self.cx.claimed(user, lanes);
                self.on(Input::Work);
            }
            Event::LanesFailed { reason } => {
                self.cx.lanes_failed(reason);
                self.on(Input::Work);
            }
            Event::RequestAnswered { request, status, retry_after_ms } => {
                self.cx.request_answered(*request, *status, *retry_after_ms);
            }
            Event::RequestReceived { request, text } => {
                self.cx.request_received(*request, text);
                self.drive_requests();
            }
            Event::RequestEnded { request, reason } => {
                self.cx.request_ended(*request, reason.as_deref());
                self.drive_requests();
            }
            Event::TransportOpened { transport } => {
                self.on(Input::Opened { transport: *transport })
            }
            Event::TransportReceived { transport, text } => {
                for text in messages_of(text) {
                    self.on(Input::Message { transport: *transport, text });
                }
            }
            Event::TransportClosed { transport, code, reason } => {
                self.on(Input::Closed { transport: *transport, code: *code, reason });
            }
            // The held events were handled before this one.
            Event::DeferredLoaded => {}
            Event::TimerFired => self.timer = None,
            Event::WentOnline => {
                if !self.cx.world.online {
                    self.cx.failures.reset();
                }
                self.cx.world.online = true;
                self.cx.fallback.reset();
                self.cx.round_trip = RoundTrip::default();
                self.on(Input::Online);
            }
            Event::WentOffline => {
                self.cx.world.online = false;
                self.on(Input::Offline);
            }
            Event::Hidden => {
                self.cx.world.visible = false;
                self.cx.save();
            }
            Event::Woke => {
                self.cx.world.visible = true;
                self.on(Input::Woke);
            }
            Event::DriverFailed { reason } => {
                let mut error = Error::new(ErrorCode::Internal, reason);
                error.retry = false;
                self.on(Input::Fail(&error));
            }
        }
    }

    fn due(&mut self, timer: Timer, late: u64) {
        match timer {
            Timer::Load => {
                self.cx.load_overdue();
                self.on(Input::CacheSettled);
            }
            Timer::Lost => self.lost = true,
            Timer::Post => self.cx.post_overdue(),
            Timer::Reopen => self.cx.reopen_due(),
            Timer::Cache => self.cx.caches_overdue(),
            Timer::Claim => {
                if self.state.may_send() || !self.cx.persistence.may_send() {
                    self.cx.claim_due();
                }
                self.on(Input::Work);
            }
            Timer::Persist => {
                self.cx.persist_overdue();
                self.on(Input::Work);
            }
            Timer::Linger => self.cx.linger_due(),
            Timer::Older => self.cx.older_overdue(),
            Timer::More => self.cx.end_loads(&Error::new(ErrorCode::Network, "")),
            Timer::Save => self.cx.save(),
            Timer::SignOut => self.sign_out(),
            timer => self.on(Input::Due(timer, late)),
        }
    }

    /// Executes the state machine's commands to HTTP transports, and gives it the results.
    fn drive_requests(&mut self) {
        loop {
            let events = self.cx.drive_requests();
            if events.is_empty() {
                return;
            }
            for (transport, event) in &events {
                let transport = *transport;
                self.on(match event {
                    TransportEvent::Alive => Input::Alive { transport },
                    TransportEvent::Busy(after) => Input::Busy { transport, after: *after },
                    TransportEvent::Closed(code, reason) => {
                        Input::Closed { transport, code: *code, reason }
                    }
                    TransportEvent::Opened => Input::Opened { transport },
                    TransportEvent::Part => Input::Part { transport },
                    TransportEvent::Text(text) => Input::Message { transport, text },
                });
            }
        }
    }

    /// Ends a sign-out that waits for nothing, updates the snapshots, and reports those that
    /// changed.
    fn finish(&mut self, out: &mut Vec<Command>) {
        if self.cx.account.is_leaving()
            && (self.cx.outbox.unanswered() == 0 || !self.state.may_send())
        {
            self.sign_out();
        }
        if self.cx.outbox.has_unresolved_marks() {
            self.resolve_marks();
        }
        let before = self.cx.inbox.revision();
        self.refresh_inbox();
        self.refresh_loads();
        self.drive_requests();
        let outbox = self.cx.outbox.differs_from(&self.outbox);
        if outbox {
            self.outbox = self.cx.outbox.snapshot();
        }
        self.cx.refresh_channels();
        self.cx.persist();
        self.tell_changes(before, outbox, out);
    }

    /// Reports the changed snapshots, and sets the timer. `before` is the inbox's revision as the
    /// app knows it.
    pub(crate) fn tell_changes(&mut self, before: u64, outbox: bool, out: &mut Vec<Command>) {
        let inbox = self.cx.inbox.revision() != before;
        let connection = self.refresh_connection();
        let changed = [
            inbox.then_some(Readable::Inbox),
            connection.then_some(Readable::Connection),
            outbox.then_some(Readable::Outbox),
        ];
        self.cx.deliver(changed, out);
        let next = self.cx.timers.next();
        if next != self.timer {
            self.timer = next;
            out.push(Command::SetTimer { at: next });
        }
    }

    pub(crate) fn refresh_inbox(&mut self) {
        let most = self.cx.config.items_max;
        self.cx.inbox.refresh(self.state.is_live(), self.cx.deferred, &self.cx.outbox, most);
    }

    /// Answers loads that have enough items, or can't get more.
    fn refresh_loads(&mut self) {
        let most = self.cx.config.items_max;
        if !self.cx.inbox.pager.is_idle() {
            let (done, idle) = self.cx.inbox.complete_loads(most);
            for intent in done {
                self.cx.settle(intent, None);
            }
            if idle {
                self.cx.timers.cancel(Timer::More);
            } else {
                self.on(Input::Work);
            }
        }
        self.cx.inbox.refresh_loads();
    }

    fn refresh_connection(&mut self) -> bool {
        let mut status = self.state.status();
        if !self.cx.world.online && matches!(status, Status::Connecting | Status::Waiting) {
            status = Status::Offline;
        }
        let missing = self.cx.world.wanted
            && !matches!(status, Status::Connected | Status::Closed | Status::SignedOut);
        if !missing {
            self.lost = false;
            self.cx.timers.cancel(Timer::Lost);
        } else if !self.lost {
            self.cx.bring_forward(Timer::Lost, self.cx.config.lost_after);
        }
        // No data of a signed-out user is shown, not even the name.
        let gone = status == Status::SignedOut && self.cx.inbox.fold().is_none();
        let connection = Connection {
            status,
            user: self.cx.account.user().filter(|_| !gone).map(String::from),
            error: self.cx.trouble.clone(),
            attempt: self.cx.failures.count(),
            retry_at: self.state.retry_at(),
            lost: self.lost,
            transport: self.state.transport(),
            durable: self.cx.durable(),
        };
        let changed = connection != self.connection;
        self.connection = connection;
        changed
    }
}
