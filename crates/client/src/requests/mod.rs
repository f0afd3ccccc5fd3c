//! Transports made of HTTP requests, for networks that let no WebSocket through.
//!
//! ```text
//!   machine ──OpenTransport, Send, CloseTransport──► Requests ──Request, AbortRequest──► driver
//!   machine ◄──Opened, Message, Closed────────────── Requests ◄──RequestAnswered, …───── driver
//! ```
//!
//! The machine talks to these as to any transport; what is different about them is known only here. Down comes one long
//! answer (`sse`) or one answer a call (`poll`); messages go up in requests of their own, one under way at a time. What is
//! followed is said when a stream is opened, so that subscribing means to open it again, from the cursors.
//!
//! | file | what |
//! |---|---|
//! | `mod` | what the machine asks for, and what comes of it |
//! | `link` | one such transport: its session, what waits to go up, answers under way |
//! | `stream` | lines and events from pieces |

mod link;
mod stream;

use tidings_protocol::{
    Channel, CloseCode, Decode, Encode, ErrorCode, Retry,
    client::{Connect, Subscribe},
    codec::Reader,
    server,
};

use crate::{Command, TransportKind, context::Context, timers::Timer};
use link::{Answer, Down, Format, Link, Session, head, is_last_word, is_replaced, problem};
use stream::{Events, TooLong};

/// Channels without a cursor that one address may name.
const ADDRESS_MAX: usize = 20;
/// Milliseconds between a wish to follow another channel and doing so: pages ask for several at once.
const GATHER: u64 = 20;
/// Something else than a server answered, such as a network that wants its users to sign in.
const FOREIGN: &str = "the poll's answer is not of a Tidings server";
/// What a transport that simply ended is closed with.
const ABNORMAL: u16 = CloseCode::ABNORMAL.0;

/// What the machine hears of a transport.
#[derive(Debug)]
pub(crate) enum TransportEvent {
    /// Something came, though no message.
    Alive,
    /// The server takes no messages up for now, for these milliseconds if it said so.
    Busy(Option<u64>),
    /// It ended.
    Closed(u16, String),
    /// It can carry messages.
    Opened,
    /// A part of a message came, or of a poll's answer.
    Part,
    /// A message.
    Text(String),
}

/// All transports made of requests: the one in use, and perhaps one that is being tried.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    links: Vec<Link>,
    /// What the machine asked of these transports, in its order. It is done when the machine has
    /// finished its step: a stream is opened from the cursors that the step leaves.
    pub(crate) commands: Vec<Command>,
    /// Last number given out.
    last: u64,
    events: Vec<(u64, TransportEvent)>,
}

impl Requests {
    /// Nothing is carried by requests.
    pub(crate) fn is_idle(&self) -> bool {
        self.links.is_empty()
    }

    /// Whether a transport is made of requests.
    pub(crate) fn carries(&self, transport: u64) -> bool {
        let opens = |command: &Command| match command {
            Command::OpenTransport { transport: opened, .. } => *opened == transport,
            _ => false,
        };
        self.find(transport).is_some() || self.commands.iter().any(opens)
    }

    fn find(&self, transport: u64) -> Option<usize> {
        self.links.iter().position(|link| link.transport == transport)
    }

    fn link(&mut self, transport: u64) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.transport == transport)
    }

    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

impl Context {
    /// Does what the machine asked of these transports, and answers what the machine has to hear.
    pub(crate) fn drive_requests(&mut self) -> Vec<(u64, TransportEvent)> {
        for command in core::mem::take(&mut self.requests.commands) {
            match &command {
                Command::OpenTransport { transport, kind } => {
                    let interval = self.config.heartbeat.min(self.fallback.heartbeat);
                    self.requests.links.push(Link::new(*transport, *kind, interval));
                    self.requests.events.push((*transport, TransportEvent::Opened));
                }
                Command::Send { transport, text } => {
                    if let Some(index) = self.requests.find(*transport) {
                        self.send_up(index, text);
                    }
                }
                Command::CloseTransport { transport, .. } => {
                    if let Some(index) = self.requests.find(*transport) {
                        self.abort(index);
                        self.requests.links.remove(index);
                    }
                }
                _ => {}
            }
        }
        for index in 0..self.requests.links.len() {
            self.post(index);
        }
        if self.requests.events.is_empty() {
            self.requests.links.retain(|link| !link.over);
        }
        core::mem::take(&mut self.requests.events)
    }

    /// A connection over one of these was accepted, or its stream was opened again.
    pub(crate) fn greeted(&mut self, transport: u64, connected: &server::Connected) {
        if let Some(link) = self.requests.link(transport) {
            let server::Connected { session, session_token, heartbeat_ms, .. } = connected;
            link.session = Session { name: session.clone(), token: session_token.clone() };
            link.entry = Some(session_token.clone());
            link.interval = link.interval.min(*heartbeat_ms);
            let opened = link.opened;
            self.timed(opened, connected.now);
        }
    }

