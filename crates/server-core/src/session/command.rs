//! All commands from a session to its driver.

use bytes::Bytes;
use tidings_protocol::{Channel, CloseCode, Epoch};

use super::Request;
use crate::{
    hub::Slot,
    store::{Query, Write},
};

/// The credential that a client offers.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// A one-time ticket.
    Ticket(String),
    /// A JWT.
    Token(String),
    /// The session token from `connected` or `refreshed`.
    SessionToken(String),
    /// No credential in `connect`: the header or cookie of the upgrade counts, if the transport
    /// allows it.
    Ambient,
}

impl std::fmt::Debug for Credential {
    /// Leaves the secrets out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ticket(_) => "Ticket(…)",
            Self::Token(_) => "Token(…)",
            Self::SessionToken(_) => "SessionToken(…)",
            Self::Ambient => "Ambient",
        })
    }
}

/// An action for the driver. Commands are executed in order. Their answers are fed before further
/// frames of the connection.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    // ---- the user ----
    /// Check a credential, revocations included; answer `Authenticated` or `AuthRefused`.
    Authenticate {
        /// The offered credential.
        credential: Credential,
    },
    /// Count the connection, atomically, and send `Replaced` to an older one of the same instance,
    /// which no longer counts at once. Answer `Admitted` or `NotAdmitted`. The driver stops
    /// counting the connection once its transport is gone.
    Admit {
        /// The connection's user.
        user: String,
        /// Id of the session, for revocations.
        session: String,
        /// The page's random name.
        instance: Option<String>,
        /// When the credential was issued, for revocations.
        issued_at: u64,
    },

    /// The connection now has another credential of the same user, and revocations of that one
    /// apply to it. Feed `Revoked` if one already does.
    Renew {
        /// Id of the new session.
        session: String,
        /// When the new credential was issued.
        issued_at: u64,
    },

    // ---- the transport ----
    /// Messages may share frames from now on ([`crate::Mailbox::take`] with `batch`).
    JoinFrames,
    /// Queue a message ([`crate::Mailbox::push`]).
    Send(Bytes),
    /// Send a ping of the transport.
    Ping,
    /// Feed `Drained` once the mailbox is low, or at once if it already is.
    AwaitDrain,
    /// Read no frames until `ResumeReading`.
    PauseReading,
    /// Read frames again.
    ResumeReading,
    /// Write the queued messages, close with this code, then feed `TransportClosed`. No message
    /// follows this command.
    Close {
        /// Close code.
        code: CloseCode,
        /// The reason in words, at most 123 bytes.
        reason: &'static str,
    },

    // ---- the store ----
    /// Read from the store; answer `Read` or `StoreFailed`.
    Read {
        /// Comes back in the answer.
        request: Request,
        /// The question.
        query: Query,
    },
    /// Make the write durable, hand the records to the hub, then answer `Committed` or
    /// `StoreFailed`.
    Commit {
        /// Comes back in the answer.
        request: Request,
        /// The write.
        write: Box<Write>,
    },

    // ---- the hub ----
    /// [`crate::Hub::attach`]; answer `Attached`, before the commands after this one are executed.
    Attach {
        /// The channel.
        channel: Channel,
    },
    /// [`crate::Hub::go_live`]; answer `WentLive` or `FellBehind`.
    GoLive {
        /// The channel.
        channel: Channel,
        /// The subscription.
        slot: Slot,
        /// Identity of the log.
        epoch: Epoch,
        /// Last offset sent.
        sent: u64,
    },
    /// [`crate::Hub::detach`].
    Detach {
        /// The channel.
        channel: Channel,
        /// The subscription.
        slot: Slot,
    },
    /// [`crate::Hub::live_top`] of each subscription; answer `TopsRead` with the live ones.
    ReadTops {
        /// Comes back in the answer.
        id: Option<u64>,
        /// The subscriptions.
        of: Vec<(Channel, Slot)>,
    },

    // ---- time ----
    /// The one deadline: feed `DeadlinePassed` at this monotonic time. Replaces the earlier one.
    /// `None`: no deadline.
    SetDeadline {
        /// Milliseconds as `Now::mono`.
        at: Option<u64>,
    },
}
