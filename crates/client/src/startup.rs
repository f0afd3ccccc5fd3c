//! The startup path: the part of the client that a page needs until its first inbox is shown.
//!
//! It handles only the case in which nothing fails: load the cache, fetch a ticket, open, send
//! `connect`, subscribe, take the snapshot. Each step calls the same functions that
//! [`machine`](crate::machine) calls. Only the choice between the steps is written a second time
//! here, because there it comes with all other events.
//!
//! An event outside this path is held, with all events after it, until the deferred part is loaded.
//! Then the client handles them in order. A test compares both paths: they must give the same
//! commands.

use tidings_protocol::{
    Decode, DecodeError,
    codec::{Reader, messages_of},
    server::{Connected as Greeting, Snapshot, Subscribed},
};

use crate::{
    Client, Command, Credential, DeferredLoaded, Event, TransportKind, User, connected::Connected,
    connecting::Connecting, deferred, machine::State, timers::Timer,
};

/// Most events held, and most bytes of frames. Further frames are dropped: resume brings their
/// records again.
const HELD_MAX: usize = 1_000;
/// See [`HELD_MAX`].
const BYTES_MAX: usize = 1 << 20;

/// Events that wait for the deferred part.
#[derive(Debug, Default)]
pub(crate) struct StartupQueue {
    events: Vec<Event>,
    bytes: usize,
    /// Whether the two clocks diverged.
    jumped: bool,
    /// Whether the deferred part was requested.
    asked: bool,
}

impl StartupQueue {
    fn push(&mut self, event: Event) {
        // Taken apart, because only the deferred part has the code that drops arbitrary events.
        let event = match event {
            Event::TransportReceived { transport, text } => {
                if self.events.len() >= HELD_MAX || self.bytes + text.len() > BYTES_MAX {
                    return;
                }
                self.bytes += text.len();
                Event::TransportReceived { transport, text }
            }
            event => event,
        };
        self.events.push(event);
    }

    fn is_empty(&self) -> bool {
        self.events.is_empty() && !self.jumped
    }

    /// Takes the held events in order, and whether the clocks diverged meanwhile.
    pub(crate) fn take(&mut self) -> (Vec<Event>, bool) {
        let Self { events, jumped, .. } = core::mem::take(self);
        (events, jumped)
    }
}

/// A message on the startup path.
enum StartupMessage {
    Connected(Greeting),
    Snapshot(Snapshot),
    Subscribed(Subscribed),
}

impl StartupMessage {
    /// Reads a message. `None`: it is another one, or it is broken.
    fn read(text: &str) -> Option<Self> {
        let message = || -> Result<Option<Self>, DecodeError> {
            let mut reader = Reader::check(text)?;
            let message = match &*reader.kind() {
                "connected" => Some(Self::Connected(Greeting::read(&mut reader))),
                "snapshot" => Some(Self::Snapshot(Snapshot::read(&mut reader))),
                "subscribed" => Some(Self::Subscribed(Subscribed::read(&mut reader))),
                _ => None,
            };
            reader.finish(message)
        };
        message().ok().flatten()
    }
}

impl Client {
    /// Handles an event before the deferred part is loaded.
    pub(crate) fn handle_startup(&mut self, event: Event, jumped: bool, out: &mut Vec<Command>) {
        if let Event::DeferredLoaded = event {
            let deferred = DeferredLoaded::is_there();
            self.cx.deferred = Some(deferred);
            deferred::handle(deferred, self, event, jumped, out);
            return;
        }
        self.startup_queue.jumped |= jumped;
        let held = self.step(event);
        if let Some(event) = held {
            self.startup_queue.push(event);
        }
        // When the inbox is shown, the path ends: every later event needs the deferred part.
        let wanted = !self.startup_queue.is_empty() || self.state.is_live();
        if wanted && !self.startup_queue.asked {
            self.startup_queue.asked = true;
            self.cx.ask(Command::LoadDeferred);
        }
        let before = self.cx.inbox.revision();
        self.refresh_inbox();
        self.tell_changes(before, false, out);
    }

