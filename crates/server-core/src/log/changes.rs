//! The decisions of the rules, which a store saves in one transaction.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use tidings_protocol::{Channel, Json};

use crate::{
    retention_clock::Checkpoint,
    store::{Record, Revocation},
};

/// A new item.
#[derive(Debug)]
pub struct NewItem {
    /// Number of its channel.
    pub channel: i64,
    /// Its record's offset.
    pub offset: u64,
    /// The time that its record states.
    pub at: u64,
    /// Id of its record.
    pub id: String,
    /// Notification type.
    pub kind: String,
    /// The payload.
    pub data: Json,
}

/// A new record.
#[derive(Debug)]
pub struct NewRecord {
    /// Number of its channel.
    pub channel: i64,
    /// When it was stored, by the steady clock.
    pub stored: u64,
    /// The record.
    pub record: Record,
}

/// The names of changed rows, and new rows. A store saves the final state of the rows in
/// [`Rows`](super::Rows).
#[derive(Debug, Default)]
pub struct Changes {
    /// Channels with new records.
    pub logs: BTreeSet<Channel>,
    /// New inboxes.
    pub new_inboxes: BTreeSet<i64>,
    /// Changed inboxes.
    pub inboxes: BTreeSet<i64>,
    /// New records, in order.
    pub records: Vec<NewRecord>,
    /// New items. Their states are in [`Rows::items`](super::Rows::items).
    pub new_items: Vec<NewItem>,
    /// Marked items.
    pub items: BTreeSet<(i64, u64)>,
    /// Users' own states of broadcasts, new or changed.
    pub states: BTreeSet<(i64, u64)>,
    /// New idempotency keys.
    pub keys: BTreeSet<(String, String)>,
    /// New or changed lanes.
    pub lanes: BTreeSet<(String, String)>,
    /// New answers of lanes: user, `client_id` and `seq`.
    pub answers: BTreeSet<(String, String, u64)>,
    /// New revocations, in order.
    pub revocations: Vec<Revocation>,
    /// Texts of claims with their ends, by hash. Of several ends the latest counts.
    pub claims: BTreeMap<[u8; 32], (Bytes, u64)>,
    /// The clock's new state.
    pub clock: Option<Checkpoint>,
    /// Channels in use, if they were last used before this time.
    pub in_use: Vec<(Vec<Channel>, u64)>,
}
