//! The seam to durable storage: one trait, batched from the start. Every backend implements it and
//! passes one conformance suite.
//!
//! For each channel, a backend stores an append-only log of records. Offsets are dense from 1, and
//! given inside the transaction that makes the record durable. A backend also stores the inbox
//! items, which log retention never trims, idempotency keys, outbox lanes, tickets and revocations.
//! [`Store::commit`] returns only after everything in it is durable.

use bytes::Bytes;
use tidings_protocol::{
    Channel, Counts, Epoch, ErrorCode, Item, Json, MarkSet, Offsets, UpTo,
    client::{Cursor, Epochs},
    server::Snapshot,
};

use crate::{
    leases::ConnectionLeases,
    retention_clock::{Checkpoint, Moment},
};

/// The epoch of a channel that has no log yet. No backend may give it to a log.
pub const NO_LOG: Epoch = Epoch::from_bits(0);

/// A log with its tables. All methods take `&self`: a backend has one writer and several readers
/// inside.
///
/// A driver calls `commit` from one place at a time; the other methods may run at the same time.
pub trait Store: std::fmt::Debug + Send + Sync + 'static {
    /// Commits a batch durably. A failed write does not affect the others. Returns one result for
    /// each of `writes`, in order. An outer error means that none of them is known to be stored.
    ///
    /// `stored` is the time that the age of this data is counted from:
    /// [`crate::RetentionClock::at`].
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if the commit's fate is not known, else [`StoreError::Unavailable`].
    fn commit(
        &self,
        stored: u64,
        writes: &[Write],
    ) -> Result<Vec<Result<Written, StoreError>>, StoreError>;

    /// Answers queries, each from its own consistent view.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if nothing could be read.
    fn read(&self, queries: &[Query]) -> Result<Vec<Result<Answer, StoreError>>, StoreError>;

    /// Stores a ticket by the hash of its secret. Its life counts by the store's clock: a store
    /// that nodes share has its own clock, any other uses `wall` (milliseconds since 1970). The
    /// bounds on unspent tickets hold over all nodes.
    ///
    /// # Errors
    /// [`StoreError::TooMany`] if a bound on unspent tickets is reached.
    fn put_ticket(&self, wall: u64, ticket: &Ticket) -> Result<(), StoreError>;

    /// Takes a ticket out. Of all callers with the same hash, on all nodes, exactly one gets the
    /// grant. `None`: the ticket is unknown, spent or expired.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    fn take_ticket(&self, wall: u64, hash: [u8; 32]) -> Result<Option<Bytes>, StoreError>;

    /// Removes data that retention no longer keeps: a bounded amount each call, without scanning
    /// much else. `true`: call again.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    fn trim(&self, now: Moment, retention: &Retention) -> Result<bool, StoreError>;

    /// Whether the store can write now. Answers from known state and never waits.
    ///
    /// # Errors
    /// The reason why it can't.
    fn health(&self) -> Result<(), StoreError>;

    /// The table of connections that several nodes share. `None` if only one node writes, which
    /// then counts its connections in memory.
    fn leases(&self) -> Option<&dyn ConnectionLeases> {
        None
    }
}

/// The text of [`StoreError::TooMany`] for a credential's tickets.
pub const TICKETS: &str = "tickets of this credential wait to be spent (`limits.tickets`)";
/// The same for a user's tickets.
pub const USERS_TICKETS: &str = "tickets of this user wait to be spent (`limits.user_tickets`)";

/// The reason of a refusal with `full`: the user's bound on lanes is reached.
pub const USERS_LANES: &str = "this user has as many lanes as are stored (`limits.user_lanes`): \
     publish under a `client_id` that is in use, or without one; a lane is deleted some time after \
     its last message.";

/// A ticket, stored until it is spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Hash of the ticket's secret.
    pub hash: [u8; 32],
    /// The ticket's life, in milliseconds.
    pub ttl_ms: u64,
    /// The grant that the ticket stands for.
    pub grant: Bytes,
    /// The bounds that the ticket counts against until it is spent.
    pub share: Share,
}

/// The bounds on unspent tickets of a credential and of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// A stable name of the backend's credential, or one name for all users together.
    pub of: String,
    /// Most tickets under this name.
    pub most: u64,
    /// The user that requested the ticket, and that user's bound.
    pub user: Option<(String, u64)>,
}

