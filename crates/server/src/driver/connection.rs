//! One task a connection: feeds its session and executes what the session asks for.

use std::sync::Arc;

use tidings_protocol::{CloseCode, ErrorCode};
use tidings_server_core::{
    Identity, Limits, Refused, Session,
    hub::GoLive,
    session::{Command, Credential, Event, Guard, Wanted},
};
use tokio::time::{Instant, sleep_until, timeout};

use super::{
    entrance::Entrance,
    line::{Line, Notice, Outlet},
    node::Node,
    registry::{Arrival, Place, Seat},
};
use crate::transport::{Broken, Incoming, Sign, Transport};

/// How a connection begins.
#[derive(Debug, Default)]
pub struct Opening {
    /// What the address says for a client that can't say it in a message.
    pub said: Option<Said>,
    /// What it hears from the start.
    pub wanted: Wanted,
    /// Silence after which it is pinged, in milliseconds; `None`: the server's setting.
    pub idle_ms: Option<u64>,
}

/// What stands for a client's first message.
#[derive(Debug)]
pub enum Said {
    /// A ticket in the query.
    Ticket(String),
    /// A `connect`.
    Connect(String),
}

/// Serves a connection until it ends.
///
/// No `async fn`: what is only needed to begin would else be part of the task for the connection's whole life.
pub fn serve<T: Transport>(
    node: Arc<Node>,
    transport: T,
    entrance: Box<Entrance>,
    opening: Opening,
    place: Place,
) -> impl Future<Output = ()> + Send {
    let mut commands = Vec::new();
    let mut limits = Arc::clone(&node.settings.limits);
    if let Some(idle_ms) = opening.idle_ms.filter(|idle| *idle != limits.idle_ms) {
        limits = Arc::new(Limits { idle_ms, ..(*limits).clone() });
    }
    let mut session = Session::new(limits, seed(), node.clock.now(), &mut commands);
    session.want(opening.wanted);
    let mut connection = Connection::new(node, session, transport, entrance, Some(place));
    connection.execute(commands);
    match opening.said {
        None => {}
        Some(Said::Ticket(ticket)) => connection.feed(Event::TicketOffered { ticket: &ticket }),
        Some(Said::Connect(text)) => connection.hear_text(&text),
    }
    async move { connection.run().await }
}

/// Carries out a client's messages, until all are answered. Answers what is to be held against its next ones.
pub fn visit<T: Transport>(
    node: Arc<Node>,
    transport: T,
    entrance: Box<Entrance>,
    who: Identity,
    guard: Guard,
) -> impl Future<Output = Guard> + Send {
    let mut commands = Vec::new();
    let limits = Arc::clone(&node.settings.limits);
    let session = Session::visit(limits, seed(), node.clock.now(), who, guard, &mut commands);
    let mut connection = Connection::new(node, session, transport, entrance, None);
    connection.execute(commands);
    async move {
        connection.run().await;
        connection.session.guard()
    }
}

/// Randomness for the session's record ids. They need not be secret, so a machine without randomness does no harm here.
fn seed() -> u64 {
    getrandom::u64().unwrap_or_else(|_| super::clock::Clock::wall())
}

struct Connection<T> {
    node: Arc<Node>,
    line: Arc<Line>,
    session: Session,
    transport: T,
    entrance: Box<Entrance>,
    /// The user's place, once admitted.
    seat: Option<Seat>,
    /// The session's one deadline, on the monotonic clock.
    deadline: Option<u64>,
    flow: Flow,
    later: Later,
    /// The session is done: write what is queued, then close with this.
    closing: Option<(CloseCode, &'static str)>,
    _place: Option<Place>,
}

/// What the session said about the flow of bytes.
#[derive(Debug, Default)]
struct Flow {
    /// Several messages may share a frame.
    joined: bool,
    /// Frames wait in the socket.
    paused: bool,
    /// It wants to hear when the mailbox is low.
    awaits_drain: bool,
}

/// Commands that take time, for the task to carry out.
#[derive(Debug, Default)]
struct Later {
    /// Check this.
    credential: Option<Credential>,
    /// Count this in, over all nodes.
    arrival: Option<Box<Arrival>>,
    /// Send a ping.
    ping: bool,
}

/// Why the task ends.
enum End {
    /// The transport is gone.
    Gone,
    /// The session closed it.
    Closed(CloseCode, &'static str),
}

impl<T: Transport> Connection<T> {
    fn new(
        node: Arc<Node>,
        session: Session,
        transport: T,
        entrance: Box<Entrance>,
        place: Option<Place>,
    ) -> Self {
        let line = Arc::new(Line::new(node.settings.limits.mailbox_bytes));
        Self {
            node,
            line,
            session,
            transport,
            entrance,
            seat: None,
            deadline: None,
            flow: Flow::default(),
            later: Later::default(),
            closing: None,
            _place: place,
        }
    }

