//! The rows that a batch of writes reads and changes, as a store loaded them.

use std::collections::BTreeMap;

use tidings_protocol::{Channel, Counts, Epoch, SystemCounts, Tally};

use super::{changes::Changes, dedupe::FirstAnswer};
use crate::{inbox::ItemState, store::StoreError};

/// A channel's row.
#[derive(Clone, Copy, Debug)]
pub struct Log {
    /// The number by which the store's other rows name the channel.
    pub id: i64,
    /// Identity of the log.
    pub epoch: Epoch,
    /// Oldest offset stored; `top + 1` if there is none.
    pub first: u64,
    /// Newest offset; 0 before the first.
    pub top: u64,
    /// The time that the newest record states, in milliseconds since 1970. Never goes back.
    pub at: u64,
}

/// An inbox's row.
#[derive(Clone, Copy, Debug, Default)]
pub struct Inbox {
    /// Number of items.
    pub items: u64,
    /// Counts of the items.
    pub tally: Tally,
    /// The user gets the broadcasts after this offset.
    pub system_from: u64,
    /// Counts of broadcasts, valid for an offset of `system:all`.
    pub system: SystemCounts,
    /// Broadcasts up to here are seen, if they have no state of their own.
    pub seen_to: u64,
    /// The same for read.
    pub read_to: u64,
    /// The same for archived.
    pub archived_to: u64,
}

impl Inbox {
    /// Both counts, as records state them.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        Counts { inbox: self.tally, system: self.system }
    }
}

/// An idempotency key's row.
#[derive(Clone, Debug)]
pub struct KeyRow {
    /// Hash of the request.
    pub fingerprint: Vec<u8>,
    /// The answer that a repeat gets.
    pub answer: FirstAnswer,
    /// When a new row was made, in milliseconds by the steady clock.
    pub at: u64,
}

/// A lane's row.
#[derive(Clone, Debug, Default)]
pub struct LaneRow {
    /// The last `seq` that was consumed.
    pub last: u64,
    /// Time of the last write, in milliseconds by the steady clock.
    pub at: u64,
    /// At least one of its writes made a record.
    pub has_record: bool,
    /// The answers that the batch may repeat, by `seq`.
    pub answers: BTreeMap<u64, FirstAnswer>,
}

/// The rows of a batch.
#[derive(Debug, Default)]
pub struct Rows {
    /// The time from which the age of the batch's writes counts, in milliseconds by the steady
    /// clock.
    pub stored: u64,
    /// Channels.
    pub logs: BTreeMap<Channel, Log>,
    /// Inboxes, by the number of their channel.
    pub inboxes: BTreeMap<i64, Inbox>,
    /// States of the items that the batch may mark, by channel and offset.
    pub items: BTreeMap<(i64, u64), ItemState>,
    /// Users' own states of broadcasts, by inbox and offset.
    pub states: BTreeMap<(i64, u64), ItemState>,
    /// Idempotency keys, by credential and key.
    pub keys: BTreeMap<(String, String), KeyRow>,
    /// Lanes, by user and `client_id`.
    pub lanes: BTreeMap<(String, String), LaneRow>,
    /// Numbers of lanes of the users with a new lane, counted up to the bound.
    pub lane_counts: BTreeMap<String, u64>,
    /// The decisions of the rules so far.
    pub changes: Changes,
}

impl Rows {
    /// A channel's row.
    ///
    /// # Errors
    /// It was not loaded: [`Needs`](super::Needs) does not name it.
    pub fn log(&self, channel: &Channel) -> Result<Log, StoreError> {
        let missing = || StoreError::Unavailable(format!("the row of {channel} was not loaded"));
        self.logs.get(channel).copied().ok_or_else(missing)
    }

    pub(super) fn system(&self) -> Result<Log, StoreError> {
        self.log(&Channel::system())
    }

    /// An inbox's row, by its channel's number.
    ///
    /// # Errors
    /// As [`Rows::log`].
    pub fn inbox(&mut self, id: i64) -> Result<&mut Inbox, StoreError> {
        let missing = || StoreError::Unavailable("the row of an inbox was not loaded".to_owned());
        self.inboxes.get_mut(&id).ok_or_else(missing)
    }
}

/// The inbox channel of a user. Callers check user ids before.
///
/// # Errors
/// [`StoreError::Unavailable`] if the user id is not valid.
pub fn address(user: &str) -> Result<Channel, StoreError> {
    Channel::inbox(user).map_err(|error| StoreError::Unavailable(error.to_string()))
}
