//! The app's view of the state: plain values, rebuilt only when their content changed.

use std::sync::Arc;

use tidings_protocol::{Channel, Epoch, Json, server::GapReason};

use crate::{Error, ItemKey, TransportKind};

/// The state of the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// Final: `close()` was called.
    Closed,
    /// Connected.
    Connected,
    /// It fetches a ticket, opens a transport, or waits for `connected`.
    Connecting,
    /// It gave up (final refusal, or all attempts failed); `connect()` starts again.
    Failed,
    /// No connection is wanted.
    #[default]
    Idle,
    /// The browser says there is no network, and no data has arrived since. The client tries all
    /// the same, as in `Waiting`.
    Offline,
    /// There is no user, or the ticket function said so.
    SignedOut,
    /// It waits until `retry_at`.
    Waiting,
}

/// The connection's snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct Connection {
    /// State.
    pub status: Status,
    /// The connected user, or the user whose cache is shown.
    pub user: Option<String>,
    /// The error that keeps it from being connected.
    pub error: Option<Error>,
    /// Attempts since the connection was last good.
    pub attempt: u32,
    /// Wall-clock time of the next attempt, in milliseconds since 1970.
    pub retry_at: Option<u64>,
    /// Whether a wanted connection has been missing for 5 s.
    pub lost: bool,
    /// The transport of the connection.
    pub transport: Option<TransportKind>,
    /// Whether the cache outlives a restart.
    pub durable: bool,
}

/// How fresh the inbox is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InboxStatus {
    /// From storage, or without a connection: the state at the last contact.
    Cached,
    /// Up to date with the log.
    Live,
    /// No state is known yet.
    #[default]
    Loading,
}

/// One item as the app sees it, with pending marks on top of the log's state.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemView {
    /// Channel, epoch, offset.
    pub key: ItemKey,
    /// Notification id.
    pub id: Arc<str>,
    /// Notification type.
    pub kind: Arc<str>,
    /// Milliseconds since 1970.
    pub at: u64,
    /// Read.
    pub read: bool,
    /// Seen.
    pub seen: bool,
    /// Archived.
    pub archived: bool,
    /// Whether a mark on it has no answer yet.
    pub pending: bool,
    /// The body, for the app to parse.
    pub data: Json,
}

/// A view of the inbox.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InboxView {
    /// Freshness.
    pub status: InboxStatus,
    /// Newest first by (`at`, channel, offset); the same object as long as the content is.
    pub items: Arc<[ItemView]>,
    /// Unread items in the whole inbox, messages to everyone included.
    pub unread: u64,
    /// Unseen items in the whole inbox.
    pub unseen: u64,
    /// Number of this view's items on the server, if known (only for the unread view of the whole
    /// inbox).
    pub count: Option<u64>,
    /// Whether older items can be loaded.
    pub has_more: bool,
    /// Whether older items are being loaded.
    pub loading_more: bool,
    /// The error of the last load.
    pub error: Option<Error>,
}

/// The state of a channel's subscription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChannelStatus {
    /// The shown state is that of the last contact; newer records are on their way.
    CatchingUp,
    /// It has no reader.
    #[default]
    Idle,
    /// It has a reader, but no state is known yet.
    Joining,
    /// Up to date with the log.
    Live,
    /// The server refuses this user; `error` says why.
    Refused,
}

/// The author of a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Author {
    /// User id.
    pub user: String,
    /// `info` of the user's credential, if known.
    pub info: Option<Json>,
    /// Whether it is this client's user.
    pub own: bool,
}

/// One message of a channel as the app sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageView {
    /// Identifies it over the client's life: a pending message keeps its key when it comes back as
    /// a record.
    pub key: u64,
    /// Record id; `client_id/seq` while it is pending or failed.
    pub id: Arc<str>,
    /// Its offset in the log, once it is stored.
    pub offset: Option<u64>,
    /// Milliseconds since 1970.
    pub at: u64,
    /// Absent if a backend published it.
    pub from: Option<Author>,
    /// Lane and `seq` of an own message, which identify it over restarts.
    pub lane: Option<(Arc<str>, u64)>,
    /// The app's payload.
    pub data: Json,
    /// Whether it has no answer yet.
    pub pending: bool,
    /// The error, if it was refused for good; see [`Outbox::failed`].
    pub failed: Option<Error>,
}

/// Offsets that are lost for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GapView {
    /// First missing offset.
    pub from: u64,
    /// Last missing offset.
    pub to: u64,
    /// The reason.
    pub why: GapReason,
}

/// A channel's snapshot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChannelView {
    /// State.
    pub status: ChannelStatus,
    /// In order, with unanswered and refused own messages last; the same object as long as the
    /// content is.
    pub messages: Arc<[Arc<MessageView>]>,
    /// The last range that is missing.
    pub gap: Option<GapView>,
    /// Whether older messages can be loaded.
    pub has_more: bool,
    /// Whether older messages are being loaded.
    pub loading_more: bool,
    /// Why the channel is refused, or the error of the last load.
    pub error: Option<Error>,
}

/// The fields of a view besides its items; see [`InboxView`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InboxSummary {
    /// Freshness.
    pub status: InboxStatus,
    /// Unread items in the whole inbox.
    pub unread: u64,
    /// Unseen items in the whole inbox.
    pub unseen: u64,
    /// Number of this view's items on the server, if known.
    pub count: Option<u64>,
    /// Whether older items can be loaded.
    pub has_more: bool,
}

/// An intent that was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The channel.
    pub channel: Channel,
    /// The channel's epoch.
    pub epoch: Epoch,
    /// Offset of the record, or the top if nothing changed.
    pub offset: u64,
    /// Record id; empty if no record was made.
    pub id: String,
}

/// The kind of an intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntentKind {
    /// Mark items of the inbox.
    Mark,
    /// Publish a message.
    Publish,
}

/// An intent that was refused.
#[derive(Clone, Debug, PartialEq)]
pub struct FailedIntent {
    /// Id for `FailedRetried` and `FailedDiscarded`.
    pub id: u64,
    /// Its kind.
    pub kind: IntentKind,
    /// The channel it was for.
    pub channel: Channel,
    /// When it was refused, in milliseconds since 1970.
    pub at: u64,
    /// The reason.
    pub error: Error,
}

/// Intents without an answer, and refused intents.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outbox {
    /// Number of intents without an answer, sent or not.
    pub pending: u32,
    /// Intents refused for good, oldest first; bounded by `Config::failed_max`.
    pub failed: Vec<FailedIntent>,
}
