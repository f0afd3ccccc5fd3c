//! One task for each connection: feeds its session with events, and writes out the mailbox. The
//! session's commands are carried out in `commands.rs`.

mod commands;

use std::{pin::pin, sync::Arc};

use tidings_protocol::CloseCode;
use tidings_server_core::{
    Identity, Limits, Principal, Refused, Session,
    budget::{self, Cost},
    session::{Credential, Event, Guard, Wanted},
};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::{
    connection_handle::{ConnectionHandle, Notice},
    node::Node,
    registry::{Arrival, ConnectionLease, ConnectionPermit},
    request_context::RequestContext,
};
use crate::transport::{Broken, Incoming, Sign, Transport};

/// How a connection begins.
#[derive(Debug, Default)]
pub struct Opening {
    /// The first message, taken from the address, for a client that can't send one.
    pub first_message: Option<FirstMessage>,
    /// Channels to subscribe to from the start.
    pub wanted: Wanted,
    /// Silence after which the server pings, in milliseconds. `None`: the server's setting.
    pub idle_ms: Option<u64>,
    /// Size of the connection's only answer, in bytes. `None`: it has no such answer.
    pub answer_bytes: Option<usize>,
}

/// A replacement for a client's first message.
#[derive(Debug)]
pub enum FirstMessage {
    /// A ticket in the query.
    Ticket(String),
    /// A `connect`.
    Connect(String),
}

/// Serves a connection until it ends.
///
/// Not an `async fn`: values that are needed only at the start would be part of the task for the
/// connection's whole life.
pub fn serve<T: Transport>(
    node: Arc<Node>,
    transport: T,
    context: Box<RequestContext>,
    opening: Opening,
    permit: ConnectionPermit,
) -> impl Future<Output = ()> + Send {
    let mut commands = Vec::new();
    let mut limits = Arc::clone(&node.settings.limits);
    if let Some(idle_ms) = opening.idle_ms.filter(|idle| *idle != limits.idle_ms) {
        limits = Arc::new(Limits { idle_ms, ..(*limits).clone() });
    }
    if let Some(fitting) = opening.answer_bytes.and_then(|bytes| limits.fitting(bytes)) {
        limits = Arc::new(fitting);
    }
    let mut session = Session::new(limits, seed(), node.clock.now(), &mut commands);
    session.want(opening.wanted);
    session.prove_with(node.auth.proofs());
    let mut connection = Connection::new(node, session, transport, context, Some(permit));
    connection.execute(commands);
    match opening.first_message {
        None => {}
        Some(FirstMessage::Ticket(ticket)) => {
            connection.feed(Event::TicketOffered { ticket: &ticket })
        }
        Some(FirstMessage::Connect(text)) => connection.hear_text(&text),
    }
    async move { connection.run().await }
}

/// The sender of messages by POST.
#[derive(Debug)]
pub struct PostRequest {
    /// The session's user.
    pub who: Identity,
    /// The counters of the session's last request.
    pub guard: Guard,
    /// The user's permit among the requests in progress.
    pub here: budget::RequestPermit,
}

/// Carries out a client's messages until all are answered. Returns the counters for its next
/// request.
pub fn serve_post<T: Transport>(
    node: Arc<Node>,
    transport: T,
    mut context: Box<RequestContext>,
    request: PostRequest,
) -> impl Future<Output = Guard> + Send {
    let mut commands = Vec::new();
    let PostRequest { who, guard, here } = request;
    context.known(Principal::user(&who.user));
    let limits = Arc::clone(&node.settings.limits);
    let account = node.budgets.account(&who.user);
    let session = Session::for_posts(limits, seed(), node.clock.now(), who, guard, &mut commands);
    let mut connection = Connection::new(node, session, transport, context, None);
    connection.feed(Event::Accounted(account));
    connection.execute(commands);
    async move {
        connection.run().await;
        drop(here);
        connection.session.guard()
    }
}

/// Randomness for the session's record ids. They need not be secret, so a machine without
/// randomness does no harm here.
fn seed() -> u64 {
    getrandom::u64().unwrap_or_else(|_| super::clock::Clock::wall())
}

struct Connection<T> {
    node: Arc<Node>,
    handle: Arc<ConnectionHandle>,
    session: Session,
    transport: T,
    context: Box<RequestContext>,
    /// The user's entry in the registry, once admitted.
    lease: Option<ConnectionLease>,
    /// The session's one deadline, on the monotonic clock.
    deadline: Option<u64>,
    flow: Flow,
    later: Later,
    /// The session has ended: write the queued messages, then close with this.
    closing: Option<(CloseCode, &'static str)>,
    permit: Option<ConnectionPermit>,
}

/// The session's commands about the flow of bytes.
#[derive(Debug, Default)]
struct Flow {
    /// Several messages may share a frame.
    joined: bool,
    /// Frames must wait in the socket.
    paused: bool,
    /// The session wants `Drained` when the mailbox is low.
    awaits_drain: bool,
}

/// Commands that take time. The task carries them out.
#[derive(Debug, Default)]
struct Later {
    /// The credential to check.
    credential: Option<Credential>,
    /// The connection to count over all nodes.
    arrival: Option<Box<Arrival>>,
    /// Send a ping.
    ping: bool,
}

/// Why the task ends.
enum End {
    /// The transport is gone.
    Gone,
    /// The session closed the connection.
    Closed(CloseCode, &'static str),
}

impl<T: Transport> Connection<T> {
    fn new(
        node: Arc<Node>,
        session: Session,
        transport: T,
        context: Box<RequestContext>,
        permit: Option<ConnectionPermit>,
    ) -> Self {
        let handle = Arc::new(ConnectionHandle::new(node.settings.limits.mailbox_bytes));
        if let Some(permit) = &permit {
            permit.attach(&handle);
        }
        Self {
            node,
            handle,
            session,
            transport,
            context,
            lease: None,
            deadline: None,
            flow: Flow::default(),
            later: Later::default(),
            closing: None,
            permit,
        }
    }