    /// The session has a newer token: the stream ends with the older one, unless it is opened again.
    pub(crate) fn renewed(&mut self, transport: u64, session_token: &str) {
        if let Some(link) = self.requests.link(transport) {
            link.entry = Some(String::from(session_token));
            link.needs_reopen = true;
            self.bring_forward(Timer::Reopen, 0);
        }
    }

    /// The server has said how it goes on with a channel, or that it does not. Answers whether a stream owed that: there,
    /// answers have no numbers.
    pub(crate) fn subscription_answered(&mut self, transport: u64, channel: &Channel) -> bool {
        let Some(link) = self.requests.link(transport) else { return false };
        let was_pending = link.pending_subscriptions.contains(channel);
        link.pending_subscriptions.retain(|pending| pending != channel);
        if link.overflows_address && link.pending_subscriptions.is_empty() {
            link.needs_reopen = true;
            self.bring_forward(Timer::Reopen, 0);
        }
        was_pending
    }

    /// What there is to enter this session with elsewhere.
    pub(crate) fn entry(&self, transport: u64) -> Option<String> {
        self.requests.links.get(self.requests.find(transport)?)?.entry.clone()
    }

    /// The link may be dead without anybody saying so: opens it again, unless that was just done.
    pub(crate) fn renew(&mut self, transport: u64) {
        let now = self.now.mono;
        if let Some(index) = self.requests.find(transport)
            && let Some(link) = self.requests.links.get(index)
            && now.saturating_sub(link.opened) >= self.round_trip.patience(self.config.timeout)
        {
            self.enter(index, false);
        }
    }

    /// Opens streams again whose channels or credential changed.
    pub(crate) fn reopen_due(&mut self) {
        for index in 0..self.requests.links.len() {
            if self.requests.links.get(index).is_some_and(|link| link.needs_reopen && !link.over) {
                self.enter(index, false);
            }
        }
    }

    /// Messages that went up had no answer in time.
    pub(crate) fn post_overdue(&mut self) {
        for index in 0..self.requests.links.len() {
            if self.requests.links.get(index).is_some_and(|link| link.post.is_some()) {
                self.end_link(index, ABNORMAL, "a message had no answer");
            }
        }
    }

    /// A request has its status.
    pub(crate) fn request_answered(&mut self, request: u64, status: u16, after: Option<u64>) {
        if let Some((_, answer)) = self.answer(request) {
            answer.status = Some(status);
            answer.after = after;
        }
    }

    /// A piece of an answer came.
    pub(crate) fn request_received(&mut self, request: u64, piece: &str) {
        let mut found = Vec::new();
        let Some((index, answer)) = self.answer(request) else { return };
        let taken = answer.take(piece, &mut |line| found.push(String::from(line)));
        self.lines(index, request, found);
        if taken == Err(TooLong) {
            self.end_link(index, ABNORMAL, "a message is longer than any server sends");
        }
    }

    /// A request is over. `reason`: before its answer was complete.
    pub(crate) fn request_ended(&mut self, request: u64, reason: Option<&str>) {
        let Some((index, answer)) = self.answer(request) else { return };
        answer.done = true;
        let good = answer.is_good() && reason.is_none();
        let rest = String::from(answer.rest());
        if good && !rest.is_empty() {
            self.lines(index, request, vec![rest]);
        }
        let Some(link) = self.requests.links.get_mut(index) else { return };
        if let Some(answer) = link.post.take_if(|post| post.request == request) {
            self.timers.cancel(Timer::Post);
            if !good {
                self.post_refused(index, &answer, reason);
            }
            return;
        }
        let Some(down) = link.down.take() else { return };
        let lived = self.now.mono.saturating_sub(link.opened) >= self.config.timeout;
        match down.format {
            // Its time is up, as that of each stream once: it is none of those that are let in and thrown out.
            Format::Events(_) if good && lived && link.entry.is_some() && !link.last_word => {
                self.enter(index, false);
            }
            Format::Lines { begun: true } if good => {
                let news = link.pending_subscriptions.is_empty()
                    && !link.overflows_address
                    && !link.needs_reopen;
                let transport = link.transport;
                self.requests.events.push((transport, TransportEvent::Alive));
                self.enter(index, news);
            }
            _ => self.down_ended(index, &down.answer, reason),
        }
    }