/// How long records, keys and lanes are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Most records of a channel.
    pub records: u64,
    /// Longest age of a record, in milliseconds.
    pub age_ms: u64,
    /// Most inbox items of a user.
    pub items: u64,
    /// Life of an idempotency key, in milliseconds.
    pub keys_ms: u64,
    /// Life of a lane after its last write, in milliseconds.
    pub lanes_ms: u64,
    /// Life of a lane that made no record, in milliseconds, if it is shorter than `lanes_ms`:
    /// a repeat can't double a record there.
    pub empty_lanes_ms: u64,
    /// Life of a channel after its last record is gone, in milliseconds, if [`may_go`].
    pub channels_ms: u64,
}

impl Retention {
    /// How long the epoch of a removed channel's next log is stored, in milliseconds: longer than
    /// clients keep a cursor.
    #[must_use]
    pub const fn forgotten_ms(&self) -> u64 {
        self.channels_ms.saturating_mul(12)
    }
}

/// The head of the log that replaces a removed channel's log. It has a new epoch, so no client has
/// a cursor for it, and its first offset counts as used. So a returning client is told that records
/// are missing: by the epoch, or by the offset if the client was there before the first record.
#[must_use]
pub const fn begun_anew(epoch: Epoch) -> Head {
    Head { epoch, first: 2, top: 1 }
}

/// Whether a channel without records may be removed. An inbox must stay: it also has items, and its
/// position in `system:all`.
#[must_use]
pub fn may_go(channel: &Channel) -> bool {
    channel.inbox_user().is_none() && !channel.is_system()
}

/// Writes that mark channels with subscribers as in use. Each node writes them with each trim. So a
/// channel with subscribers stays for at least half of its life without records.
pub fn in_use(
    channels: &[Channel],
    now: Moment,
    retention: &Retention,
) -> impl Iterator<Item = Write> {
    const TOGETHER: usize = 500;
    let before = now.steady.saturating_sub(retention.channels_ms / 2);
    let channels: Vec<_> = channels.iter().filter(|channel| may_go(channel)).cloned().collect();
    let all: Vec<Write> = channels
        .chunks(TOGETHER)
        .map(|some| Op::InUse { channels: some.to_vec(), before })
        .map(|op| Write { key: None, lane: None, op })
        .collect();
    all.into_iter()
}

/// A change to make durable.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// Makes a repeated request get the first answer.
    pub key: Option<IdempotencyKey>,
    /// The sender's outbox lane, which does the same for clients.
    pub lane: Option<Lane>,
    /// The operation.
    pub op: Op,
}

/// A publisher's name for a request, unique per credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// A stable name of the credential; never its secret.
    pub credential: String,
    /// 1–128 characters.
    pub key: String,
    /// Hash of the request. The same key with another body is refused with `idempotency_mismatch`.
    pub fingerprint: [u8; 32],
}

/// A write's position in a client's outbox lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// The lane's user; a lane of another user is a different lane.
    pub user: String,
    /// 1–64 characters.
    pub client_id: String,
    /// Dense from the lane's start. A hole is answered by [`Refusal`] with `sequence` and the
    /// expected number; it consumes nothing.
    pub seq: u64,
    /// Most lanes of this user, over all nodes. A new lane above it is refused with `full`, which
    /// consumes nothing. No lane is deleted for a new one: a repeat would be stored again.
    pub most: u64,
}

/// The operation of a write.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Appends notifications to inboxes, which are made if missing, or to `system:all`. All or
    /// nothing.
    Notify(Vec<Draft>),
    /// Appends a message to a channel that is neither an inbox nor `system:all`.
    Message {
        /// The record.
        draft: Draft,
        /// The sender's `{user, info?}`, as sent on the wire.
        from: Option<Json>,
    },
    /// Sets item states of a user.
    Mark(Mark),
    /// Makes the user's inbox if there is none. Its `system_from` becomes the top of `system:all`.
    OpenInbox {
        /// The inbox's user.
        user: String,
    },
    /// Consumes the lane's `seq` without any other effect.
    Void,
    /// Revokes credentials. Stored until `until`.
    Revoke(Revocation),
    /// Stores a text that would make a session token too long. The token names its hash.
    StoreClaims {
        /// SHA-256 of the text.
        hash: [u8; 32],
        /// The text.
        text: Bytes,
        /// End of its life, in milliseconds since 1970. Of several ends the latest counts.
        until: u64,
    },
    /// Saves the state from which the steady clock continues after a restart.
    SaveClock(Checkpoint),
    /// These channels have subscribers. Those without records since `before` count as used now. See
    /// [`in_use`].
    InUse {
        /// The channels.
        channels: Vec<Channel>,
        /// A time of the steady clock.
        before: u64,
    },
}

