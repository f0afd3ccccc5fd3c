//! What a server sends.

use crate::{
    Channel, Channels, Counts, Epoch, Item, Json, MarkSet, Offsets, Proof, Retry, UpTo,
    client::Cursor,
    codec::{messages, wire},
};

wire! {
    /// What a client may do on this connection.
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
    /// A user as others see them.
    pub struct Member {
        /// User id.
        pub user: String,
        /// What the user's credential carried as `info`, at most 1 KiB.
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

/// A record as a page lists it.
#[derive(Clone, Debug, PartialEq)]
pub enum Posted {
    /// Of a room, chat or topic.
    Message(Message),
    /// Of a topic.
    Notification(Notification),
    /// A record of another type, as it came: newer servers may list what this library does not know.
    Other(Json),
}

impl Posted {
    /// What it says, if it is of a type that says something: a topic's notification reads as a message from nobody.
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
    /// As a message from nobody.
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
            /// Names this session in revocations and session POSTs.
            pub session: String,
            /// Re-enters until `expires_at`: a bearer, keep it in memory only.
            pub session_token: String,
            /// For people who watch the wire.
            pub message: String,
            /// The server's protocol version.
            pub version: u32,
            /// How often the client should ping.
            pub heartbeat_ms: u64,
            /// How long it should wait for an answer.
            pub timeout_ms: u64,
            /// Server time, milliseconds since 1970.
            pub now: u64,
            /// When the credential ends, milliseconds since 1970.
            pub expires_at: Option<u64>,
            pub limits: SessionLimits,
        }
        /// Answers `ping`.
        "pong" Pong {
            pub id: Option<u64>,
            /// Server time, milliseconds since 1970.
            pub now: u64,
            /// Tops of live subscriptions that changed since the last pong.
            #[cfg_attr(feature = "ts", ts(as = "Option<std::collections::BTreeMap<Channel, u64>>"))]
            pub tops: Option<Channels<u64>>,
        }
        /// A subscription begins.
        "subscribed" Subscribed {
            pub id: Option<u64>,
            pub channel: Channel,
            pub epoch: Epoch,
            /// Oldest offset still kept (`top + 1` when none is).
            pub first: u64,
            /// Newest offset.
            pub top: u64,
            /// Records after this offset follow, or after the `snapshot`'s where one follows.
            pub offset: u64,
            /// The client's cursor was taken up without a gap.
            pub recovered: bool,
            /// To a user without the right to read back: goes with the cursor, and proves from where on the user may read.
            pub proof: Option<Proof>,
        }
        /// A subscription ended, by wish or with a `code`.
        "unsubscribed" Unsubscribed {
            pub id: Option<u64>,
            pub channel: Channel,
            /// Absent when the client asked for it.
            pub code: Option<String>,
        }
        /// The inbox as it is at `offset` and `system.offset`: fold from here.
        "snapshot" Snapshot {
            pub id: Option<u64>,
            /// The user's inbox channel.
            pub channel: Channel,
            pub epoch: Epoch,
            pub offset: u64,
            /// The same for `system:all`.
            pub system: Cursor,
            pub counts: Counts,
            /// Older inbox items exist than the ones listed.
            pub more: bool,
            /// Older everyone-messages exist than the ones listed.
            pub system_more: bool,
            /// Newest first, by (`at`, channel, offset); inbox and `system:all` together.
            pub items: Vec<Item>,
        }
        /// A notification: a record of an inbox or of `system:all`.
        "notification" Notification {
            pub channel: Channel,
            pub offset: u64,
            pub id: String,
            pub kind: String,
            pub at: u64,
            /// In an inbox: counts right after this record.
            pub counts: Option<Counts>,
            pub data: Json,
        }
        /// A message: a record of a room, chat or topic.
        "message" Message {
            pub channel: Channel,
            pub offset: u64,
            pub id: String,
            pub at: u64,
            /// Absent when a backend published it.
            pub from: Option<Member>,
            pub client_id: Option<String>,
            pub seq: Option<u64>,
            pub data: Json,
        }
        /// A mark as a fact: an inbox record.
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
        /// Items up to `up_to` are gone: an inbox record.
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
            /// The offset it is true at: of the inbox for items (also those of `system:all`), else
            /// of the channel.
            pub offset: u64,
            /// There is more in the direction asked for.
            pub more: bool,
            /// Of an inbox or `system:all`.
            pub items: Option<Vec<Item>>,
            /// Of other channels.
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
            /// Server time: clients measure by it how long the new credential lives.
            pub now: Option<u64>,
        }
        /// Offsets `from..=to` are not for you; go on after `to`.
        "skip" Skip {
            pub channel: Channel,
            pub from: u64,
            pub to: u64,
        }
        /// Offsets `from..=to` are missing for good.
        "gap" Gap {
            pub channel: Channel,
            pub from: u64,
            pub to: u64,
            pub why: GapReason,
        }
        /// Somebody's `signal`.
        "signal" Signal {
            pub channel: Channel,
            pub name: String,
            pub from: Member,
            pub data: Option<Json>,
        }
        /// Somebody came.
        "join" Join {
            pub channel: Channel,
            pub member: Member,
        }
        /// Somebody left.
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
            /// Offset of the record, or the channel's top where the intent changed nothing.
            pub offset: u64,
            /// Id of the record, where one was made.
            pub record_id: Option<String>,
            /// The answer of an earlier send of the same intent.
            pub duplicate: Option<bool>,
        }
        /// Something was refused; on a connection that closes, why.
        "error" Error {
            pub id: Option<u64>,
            pub client_id: Option<String>,
            pub seq: Option<u64>,
            pub channel: Option<Channel>,
            /// Stable name, see [`crate::ErrorCode`]; others may come.
            pub code: String,
            /// For the developer: whose fault and what to do.
            pub message: String,
            pub retry: Retry,
            pub retry_after_ms: Option<u64>,
            /// With `sequence`: the `seq` the lane expects.
            pub expected: Option<u64>,
        }
        /// The credential ends soon: send `refresh`.
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
