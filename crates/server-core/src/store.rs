//! The seam to durable storage: one trait, batched from the start, that every backend implements and one conformance
//! suite holds.
//!
//! A backend keeps, per channel, an append-only log of records (dense offsets from 1, given inside the transaction that
//! makes the record durable), the table of inbox items that log retention never trims, idempotency keys, outbox lanes, tickets
//! and revocations. [`Store::commit`] answers only after everything in it is durable.

use bytes::Bytes;
use tidings_protocol::{
    Channel, Counts, Epoch, ErrorCode, Item, Json, MarkSet, Offsets, UpTo,
    client::{Cursor, Epochs},
    server::Snapshot,
};

use crate::{
    seats::Seats,
    steady::{Kept, Moment},
};

/// Stands for the epoch of a channel that has no log yet; no backend may give it to a log.
pub const NO_LOG: Epoch = Epoch::from_bits(0);

/// A log with its tables. `&self` throughout: a backend has one writer and several readers inside.
///
/// A driver calls `commit` from one place at a time; the other methods may run beside it.
pub trait Store: std::fmt::Debug + Send + Sync + 'static {
    /// Commits a batch durably, each write in a savepoint of its own: one that fails, fails alone.
    /// Answers in the order of `writes`; an outer failure means none of them is known to be stored.
    ///
    /// `stored` is the time by which all of it will be forgotten: [`crate::Steady::at`].
    ///
    /// # Errors
    /// [`StoreError::Unknown`] when the commit's fate is not known, else [`StoreError::Unavailable`].
    fn commit(
        &self,
        stored: u64,
        writes: &[Write],
    ) -> Result<Vec<Result<Written, StoreError>>, StoreError>;

    /// Answers queries, each on one consistent view of its own.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when nothing could be read.
    fn read(&self, queries: &[Query]) -> Result<Vec<Result<Answer, StoreError>>, StoreError>;

    /// Keeps a ticket by the hash of its secret, by the store's clock: a store that nodes share has one of its own, any other
    /// takes `wall` (milliseconds since 1970). The bounds hold over all nodes: of tickets that wait, none is let in above them.
    ///
    /// # Errors
    /// [`StoreError::TooMany`] when a bound on waiting tickets is reached.
    fn put_ticket(&self, wall: u64, ticket: &Ticket) -> Result<(), StoreError>;

    /// Takes a ticket out: of all callers with the same hash, on all nodes, exactly one gets the grant. `None`: unknown, spent or
    /// expired.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    fn take_ticket(&self, wall: u64, hash: [u8; 32]) -> Result<Option<Bytes>, StoreError>;

    /// Removes what retention no longer keeps, a bounded amount a call, and looks at little else; `true`: call again.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    fn trim(&self, now: Moment, retention: &Retention) -> Result<bool, StoreError>;

    /// Can it write now? Answers from what is known: never waits.
    ///
    /// # Errors
    /// What stands in the way.
    fn health(&self) -> Result<(), StoreError>;

    /// Places of connections that several nodes share; `None` where one node writes alone and its own book says it all.
    fn seats(&self) -> Option<&dyn Seats> {
        None
    }
}

/// What [`StoreError::TooMany`] says of a credential's tickets.
pub const TICKETS: &str = "tickets of this credential wait to be spent (`limits.tickets`)";
/// The same of a user's.
pub const USERS_TICKETS: &str = "tickets of this user wait to be spent (`limits.user_tickets`)";

/// A ticket to be kept until it is spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Hash of its secret.
    pub hash: [u8; 32],
    /// Its life, in milliseconds.
    pub ttl_ms: u64,
    /// What it stands for.
    pub grant: Bytes,
    /// For whom it is counted while it waits.
    pub share: Share,
}

/// Whose tickets wait together, and how many may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// A stable name of the backend's credential, or one for all users together.
    pub of: String,
    /// Most tickets of it.
    pub most: u64,
    /// The user who asks, and most tickets of that user.
    pub user: Option<(String, u64)>,
}

/// How long records, keys and lanes are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Records of a channel: at most this many.
    pub records: u64,
    /// Records: at most this old, in milliseconds.
    pub age_ms: u64,
    /// Inbox items per user: at most this many.
    pub items: u64,
    /// Idempotency keys: this long, in milliseconds.
    pub keys_ms: u64,
    /// Lanes nobody has written to: this long, in milliseconds.
    pub lanes_ms: u64,
    /// Channels without records, where [`may_go`]: this long, in milliseconds.
    pub channels_ms: u64,
}

impl Retention {
    /// Of a channel that went, its new log's epoch is remembered this long, in milliseconds: longer than clients keep a cursor.
    #[must_use]
    pub const fn forgotten_ms(&self) -> u64 {
        self.channels_ms.saturating_mul(12)
    }
}

/// The log of a channel that went: another one, which nobody knows a cursor of, and whose first place is taken. So whoever comes back is
/// told that something is missing, be it by the epoch or, who was there before the first record, by the offset.
#[must_use]
pub const fn begun_anew(epoch: Epoch) -> Head {
    Head { epoch, first: 2, top: 1 }
}

