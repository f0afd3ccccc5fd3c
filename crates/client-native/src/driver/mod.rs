//! The client's one task: turns events into input of the core, and executes the core's commands.

mod asking;
mod channels;
mod clock;
mod link;
mod requests;
mod text;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use tidings_client_core::{
    ChannelView, Client, Command, Connection, Error, Event, Filter, InboxView, MarkTargets, Outbox,
    Readable, Status, Stored,
};
use tidings_protocol::{Channel, Json, MarkSet};
use tokio::{
    select,
    sync::{Notify, broadcast, mpsc, oneshot, watch},
};
use tracing::{debug, warn};

use crate::{
    ClientEvent,
    endpoint::Endpoint,
    state::{Job, State},
};

pub(crate) use asking::Asking;
use channels::Channels;
use clock::{Clock, alarm};
use link::Link;
use requests::Requests;

/// The final answer to an intent.
type Answer = Result<Option<Stored>, Error>;

/// A call from a handle.
#[derive(Debug)]
pub(crate) enum Input {
    /// An event that needs no answer.
    Event(Event),
    /// Marks items.
    Mark { targets: MarkTargets, set: MarkSet, reply: oneshot::Sender<Answer> },
    /// Publishes a message.
    Publish { channel: Channel, data: Json, reply: oneshot::Sender<Answer> },
    /// Subscribes to a channel.
    Subscribe { channel: Channel, reply: oneshot::Sender<watch::Receiver<ChannelView>> },
    /// The last reader of a channel may have gone.
    Unread { channel: Channel },
    /// Loads older messages of a channel.
    Older { channel: Channel, reply: oneshot::Sender<Answer> },
    /// Retries a refused intent.
    Retry { id: u64, reply: oneshot::Sender<Answer> },
    /// Loads older items.
    More { reply: oneshot::Sender<Answer> },
    /// Describes the state in words.
    Explain { reply: oneshot::Sender<String> },
}

/// The receiving side of the app's calls.
pub(crate) struct Inlets {
    pub(crate) inputs: mpsc::Receiver<Input>,
    /// For calls that the client makes itself; weak, so that it does not keep itself alive.
    pub(crate) sender: mpsc::WeakSender<Input>,
    pub(crate) wanted: Arc<Notify>,
}

/// The sending side of the state that the app reads.
pub(crate) struct Senders {
    pub(crate) connection: watch::Sender<Connection>,
    pub(crate) inbox: watch::Sender<InboxView>,
    pub(crate) outbox: watch::Sender<Outbox>,
    pub(crate) events: broadcast::Sender<ClientEvent>,
}

/// The result of [`Driver::next`].
enum Next {
    Event(Event),
    Input(Input),
    /// The last handle was dropped.
    Abandoned,
}

pub(crate) struct Driver {
    core: Client,
    clock: Clock,
    link: Link,
    requests: Requests,
    asking: Asking,
    /// State that outlives the process, if the app wants that.
    state: Option<State>,
    channels: Channels,
    /// When the timer fires, on the core's monotonic clock.
    timer: Option<u64>,
    inputs: mpsc::Receiver<Input>,
    wanted: Arc<Notify>,
    senders: Senders,
    /// Calls whose intents have no answer yet. The core's `outbox_max` bounds them, because the
    /// core at once answers the intents that it does not take.
    calls: BTreeMap<u64, oneshot::Sender<Answer>>,
    last_intent: u64,
    /// Reused to save allocations.
    commands: Vec<Command>,
}

impl Driver {
    pub(crate) fn new(
        core: Client,
        endpoint: Endpoint,
        asking: Asking,
        state: Option<State>,
        inlets: Inlets,
        senders: Senders,
    ) -> Self {
        let Inlets { inputs, sender, wanted } = inlets;
        Self {
            core,
            clock: Clock::start(),
            link: Link::new(endpoint.websocket),
            requests: Requests::new(endpoint.requests),
            asking,
            state,
            channels: Channels::new(sender),
            timer: None,
            inputs,
            wanted,
            senders,
            calls: BTreeMap::new(),
            last_intent: 0,
            commands: Vec::new(),
        }
    }

    /// Runs until the client is closed, or its last handle is dropped.
    pub(crate) async fn run(mut self) {
        while self.core.connection().status != Status::Closed {
            match self.next().await {
                Next::Event(event) => self.feed(event),
                Next::Input(input) => self.take(input),
                Next::Abandoned => self.feed(Event::CloseRequested),
            }
        }
        self.link.finish().await;
        if let Some(state) = self.state {
            state.finish().await;
        }
    }