/// A new record: everything but epoch, offset and counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// The record's channel.
    pub channel: Channel,
    /// UUIDv7, made by the caller.
    pub id: String,
    /// Notification type; empty for messages.
    pub kind: String,
    /// Milliseconds since 1970.
    pub at: u64,
    /// The payload.
    pub data: Json,
}

/// A new mark.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// The user whose items are marked.
    pub user: String,
    /// Id of the record, made by the caller.
    pub id: String,
    /// Milliseconds since 1970.
    pub at: u64,
    /// Checked against the channels' epochs. Another epoch is refused with `epoch_mismatch`.
    pub epochs: Epochs,
    /// Single items, or …
    pub offsets: Option<Offsets>,
    /// … all items up to here, limited to the channels' tops.
    pub up_to: Option<UpTo>,
    /// The states to set.
    pub set: MarkSet,
}

/// A revocation: it voids the subject's credentials issued before `at`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// The subject.
    pub subject: Subject,
    /// Milliseconds since 1970: credentials issued earlier are void.
    pub at: u64,
    /// Milliseconds since 1970. By then every such credential has expired.
    pub until: u64,
}

/// The subject of a revocation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// One JWT, by its id.
    Jti(String),
    /// One session and all its connections.
    Session(String),
    /// All credentials of a user.
    User(String),
}

/// A record of a channel's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The record's channel.
    pub channel: Channel,
    /// Identity of the log.
    pub epoch: Epoch,
    /// Dense from 1.
    pub offset: u64,
    /// Id of the record.
    pub id: String,
    /// The whole message as sent on the wire: encoded once, without a line feed, shared by all
    /// receivers.
    pub frame: Bytes,
}

/// The outcome of a write.
#[derive(Clone, Debug, PartialEq)]
pub enum Written {
    /// New records in the order of the drafts; they go to the hub in this order.
    Records {
        /// The records.
        records: Vec<Record>,
        /// Counts after a mark.
        counts: Option<Counts>,
    },
    /// Nothing had to change.
    Unchanged {
        /// The inbox, with its epoch and top.
        at: RecordRef,
        /// The current counts.
        counts: Option<Counts>,
    },
    /// The earlier answer for the same key or lane position. There is nothing new to deliver.
    Replayed(Vec<RecordRef>),
    /// Refused permanently. The lane position is consumed, except for `sequence` and
    /// `full`.
    Refused(Refusal),
    /// Done, without a result.
    Done,
}

/// The address of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordRef {
    /// Channel.
    pub channel: Channel,
    /// Its epoch.
    pub epoch: Epoch,
    /// Offset.
    pub offset: u64,
    /// Record id; empty if no record was made.
    pub id: String,
}

/// A write refused by the rules of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// `sequence`, `full`, `epoch_mismatch`, `idempotency_mismatch`, …
    pub code: ErrorCode,
    /// With `sequence`: the number that the lane expects.
    pub expected: Option<u64>,
}

