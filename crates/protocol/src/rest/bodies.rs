//! Bodies of requests and answers.

use serde::{Deserialize, Serialize};

use crate::{
    Channel, Counts, Epoch, ErrorCode, Item, Json, MarkSet, Offsets, UpTo, rights::Rights,
};

/// The record of a publish.
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

/// Answer of `POST /v1/notifications`: one entry for each user, or the one of a topic or of
/// `system:all`.
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
    /// Outbox lane. With `seq`, a repeated request gets the answer of the first one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Position in the lane, counted from 1 without gaps.
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
    /// The record's id (UUIDv7), as readers see it. Older servers leave it out.
    #[serde(default)]
    pub id: String,
}

/// Body of `POST /v1/tickets`. A user's own request may leave out all fields; a backend names the
/// user.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TicketRequest {
    /// The ticket's user. Only a backend may name a user other than itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The only origin that may use the ticket, such as `https://app.example`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Rights of the session. Only a backend may set them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<Rights>,
    /// Longest duration of the session, in milliseconds; default 1 h.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_ttl_ms: Option<u64>,
    /// Public data of the user that other members see, at most 1 KiB of JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub info: Option<Json>,
}

/// Answer of `POST /v1/tickets`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketAnswer {
    /// Opens one connection.
    pub ticket: String,
    /// When an unused ticket expires, RFC 3339.
    pub expires_at: String,
}

/// Body of `POST /v1/inbox/marks`: `set`, and either `offsets` or `up_to`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MarkRequest {
    /// Identity of the inbox's log that these offsets speak of, as `GET /v1/inbox` gave it: another one is refused. Epochs of
    /// everyone-messages change with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
    /// Single items.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offsets: Option<Offsets>,
    /// All items up to and including these offsets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub up_to: Option<UpTo>,
    /// At least one of its fields is given.
    pub set: MarkSet,
}

/// Answer of `POST /v1/inbox/marks`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkAnswer {
    /// Counts right after the mark.
    pub counts: Counts,
    /// Offset of the mark in the inbox, or the inbox's top if nothing changed.
    pub offset: u64,
}

/// Answer of `GET /v1/inbox`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InboxPage {
    /// Newest first.
    pub items: Vec<Item>,
    /// Counts at `offset`.
    pub counts: Counts,
    /// Identity of the inbox's log.
    pub epoch: Epoch,
    /// Offset of the inbox at which the page was read.
    pub offset: u64,
    /// Opaque cursor for `before` of the next page. Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Body of `POST /v1/revocations`: exactly one of the three fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationRequest {
    /// Ends every credential issued to this user before now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Ends one session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Ends one JWT, by its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
}

/// The target of a revocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// Every credential issued to this user before now.
    User(String),
    /// One session.
    Session(String),
    /// One JWT, by its id.
    Jti(String),
}

/// An error as problem+json (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Link to the documentation of the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The code's advice; the same for each occurrence.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// Stable name, see [`ErrorCode`].
    pub code: String,
    /// Details of this occurrence.
    pub detail: String,
    /// Id by which to find the request in the server's log.
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

/// The documentation of errors; the code is appended.
pub const PROBLEM_DOCS: &str = "https://github.com/tidings/tidings/blob/main/docs/protocol.md#";
