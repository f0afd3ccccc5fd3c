//! What is counted of a user, and what a message or request costs.

use tidings_protocol::ClientMessage;

/// Number of kinds.
pub const KINDS: usize = 5;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Messages of clients, and requests that write.
    Messages,
    /// Bytes of both.
    Bytes,
    /// Pages, subscriptions and polls: whatever asks the log.
    Reads,
    /// Sockets and streams that begin.
    Opens,
    /// Tickets that the user asks for.
    Tickets,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; KINDS] =
        [Self::Messages, Self::Bytes, Self::Reads, Self::Opens, Self::Tickets];

    /// Its name in figures, log lines and errors.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Bytes => "bytes",
            Self::Reads => "reads",
            Self::Opens => "opens",
            Self::Tickets => "tickets",
        }
    }

    pub(super) const fn place(self) -> usize {
        self as usize
    }

    /// Units that clients send without waiting for an answer: told to come back for one, a client would have the rest
    /// refused again.
    pub(super) const fn at_once(self) -> u64 {
        match self {
            Self::Messages | Self::Reads => AT_ONCE,
            Self::Bytes => 16 * 1024,
            Self::Opens | Self::Tickets => 1,
        }
    }
}

/// Messages of a client that are on their way at once; those of this project have 16.
pub(crate) const AT_ONCE: u64 = 16;

/// What something costs, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost([u64; KINDS]);

impl Cost {
    /// A page, or a poll.
    pub const READ: Self = Self([0, 0, 1, 0, 0]);
    /// A socket or stream.
    pub const OPEN: Self = Self([0, 0, 0, 1, 0]);
    /// A ticket.
    pub const TICKET: Self = Self([0, 0, 0, 0, 1]);

    /// Units by kind, in the order of [`Kind::ALL`].
    #[must_use]
    pub const fn new(units: [u64; KINDS]) -> Self {
        Self(units)
    }

    /// A message, or a request that writes, of this many bytes.
    #[must_use]
    pub const fn message(bytes: usize) -> Self {
        Self([1, bytes as u64, 0, 0, 0])
    }

    /// What a client's message costs.
    #[must_use]
    pub const fn of_message(message: &ClientMessage, bytes: usize) -> Self {
        match message {
            ClientMessage::Subscribe(_) | ClientMessage::History(_) => Self::READ,
            _ => Self::message(bytes),
        }
    }

    /// Units of a kind.
    #[must_use]
    pub const fn of(self, kind: Kind) -> u64 {
        self.0[kind.place()]
    }

    /// Units by kind, in the order of [`Kind::ALL`].
    #[must_use]
    pub const fn units(self) -> [u64; KINDS] {
        self.0
    }
}

/// A connection ends without it, so that no account refuses it.
pub(crate) const fn keeps_alive(message: &ClientMessage) -> bool {
    matches!(
        message,
        ClientMessage::Connect(_)
            | ClientMessage::Ping(_)
            | ClientMessage::Refresh(_)
            | ClientMessage::Unsubscribe(_)
    )
}