/// Whether a channel goes in the end that has lost its records. An inbox has items beside them, and its place among everyone-messages.
#[must_use]
pub fn may_go(channel: &Channel) -> bool {
    channel.inbox_user().is_none() && !channel.is_system()
}

/// Says of channels which somebody listens to that they are in use, so that they stay for half of their time at least. To be written with
/// each trim, by each node.
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

/// Something to make durable.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// Answers a repeat with the first answer.
    pub key: Option<IdempotencyKey>,
    /// The sender's outbox lane; the same for clients.
    pub lane: Option<Lane>,
    /// What to do.
    pub op: Op,
}

/// A publisher's own name for a request, unique per credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// Whose key: a stable name of the credential, never its secret.
    pub credential: String,
    /// 1–128 characters.
    pub key: String,
    /// Hash of the request: the same key with another body is refused with `idempotency_mismatch`.
    pub fingerprint: [u8; 32],
}

/// A client's place in its outbox lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// The lane's user; a lane of another user is a different lane.
    pub user: String,
    /// 1–64 characters.
    pub client_id: String,
    /// Dense from wherever the lane starts. A hole is answered by [`Refusal`] with `sequence` and the expected one; it consumes nothing.
    pub seq: u64,
}

/// What a write does.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Appends notifications: to inboxes (made when missing), or to `system:all`. All or nothing.
    Notify(Vec<Draft>),
    /// Appends a message to a channel that is neither an inbox nor `system:all`.
    Message {
        /// The record.
        draft: Draft,
        /// `{user, info?}` of the sender, as it goes on the wire.
        from: Option<Json>,
    },
    /// Sets item states of a user.
    Mark(Mark),
    /// Makes the user's inbox if there is none; `system_from` becomes the top of `system:all`.
    OpenInbox {
        /// Whose.
        user: String,
    },
    /// Consumes the lane's `seq` and nothing else.
    Void,
    /// Revokes credentials; kept until `until`.
    Revoke(Revocation),
    /// Keeps a text that would make a session token too long; the token names its hash.
    Keep {
        /// SHA-256 of the text.
        hash: [u8; 32],
        /// The text.
        text: Bytes,
        /// Kept until then, in milliseconds since 1970; of several ends the latest counts.
        until: u64,
    },
    /// Keeps what the steady clock goes on from after a restart.
    KeepClock(Kept),
    /// Somebody listens to these channels: those of them that have had no records since `before` count as used now. See [`in_use`].
    InUse {
        /// Which.
        channels: Vec<Channel>,
        /// By the steady clock.
        before: u64,
    },
}

/// A record to be: everything but epoch, offset and counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Where.
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

/// A mark to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Whose items.
    pub user: String,
    /// Id of the record, made by the caller.
    pub id: String,
    /// Milliseconds since 1970.
    pub at: u64,
    /// Checked against the channels' epochs: another one is refused with `epoch_mismatch`.
    pub epochs: Epochs,
    /// Single items, or …
    pub offsets: Option<Offsets>,
    /// … everything up to here, clipped to the tops.
    pub up_to: Option<UpTo>,
    /// What to set.
    pub set: MarkSet,
}

/// Whom a revocation hits: everything issued before `at`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Whom.
    pub subject: Subject,
    /// Milliseconds since 1970: credentials issued earlier are void.
    pub at: u64,
    /// Milliseconds since 1970: when no such credential can be alive any more.
    pub until: u64,
}

/// What a revocation names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// One JWT, by its id.
    Jti(String),
    /// One session and every connection of it.
    Session(String),
    /// Everything of a user.
    User(String),
}

/// A record of a channel's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where.
    pub channel: Channel,
    /// Identity of the log.
    pub epoch: Epoch,
    /// Dense from 1.
    pub offset: u64,
    /// Id of the record.
    pub id: String,
    /// The whole message as it goes on the wire, encoded once, without a line feed; shared by all receivers.
    pub frame: Bytes,
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq)]
pub enum Written {
    /// New records in the order of the drafts, to be handed to the hub in this order.
    Records {
        /// The records.
        records: Vec<Record>,
        /// Counts after a mark.
        counts: Option<Counts>,
    },
    /// Nothing had to change.
    Unchanged {
        /// The inbox, with its epoch and top.
        at: Place,
        /// Counts as they are.
        counts: Option<Counts>,
    },
    /// An earlier answer to the same key or lane position: nothing new to deliver.
    Replayed(Vec<Place>),
    /// Refused for good; its lane position is consumed, except for `sequence`.
    Refused(Refusal),
    /// Done, with nothing to say.
    Done,
}

/// Where a record is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Channel.
    pub channel: Channel,
    /// Its epoch.
    pub epoch: Epoch,
    /// Offset.
    pub offset: u64,
    /// Record id; empty where no record was made.
    pub id: String,
}

/// A write refused by the rules of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// `sequence`, `epoch_mismatch`, `idempotency_mismatch`, …
    pub code: ErrorCode,
    /// With `sequence`: what the lane expects.
    pub expected: Option<u64>,
}

