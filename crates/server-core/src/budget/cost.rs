//! The kinds of use that are counted for a user, and the cost of a message or request.

use tidings_protocol::ClientMessage;

/// Number of kinds.
pub const KINDS: usize = 5;

/// A kind of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Messages of clients, and requests that write.
    Messages,
    /// Bytes of both.
    Bytes,
    /// Reads of the log: pages, subscriptions and polls.
    Reads,
    /// New sockets and streams.
    Opens,
    /// Tickets that the user requests.
    Tickets,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; KINDS] =
        [Self::Messages, Self::Bytes, Self::Reads, Self::Opens, Self::Tickets];

    /// The kind's name in metrics, log lines and errors.
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

    pub(super) const fn index(self) -> usize {
        self as usize
    }

    /// Units that a client sends at once, without waiting for an answer. If the client were told to
    /// come back for a single unit, the rest would be refused again.
    pub(super) const fn at_once(self) -> u64 {
        match self {
            Self::Messages | Self::Reads => AT_ONCE,
            Self::Bytes => 16 * 1024,
            Self::Opens | Self::Tickets => 1,
        }
    }
}

/// Messages that a client has in flight at once; this project's clients have 16.
pub(crate) const AT_ONCE: u64 = 16;

/// A cost, by kind.
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

    /// The cost of a client's message.
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
        self.0[kind.index()]
    }

    /// Units by kind, in the order of [`Kind::ALL`].
    #[must_use]
    pub const fn units(self) -> [u64; KINDS] {
        self.0
    }
}

/// Whether a connection would end without this message, so that no account may refuse it.
pub(crate) const fn keeps_alive(message: &ClientMessage) -> bool {
    matches!(
        message,
        ClientMessage::Connect(_)
            | ClientMessage::Ping(_)
            | ClientMessage::Refresh(_)
            | ClientMessage::Unsubscribe(_)
    )
}
