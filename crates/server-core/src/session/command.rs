//! Everything a session can ask its driver for, as imperatives.

use bytes::Bytes;
use tidings_protocol::{Channel, CloseCode, Epoch};

use super::Request;
use crate::{
    hub::Slot,
    store::{Query, Write},
};

/// What a client offers to say who it is.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// A one-time ticket.
    Ticket(String),
    /// A JWT.
    Token(String),
    /// What `connected` or `refreshed` gave.
    SessionToken(String),
    /// Nothing in `connect`: what the upgrade's header or cookie says, if the transport lets it speak.
    Ambient,
}

impl std::fmt::Debug for Credential {
    /// Secrets stay out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ticket(_) => "Ticket(…)",
            Self::Token(_) => "Token(…)",
            Self::SessionToken(_) => "SessionToken(…)",
            Self::Ambient => "Ambient",
        })
    }
}

/// Do this. Commands are executed in order, and their answers are fed before further frames of the connection are.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    // ---- who ----
    /// Check a credential (revocations too); answer `Authenticated` or `AuthRefused`.
    Authenticate {
        /// What was offered.
        credential: Credential,
    },
    /// Count the connection in, atomically, and end an older one of the same instance (`Replaced` to it, which frees
    /// its place at once); answer `Admitted` or `NotAdmitted`. The driver counts it out when the transport is gone.
    Admit {
        /// Whose connection.
        user: String,
        /// Id of the session, for revocations.
        session: String,
        /// The page's random name.
        instance: Option<String>,
        /// When the credential was issued, for revocations.
        issued_at: u64,
    },

    /// The connection goes on under another credential of the same user: revocations hit it by this one from now on. Feed
    /// `Revoked` if one already does.
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
    /// Send a ping of the transport's own.
    Ping,
    /// Feed `Drained` once the mailbox is low; at once if it is.
    AwaitDrain,
    /// Read no frames until `ResumeReading`.
    PauseReading,
    /// Read frames again.
    ResumeReading,
    /// Write what is queued, close with this code, then feed `TransportClosed`. Nothing else is sent afterwards.
    Close {
        /// Close code.
        code: CloseCode,
        /// In words, at most 123 bytes.
        reason: &'static str,
    },

    // ---- the store ----
    /// Answer with `Read` or `StoreFailed`.
    Read {
        /// Comes back in the answer.
        request: Request,
        /// The question.
        query: Query,
    },
    /// Make durable, hand the records to the hub, then answer with `Committed` or `StoreFailed`.
    Commit {
        /// Comes back in the answer.
        request: Request,
        /// What to write.
        write: Box<Write>,
    },

    // ---- the hub ----
    /// [`crate::Hub::attach`]; answer `Attached`, before the commands after this one are executed.
    Attach {
        /// Where.
        channel: Channel,
    },
    /// [`crate::Hub::go_live`]; answer `WentLive` or `FellBehind`.
    GoLive {
        /// Where.
        channel: Channel,
        /// Which subscription.
        slot: Slot,
        /// Identity of the log.
        epoch: Epoch,
        /// Last offset sent.
        sent: u64,
    },
    /// [`crate::Hub::detach`].
    Detach {
        /// Where.
        channel: Channel,
        /// Which subscription.
        slot: Slot,
    },
    /// [`crate::Hub::live_top`] of each; answer `TopsRead` with those that are live.
    Tops {
        /// Comes back in the answer.
        id: Option<u64>,
        /// Which subscriptions.
        of: Vec<(Channel, Slot)>,
    },

    // ---- time ----
    /// The one deadline: feed `DeadlinePassed` at this monotonic time (replaces the earlier one); `None`: none.
    SetDeadline {
        /// Milliseconds as `Now::mono`.
        at: Option<u64>,
    },
}