    async fn run(&mut self) {
        let end = loop {
            let more = match self.write_out().await {
                Ok(more) => more,
                Err(end) => break end,
            };
            if let Some(credential) = self.later.credential.take() {
                let mut checked = self.node.auth.authenticate(credential, &self.context).await;
                if T::ONCE {
                    // Boxed, so that the tasks of all other transports are smaller.
                    checked = Box::pin(paced(Arc::clone(&self.node), checked)).await;
                }
                self.authenticated(checked);
                continue;
            }
            if let Some(arrival) = self.later.arrival.take() {
                let claimed = match &self.node.leases {
                    // Boxed: otherwise this short step would enlarge the task for the connection's
                    // whole life.
                    Some(leases) => {
                        let (user, instance) = (&arrival.user, arrival.instance.clone());
                        Box::pin(leases.claim(user, instance, arrival.number)).await
                    }
                    None => Ok(()),
                };
                let event = match claimed {
                    Ok(()) => self.admit(*arrival),
                    Err(refused) => Self::not_admitted(refused),
                };
                self.feed(event);
                continue;
            }
            if !more {
                self.transport.on_settled(|| self.session.is_settled());
            }
            let deadline = self.deadline.map(|at| self.node.clock.at(at));
            tokio::select! {
                biased;
                () = self.handle.woken() => self.hear(),
                incoming = self.transport.receive(), if !self.flow.paused && !self.handle.is_full() => {
                    if let Some(end) = self.take_in(incoming) {
                        break end;
                    }
                }
                () = until(deadline) => {
                    self.deadline = None;
                    self.feed(Event::DeadlinePassed);
                }
                // Reading must have its turn even if there is always something to write.
                () = std::future::ready(()), if more => {}
            }
        };
        if let Some(lease) = self.lease.take() {
            let number = lease.number();
            // Leaves the registry first: connections in the registry are claimed again when the
            // node's lease ends.
            drop(lease);
            if let Some(leases) = &self.node.leases {
                leases.leave(number);
            }
        }
        if let End::Closed(code, reason) = end {
            let close = self.transport.close(code, reason);
            // A client that does not answer the close is gone all the same.
            let _late = timeout(self.node.settings.close_timeout, close).await;
        }
        self.feed(Event::TransportClosed);
    }

    /// Writes a part of the mailbox. Returns whether there is more.
    async fn write_out(&mut self) -> Result<bool, End> {
        loop {
            let more = match self.write_in_time().await {
                Some(Ok(more)) => more,
                Some(Err(Broken)) => return Err(End::Gone),
                None => return Err(self.stall()),
            };
            if let Some((code, reason)) = self.closing.filter(|_| !more) {
                return Err(End::Closed(code, reason));
            }
            if more || !(self.flow.awaits_drain && self.handle.is_low()) {
                return Ok(more);
            }
            self.flow.awaits_drain = false;
            self.feed(Event::Drained);
        }
    }

    /// `None`: the client took no bytes for too long. A client that took some meanwhile is only
    /// slow.
    async fn write_in_time(&mut self) -> Option<Result<bool, Broken>> {
        let patience = self.node.settings.send_timeout;
        let peer = self.context.peer.clone();
        let mut write = pin!(self.write());
        let mut until = Instant::now() + patience;
        loop {
            if let Ok(written) = timeout_at(until, &mut write).await {
                return Some(written);
            }
            until = peer.as_ref()?.taken()? + patience;
            if until <= Instant::now() {
                return None;
            }
        }
    }

    /// Writes two buffers, then flushes once. The amount is bounded because the time limit applies
    /// to it, if the TCP connection is unknown: a client that takes this much is alive, however
    /// much is queued behind it.
    async fn write(&mut self) -> Result<bool, Broken> {
        if std::mem::take(&mut self.later.ping) && self.transport.ping().await? == Sign::Given {
            self.feed(Event::ShowedLife);
        }
        let join = self.node.settings.limits.join_bytes;
        let mut left = 2 * join;
        let mut wrote = false;
        while left > 0 {
            let Some(frame) = self.handle.take(self.flow.joined, join) else { break };
            wrote = true;
            left = left.saturating_sub(frame.len().max(1));
            self.transport.feed(frame).await?;
        }
        if wrote {
            self.transport.flush().await?;
        }
        Ok(left == 0)
    }

    /// The client takes no bytes, so an error message could not be written either.
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
            Incoming::Life => self.feed(Event::ControlReceived),
            Incoming::TooLarge(excess) => self.feed(Event::TooLarge(excess)),
            Incoming::NotUtf8 => self.feed(Event::NotUtf8),
            Incoming::HungUp => self.feed(Event::HungUp),
            Incoming::Ended => return Some(End::Gone),
        }
        None
    }

    fn hear_text(&mut self, text: &str) {
        metrics::counter!("tidings_frames_received_total", "transport" => T::NAME).increment(1);
        self.feed(Event::Received { text });
    }

    /// Passes the notices of other parts to the session.
    fn hear(&mut self) {
        for notice in self.handle.take_notices() {
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
                Notice::NoRoom => Event::NoRoom,
            };
            self.feed(event);
        }
    }
}

/// Limits the rate of a client that comes again for each answer.
async fn paced(node: Arc<Node>, checked: Result<Identity, Refused>) -> Result<Identity, Refused> {
    let identity = checked?;
    node.posts.pace(&identity.session, node.clock, &node.settings.limits).await?;
    node.budgets.pace(&identity.user, Cost::READ).await?;
    Ok(identity)
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
