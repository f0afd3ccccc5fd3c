//! What requests and answers hold.

use serde::{Deserialize, Serialize};

use crate::{
    Channel, Counts, Epoch, ErrorCode, Item, Json, MarkSet, Offsets, UpTo, rights::Rights,
};

/// Where a publish was stored: one record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    /// An inbox, a topic or `system:all`.
    pub channel: Channel,
    /// Identity of its log.
    pub epoch: Epoch,
    /// The record's offset there.
    pub offset: u64,
    /// Id of the notification (UUIDv7).
    pub notification_id: String,
}

/// Answer of `POST /v1/notifications`: one entry per user, or the one of a topic or of everyone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PublishResults {
    /// In the order of `to.users`.
    pub results: Vec<Stored>,
}

/// Body of `POST /v1/channels/{channel}/messages`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PublishMessage {
    /// The message.
    pub data: Json,
    /// Outbox lane; with `seq`, a repeat answers the first answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Position in the lane, dense from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
}

/// Answer of `POST /v1/channels/{channel}/messages`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedMessage {
    /// Identity of the channel's log.
    pub epoch: Epoch,
    /// The record's offset.
    pub offset: u64,
    /// The record's id (UUIDv7), as readers see it. Servers before it was added leave it out.
    #[serde(default)]
    pub id: String,
}

/// Body of `POST /v1/tickets`. A user's own request may leave everything out; a backend names the
/// user.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TicketRequest {
    /// Whose ticket. Only a backend may name another than itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The only origin the ticket is good for, such as `https://app.example`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Rights of the session. Only from a backend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<Rights>,
    /// How long the session may last, in milliseconds; default 1 h.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_ttl_ms: Option<u64>,
    /// What other members see of the user, at most 1 KiB of JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub info: Option<Json>,
}

/// Answer of `POST /v1/tickets`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketAnswer {
    /// Opens one connection.
    pub ticket: String,
    /// When it ends unspent, RFC 3339.
    pub expires_at: String,
}

/// Body of `POST /v1/inbox/marks`: either `offsets` or `up_to`, and what to set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MarkRequest {
    /// Single items.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offsets: Option<Offsets>,
    /// Everything up to and including.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub up_to: Option<UpTo>,
    /// At least one of its fields.
    pub set: MarkSet,
}

/// Answer of `POST /v1/inbox/marks`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkAnswer {
    /// Right after the mark.
    pub counts: Counts,
    /// Offset of the mark in the inbox, or its top where nothing changed.
    pub offset: u64,
}

/// Answer of `GET /v1/inbox`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InboxPage {
    /// Newest first.
    pub items: Vec<Item>,
    /// True at `offset`.
    pub counts: Counts,
    /// Identity of the inbox's log.
    pub epoch: Epoch,
    /// Offset of the inbox the page is true at.
    pub offset: u64,
    /// Opaque; goes into `before` for the next page. Absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Body of `POST /v1/revocations`: exactly one of the three.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationRequest {
    /// Everything issued to this user before now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// One session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// One JWT, by its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
}

/// What a revocation ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// Everything issued to this user before now.
    User(String),
    /// One session.
    Session(String),
    /// One JWT, by its id.
    Jti(String),
}

/// An error as problem+json (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Link to what is written about the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The code's advice; the same for each occurrence.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// Stable name, see [`ErrorCode`].
    pub code: String,
    /// What happened this time.
    pub detail: String,
    /// To find it in the server's log.
    pub request_id: String,
}

impl Problem {
    /// The problem of a code.
    pub fn new(code: ErrorCode, detail: impl Into<String>, request_id: impl Into<String>) -> Self {
        Self {
            kind: format!("{PROBLEM_DOCS}{code}"),
            title: code.advice().to_owned(),
            status: code.http(),
            code: code.as_str().to_owned(),
            detail: detail.into(),
            request_id: request_id.into(),
        }
    }
}

/// Where errors are written about; the code follows.
pub const PROBLEM_DOCS: &str = "https://github.com/tidings/tidings/blob/main/docs/protocol.md#";
