//! Everything that can happen to a client, as past facts, and the values they carry.

use tidings_protocol::{Channel, Epoch, Json, MarkSet, codec::messages_of};

use crate::Later;

/// The time as the driver's two clocks tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds on a clock that never goes back; it may stand still while the machine sleeps.
    pub mono: u64,
    /// Milliseconds since 1970; it may jump.
    pub wall: u64,
}

/// Whose client this is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum User {
    /// Whoever the ticket names; nothing cached is shown before.
    #[default]
    Unknown,
    /// Nobody: signed out, no connection.
    Nobody,
    /// This one: their cache shows at once, and a ticket of another is refused.
    Named(String),
}

/// What the app's ticket function answered.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// A one-time ticket.
    Ticket(String),
    /// A JWT.
    Token(String),
    /// `null`: the user is signed out; stop asking.
    SignedOut,
}

/// A way bytes travel.
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

/// Names an item over all its states: channel, epoch of the channel and offset.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ItemKey {
    /// `inbox:{user}` or `system:all`.
    pub channel: Channel,
    /// The channel's epoch.
    pub epoch: Epoch,
    /// Offset in the channel.
    pub offset: u64,
}

/// What a mark covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarkTargets {
    /// Everything the client has seen arrive, up to its cursors; while it has seen nothing, [`Self::Everything`].
    All,
    /// Everything there is at the first moment at which the inbox is live: for whoever asks before anything was shown.
    Everything,
    /// Single items by notification id. Those that are not loaded are looked for once the inbox is live; what is not among
    /// the newest 1,000 of its log is refused with `not_found`.
    Items(Vec<String>),
}

/// Which items a view shows.
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
    /// By state.
    pub show: Show,
    /// By notification type; empty: all types.
    pub kinds: Kinds,
}

/// Notification types, each once as the app names them; none stands for all.
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
    /// One a line: what browsers hand over, and in a fraction of a list's code. Types have no control characters.
    lines: String,
}

impl Kinds {
    /// The types in these lines.
    #[must_use]
    pub fn of_lines(lines: &str) -> Self {
        Self { lines: String::from(lines) }
    }

    /// All types, none named.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whether a type is among them.
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

/// A lane of the outbox that a client left, and what is still in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Its `client_id`.
    pub name: String,
    /// `seq` and text of each row, by ascending `seq`.
    pub rows: Vec<(u64, String)>,
}

/// Something happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    // ---- the app ----
    /// The app wants a connection (a readable has a subscriber, an intent was made, or `connect()`).
    ConnectRequested,
    /// `disconnect()`: no connection until asked for again.
    DisconnectRequested,
    /// `retryNow()`: don't wait for the backoff.
    RetryRequested,
    /// `close()`: final.
    CloseRequested,
    /// `setUser()`.
    UserChanged(User),
    /// `signOut()`: forget everything of the current user; answered by `Command::Wipe` and `SignedOut` once unsent intents are sent, discarded or 5 s passed.
    SignOutRequested {
        /// Throw unsent intents away instead of sending them for up to 5 s.
        discard: bool,
    },
    /// Another client of the same storage signed this user out: what is left of the user here goes. Storage is wiped already.
    SignedOutElsewhere {
        /// Whom; another user is none of this client's business.
        user: String,
    },
    /// What the app asked for can't be read on its way here.
    IntentUnreadable {
        /// Comes back in `Command::Settled`.
        intent: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// Mark items. `intent` is the driver's number for it, unique for the client's life.
    MarkRequested {
        /// Comes back in `Command::Settled`.
        intent: u64,
        /// What to mark.
        targets: MarkTargets,
        /// How.
        set: MarkSet,
    },
    /// `loadMore()` on a view. Several of the same filter join the one under way.
    MoreRequested {
        /// Which view; older items of the inbox are fetched until it grew or nothing is left.
        filter: Filter,
        /// Comes back in `Command::Settled` (with no `Stored`).
        intent: u64,
    },
    /// The app reads a channel other than its inbox (the driver counts its readers). Needs no connection of its own:
    /// `ConnectRequested` goes with it.
    ChannelWanted {
        /// Which.
        channel: Channel,
    },
    /// Nobody reads it any more. It is left after `Config::linger`.
    ChannelUnwanted {
        /// Which.
        channel: Channel,
    },
    /// Publish a message. Whether the channel is read does not matter.
    PublishRequested {
        /// Comes back in `Command::Settled`; unique among all numbers of intents.
        intent: u64,
        /// Where to.
        channel: Channel,
        /// The message.
        data: Json,
    },
    /// `loadMore()` of a channel that is read: older messages.
    OlderRequested {
        /// Which.
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
    /// The app's ticket function answered.
    CredentialFetched {
        /// From `FetchCredential`.
        attempt: u64,
        /// An `Err` says why, in words; the client tries again.
        result: Result<Credential, String>,
    },
    /// The cache under `user` was read; `None` when there is none or it is unreadable.
    StorageLoaded {
        /// From `Load`.
        user: String,
        /// What a `Save` wrote.
        saved: Option<String>,
    },
    /// Storage is unavailable or failed: the client goes on in memory and says `durable: false`.
    StorageFailed {
        /// In words.
        reason: String,
    },

    /// Everything up to this `Keep` is on disk.
    Kept {
        /// From `Keep`; it answers those before it, too.
        number: u64,
    },
    /// The lanes of `user` that no living client holds, now held by this one. May be empty. Answers a `Claim`; comes
    /// unasked, too, where a driver knows that the holder of a lane died.
    LanesClaimed {
        /// From `Claim`.
        user: String,
        /// With their rows; lanes this client holds already are left out.
        lanes: Later<Vec<Lane>>,
    },
    /// Intents can't be kept (no storage, no locks): the client goes on in memory and says `durable: false`.
    LanesFailed {
        /// In words.
        reason: String,
    },

    // ---- transports ----
    /// The transport can carry messages.
    TransportOpened {
        /// From `OpenTransport`.
        transport: u64,
    },
    /// A frame came: one message, or several separated by `\n`.
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
        /// Close code; 1006 when there was none.
        code: u16,
        /// In words, may be empty.
        reason: String,
    },

    // ---- requests ----
    /// A request has its answer's head.
    RequestAnswered {
        /// From `Request`.
        request: u64,
        /// HTTP status.
        status: u16,
        /// `Retry-After` in milliseconds, where it can be read.
        retry_after_ms: Option<u64>,
    },
    /// A piece of the answer's body came, as it came.
    RequestReceived {
        /// From `Request`.
        request: u64,
        /// UTF-8, cut between any two characters.
        text: String,
    },
    /// The answer is complete, or there won't be any more of it.
    RequestEnded {
        /// From `Request`.
        request: u64,
        /// Why it ended before it was complete, in words.
        reason: Option<String>,
    },

    // ---- the world ----
    /// The timer of `SetTimer` went off (early or late does no harm).
    TimerFired,
    /// The browser says the network is back.
    WentOnline,
    /// The browser says there is no network.
    WentOffline,
    /// The page was hidden.
    Hidden,
    /// The page was shown, focused, restored from the back/forward cache or resumed: probe the link.
    Woke,
    /// All of the client's code is there: the answer to `LoadRest`. Events held until now happen.
    RestLoaded,
    /// The driver lost its own footing (such as a trap in another instance): the client fails with `internal`.
    DriverFailed {
        /// In words.
        reason: String,
    },
}

impl core::fmt::Debug for Credential {
    /// Secrets stay out of logs.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Ticket(_) => "Ticket(…)",
            Self::Token(_) => "Token(…)",
            Self::SignedOut => "SignedOut",
        })
    }
}