/// A question to the store.
#[derive(Clone, Debug, PartialEq)]
pub enum Query {
    /// [`Answer::Heads`] of these channels.
    Heads(Vec<Channel>),
    /// [`Answer::Records`] after an offset, oldest first.
    Records {
        /// Which log.
        channel: Channel,
        /// Records above this offset.
        after: u64,
        /// At most this many.
        limit: u32,
        /// At most this many bytes of frames, as [`crate::page::Fill`] counts: at least one record is given.
        bytes: u32,
    },
    /// [`Answer::Records`] before an offset, newest first: history of a room.
    RecordsBefore {
        /// Which log.
        channel: Channel,
        /// Records below this offset; `None`: the newest.
        before: Option<u64>,
        /// At most this many.
        limit: u32,
        /// At most this many bytes of frames: as in [`Query::Records`].
        bytes: u32,
    },
    /// [`Answer::Inbox`]: both heads of a user's inbox, `None` when it was never made. Of `system:all`, `first` is no lower than what came
    /// after the inbox was made.
    Inbox {
        /// Whose.
        user: String,
    },
    /// [`Answer::Snapshot`] of the newest items, on one consistent view.
    Snapshot {
        /// Whose.
        user: String,
        /// At most this many items.
        limit: u32,
        /// At most this many bytes of them, as [`crate::page::size_of_item`] counts: at least one item is given.
        bytes: u32,
    },
    /// [`Answer::Items`]: older items with their states.
    Items(ItemQuery),
    /// [`Answer::Revocations`] recorded after a number.
    Revocations {
        /// Number of the last one known; 0 for all.
        after: u64,
        /// At most this many.
        limit: u32,
    },
    /// [`Answer::Clock`].
    Clock,
    /// [`Answer::Kept`] under a hash.
    Kept {
        /// The text's SHA-256.
        hash: [u8; 32],
    },
}

/// Which items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemQuery {
    /// Whose states.
    pub user: String,
    /// Inbox items below this offset; `None`: from the newest; `Some(0)`: none.
    pub inbox_before: Option<u64>,
    /// The same for `system:all`.
    pub system_before: Option<u64>,
    /// Only these types; empty: all.
    pub kinds: Vec<String>,
    /// Only unread / archived / not archived items.
    pub read: Option<bool>,
    /// By archived state.
    pub archived: Option<bool>,
    /// At most this many, both channels together, newest first by (`at`, channel, offset).
    pub limit: u32,
    /// At most this many bytes of them: as in [`Query::Snapshot`].
    pub bytes: u32,
}

/// Where a channel's log stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Identity of the log.
    pub epoch: Epoch,
    /// Oldest offset kept; `top + 1` when none is.
    pub first: u64,
    /// Newest offset; 0 before the first.
    pub top: u64,
}

/// The answer to the [`Query`] of the same name.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// In the order asked. A channel without a log gets its epoch at its first record; until then `None`.
    Heads(Vec<Option<Head>>),
    /// A page of a log.
    Records {
        /// Where the log stands; `None`: there is none yet.
        head: Option<Head>,
        /// The records.
        records: Vec<Record>,
        /// More follow in the direction asked for, be it that the count ended the page or its bytes.
        more: bool,
    },
    /// Heads of the inbox and of `system:all`.
    Inbox(Option<[Head; 2]>),
    /// The inbox as it is.
    Snapshot(Box<Snapshot>),
    /// A page of items.
    Items {
        /// The items.
        items: Vec<Item>,
        /// Older ones exist.
        more: bool,
        /// Inbox offset their states are true at.
        at: Cursor,
        /// Counts at that offset.
        counts: Counts,
    },
    /// Revocations with their numbers, oldest first.
    Revocations(Vec<(u64, Revocation)>),
    /// What the steady clock goes on from.
    Clock {
        /// What was kept last, by whichever node.
        kept: Option<Kept>,
        /// The wall clock of a store that nodes share, in milliseconds since 1970: it counts for all of them.
        wall: Option<u64>,
    },
    /// A text that was kept; `None`: it never was, or its time is over.
    Kept(Option<Bytes>),
}

/// The store could not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A record's checksum does not match: the log is damaged there.
    #[error("record {offset} of {channel} is damaged")]
    Corrupt {
        /// Where.
        channel: Channel,
        /// Which.
        offset: u64,
    },
    /// A bound is reached.
    #[error("the store is full: {0}")]
    Full(&'static str),
    /// Too much waits for the store already; nothing was stored.
    #[error("no room: {0}")]
    Busy(&'static str),
    /// Nothing is wrong with the store: who asks has as many of these as they may.
    #[error("too many {0}")]
    TooMany(&'static str),
    /// Nothing is wrong with the store: it can't hold what it was given, and never will. Nothing was stored.
    #[error("the store can't hold this: {0}")]
    Unfit(String),
    /// It can't be reached or can't write; nothing was stored.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The commit was sent and its fate is not known: the caller answers 503, the publisher repeats with the same key.
    #[error("the commit's fate is not known: {0}")]
    Unknown(String),
}
