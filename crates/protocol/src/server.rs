//! Messages from server to client.

use crate::{
    Channel, Channels, Counts, Epoch, Item, Json, MarkSet, Offsets, Proof, Retry, UpTo,
    client::Cursor,
    codec::{messages, wire},
};

wire! {
    /// Limits of this connection.
    #[derive(Copy, Eq)]
    pub struct SessionLimits {
        /// Largest client message, in bytes.
        pub message_bytes: u32,
        /// Most channels subscribed at once.
        pub subscriptions: u32,
        /// Most items of one `page`.
        pub page: u32,
    }
}

wire! {
    /// A user as other users see it.
    pub struct Member {
        /// User id.
        pub user: String,
        /// `info` of the user's credential, at most 1 KiB.
        pub info: Option<Json>,
    }
}

/// Why a range is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapReason {
    /// The log was lost or replaced: a new epoch began.
    Epoch,
    /// The records are older than the channel keeps.
    Retention,
}

/// A record in a page.
#[derive(Clone, Debug, PartialEq)]
pub enum Posted {
    /// A record of a room, chat or topic.
    Message(Message),
    /// A record of a topic.
    Notification(Notification),
    /// A record of a type that this version does not know, as it came from a newer server.
    Other(Json),
}

impl Posted {
    /// The record as a message, if its type is known. A topic's notification becomes a message
    /// without an author.
    #[must_use]
    pub fn into_message(self) -> Option<Message> {
        match self {
            Self::Message(message) => Some(message),
            Self::Notification(note) => Some(note.into()),
            Self::Other(_) => None,
        }
    }
}

impl From<Message> for Posted {
    fn from(message: Message) -> Self {
        Self::Message(message)
    }
}

impl From<Notification> for Posted {
    fn from(note: Notification) -> Self {
        Self::Notification(note)
    }
}

impl From<Notification> for Message {
    /// Makes a message without an author.
    fn from(note: Notification) -> Self {
        let Notification { channel, offset, id, at, data, .. } = note;
        Self { channel, offset, id, at, from: None, client_id: None, seq: None, data }
    }
}

