//! Events that a client can get, as past facts, and the values they carry.

use tidings_protocol::{Channel, Epoch, Json, MarkSet, codec::messages_of};

use crate::DeferredValue;

/// The time on the driver's two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds on a clock that never goes back; it may stand still while the machine sleeps.
    pub mono: u64,
    /// Milliseconds since 1970; it may jump.
    pub wall: u64,
}

/// The client's user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum User {
    /// The user that the ticket names; no cached data is shown before.
    #[default]
    Unknown,
    /// No user: signed out, no connection.
    Nobody,
    /// This user: the cache shows at once, and a ticket of another user is refused.
    Named(String),
}

/// The answer of the app's ticket function.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// A one-time ticket.
    Ticket(String),
    /// A JWT.
    Token(String),
    /// `null`: the user is signed out; stop asking.
    SignedOut,
}

/// The kind of a transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TransportKind {
    /// WebSocket.
    Ws,
    /// Server-sent events, client messages by POST.
    Sse,
    /// Long poll.
    Poll,
    /// Another tab of the same browser.
    Relay,
}

/// Identifies an item over all its states: channel, epoch of the channel and offset.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ItemKey {
    /// `inbox:{user}` or `system:all`.
    pub channel: Channel,
    /// The channel's epoch.
    pub epoch: Epoch,
    /// Offset in the channel.
    pub offset: u64,
}

/// The items that a mark covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarkTargets {
    /// All items that this client has seen arrive, up to its cursors; if it has seen none,
    /// [`Self::Everything`].
    All,
    /// All items that exist when the inbox first becomes live, for a mark that is made before any
    /// item is shown.
    Everything,
    /// Single items by notification id. Items that are not loaded are looked up once the inbox is
    /// live. An item that is not among the newest 1,000 of its log is refused with `not_found`.
    Items(Vec<String>),
}

/// The items that a view shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Show {
    /// Not archived.
    #[default]
    Inbox,
    /// Not archived, not read.
    Unread,
    /// Archived.
    Archived,
    /// All.
    All,
}

/// A view of the inbox, by value.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Filter {
    /// Filter by state.
    pub show: Show,
    /// Filter by notification type; empty: all types.
    pub kinds: Kinds,
}

/// Notification types, each once; no types stand for all.
///
/// ```
/// use tidings_client_core::Kinds;
///
/// let kinds: Kinds = ["payment", "comment"].into_iter().collect();
/// assert!(kinds.contains("payment") && !kinds.contains("pay"));
/// assert!(Kinds::default().contains("anything"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kinds {
    /// One type per line: browsers pass it like that, and it takes a fraction of a list's code.
    /// Types have no control characters.
    lines: String,
}

impl Kinds {
    /// The types in these lines.
    #[must_use]
    pub fn of_lines(lines: &str) -> Self {
        Self { lines: String::from(lines) }
    }

    /// Whether this stands for all types.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whether a type is in the set.
    #[must_use]
    pub fn contains(&self, kind: &str) -> bool {
        self.is_all() || messages_of(&self.lines).any(|line| line == kind)
    }
}

impl<'a> FromIterator<&'a str> for Kinds {
    fn from_iter<I: IntoIterator<Item = &'a str>>(kinds: I) -> Self {
        let mut lines = String::new();
        for kind in kinds {
            lines.push_str(kind);
            lines.push('\n');
        }
        Self { lines }
    }
}

/// A lane of the outbox that a client left, with its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Its `client_id`.
    pub name: String,
    /// `seq` and text of each row, by ascending `seq`.
    pub rows: Vec<(u64, String)>,
}

