//! What the app sees: plain values, rebuilt only when their content changed.

use std::sync::Arc;

use tidings_protocol::{Channel, Epoch, Json, server::GapReason};

use crate::{Error, ItemKey, TransportKind};

/// Where the connection stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// Final: `close()` was called.
    Closed,
    /// Live.
    Connected,
    /// Getting a ticket, opening, or shaking hands.
    Connecting,
    /// Gave up (fatal refusal or attempts used up); `connect()` starts again.
    Failed,
    /// Nobody asked for a connection.
    #[default]
    Idle,
    /// The browser says there is no network, and nothing got through since. It is tried all the same, as in `Waiting`.
    Offline,
    /// There is no user, or the ticket function said so.
    SignedOut,
    /// Waits until `retry_at`.
    Waiting,
}

/// The connection's snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct Connection {
    /// State.
    pub status: Status,
    /// Who is connected, or whose cache is shown.
    pub user: Option<String>,
    /// Why it is not connected.
    pub error: Option<Error>,
    /// Attempts since the connection was last good.
    pub attempt: u32,
    /// Wall-clock time of the next attempt, in milliseconds since 1970.
    pub retry_at: Option<u64>,
    /// No connection for 5 s although one is wanted.
    pub lost: bool,
    /// What carries the connection.
    pub transport: Option<TransportKind>,
    /// The cache is kept over restarts.
    pub durable: bool,
}

/// How fresh the inbox is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InboxStatus {
    /// From storage, or the connection is away: true as of the last contact.
    Cached,
    /// Following the log.
    Live,
    /// Nothing known yet.
    #[default]
    Loading,
}

/// One item as the app sees it: the log's state with pending marks on top.
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
    /// A mark on it has no answer yet.
    pub pending: bool,
    /// The body, for the app to parse.
    pub data: Json,
}

/// A view of the inbox.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InboxView {
    /// Freshness.
    pub status: InboxStatus,
    /// Newest first by (`at`, channel, offset); shared and unchanged while the content is.
    pub items: Arc<[ItemView]>,
    /// Unread in the whole inbox, everyone-messages included.
    pub unread: u64,
    /// Unseen in the whole inbox.
    pub unseen: u64,
    /// Items of this view on the server, where known (whole-inbox unread view), else `None`.
    pub count: Option<u64>,
    /// Older items can be loaded.
    pub has_more: bool,
    /// Older items are being loaded.
    pub loading_more: bool,
    /// Why the last load failed.
    pub error: Option<Error>,
}

/// How a channel is followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChannelStatus {
    /// What is shown is true as of the last contact; more is on its way.
    CatchingUp,
    /// Nobody reads it.
    #[default]
    Idle,
    /// Wanted, and nothing is known yet.
    Joining,
    /// Following the log.
    Live,
    /// The server does not let this user in; `error` says why.
    Refused,
}

/// Who wrote a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Author {
    /// User id.
    pub user: String,
    /// What the user's credential carried as `info`, where known.
    pub info: Option<Json>,
    /// This client's user.
    pub own: bool,
}

/// One message of a channel as the app sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageView {
    /// Names it over the client's life: a pending message keeps it when it comes back as a fact.
    pub key: u64,
    /// Record id; `client_id/seq` while it is pending or failed.
    pub id: Arc<str>,
    /// Where it stands in the log, once stored.
    pub offset: Option<u64>,
    /// Milliseconds since 1970.
    pub at: u64,
    /// Nobody where a backend wrote it.
    pub from: Option<Author>,
    /// Lane and `seq` of an own one, by which it is known over restarts.
    pub lane: Option<(Arc<str>, u64)>,
    /// The app's payload.
    pub data: Json,
    /// It has no answer yet.
    pub pending: bool,
    /// Why it was refused for good; see [`Outbox::failed`].
    pub failed: Option<Error>,
}

/// Offsets that are missing for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GapView {
    /// First.
    pub from: u64,
    /// Last.
    pub to: u64,
    /// Why.
    pub why: GapReason,
}

/// A channel's snapshot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChannelView {
    /// State.
    pub status: ChannelStatus,
    /// In order, own messages without an answer and refused ones last; shared and unchanged while the content is.
    pub messages: Arc<[Arc<MessageView>]>,
    /// The last range that is missing.
    pub gap: Option<GapView>,
    /// Older messages can be loaded.
    pub has_more: bool,
    /// Older messages are being loaded.
    pub loading_more: bool,
    /// Why it is refused, or why the last load failed.
    pub error: Option<Error>,
}

/// What a view of the inbox says beside its items; see [`InboxView`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InboxSummary {
    /// Freshness.
    pub status: InboxStatus,
    /// Unread in the whole inbox.
    pub unread: u64,
    /// Unseen in the whole inbox.
    pub unseen: u64,
    /// Items of this view on the server, where known.
    pub count: Option<u64>,
    /// Older items can be loaded.
    pub has_more: bool,
}

/// An intent that was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Where.
    pub channel: Channel,
    /// The channel's epoch.
    pub epoch: Epoch,
    /// Offset of the record, or the top where nothing changed.
    pub offset: u64,
    /// Record id; empty where no record was made.
    pub id: String,
}

/// What an intent wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntentKind {
    /// To mark items of the inbox.
    Mark,
    /// To publish a message.
    Publish,
}

/// An intent that was refused.
#[derive(Clone, Debug, PartialEq)]
pub struct FailedIntent {
    /// For `FailedRetried` and `FailedDiscarded`.
    pub id: u64,
    /// What it wanted.
    pub kind: IntentKind,
    /// Where it should have gone.
    pub channel: Channel,
    /// When it was refused, in milliseconds since 1970.
    pub at: u64,
    /// Why.
    pub error: Error,
}

/// Unanswered and refused intents.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outbox {
    /// Sent or to be sent, without an answer.
    pub pending: u32,
    /// Refused for good, oldest first; bounded by `Config::failed_max`.
    pub failed: Vec<FailedIntent>,
}
