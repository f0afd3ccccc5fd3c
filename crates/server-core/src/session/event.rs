//! All events of a session, as past facts.

use std::sync::Arc;

use tidings_protocol::Channel;

use crate::{
    Identity,
    budget::Account,
    hub::Slot,
    refused::Refused,
    store::{Answer, StoreError, Written},
};

/// Number of a request to the store, unique on its connection until it is answered.
pub type Request = u32;

/// By how much a message exceeds a limit of the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// It has at least so many bytes.
    Bytes(usize),
    /// It has more frames than these, which are allowed.
    Frames(u32),
}

/// An event.
#[derive(Debug)]
pub enum Event<'a> {
    // ---- the transport ----
    /// The upgrade carried a ticket in its query, which replaces `connect`.
    TicketOffered {
        /// The ticket.
        ticket: &'a str,
    },
    /// A text frame came.
    Received {
        /// Its text.
        text: &'a str,
    },
    /// A message was larger than the transport allows.
    TooLarge(Excess),
    /// A text frame was not UTF-8.
    NotUtf8,
    /// A binary frame came; this protocol has none.
    BinaryReceived,
    /// A ping or pong of the transport came.
    ControlReceived,
    /// The client took written bytes. This is a sign of life on transports where the client can't
    /// answer.
    ShowedLife,
    /// After [`super::Command::AwaitDrain`]: the mailbox is low ([`crate::Mailbox::is_low`]).
    Drained,
    /// No byte could be written for the transport's send timeout: the client does not read.
    Stalled,
    /// The client takes no more answers. Its messages are carried out all the same, but reads for
    /// it are dropped.
    HungUp,
    /// The transport is gone. The last event; the session answers with `Detach` for each attached
    /// channel.
    TransportClosed,

    // ---- answers to commands ----
    /// Before `Authenticated`: the user's account, over all connections and requests of the node.
    Accounted(Arc<Account>),
    /// To `Authenticate`: the credential is valid.
    Authenticated(Box<Identity>),
    /// To `Authenticate`: the credential is refused.
    AuthRefused(Refused),
    /// To `Admit`: the connection is admitted.
    Admitted,
    /// To `Admit`: not now, with the code `connections` or `restart`.
    NotAdmitted(Refused),
    /// To `Attach`.
    Attached {
        /// The channel.
        channel: Channel,
        /// Names the subscription in `GoLive`, `Tops` and `Detach`.
        slot: Slot,
    },
    /// To `GoLive`: the hub pushes records from now on.
    WentLive {
        /// The channel.
        channel: Channel,
        /// The subscription.
        slot: Slot,
    },
    /// To `GoLive`: the log holds more than was sent.
    FellBehind {
        /// The channel.
        channel: Channel,
        /// The subscription.
        slot: Slot,
    },
    /// To `Tops`.
    TopsRead {
        /// From the command.
        id: Option<u64>,
        /// The live subscriptions of those requested, with their tops.
        tops: Vec<(Channel, u64)>,
    },
    /// To `Read`.
    Read {
        /// From the command.
        request: Request,
        /// The store's answer.
        answer: Answer,
    },
    /// To `Commit`: durable, and handed to the hub.
    Committed {
        /// From the command.
        request: Request,
        /// The outcome of the write.
        written: Written,
    },
    /// To `Read` or `Commit`: the store failed.
    StoreFailed {
        /// From the command.
        request: Request,
        /// The reason.
        error: StoreError,
    },

    // ---- the hub ----
    /// The mailbox was full, or the log changed. The hub pushed nothing above `sent`, and pushes
    /// nothing more.
    Lagged {
        /// The channel.
        channel: Channel,
        /// The subscription.
        slot: Slot,
        /// Last offset that was pushed.
        sent: u64,
    },

    // ---- the environment ----
    /// The time of `SetDeadline` has come. Late or early is harmless.
    DeadlinePassed,
    /// A newer connection of the same instance replaced this one.
    Replaced,
    /// The backend revoked the credential.
    Revoked,
    /// The server will stop: clients must reconnect within this window.
    Draining {
        /// Milliseconds.
        within_ms: u64,
    },
    /// The server stops now.
    Stopping,
    /// Other connections need the room: this one has not authenticated, and was silent the longest.
    NoRoom,
}