messages! {
    /// A message from server to client.
    pub enum ServerMessage {
        /// The connection is accepted.
        "connected" Connected {
            pub id: Option<u64>,
            pub user_id: String,
            /// Id of this session, for revocations and for the client's POST requests.
            pub session: String,
            /// Opens another connection until `expires_at`. It is a bearer token: keep it in memory
            /// only.
            pub session_token: String,
            /// A text for a developer who reads the wire.
            pub message: String,
            /// The server's protocol version.
            pub version: u32,
            /// How often the client should ping.
            pub heartbeat_ms: u64,
            /// How long the client should wait for an answer.
            pub timeout_ms: u64,
            /// Server time, milliseconds since 1970.
            pub now: u64,
            /// When the credential expires, milliseconds since 1970.
            pub expires_at: Option<u64>,
            pub limits: SessionLimits,
        }
        /// Answers `ping`.
        "pong" Pong {
            pub id: Option<u64>,
            /// Server time, milliseconds since 1970.
            pub now: u64,
            /// Tops of the live subscriptions that changed since the last `pong`.
            #[cfg_attr(feature = "ts", ts(as = "Option<std::collections::BTreeMap<Channel, u64>>"))]
            pub tops: Option<Channels<u64>>,
        }
        /// A subscription begins.
        "subscribed" Subscribed {
            pub id: Option<u64>,
            pub channel: Channel,
            pub epoch: Epoch,
            /// Oldest offset that is still stored (`top + 1` if there is none).
            pub first: u64,
            /// Newest offset.
            pub top: u64,
            /// Records after this offset follow, or after the offset of the `snapshot`, if one
            /// follows.
            pub offset: u64,
            /// Whether the server resumed from the client's cursor without a gap.
            pub recovered: bool,
            /// For a user without the right `history`. The client sends it with its cursor; it
            /// proves from which offset on the user may read.
            pub proof: Option<Proof>,
        }
        /// A subscription ended, at the client's wish or with a `code`.
        "unsubscribed" Unsubscribed {
            pub id: Option<u64>,
            pub channel: Channel,
            /// Absent when the client asked for it.
            pub code: Option<String>,
        }
        /// The inbox at `offset` and `system.offset`. The client folds the records after them.
        "snapshot" Snapshot {
            pub id: Option<u64>,
            /// The user's inbox channel.
            pub channel: Channel,
            pub epoch: Epoch,
            pub offset: u64,
            /// Epoch and offset of `system:all`.
            pub system: Cursor,
            pub counts: Counts,
            /// Whether there are older inbox items than the listed ones.
            pub more: bool,
            /// Whether there are older messages to everyone than the listed ones.
            pub system_more: bool,
            /// Inbox and `system:all` together, newest first, by (`at`, channel, offset).
            pub items: Vec<Item>,
        }
        /// A notification: a record of an inbox or of `system:all`.
        "notification" Notification {
            pub channel: Channel,
            pub offset: u64,
            pub id: String,
            pub kind: String,
            pub at: u64,
            /// In an inbox: the counts right after this record.
            pub counts: Option<Counts>,
            pub data: Json,
        }
        /// A message: a record of a room, chat or topic.
        "message" Message {
            pub channel: Channel,
            pub offset: u64,
            pub id: String,
            pub at: u64,
            /// Absent if a backend published it.
            pub from: Option<Member>,
            pub client_id: Option<String>,
            pub seq: Option<u64>,
            pub data: Json,
        }
        /// A mark that was applied: an inbox record.
        "marked" Marked {
            pub channel: Channel,
            pub offset: u64,
            pub id: String,
            pub at: u64,
            pub client_id: Option<String>,
            pub seq: Option<u64>,
            pub offsets: Option<Offsets>,
            pub up_to: Option<UpTo>,
            pub set: MarkSet,
            pub counts: Counts,
        }
        /// Items up to `up_to` were removed: an inbox record.
        "trimmed" Trimmed {
            pub channel: Channel,
            pub offset: u64,
            pub id: String,
            pub at: u64,
            /// Inbox offset up to which items were removed.
            pub up_to: u64,
            pub counts: Counts,
        }
        /// Answers `history`.
        "page" Page {
            pub id: Option<u64>,
            pub channel: Channel,
            pub epoch: Epoch,
            /// The offset at which the page was read: of the inbox for items (also for those of
            /// `system:all`), else of the channel.
            pub offset: u64,
            /// Whether there is more in the requested direction.
            pub more: bool,
            /// Items of an inbox or of `system:all`.
            pub items: Option<Vec<Item>>,
            /// Records of other channels.
            pub messages: Option<Vec<Posted>>,
        }
        /// Answers `presence`.
        "members" Members {
            pub id: Option<u64>,
            pub channel: Channel,
            pub members: Vec<Member>,
        }
        /// Answers `refresh`.
        "refreshed" Refreshed {
            pub id: Option<u64>,
            pub session_token: String,
            pub expires_at: Option<u64>,
            /// Server time. A client measures by it how long the new credential lasts.
            pub now: Option<u64>,
        }
        /// The client may not see offsets `from..=to`: it goes on after `to`.
        "skip" Skip {
            pub channel: Channel,
            pub from: u64,
            pub to: u64,
        }
        /// Offsets `from..=to` are lost for good.
        "gap" Gap {
            pub channel: Channel,
            pub from: u64,
            pub to: u64,
            pub why: GapReason,
        }
        /// A `signal` of another member.
        "signal" Signal {
            pub channel: Channel,
            pub name: String,
            pub from: Member,
            pub data: Option<Json>,
        }
        /// A member came.
        "join" Join {
            pub channel: Channel,
            pub member: Member,
        }
        /// A member left.
        "leave" Leave {
            pub channel: Channel,
            pub member: Member,
        }
        /// A value of a room's state was set: a record.
        "state" State {
            pub channel: Channel,
            pub offset: u64,
            pub id: String,
            pub at: u64,
            pub from: Option<Member>,
            pub key: String,
            pub version: u64,
            pub data: Json,
        }
        /// An intent is stored.
        "ack" Ack {
            pub id: Option<u64>,
            pub client_id: Option<String>,
            pub seq: Option<u64>,
            pub channel: Channel,
            pub epoch: Epoch,
            /// Offset of the record, or the channel's top if the intent changed nothing.
            pub offset: u64,
            /// Id of the record, if there is one.
            pub record_id: Option<String>,
            /// Whether an earlier send of the same intent got this answer.
            pub duplicate: Option<bool>,
        }
        /// A message was refused. On a connection that closes: the reason.
        "error" Error {
            pub id: Option<u64>,
            pub client_id: Option<String>,
            pub seq: Option<u64>,
            pub channel: Option<Channel>,
            /// Stable name, see [`crate::ErrorCode`]; newer servers may send others.
            pub code: String,
            /// For the developer: the party at fault and the remedy.
            pub message: String,
            pub retry: Retry,
            pub retry_after_ms: Option<u64>,
            /// With the code `sequence`: the `seq` that the lane expects.
            pub expected: Option<u64>,
        }
        /// The credential expires soon: send `refresh`.
        "expiring" Expiring {
            /// Milliseconds since 1970.
            pub expires_at: u64,
        }
        /// The server goes away: reconnect at a random time within the window.
        "goaway" Goaway {
            pub within_ms: u64,
        }
    }
}