    async fn run(&mut self) {
        let end = loop {
            let more = match self.write_out().await {
                Ok(more) => more,
                Err(end) => break end,
            };
            if let Some(credential) = self.later.credential.take() {
                let mut checked = self.node.auth.authenticate(credential, &self.entrance).await;
                if T::ONCE {
                    // Boxed: all other transports' tasks are the smaller for it.
                    checked = Box::pin(paced(Arc::clone(&self.node), checked)).await;
                }
                self.authenticated(checked);
                continue;
            }
            if let Some(arrival) = self.later.arrival.take() {
                let claimed = match &self.node.seating {
                    // Boxed: it is over before the connection's life begins, and would else be part of its size.
                    Some(seating) => {
                        let (user, instance) = (&arrival.user, arrival.instance.clone());
                        Box::pin(seating.claim(user, instance, arrival.number)).await
                    }
                    None => Ok(()),
                };
                let event = match claimed {
                    Ok(()) => self.admit(*arrival),
                    Err(refused) => Event::NotAdmitted(refused),
                };
                self.feed(event);
                continue;
            }
            if !more {
                self.transport.rest(|| self.session.is_settled());
            }
            let deadline = self.deadline.map(|at| self.node.clock.at(at));
            tokio::select! {
                biased;
                () = self.line.rung() => self.hear(),
                incoming = self.transport.receive(), if !self.flow.paused => {
                    if let Some(end) = self.take_in(incoming) {
                        break end;
                    }
                }
                () = until(deadline) => {
                    self.deadline = None;
                    self.feed(Event::DeadlinePassed);
                }
                // Reading has its turn even while there is always something to write.
                () = std::future::ready(()), if more => {}
            }
        };
        if let (Some(seat), Some(seating)) = (self.seat.take(), &self.node.seating) {
            seating.leave(seat.number());
        }
        if let End::Closed(code, reason) = end {
            let close = self.transport.close(code, reason);
            // A peer that does not answer the close is gone all the same.
            let _late = timeout(self.node.settings.close_timeout, close).await;
        }
        self.feed(Event::TransportClosed);
    }

    fn authenticated(&mut self, checked: Result<Identity, Refused>) {
        match checked {
            Ok(identity) => self.feed(Event::Authenticated(Box::new(identity))),
            Err(refused) => {
                metrics::counter!("tidings_refused_total", "code" => refused.code.as_str())
                    .increment(1);
                self.feed(Event::AuthRefused(refused));
            }
        }
    }

    /// Writes some of what waits, and whether there is more.
    async fn write_out(&mut self) -> Result<bool, End> {
        loop {
            let more = match timeout(self.node.settings.send_timeout, self.write()).await {
                Ok(Ok(more)) => more,
                Ok(Err(Broken)) => return Err(End::Gone),
                Err(_) => return Err(self.stall()),
            };
            if let Some((code, reason)) = self.closing.filter(|_| !more) {
                return Err(End::Closed(code, reason));
            }
            if more || !(self.flow.awaits_drain && self.line.is_low()) {
                return Ok(more);
            }
            self.flow.awaits_drain = false;
            self.feed(Event::Drained);
        }
    }

    /// Two buffers full, then one flush. Bounded, because the time limit is for this much: a peer that takes it is alive, however
    /// much is behind it.
    async fn write(&mut self) -> Result<bool, Broken> {
        if std::mem::take(&mut self.later.ping) && self.transport.ping().await? == Sign::Given {
            self.feed(Event::ShowedLife);
        }
        let join = self.node.settings.limits.join_bytes;
        let mut left = 2 * join;
        let mut wrote = false;
        while left > 0 {
            let Some(frame) = self.line.take(self.flow.joined, join) else { break };
            wrote = true;
            left = left.saturating_sub(frame.len().max(1));
            self.transport.feed(frame).await?;
        }
        if wrote {
            self.transport.flush().await?;
        }
        Ok(left == 0)
    }

    /// The peer takes nothing: what it would have to be told can't be written either.
    fn stall(&mut self) -> End {
        metrics::counter!("tidings_slow_consumers_total", "transport" => T::NAME).increment(1);
        self.feed(Event::Stalled);
        match self.closing {
            Some((code, reason)) => End::Closed(code, reason),
            None => End::Gone,
        }
    }

    fn take_in(&mut self, incoming: Incoming) -> Option<End> {
        match incoming {
            Incoming::Text(text) => self.hear_text(&text),
            Incoming::Binary => self.feed(Event::BinaryReceived),
            Incoming::Life => self.feed(Event::ShowedLife),
            Incoming::TooLarge => self.feed(Event::TooLarge),
            Incoming::NotUtf8 => self.feed(Event::NotUtf8),
            Incoming::Ended => return Some(End::Gone),
        }
        None
    }

    fn hear_text(&mut self, text: &str) {
        metrics::counter!("tidings_frames_received_total", "transport" => T::NAME).increment(1);
        self.feed(Event::Received { text });
    }

