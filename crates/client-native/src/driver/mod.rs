//! The one task of a client: turns what happens into events, and does what the core commands.

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
    Happening,
    endpoint::Endpoint,
    state::{Job, State},
};

pub(crate) use asking::Asking;
use channels::Channels;
use clock::{Clock, alarm};
use link::Link;
use requests::Requests;

/// The final answer of an intent.
type Answer = Result<Option<Stored>, Error>;

/// A call from a handle.
#[derive(Debug)]
pub(crate) enum Input {
    /// One without an answer.
    Event(Event),
    /// A mark.
    Mark { targets: MarkTargets, set: MarkSet, reply: oneshot::Sender<Answer> },
    /// A message.
    Publish { channel: Channel, data: Json, reply: oneshot::Sender<Answer> },
    /// A channel is read.
    Subscribe { channel: Channel, reply: oneshot::Sender<watch::Receiver<ChannelView>> },
    /// The last reader of a channel went, or seemed to.
    Unread { channel: Channel },
    /// Older messages of a channel are wanted.
    Older { channel: Channel, reply: oneshot::Sender<Answer> },
    /// A refused intent is tried again.
    Retry { id: u64, reply: oneshot::Sender<Answer> },
    /// Older items are wanted.
    More { reply: oneshot::Sender<Answer> },
    /// The state in words.
    Explain { reply: oneshot::Sender<String> },
}

/// Where the app's calls come in.
pub(crate) struct Inlets {
    pub(crate) inputs: mpsc::Receiver<Input>,
    /// For calls of the client itself; weak, so that it does not keep itself alive.
    pub(crate) sender: mpsc::WeakSender<Input>,
    pub(crate) wanted: Arc<Notify>,
}

/// Where the app reads.
pub(crate) struct Outlets {
    pub(crate) connection: watch::Sender<Connection>,
    pub(crate) inbox: watch::Sender<InboxView>,
    pub(crate) outbox: watch::Sender<Outbox>,
    pub(crate) happenings: broadcast::Sender<Happening>,
}

/// What [`Driver::next`] waited for.
enum Next {
    Event(Event),
    Input(Input),
    /// The last handle is gone.
    Abandoned,
}

pub(crate) struct Driver {
    core: Client,
    clock: Clock,
    link: Link,
    requests: Requests,
    asking: Asking,
    /// What outlives the process, where the app wants that.
    state: Option<State>,
    channels: Channels,
    /// When the one timer goes off, on the core's monotonic clock.
    timer: Option<u64>,
    inputs: mpsc::Receiver<Input>,
    wanted: Arc<Notify>,
    outlets: Outlets,
    /// Calls whose intent has no answer yet; bounded by the core's `outbox_max`, since it answers
    /// what it does not take.
    calls: BTreeMap<u64, oneshot::Sender<Answer>>,
    last_intent: u64,
    /// Kept for its memory.
    commands: Vec<Command>,
}

impl Driver {
    pub(crate) fn new(
        core: Client,
        endpoint: Endpoint,
        asking: Asking,
        state: Option<State>,
        inlets: Inlets,
        outlets: Outlets,
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
            outlets,
            calls: BTreeMap::new(),
            last_intent: 0,
            commands: Vec::new(),
        }
    }

    /// Until the client is closed, or nobody holds it any more.
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
                // Whoever asked may have left meanwhile; then nobody reads it, which is told in time.
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
                // Whoever asked may have left meanwhile.
                let _ = reply.send(self.core.explain(self.clock.now()));
            }
        }
    }

    fn call(&mut self, reply: oneshot::Sender<Answer>) -> u64 {
        self.last_intent += 1;
        self.calls.insert(self.last_intent, reply);
        self.last_intent
    }

    /// One event, its commands, and the events that these lead to at once.
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

    /// Does it; answers the event that it is answered by without waiting, if any.
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
            Command::Arrived(item) => self.tell(Happening::Arrived(Arc::from(item))),
            Command::Gap { channel, from, to, why } => {
                warn!(%channel, from, to, ?why, "records are missing");
                self.tell(Happening::Gap { channel, from, to, why });
            }
            Command::Settled { intent, result } => {
                if let Some(reply) = self.calls.remove(&intent) {
                    // Whoever called may have left meanwhile; the mark stands all the same.
                    let _ = reply.send(result);
                }
            }
            Command::Failed(failed) => self.tell(Happening::Failed(failed)),
            Command::Report(error) => {
                warn!(code = error.code, "{}", error.message);
                self.tell(Happening::Error(error));
            }
            Command::ChannelChanged(channel) => {
                let view = self.core.channel(&channel);
                self.channels.show(&channel, view);
            }
            Command::Message { channel, message } => {
                self.tell(Happening::Message { channel, message: Arc::clone(&message) });
            }
            Command::Load { user } => self.ask(Job::Load { key: user }),
            Command::Save { user, cursors, over, text } => {
                self.ask(Job::Save { key: user, cursors, over, text });
            }
            Command::Wipe { user, .. } => self.ask(Job::Wipe { user }),
            Command::Keep { user, number, changes } => {
                self.ask(Job::Keep { user, number, changes: changes.to_vec() });
            }
            Command::Claim { user } => self.ask(Job::Claim { user }),
            Command::Release { lane } => self.ask(Job::Release { lane }),
            // Nor is it asked this: the core was made whole.
            Command::LoadRest => return Some(Event::RestLoaded),
            Command::SignedOut { discarded } => debug!(discarded, "signed out"),
        }
        None
    }

    fn show(&mut self, readable: Readable) {
        match readable {
            Readable::Connection => {
                self.outlets.connection.send_replace(self.core.connection().clone());
            }
            Readable::Inbox => {
                self.outlets.inbox.send_replace(self.core.inbox(&Filter::default()));
            }
            Readable::Outbox => {
                self.outlets.outbox.send_replace(self.core.outbox().clone());
            }
        }
    }

    /// Without a folder the core was told that there is no storage, and asks for none but to wipe it.
    fn ask(&self, job: Job) {
        if let Some(state) = &self.state {
            state.ask(job);
        }
    }

    fn tell(&self, happening: Happening) {
        // An error says that nobody listens.
        let _ = self.outlets.happenings.send(happening);
    }
}

/// The next answer of storage, if there is one.
async fn answer_of(state: &mut Option<State>) -> Event {
    match state {
        Some(state) => state.next().await,
        None => std::future::pending().await,
    }
}
