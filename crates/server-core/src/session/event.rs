//! Everything that can happen to a session, as past facts.

use std::sync::Arc;

use tidings_protocol::Channel;

use crate::{
    Identity,
    budget::Account,
    hub::Slot,
    refused::Refused,
    store::{Answer, StoreError, Written},
};

/// Number of a request to the store, unique on its connection while it is unanswered.
pub type Request = u32;

/// Something happened.
#[derive(Debug)]
pub enum Event<'a> {
    // ---- the transport ----
    /// The upgrade carried a ticket in its query, which stands for `connect`.
    TicketOffered {
        /// The ticket.
        ticket: &'a str,
    },
    /// A text frame came.
    Received {
        /// Its text.
        text: &'a str,
    },
    /// A frame was larger than the transport takes.
    TooLarge,
    /// A text frame was not UTF-8.
    NotUtf8,
    /// A binary frame came: there are none in this protocol.
    BinaryReceived,
    /// The transport's own ping or pong came.
    ControlReceived,
    /// The other end took what was written, which shows life where no answer can.
    ShowedLife,
    /// After [`super::Command::AwaitDrain`]: the mailbox is low ([`crate::Mailbox::is_low`]).
    Drained,
    /// Nothing could be written for the transport's send time: the other end does not read.
    Stalled,
    /// The other end takes no more answers. What it said is carried out all the same; what would only be read for it is not.
    HungUp,
    /// The transport is gone. The last event; the answer is `Detach` for what is still attached.
    TransportClosed,

    // ---- answers to commands ----
    /// Before `Authenticated`: what this user uses, over all connections and requests of the node.
    Accounted(Arc<Account>),
    /// To `Authenticate`: the credential is good.
    Authenticated(Box<Identity>),
    /// To `Authenticate`: it is not.
    AuthRefused(Refused),
    /// To `Admit`: come in.
    Admitted,
    /// To `Admit`: not now; `connections` or `restart`.
    NotAdmitted(Refused),
    /// To `Attach`.
    Attached {
        /// Where.
        channel: Channel,
        /// Names the subscription in `GoLive`, `Tops` and `Detach`.
        slot: Slot,
    },
    /// To `GoLive`: records come by the hub from now on.
    WentLive {
        /// Where.
        channel: Channel,
        /// Which subscription.
        slot: Slot,
    },
    /// To `GoLive`: the log goes further than what was sent.
    FellBehind {
        /// Where.
        channel: Channel,
        /// Which subscription.
        slot: Slot,
    },
    /// To `Tops`.
    TopsRead {
        /// From the command.
        id: Option<u64>,
        /// The live ones of those asked for, with their tops.
        tops: Vec<(Channel, u64)>,
    },
    /// To `Read`.
    Read {
        /// From the command.
        request: Request,
        /// What the store says.
        answer: Answer,
    },
    /// To `Commit`: durable, and handed to the hub.
    Committed {
        /// From the command.
        request: Request,
        /// What became of it.
        written: Written,
    },
    /// To `Read` or `Commit`: the store could not.
    StoreFailed {
        /// From the command.
        request: Request,
        /// Why.
        error: StoreError,
    },

    // ---- the hub ----
    /// The mailbox was full, or the log changed: nothing was pushed above `sent`, nor will be.
    Lagged {
        /// Where.
        channel: Channel,
        /// Which subscription.
        slot: Slot,
        /// Last offset that was pushed.
        sent: u64,
    },

    // ---- the world ----
    /// The time of `SetDeadline` has come; late does no harm, early neither.
    DeadlinePassed,
    /// A newer connection of the same instance took over.
    Replaced,
    /// The backend revoked the credential.
    Revoked,
    /// The server will go away: clients reconnect within this window.
    Draining {
        /// Milliseconds.
        within_ms: u64,
    },
    /// The server goes away now.
    Stopping,
    /// Others need the place: the connection has not shown a credential yet, and waited longest.
    NoRoom,
}