    /// Takes a step of the startup path. Returns an event that is not on it. It also returns every
    /// event when a deadline is due, because each deadline of the path means that a step took too
    /// long.
    fn step(&mut self, event: Event) -> Option<Event> {
        let due = self.cx.timers.next().is_some_and(|at| at <= self.cx.now.mono);
        if due || !self.startup_queue.is_empty() {
            return Some(event);
        }
        self.startup_step(event)
    }

    fn startup_step(&mut self, event: Event) -> Option<Event> {
        let cx = &mut self.cx;
        match (&mut self.state, event) {
            (State::Idle(_), Event::UserChanged(User::Named(user))) if cx.account.is_unknown() => {
                cx.name(user);
            }
            (State::Idle(_), Event::UserChanged(User::Unknown)) if cx.account.is_unknown() => {}
            (State::Idle(_), Event::ConnectRequested) => {
                cx.world.wanted = true;
                self.state = Connecting::begin(cx);
            }
            (
                State::Connecting(Connecting::Fetching { attempt }),
                Event::CredentialFetched {
                    attempt: answered,
                    result: Ok(credential @ (Credential::Ticket(_) | Credential::Token(_))),
                },
            ) if *attempt == answered && cx.fallback.kind(&cx.config) == TransportKind::Ws => {
                self.state = Connecting::open(TransportKind::Ws, &credential, cx);
            }
            (
                State::Connecting(Connecting::Opening { transport, kind, credential }),
                Event::TransportOpened { transport: opened },
            ) if *transport == opened => {
                self.state = Connecting::opened(*transport, *kind, credential, cx);
            }
            (_, Event::StorageLoaded { user, saved }) if cx.inbox.fold().is_none() => {
                if let Some(snapshot) = cx.cached(&user, saved.as_deref()) {
                    cx.inbox.start(&snapshot, cx.config.keep);
                }
                if let State::Connecting(Connecting::Loading { transport, kind, credential }) =
                    &self.state
                {
                    self.state = Connecting::greet(*transport, *kind, credential, cx);
                }
            }
            (_, Event::TransportReceived { transport, text }) => {
                return self.startup_frame(transport, &text);
            }
            (_, Event::TimerFired) => self.timer = None,
            // A page wakes when it loads. Before there is a connection to probe, that means
            // nothing.
            (State::Idle(_) | State::Connecting(_), Event::Woke) => {}
            (_, event) => return Some(event),
        }
        None
    }

    /// Handles the messages of a frame one by one; holds the frame from the first message that is
    /// not on the path.
    fn startup_frame(&mut self, transport: u64, text: &str) -> Option<Event> {
        for message in messages_of(text) {
            if !self.startup_message(transport, message) {
                // The held part of the frame starts at this message.
                let start = message.as_ptr().addr() - text.as_ptr().addr();
                let text = String::from(text.get(start..)?);
                return Some(Event::TransportReceived { transport, text });
            }
        }
        None
    }

    /// Handles a message. `false`: it is not on the path, and nothing was changed.
    fn startup_message(&mut self, from: u64, text: &str) -> bool {
        let Some(message) = StartupMessage::read(text) else { return false };
        let cx = &mut self.cx;
        match (&mut self.state, message) {
            (
                State::Connecting(Connecting::Greeting { transport, kind, sent }),
                StartupMessage::Connected(greeting),
            ) if *transport == from && cx.meets(&greeting.user_id) => {
                cx.timers.cancel(Timer::Connect);
                cx.timed(*sent, greeting.now);
                let state = Connected::new(*transport, *kind, &greeting, cx);
                self.state = State::Connected(Box::new(state));
                true
            }
            (State::Connected(state), message) if state.is_of(from) => match message {
                StartupMessage::Connected(_) => false,
                StartupMessage::Snapshot(snapshot) => state.takes_snapshot(&snapshot, cx),
                StartupMessage::Subscribed(answer) => state.takes_subscribed(&answer, cx),
            },
            _ => false,
        }
    }
}