/// A question to the store.
#[derive(Clone, Debug, PartialEq)]
pub enum Query {
    /// [`Answer::Heads`] of these channels.
    Heads(Vec<Channel>),
    /// [`Answer::Records`] after an offset, oldest first.
    Records {
        /// The log's channel.
        channel: Channel,
        /// Records above this offset.
        after: u64,
        /// At most this many.
        limit: u32,
        /// At most this many bytes of frames, as [`crate::page::Fill`] counts; at least one record.
        bytes: u32,
    },
    /// [`Answer::Records`] before an offset, newest first: history of a room.
    RecordsBefore {
        /// The log's channel.
        channel: Channel,
        /// Records below this offset; `None`: the newest.
        before: Option<u64>,
        /// At most this many.
        limit: u32,
        /// At most this many bytes of frames, as in [`Query::Records`].
        bytes: u32,
    },
    /// [`Answer::Inbox`]: both heads of a user's inbox; `None` if it was never made. For
    /// `system:all`, `first` is above the messages that came before the inbox was made.
    Inbox {
        /// The inbox's user.
        user: String,
    },
    /// [`Answer::Snapshot`] of the newest items, on one consistent view.
    Snapshot {
        /// The inbox's user.
        user: String,
        /// At most this many items.
        limit: u32,
        /// At most this many bytes of items, as [`crate::page::size_of_item`] counts; at least one
        /// item.
        bytes: u32,
    },
    /// [`Answer::Items`]: older items with their states.
    Items(ItemQuery),
    /// [`Answer::Revocations`] recorded after a number.
    Revocations {
        /// Number of the last known revocation; 0 for all.
        after: u64,
        /// At most this many.
        limit: u32,
    },
    /// [`Answer::Clock`].
    Clock,
    /// [`Answer::Claims`]: the text stored under a hash.
    Claims {
        /// The text's SHA-256.
        hash: [u8; 32],
    },
}

/// A selection of items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemQuery {
    /// The user whose states are returned.
    pub user: String,
    /// Inbox items below this offset; `None`: from the newest; `Some(0)`: none.
    pub inbox_before: Option<u64>,
    /// The same for `system:all`.
    pub system_before: Option<u64>,
    /// Only these types; empty: all.
    pub kinds: Vec<String>,
    /// Only read, or only unread items. `None`: both.
    pub read: Option<bool>,
    /// Only archived, or only other items. `None`: both.
    pub archived: Option<bool>,
    /// At most this many, both channels together, newest first by (`at`, channel, offset).
    pub limit: u32,
    /// At most this many bytes of items, as in [`Query::Snapshot`].
    pub bytes: u32,
}

/// The state of a channel's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Identity of the log.
    pub epoch: Epoch,
    /// Oldest stored offset; `top + 1` if there is none.
    pub first: u64,
    /// Newest offset; 0 before the first.
    pub top: u64,
}

/// The answer to the [`Query`] of the same name.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// In the order of the query. A channel gets its epoch at its first record; until then `None`.
    Heads(Vec<Option<Head>>),
    /// A page of a log.
    Records {
        /// The log's state; `None` if there is no log yet.
        head: Option<Head>,
        /// The records.
        records: Vec<Record>,
        /// More records follow in the query's direction, because the page reached its count or its
        /// bytes.
        more: bool,
    },
    /// Heads of the inbox and of `system:all`.
    Inbox(Option<[Head; 2]>),
    /// The current inbox.
    Snapshot(Box<Snapshot>),
    /// A page of items.
    Items {
        /// The items.
        items: Vec<Item>,
        /// Older ones exist.
        more: bool,
        /// Inbox offset at which these states are true.
        at: Cursor,
        /// Counts at that offset.
        counts: Counts,
    },
    /// Revocations with their numbers, oldest first.
    Revocations(Vec<(u64, Revocation)>),
    /// The state from which the steady clock continues.
    Clock {
        /// The state that was saved last, by any node.
        checkpoint: Option<Checkpoint>,
        /// The wall clock of a store that nodes share, in milliseconds since 1970. It counts for
        /// all of them.
        wall: Option<u64>,
    },
    /// A stored text. `None`: it was never stored, or its life is over.
    Claims(Option<Bytes>),
}

/// The store could not carry out a call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A record's checksum does not match: the log is damaged there.
    #[error("record {offset} of {channel} is damaged")]
    Corrupt {
        /// The record's channel.
        channel: Channel,
        /// The record's offset.
        offset: u64,
    },
    /// A bound is reached.
    #[error("the store is full: {0}")]
    Full(&'static str),
    /// Too many calls wait for the store already; nothing was stored.
    #[error("no room: {0}")]
    Busy(&'static str),
    /// The store is fine: the caller has reached its bound for these.
    #[error("too many {0}")]
    TooMany(&'static str),
    /// The store is fine, but can never hold this data. Nothing was stored.
    #[error("the store can't hold this: {0}")]
    Unfit(String),
    /// The store can't be reached or can't write; nothing was stored.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The commit was sent and its fate is not known. The caller answers 503, and the publisher
    /// repeats with the same key.
    #[error("the commit's fate is not known: {0}")]
    Unknown(String),
}