    /// A message of the machine.
    fn send_up(&mut self, index: usize, text: &str) {
        let Ok(mut reader) = Reader::check(text) else { return };
        let kind = reader.kind();
        let Some(link) = self.requests.links.get_mut(index) else { return };
        match &*kind {
            "connect" => {
                link.connect = Connect::from_json(text).ok().map(Box::new);
                self.enter(index, false);
            }
            "subscribe" => {
                let Ok(Subscribe { channel, since, .. }) = Subscribe::from_json(text) else {
                    return;
                };
                link.drops_inbox_cursors |= since.is_none() && channel.inbox_user().is_some();
                if link.drops_inbox_cursors || !link.pending_subscriptions.contains(&channel) {
                    link.needs_reopen = true;
                    self.bring_forward(Timer::Reopen, GATHER);
                }
            }
            // A stream opened the next time does without. Silence says more than a ping up could: it is the way
            // down that matters.
            "unsubscribe" | "ping" => {}
            _ => link.push(text),
        }
    }

    /// Opens what comes down, from the cursors. `news`: goes on with a poll, where only what is new says anything.
    fn enter(&mut self, index: usize, news: bool) {
        let drops_inbox_cursors =
            self.requests.links.get(index).is_some_and(|link| link.drops_inbox_cursors);
        let (cursors, mut fresh) = self.followed(!drops_inbox_cursors);
        let request = self.requests.next();
        let (now, patience) = (self.now.mono, self.round_trip.patience(self.config.timeout));
        let Some(link) = self.requests.links.get_mut(index) else { return };
        let Some(connect) = &mut link.connect else { return };
        let mut pending_subscriptions: Vec<Channel> =
            cursors.iter().map(|(channel, _)| channel.clone()).collect();
        link.overflows_address = fresh.len() > ADDRESS_MAX;
        fresh.truncate(ADDRESS_MAX);
        let mut path = String::from(match link.kind {
            TransportKind::Poll => "poll?wait=",
            _ => "sse?heartbeat=",
        });
        let interval = if link.kind == TransportKind::Poll && !news { 0 } else { link.interval };
        interval.encode(&mut path);
        for channel in fresh {
            path.push_str("&channel=");
            path.push_str(&channel.to_url_segment());
            pending_subscriptions.push(channel);
        }
        connect.cursors = (!cursors.is_empty()).then_some(cursors);
        if link.entry.is_some() {
            connect.session_token.clone_from(&link.entry);
        }
        let body = connect.to_json();
        // Spent by this.
        connect.ticket = None;
        connect.token = None;
        if !news {
            link.pending_subscriptions = pending_subscriptions;
            link.drops_inbox_cursors = false;
        }
        link.needs_reopen = false;
        link.last_word = false;
        link.opened = now;
        let format = match link.kind {
            TransportKind::Poll => Format::Lines { begun: false },
            _ => Format::Events(Events::default()),
        };
        let before = link.down.replace(Down { answer: Answer::new(request), format });
        if link.entry.is_some() && !news {
            self.timers.bring_forward(Timer::Silence, now, patience);
        }
        if let Some(before) = before {
            self.parted = Some(now);
            self.ask(Command::AbortRequest { request: before.answer.request });
        }
        self.ask(Command::Request { request, path, bearer: None, body });
    }

    /// Sends up what waits, unless something is on its way.
    fn post(&mut self, index: usize) {
        let request = self.requests.last + 1;
        let Some(link) = self.requests.links.get_mut(index) else { return };
        if link.post.is_some() || link.over || link.entry.is_none() {
            return;
        }
        let Some(body) = link.take_up() else { return };
        self.requests.last = request;
        link.post = Some(Answer::new(request));
        let path = crate::error::joined(&["sessions/", &link.session.name, "/messages"]);
        let bearer = Some(link.session.token.clone());
        self.await_answer(Timer::Post);
        self.ask(Command::Request { request, path, bearer, body });
    }

    /// Lines of an answer.
    fn lines(&mut self, index: usize, request: u64, lines: Vec<String>) {
        let Some(link) = self.requests.links.get_mut(index) else { return };
        let transport = link.transport;
        let events = &mut self.requests.events;
        let down = link.down.as_mut().filter(|down| down.answer.request == request);
        let Some(down) = down else {
            events.extend(lines.into_iter().map(|line| (transport, TransportEvent::Text(line))));
            return;
        };
        if down.answer.is_good() {
            let is_part = lines.is_empty() || matches!(down.format, Format::Lines { .. });
            events.push((
                transport,
                if is_part { TransportEvent::Part } else { TransportEvent::Alive },
            ));
        }
        for line in lines {
            let text = match &mut down.format {
                Format::Events(events) => {
                    let text = events.line(&line);
                    link.last_word |= text.as_deref().is_some_and(is_last_word);
                    text
                }
                Format::Lines { begun: true } => Some(line),
                Format::Lines { begun } => match head(&line) {
                    Some((session, now)) => {
                        *begun = true;
                        if let Some(now) = now {
                            self.clock.learn(self.now, now, self.round_trip.estimate());
                        }
                        link.entry = Some(session.token.clone());
                        link.session = session;
                        None
                    }
                    None => return self.end_link(index, ABNORMAL, FOREIGN),
                },
            };
            if text.as_deref().is_some_and(is_replaced) && link.entry.is_some() {
                return self.replaced(index, text);
            }
            events.extend(text.map(|text| (transport, TransportEvent::Text(text))));
        }
    }

