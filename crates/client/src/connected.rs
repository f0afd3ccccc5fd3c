//! The connection is accepted: subscribe to the logs, send pending intents, keep the connection
//! alive.

mod inbound;

use tidings_protocol::{
    Channels, CloseCode,
    client::{Cursor, History},
    limits::PAGE_DEFAULT,
    server::{self, Snapshot, Subscribed},
};

use crate::{
    TransportKind,
    auth::{Refresher, Renewal},
    connecting::Connecting,
    context::Context,
    ended::Ended,
    error::Failure,
    heartbeat::Heartbeat,
    machine::{Input, State},
    resume::{Fit, Resume},
    timers::Timer,
    upgrade::Upgrade,
    waiting::Waiting,
};

/// A connection.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) transport: u64,
    kind: TransportKind,
    heartbeat: Heartbeat,
    refresher: Refresher,
    resume: Resume,
    /// Most items of one page.
    page: u32,
    /// Longest message in bytes.
    bytes: usize,
    /// The server refused an intent for now: no intent is sent until the timer.
    held: bool,
    /// A better transport that is being tried.
    pub(crate) upgrade: Option<Upgrade>,
    /// The last error that answered no request, and its time: it explains a close that follows.
    error: Option<(u64, Failure)>,
}

/// Why a connection ends.
#[derive(Debug)]
enum End {
    /// A failure; the transport is still open.
    Failed(Failure),
    /// The server or the network closed the transport.
    Gone(Failure),
    /// The server asked the client to leave.
    Goaway,
    /// The ticket function said that no user is signed in.
    SignedOut,
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Connected {
    pub(crate) fn begin(
        transport: u64,
        kind: TransportKind,
        connected: &server::Connected,
        cx: &mut Context,
    ) -> State {
        let mut state = Self::new(transport, kind, connected, cx);
        state.greeted(connected, cx);
        state.go_on(cx);
        State::Connected(Box::new(state))
    }

    /// Starts the rest of a connection's work: other channels, the outbox, the upgrade.
    pub(crate) fn go_on(&mut self, cx: &mut Context) {
        cx.claim();
        cx.channels_connected(self.transport, self.page);
        Upgrade::schedule(cx);
        self.work(cx);
    }

    /// A connection on which no message was sent yet.
    pub(crate) fn new(
        transport: u64,
        kind: TransportKind,
        connected: &server::Connected,
        cx: &mut Context,
    ) -> Self {
        cx.trouble = None;
        cx.fallback.accepted(cx.now.mono);
        Refresher::schedule(connected.expires_at, cx);
        Self {
            transport,
            kind,
            heartbeat: Heartbeat::begin(connected, cx),
            refresher: Refresher::default(),
            resume: Resume::begin(transport, cx),
            page: connected.limits.page.clamp(1, PAGE_DEFAULT),
            bytes: connected.limits.message_bytes as usize,
            held: false,
            upgrade: None,
            error: None,
        }
    }

    /// Prepares the heartbeat and the requests of an HTTP transport.
    fn greeted(&self, connected: &server::Connected, cx: &mut Context) {
        if self.kind != TransportKind::Ws {
            self.heartbeat.listen(cx);
            cx.greeted(self.transport, connected);
        }
    }

    pub(crate) fn is_live(&self) -> bool {
        self.resume.is_live()
    }

    pub(crate) fn kind(&self) -> TransportKind {
        self.kind
    }

    pub(crate) fn on(mut self: Box<Self>, input: Input<'_>, cx: &mut Context) -> State {
        match self.handle(input, cx) {
            Ok(()) => State::Connected(self),
            Err(End::Failed(failure)) => {
                self.leave(cx);
                State::failed(failure, cx)
            }
            Err(End::Goaway) => {
                self.leave(cx);
                Connecting::begin(cx)
            }
            Err(End::Gone(failure)) => self.gone(failure, cx),
            Err(End::SignedOut) => {
                self.leave(cx);
                State::Ended(Ended::SignedOut)
            }
        }
    }

    fn handle(&mut self, input: Input<'_>, cx: &mut Context) -> Result<(), End> {
        match input {
            Input::Closed { transport, code, reason } if transport == self.transport => {
                return Err(End::Gone(self.explained(code, reason, cx)));
            }
            Input::Alive { transport } if transport == self.transport => Heartbeat::received(cx),
            Input::Part { transport } if transport == self.transport => {
                Heartbeat::received(cx);
                if cx.timers.at(Timer::Sync).is_some() {
                    cx.await_answer(Timer::Sync);
                }
            }
            Input::Busy { transport, after } if transport == self.transport => {
                self.hold(after, cx);
                cx.outbox.recall();
                cx.pages_lost(after);
            }
            Input::Closed { transport, .. }
            | Input::Opened { transport }
            | Input::Message { transport, .. }
                if self.upgrade.as_ref().is_some_and(|upgrade| upgrade.is_of(transport)) =>
            {
                self.upgrading(input, cx);
            }
            Input::Credential { attempt, result } => {
                let renewal = self.refresher.fetched(attempt, result, self.transport, cx);
                if renewal == Renewal::SignedOut {
                    return Err(End::SignedOut);
                }
            }
            Input::Online => {
                self.upgrade_soon(cx);
                if cx.world.visible {
                    self.heartbeat.probe(self.transport, cx);
                }
            }
            Input::Doubt | Input::Offline | Input::RetryNow | Input::Woke if cx.world.visible => {
                self.heartbeat.probe(self.transport, cx);
            }
            Input::Due(timer, late) => self.due(timer, late, cx)?,
            Input::Message { transport, text } if transport == self.transport => {
                // On HTTP transports, each piece that arrived was already noted as a sign of life.
                // The answer to a POST says nothing about the way down.
                if self.kind == TransportKind::Ws {
                    Heartbeat::received(cx);
                }
                self.message(text, cx)?;
            }
            Input::Work => self.work(cx),
            _ => {}
        }
        Ok(())
    }

    fn due(&mut self, timer: Timer, late: u64, cx: &mut Context) -> Result<(), End> {
        match timer {
            Timer::Answer => {
                // A pause is over, or an answer is missing. The server answers a repeat as it did
                // the first time.
                self.held = false;
                cx.outbox.recall();
                self.work(cx);
            }
            Timer::Upgrade => self.upgrade_due(cx),
            Timer::Credential => self.refresher.overdue(cx),
            Timer::Lookup => {
                if let Some(lookup) = &mut cx.inbox.lookup {
                    lookup.missed();
                }
                self.work(cx);
            }
            Timer::Goaway => return Err(End::Goaway),
            Timer::Pages => self.work(cx),
            Timer::Ping => self.heartbeat.ping(self.transport, cx),
            Timer::Refresh => self.refresher.begin(cx),
            Timer::Rooms => {
                let overdue = cx.rooms_overdue();
                self.unless_held_back(overdue, cx)?;
            }
            Timer::Silence => {
                let silent = self.heartbeat.silent(late, self.transport, cx);
                self.unless_held_back(silent, cx)?;
            }
            Timer::Steady => cx.failures.reset(),
            Timer::Sync => {
                let overdue = self.resume.overdue(cx);
                self.unless_held_back(overdue, cx)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// A stream that opened but brings nothing is held back by a proxy that fills its buffer first.
    fn unless_held_back(
        &self,
        outcome: Result<(), Failure>,
        cx: &mut Context,
    ) -> Result<(), Failure> {
        if outcome.is_err() && self.kind == TransportKind::Sse {
            cx.fallback.fall_back(&cx.config);
        }
        outcome
    }

    pub(crate) fn is_of(&self, transport: u64) -> bool {
        self.transport == transport
    }

    /// Takes a snapshot, unless it must be requested again or belongs to another log than the
    /// current one.
    pub(crate) fn takes_snapshot(&mut self, snapshot: &Snapshot, cx: &mut Context) -> bool {
        let fit = self.resume.fit(snapshot, cx);
        if fit == Fit::Again || Resume::is_elsewhere(snapshot, cx) {
            return false;
        }
        if fit == Fit::Forward {
            self.resume.begin_at(snapshot, cx);
            self.resume.go_on(cx);
        }
        true
    }

    /// Takes the answer to a subscription, unless it contradicts the request or belongs to another
    /// log than the current one.
    pub(crate) fn takes_subscribed(&mut self, answer: &Subscribed, cx: &mut Context) -> bool {
        Resume::names_held_epoch(answer, cx) && self.resume.takes(answer, cx)
    }

    /// The server takes no intents for now.
    fn hold(&mut self, after: Option<u64>, cx: &mut Context) {
        self.held = true;
        let wait = after.unwrap_or(cx.config.backoff.base);
        let jitter = cx.rng.up_to(cx.config.backoff.base);
        cx.set(Timer::Answer, wait.saturating_add(jitter));
    }

    /// The reason of a close: the server's last error, or else the close code.
    fn explained(&mut self, code: u16, reason: &str, cx: &mut Context) -> Failure {
        match self.error.take() {
            Some((at, failure)) if cx.now.mono.saturating_sub(at) <= cx.config.timeout => failure,
            _ => {
                if code == CloseCode::ABNORMAL.0 && cx.timers.at(Timer::Goaway).is_none() {
                    cx.fallback.cut(cx.now.mono, cx.last_received, &cx.config);
                }
                Failure::of_close(code, reason)
            }
        }
    }

    /// An intent has its answer: wait for the answer to the next.
    fn answered(&mut self, cx: &mut Context) {
        if !self.held {
            cx.timers.cancel(Timer::Answer);
        }
        self.work(cx);
    }

    /// Sends everything that waits to be sent.
    fn work(&mut self, cx: &mut Context) {
        cx.persist();
        cx.channels_work();
        if !self.held {
            let own = cx.persistence.may_send();
            while let Some(text) = cx.outbox.next(cx.upcoming_request(), own, self.bytes) {
                cx.next_request();
                cx.send_text(self.transport, text);
            }
            if cx.outbox.in_flight() && cx.timers.at(Timer::Answer).is_none() {
                cx.await_answer(Timer::Answer);
            }
        }
        if self.is_live() {
            self.seek(cx);
        }
        if self.is_live()
            && cx.may_ask_for_pages()
            && cx.inbox.pager.wants_page()
            && let Some((log, before)) = cx.inbox.next_page(cx.config.items_max)
            && let Some(fold) = cx.inbox.fold()
        {
            let (channel, since) =
                (fold.channel_of(log), fold.cursor(crate::inbox::Log::Inbox).offset);
            let id = cx.next_request();
            let history = History {
                id: Some(id),
                channel,
                before: Some(before),
                after: None,
                limit: Some(self.page),
            };
            cx.send(self.transport, &history);
            cx.inbox.pager.sent(id, since, before);
        }
    }

    /// Asks for the next page of a search.
    fn seek(&mut self, cx: &mut Context) {
        let id = cx.upcoming_request();
        if let Some(lookup) = &mut cx.inbox.lookup
            && let Some((log, before)) = lookup.next()
            && let Some(channel) = cx.inbox.fold().map(|fold| fold.channel_of(log))
            && let Some(lookup) = &mut cx.inbox.lookup
        {
            lookup.sent(id, log);
            cx.next_request();
            let (before, limit) = (Some(before), Some(self.page));
            let id = Some(id);
            cx.send(self.transport, &History { id, channel, before, after: None, limit });
            cx.set(Timer::Lookup, cx.config.timeout);
        }
    }

    /// The server or the network closed the transport.
    fn gone(&mut self, failure: Failure, cx: &mut Context) -> State {
        // A client that was asked to leave goes at the time it chose, and that is not a failure.
        let left = cx.timers.at(Timer::Goaway).map(|at| at.saturating_sub(cx.now.mono));
        self.let_go(cx);
        match left {
            Some(left) => {
                cx.trouble = Some(failure.why().error);
                Waiting::begin(left, true, cx)
            }
            None => State::failed(failure, cx),
        }
    }

    /// Moves to another transport, whose `connect` carried the cursors in `named`. The shown data
    /// stays as it is.
    pub(crate) fn move_to(
        &mut self,
        transport: u64,
        kind: TransportKind,
        greeting: &server::Connected,
        named: &Channels<Cursor>,
        cx: &mut Context,
    ) {
        let was_live = self.resume.is_live();
        // Intents without an answer are sent again on the new transport; the server answers a
        // repeat with the first answer.
        self.let_go_of_answers(cx);
        cx.close_transport(self.transport);
        *self = Self::new(transport, kind, greeting, cx);
        self.resume.goes_on(was_live, named, cx);
        self.greeted(greeting, cx);
        cx.claim();
        cx.channels_moved(self.transport, self.page, named);
        Upgrade::schedule(cx);
        self.work(cx);
    }

    pub(crate) fn leave(&mut self, cx: &mut Context) {
        self.let_go(cx);
        cx.close_transport(self.transport);
    }

    fn let_go(&mut self, cx: &mut Context) {
        cx.channels_disconnected();
        self.let_go_of_answers(cx);
    }

    /// Requests on this connection get no answers any more.
    fn let_go_of_answers(&mut self, cx: &mut Context) {
        Heartbeat::end(cx);
        Resume::end(cx);
        self.give_up_upgrade(cx);
        self.refresher.end(cx);
        cx.timers.cancel(Timer::Answer);
        cx.timers.cancel(Timer::Goaway);
        cx.outbox.recall();
        cx.inbox.pager.cut();
        cx.timers.cancel(Timer::Pages);
        cx.timers.cancel(Timer::Lookup);
        if let Some(lookup) = &mut cx.inbox.lookup {
            lookup.cut();
        }
    }
}