/// An event.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    // ---- the app ----
    /// The app wants a connection: a readable has a subscriber, an intent was made, or `connect()`
    /// was called.
    ConnectRequested,
    /// `disconnect()`: no connection until the app asks again.
    DisconnectRequested,
    /// `retryNow()`: end the wait of the backoff.
    RetryRequested,
    /// `close()`: final.
    CloseRequested,
    /// `setUser()`.
    UserChanged(User),
    /// `signOut()`: forget all data of the current user. Answered by `Command::Wipe` and
    /// `SignedOut` when unsent intents were sent or discarded, or after 5 s.
    SignOutRequested {
        /// Discard unsent intents, instead of sending them for up to 5 s.
        discard: bool,
    },
    /// Another client of the same storage signed this user out: the user's remaining data in this
    /// client is deleted. Storage is already wiped.
    SignedOutElsewhere {
        /// The user; ignored if it is not this client's.
        user: String,
    },
    /// A call of the app could not be read on its way here.
    IntentUnreadable {
        /// Comes back in `Command::Settled`.
        intent: u64,
        /// The error in it.
        reason: String,
    },
    /// Mark items. `intent` is the driver's number for it, unique for the client's life.
    MarkRequested {
        /// Comes back in `Command::Settled`.
        intent: u64,
        /// The items to mark.
        targets: MarkTargets,
        /// The states to set.
        set: MarkSet,
    },
    /// `loadMore()` on a view. Several calls with the same filter share one load.
    MoreRequested {
        /// The view; older items of the inbox are fetched until it has grown or there are none
        /// left.
        filter: Filter,
        /// Comes back in `Command::Settled` (with no `Stored`).
        intent: u64,
    },
    /// The app reads a channel other than its inbox; the driver counts the readers. This event asks
    /// for no connection: `ConnectRequested` comes with it.
    ChannelWanted {
        /// The channel.
        channel: Channel,
    },
    /// The channel has no reader any more. The client unsubscribes after `Config::linger`.
    ChannelUnwanted {
        /// The channel.
        channel: Channel,
    },
    /// Publish a message. The channel needs no reader.
    PublishRequested {
        /// Comes back in `Command::Settled`; unique among all numbers of intents.
        intent: u64,
        /// The channel.
        channel: Channel,
        /// The message.
        data: Json,
    },
    /// `loadMore()` of a channel with readers: older messages.
    OlderRequested {
        /// The channel.
        channel: Channel,
        /// Comes back in `Command::Settled` (with no `Stored`).
        intent: u64,
    },
    /// `outbox.retry(id)`.
    FailedRetried {
        /// The failed intent.
        id: u64,
        /// The driver's number for the new promise.
        intent: u64,
    },
    /// `outbox.discard(id)`.
    FailedDiscarded {
        /// The failed intent.
        id: u64,
    },

    // ---- answers to commands ----
    /// The app's ticket function returned.
    CredentialFetched {
        /// From `FetchCredential`.
        attempt: u64,
        /// An `Err` holds the reason as text; the client tries again.
        result: Result<Credential, String>,
    },
    /// The cache under `user` was read; `None` if there is none or it can't be read.
    StorageLoaded {
        /// From `Load`.
        user: String,
        /// The text that `Save` wrote.
        saved: Option<String>,
    },
    /// Storage is unavailable or failed: the client goes on in memory and reports `durable: false`.
    StorageFailed {
        /// The reason as text.
        reason: String,
    },

    /// All changes up to this `Keep` are on disk.
    Persisted {
        /// From `Keep`; it also answers the ones before.
        number: u64,
    },
    /// This client now holds the lanes of `user` that no living client held; there may be none.
    /// Answers a `Claim`. A driver that notices the end of a lane's holder may send it unasked,
    /// too.
    LanesClaimed {
        /// From `Claim`.
        user: String,
        /// The lanes with their rows, without lanes that this client already held.
        lanes: DeferredValue<Vec<Lane>>,
    },
    /// Intents can't be stored (no storage, no locks): the client goes on in memory and reports
    /// `durable: false`.
    LanesFailed {
        /// The reason as text.
        reason: String,
    },

    // ---- transports ----
    /// The transport is open.
    TransportOpened {
        /// From `OpenTransport`.
        transport: u64,
    },
    /// A frame arrived: one message, or several separated by `\n`.
    TransportReceived {
        /// From `OpenTransport`.
        transport: u64,
        /// UTF-8 JSON text.
        text: String,
    },
    /// The transport ended or could not be opened.
    TransportClosed {
        /// From `OpenTransport`.
        transport: u64,
        /// Close code; 1006 if there was none.
        code: u16,
        /// A text; may be empty.
        reason: String,
    },

    // ---- requests ----
    /// The head of a response arrived.
    RequestAnswered {
        /// From `Request`.
        request: u64,
        /// HTTP status.
        status: u16,
        /// `Retry-After` in milliseconds, if it can be read.
        retry_after_ms: Option<u64>,
    },
    /// A piece of the response's body arrived.
    RequestReceived {
        /// From `Request`.
        request: u64,
        /// UTF-8; the body may be cut between any two characters.
        text: String,
    },
    /// The response is complete, or was cut off.
    RequestEnded {
        /// From `Request`.
        request: u64,
        /// Why the response is incomplete, as text.
        reason: Option<String>,
    },

    // ---- the outside world ----
    /// The timer of `SetTimer` fired; it may be early or late.
    TimerFired,
    /// The browser says the network is back.
    WentOnline,
    /// The browser says there is no network.
    WentOffline,
    /// The page was hidden.
    Hidden,
    /// The page was shown, focused, restored from the back/forward cache or resumed: probe the
    /// connection.
    Woke,
    /// All of the client's code is loaded: the answer to `LoadDeferred`. The client handles the
    /// held events.
    DeferredLoaded,
    /// The driver itself failed (such as by a trap in another instance): the client fails with
    /// `internal`.
    DriverFailed {
        /// The reason as text.
        reason: String,
    },
}

impl core::fmt::Debug for Credential {
    /// Keeps secrets out of logs.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Ticket(_) => "Ticket(…)",
            Self::Token(_) => "Token(…)",
            Self::SignedOut => "SignedOut",
        })
    }
}