    async fn next(&mut self) -> Next {
        let due = self.timer.map(|at| self.clock.instant(at));
        select! {
            input = self.inputs.recv() => input.map_or(Next::Abandoned, Next::Input),
            () = self.wanted.notified() => Next::Event(Event::ConnectRequested),
            event = self.link.next() => Next::Event(event),
            event = self.requests.next() => Next::Event(event),
            event = self.asking.next() => Next::Event(event),
            event = answer_of(&mut self.state) => Next::Event(event),
            () = alarm(due) => {
                self.timer = None;
                Next::Event(Event::TimerFired)
            }
        }
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Event(event) => self.feed(event),
            Input::Mark { targets, set, reply } => {
                let intent = self.call(reply);
                self.feed(Event::MarkRequested { intent, targets, set });
            }
            Input::Publish { channel, data, reply } => {
                let intent = self.call(reply);
                self.feed(Event::PublishRequested { intent, channel, data });
            }
            Input::Subscribe { channel, reply } => {
                let (receiver, news) = self.channels.subscribe(&channel);
                if news {
                    self.feed(Event::ChannelWanted { channel });
                }
                // The caller may have gone; then the channel has no reader, which is noticed as
                // usual.
                let _ = reply.send(receiver);
            }
            Input::Unread { channel } => {
                if self.channels.end_if_unread(&channel) {
                    self.feed(Event::ChannelUnwanted { channel });
                }
            }
            Input::Older { channel, reply } => {
                let intent = self.call(reply);
                self.feed(Event::OlderRequested { channel, intent });
            }
            Input::Retry { id, reply } => {
                let intent = self.call(reply);
                self.feed(Event::FailedRetried { id, intent });
            }
            Input::More { reply } => {
                let intent = self.call(reply);
                self.feed(Event::MoreRequested { filter: Filter::default(), intent });
            }
            Input::Explain { reply } => {
                // The caller may have gone.
                let _ = reply.send(self.core.explain(self.clock.now()));
            }
        }
    }

    fn call(&mut self, reply: oneshot::Sender<Answer>) -> u64 {
        self.last_intent += 1;
        self.calls.insert(self.last_intent, reply);
        self.last_intent
    }

    /// Handles an event, executes its commands, and handles the events that these cause at once.
    pub(crate) fn feed(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let mut commands = std::mem::take(&mut self.commands);
            self.core.handle(self.clock.now(), event, &mut commands);
            for command in commands.drain(..) {
                events.extend(self.execute(command));
            }
            self.commands = commands;
        }
    }

    /// Executes a command; returns the event that answers it at once, if there is one.
    fn execute(&mut self, command: Command) -> Option<Event> {
        match command {
            Command::OpenTransport { transport, kind } => {
                debug!(transport, ?kind, "opening");
                self.link.open(transport);
            }
            Command::Send { transport, text } => self.link.send(transport, text),
            Command::CloseTransport { transport, code } => self.link.close(transport, code),
            Command::Request { request, path, bearer, body } => {
                self.requests.begin(request, &path, bearer.as_deref(), body);
            }
            Command::AbortRequest { request } => self.requests.abort(request),
            Command::FetchCredential { attempt, user } => self.asking.begin(attempt, user),
            Command::AbortCredential { attempt } => self.asking.abort(attempt),
            Command::SetTimer { at } => self.timer = at,
            Command::Changed(readable) => self.show(readable),
            Command::Arrived(item) => self.emit(ClientEvent::Arrived(Arc::from(item))),
            Command::Gap { channel, from, to, why } => {
                warn!(%channel, from, to, ?why, "records are missing");
                self.emit(ClientEvent::Gap { channel, from, to, why });
            }
            Command::Settled { intent, result } => {
                if let Some(reply) = self.calls.remove(&intent) {
                    // The caller may have gone; the mark stays in force.
                    let _ = reply.send(result);
                }
            }
            Command::Failed(failed) => self.emit(ClientEvent::Failed(failed)),
            Command::Report(error) => {
                warn!(code = error.code, "{}", error.message);
                self.emit(ClientEvent::Error(error));
            }
            Command::ChannelChanged(channel) => {
                let view = self.core.channel(&channel);
                self.channels.show(&channel, view);
            }
            Command::Message { channel, message } => {
                self.emit(ClientEvent::Message { channel, message: Arc::clone(&message) });
            }
            Command::Load { user } => self.ask(Job::Load { key: user }),
            Command::Save { user, cursors, over, text } => {
                self.ask(Job::Save { key: user, cursors, over, text });
            }
            Command::Wipe { user, .. } => self.ask(Job::Wipe { user }),
            Command::Persist { user, number, changes } => {
                self.ask(Job::Persist { user, number, changes: changes.to_vec() });
            }
            Command::Claim { user } => self.ask(Job::Claim { user }),
            Command::Release { lane } => self.ask(Job::Release { lane }),
            // The core was created with all of its code, so it never asks for this.
            Command::LoadDeferred => return Some(Event::DeferredLoaded),
            Command::SignedOut { discarded } => debug!(discarded, "signed out"),
        }
        None
    }

    fn show(&mut self, readable: Readable) {
        match readable {
            Readable::Connection => {
                self.senders.connection.send_replace(self.core.connection().clone());
            }
            Readable::Inbox => {
                self.senders.inbox.send_replace(self.core.inbox(&Filter::default()));
            }
            Readable::Outbox => {
                self.senders.outbox.send_replace(self.core.outbox().clone());
            }
        }
    }

    /// Without a folder, the core knows that there is no storage, and only asks to delete a user's
    /// data.
    fn ask(&self, job: Job) {
        if let Some(state) = &self.state {
            state.ask(job);
        }
    }

    fn emit(&self, event: ClientEvent) {
        // An error means that there is no listener.
        let _ = self.senders.events.send(event);
    }
}

/// The next answer of storage; without storage, waits without end.
async fn answer_of(state: &mut Option<State>) -> Event {
    match state {
        Some(state) => state.next().await,
        None => std::future::pending().await,
    }
}