    /// A newer call of this page took over, the server says. Where that can be one of its own that was given up and came late, it is
    /// made again, and nobody sees anything; else the machine hears the `text`.
    fn replaced(&mut self, index: usize, text: Option<String>) {
        if !self.is_its_own_rival_once() {
            let transport = self.requests.links.get(index).map(|link| link.transport);
            let event = transport
                .zip(text)
                .map(|(transport, text)| (transport, TransportEvent::Text(text)));
            return self.requests.events.extend(event);
        }
        let Some(link) = self.requests.links.get_mut(index) else { return };
        // Once what came before it was taken.
        link.needs_reopen = true;
        if let Some(down) = link.down.take().filter(|down| !down.answer.done) {
            self.ask(Command::AbortRequest { request: down.answer.request });
        }
        self.bring_forward(Timer::Reopen, 0);
    }

    /// What comes down ended, or was refused.
    fn down_ended(&mut self, index: usize, answer: &Answer, reason: Option<&str>) {
        if is_replaced(answer.refusal())
            && self.requests.links.get(index).is_some_and(|link| link.entry.is_some())
            && self.is_its_own_rival_once()
        {
            return self.enter(index, false);
        }
        let refusal = server::Error::from_json(answer.refusal());
        if let (Some(_), Ok(refusal)) = (answer.status, refusal)
            && let Some(link) = self.requests.links.get(index)
        {
            let text = refusal.to_json();
            self.requests.events.push((link.transport, TransportEvent::Text(text)));
        }
        let reason = explained(answer, reason);
        self.end_link(index, ABNORMAL, &reason);
    }

    /// Messages up were not taken.
    fn post_refused(&mut self, index: usize, answer: &Answer, reason: Option<&str>) {
        let Some(link) = self.requests.links.get_mut(index) else { return };
        let code = problem(answer.refusal()).and_then(|code| ErrorCode::from_name(&code));
        let busy = match (code, answer.status) {
            (Some(code), _) => code.retry() == Retry::Backoff,
            (None, Some(status)) => status == 429,
            (None, None) => false,
        };
        if busy {
            link.forget_up();
            let event = TransportEvent::Busy(answer.after);
            self.requests.events.push((link.transport, event));
            return;
        }
        let close = code.and_then(ErrorCode::close).map_or(ABNORMAL, |close| close.0);
        let reason = explained(answer, reason);
        self.end_link(index, close, &reason);
    }

    /// A transport is over; the machine hears why.
    fn end_link(&mut self, index: usize, code: u16, reason: &str) {
        self.abort(index);
        if let Some(link) = self.requests.links.get_mut(index)
            && !link.over
        {
            link.over = true;
            let event = TransportEvent::Closed(code, String::from(reason));
            self.requests.events.push((link.transport, event));
        }
    }

    /// Lets go of a transport's requests.
    fn abort(&mut self, index: usize) {
        let Some(link) = self.requests.links.get_mut(index) else { return };
        let down = link.down.take().map(|down| down.answer);
        let post = link.post.take();
        // A call that was answered in full is no rival of the next one.
        if down.as_ref().is_some_and(|down| !down.done) {
            self.parted = Some(self.now.mono);
        }
        if post.is_some() {
            self.timers.cancel(Timer::Post);
        }
        for answer in [down, post].into_iter().flatten() {
            if !answer.done {
                self.ask(Command::AbortRequest { request: answer.request });
            }
        }
    }

    /// Which link and answer a request is of.
    fn answer(&mut self, request: u64) -> Option<(usize, &mut Answer)> {
        for (index, link) in self.requests.links.iter_mut().enumerate() {
            let Link { down, post, .. } = link;
            let answers = [down.as_mut().map(|down| &mut down.answer), post.as_mut()];
            if let Some(answer) =
                answers.into_iter().flatten().find(|answer| answer.request == request)
            {
                return Some((index, answer));
            }
        }
        None
    }
}

/// Why an answer is not what it should be, in words.
fn explained(answer: &Answer, reason: Option<&str>) -> String {
    match (answer.status, reason) {
        (None | Some(200), Some(reason)) => String::from(reason),
        (None | Some(200), None) => String::from("the stream ended"),
        (Some(status), _) => {
            let mut text = String::from("the server, or a proxy before it, answered HTTP ");
            u64::from(status).encode(&mut text);
            text
        }
    }
}