    /// Tells the session what others left.
    fn hear(&mut self) {
        for notice in self.line.take_notices() {
            let event = match notice {
                Notice::Read(request, Ok(answer)) => Event::Read { request, answer },
                Notice::Committed(request, Ok(written)) => Event::Committed { request, written },
                Notice::Read(request, Err(error)) | Notice::Committed(request, Err(error)) => {
                    Event::StoreFailed { request, error }
                }
                Notice::Lagged { channel, slot, sent } => Event::Lagged { channel, slot, sent },
                Notice::Replaced => Event::Replaced,
                Notice::Revoked => Event::Revoked,
                Notice::Draining { within_ms } => Event::Draining { within_ms },
                Notice::Stopping => Event::Stopping,
            };
            self.feed(event);
        }
    }

    fn feed(&mut self, event: Event<'_>) {
        let mut commands = Vec::new();
        self.session.handle(self.node.clock.now(), event, &mut commands);
        self.execute(commands);
    }

    /// Executes commands in order; answers that are known at once are fed before anything else is.
    fn execute(&mut self, mut commands: Vec<Command>) {
        while !commands.is_empty() {
            let mut next = Vec::new();
            for command in commands {
                if let Some(answer) = self.perform(command) {
                    self.session.handle(self.node.clock.now(), answer, &mut next);
                }
            }
            commands = next;
        }
    }

    fn perform(&mut self, command: Command) -> Option<Event<'static>> {
        let (node, line) = (&self.node, &self.line);
        match command {
            Command::Send(frame) => line.send(frame),
            Command::Read { request, query } => node.readers.ask(line, request, query),
            Command::Commit { request, write } => node.writer.ask(line, request, *write),
            Command::SetDeadline { at } => self.deadline = at,
            Command::JoinFrames => self.flow.joined = T::JOINS,
            Command::AwaitDrain => self.flow.awaits_drain = true,
            Command::PauseReading => self.flow.paused = true,
            Command::ResumeReading => self.flow.paused = false,
            Command::Close { code, reason } => self.closing = Some((code, reason)),
            Command::Ping => self.later.ping = true,
            Command::Authenticate { credential } => self.later.credential = Some(credential),
            Command::Admit { user, session, instance, issued_at } => {
                let number = node.registry.number();
                let arrival = Arrival { number, user, session, instance, issued_at };
                if node.seating.is_none() {
                    return Some(self.admit(arrival));
                }
                self.later.arrival = Some(Box::new(arrival));
            }
            Command::Renew { session, issued_at } => {
                let Some(seat) = &self.seat else { return None };
                node.registry.renew(seat, &session, issued_at);
                // A revocation between the check and this hit neither the old name nor the new.
                if node.auth.is_revoked(seat.user(), &session, issued_at) {
                    return Some(Event::Revoked);
                }
            }
            Command::Attach { channel } => {
                let slot = node.shards.of(&channel).attach(&channel, Outlet(Arc::clone(line)));
                return Some(Event::Attached { channel, slot });
            }
            Command::GoLive { channel, slot, epoch, sent } => {
                let answer = node.shards.of(&channel).go_live(&channel, slot, epoch, sent);
                return Some(match answer {
                    GoLive::Live => Event::WentLive { channel, slot },
                    GoLive::Behind => Event::FellBehind { channel, slot },
                });
            }
            Command::Detach { channel, slot } => node.shards.of(&channel).detach(&channel, slot),
            Command::Tops { id, of } => {
                let top = |(channel, slot): (_, _)| {
                    let top = node.shards.of(&channel).live_top(&channel, slot)?;
                    Some((channel, top))
                };
                return Some(Event::TopsRead {
                    id,
                    tops: of.into_iter().filter_map(top).collect(),
                });
            }
        }
        None
    }
}

impl<T> Connection<T> {
    /// Counts the connection in on this node.
    fn admit(&mut self, arrival: Arrival) -> Event<'static> {
        let node = &self.node;
        let who = (arrival.user.clone(), arrival.session.clone(), arrival.issued_at);
        let number = arrival.number;
        let admitted = match node.registry.admit(arrival, &self.line) {
            // A revocation between the check and this saw neither: whoever is in the book by now is told of later ones.
            Ok(_) if node.auth.is_revoked(&who.0, &who.1, who.2) => Err(ErrorCode::Revoked.into()),
            other => other,
        };
        match admitted {
            Ok(seat) => {
                self.seat = Some(seat);
                Event::Admitted
            }
            Err(refused) => {
                if let Some(seating) = &node.seating {
                    seating.leave(number);
                }
                Event::NotAdmitted(refused)
            }
        }
    }
}

/// A client that comes again for each answer, at the pace it may.
async fn paced(node: Arc<Node>, checked: Result<Identity, Refused>) -> Result<Identity, Refused> {
    let identity = checked?;
    node.visits.pace(&identity.session, node.clock, &node.settings.limits).await?;
    Ok(identity)
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
