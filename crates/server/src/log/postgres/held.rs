//! The rows of a batch in memory, under their locks, and what becomes of them.
//!
//! Each write is decided against what the ones before it left, and nothing is stored until all are decided.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use bytes::Bytes;
use tidings_protocol::{
    Channel, Counts, Decode as _, Encode, Epoch, Json, SystemCounts, Tally,
    server::{Member, Message, Notification},
};
use tidings_server_core::{
    inbox::ItemState,
    steady::Kept,
    store::{Draft, Lane, Op, Record, Revocation, StoreError, Write, Written},
};

use super::dedupe::{KeyRow, LaneRow};
use crate::log::checksum;

/// A channel's row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Log {
    pub(super) id: i64,
    pub(super) epoch: Epoch,
    pub(super) top: u64,
    /// When the newest record was stored.
    pub(super) at: u64,
}

/// An inbox's row.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Inbox {
    pub(super) items: u64,
    pub(super) tally: Tally,
    pub(super) system_from: u64,
    pub(super) system: SystemCounts,
    /// Watermarks of seen, read and archived.
    pub(super) seen_to: u64,
    pub(super) read_to: u64,
    pub(super) archived_to: u64,
}

impl Inbox {
    pub(super) const fn counts(&self) -> Counts {
        Counts { inbox: self.tally, system: self.system }
    }
}

/// A new item.
#[derive(Debug)]
pub(super) struct NewItem {
    pub(super) channel: i64,
    pub(super) offset: u64,
    pub(super) at: u64,
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) data: Json,
}

/// A new record with its row's number and checksum.
#[derive(Debug)]
pub(super) struct NewRecord {
    pub(super) channel: i64,
    pub(super) stored: u64,
    pub(super) record: Record,
    pub(super) checksum: i64,
}

/// Rows of a batch.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// By which time what is written now will be forgotten.
    pub(super) stored: u64,
    pub(super) logs: BTreeMap<Channel, Log>,
    pub(super) inboxes: BTreeMap<i64, Inbox>,
    /// States of those items that the batch may mark.
    pub(super) items: BTreeMap<(i64, u64), ItemState>,
    /// Own states of everyone-messages, by inbox.
    pub(super) states: BTreeMap<(i64, u64), ItemState>,
    pub(super) keys: BTreeMap<(String, String), KeyRow>,
    pub(super) lanes: BTreeMap<(String, String), LaneRow>,
    /// How many lanes users have of whom a lane is new, counted up to the bound.
    pub(super) lane_counts: BTreeMap<String, u64>,
    pub(super) changes: Changes,
}

/// What is to be stored.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) logs: BTreeSet<Channel>,
    pub(super) new_inboxes: BTreeSet<i64>,
    pub(super) inboxes: BTreeSet<i64>,
    pub(super) records: Vec<NewRecord>,
    pub(super) new_items: Vec<NewItem>,
    pub(super) items: BTreeSet<(i64, u64)>,
    pub(super) states: BTreeSet<(i64, u64)>,
    pub(super) keys: BTreeSet<(String, String)>,
    pub(super) lanes: BTreeSet<(String, String)>,
    pub(super) answers: BTreeMap<(String, String, u64), String>,
    pub(super) revocations: Vec<Revocation>,
    /// Texts with their ends, by hash.
    pub(super) kept: BTreeMap<[u8; 32], (Bytes, u64)>,
    pub(super) clock: Option<Kept>,
    /// Channels in use that were last used before this.
    pub(super) in_use: Vec<(Vec<Channel>, u64)>,
}

impl Held {
    /// Decides a write. One that fails has changed nothing.
    pub(super) fn write(&mut self, stored: u64, write: &Write) -> Result<Written, StoreError> {
        self.stored = stored;
        if let Some(answer) = self.earlier(write)? {
            return Ok(answer);
        }
        let written = match &write.op {
            Op::Notify(drafts) => self.notify(drafts)?,
            Op::Message { draft, from } => {
                self.message(draft, from.as_ref(), write.lane.as_ref())?
            }
            Op::Mark(mark) => self.mark(mark, write.lane.as_ref())?,
            Op::OpenInbox { user } => {
                self.open(&address(user)?)?;
                Written::Done
            }
            Op::Void => Written::Done,
            Op::Keep { hash, text, until } => {
                let kept = self.changes.kept.entry(*hash).or_insert_with(|| (text.clone(), *until));
                kept.1 = kept.1.max(*until);
                Written::Done
            }
            Op::KeepClock(kept) => {
                self.changes.clock = Some(*kept);
                Written::Done
            }
            Op::InUse { channels, before } => {
                self.changes.in_use.push((channels.clone(), *before));
                Written::Done
            }
            Op::Revoke(revocation) => {
                self.changes.revocations.push(revocation.clone());
                Written::Done
            }
        };
        self.remember(stored, write, &written)?;
        Ok(written)
    }

    pub(super) fn log(&self, channel: &Channel) -> Result<Log, StoreError> {
        let missing = || StoreError::Unavailable(format!("the row of {channel} was not loaded"));
        self.logs.get(channel).copied().ok_or_else(missing)
    }

    pub(super) fn system(&self) -> Result<Log, StoreError> {
        self.log(&Channel::system())
    }

    /// Makes the inbox if there is none: from now on its user sees everyone-messages.
    pub(super) fn open(&mut self, channel: &Channel) -> Result<Log, StoreError> {
        let (log, system) = (self.log(channel)?, self.system()?);
        if let Entry::Vacant(place) = self.inboxes.entry(log.id) {
            let counts = SystemCounts { unread: 0, unseen: 0, at: system.top };
            place.insert(Inbox { system_from: system.top, system: counts, ..Inbox::default() });
            self.changes.new_inboxes.insert(log.id);
        }
        Ok(log)
    }

    pub(super) fn inbox(&mut self, id: i64) -> Result<&mut Inbox, StoreError> {
        let missing = || StoreError::Unavailable("the row of an inbox was not loaded".to_owned());
        self.inboxes.get_mut(&id).ok_or_else(missing)
    }

    /// Appends a record whose message is made for its place. Times are read before the transaction, and clocks are set back: a
    /// record's is at least its predecessor's.
    pub(super) fn append<M: Encode>(
        &mut self,
        channel: &Channel,
        id: &str,
        at: u64,
        message: impl FnOnce(&Log) -> M,
    ) -> Result<Record, StoreError> {
        let mut log = self.log(channel)?;
        log.top += 1;
        log.at = log.at.max(at);
        let frame = message(&log).to_json();
        let record = Record {
            channel: channel.clone(),
            epoch: log.epoch,
            offset: log.top,
            id: id.to_owned(),
            frame: Bytes::from(frame),
        };
        self.changes.records.push(NewRecord {
            channel: log.id,
            stored: self.stored,
            checksum: checksum::of_record(channel, log.top, &record.frame),
            record: record.clone(),
        });
        self.logs.insert(channel.clone(), log);
        self.changes.logs.insert(channel.clone());
        Ok(record)
    }

    fn notify(&mut self, drafts: &[Draft]) -> Result<Written, StoreError> {
        // All or nothing: what could fail is looked at before anything changes.
        for draft in drafts {
            self.log(&draft.channel)?;
        }
        let mut records = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let Draft { channel, id, kind, at, data } = draft.clone();
            let mut counts = None;
            if channel.inbox_user().is_some() {
                let log = self.open(&channel)?;
                counts = Some(self.add_item(&log, draft)?);
            } else if channel.is_system() {
                let log = self.log(&channel)?;
                self.new_item(&log, draft);
            }
            records.push(self.append(&channel, &id, at, |log| Notification {
                channel: channel.clone(),
                offset: log.top,
                id: id.clone(),
                kind,
                at: log.at,
                counts,
                data,
            })?);
        }
        Ok(Written::Records { records, counts: None })
    }

    fn add_item(&mut self, log: &Log, draft: &Draft) -> Result<Counts, StoreError> {
        let inbox = self.inbox(log.id)?;
        inbox.items += 1;
        inbox.tally.unread += 1;
        inbox.tally.unseen += 1;
        let counts = inbox.counts();
        self.changes.inboxes.insert(log.id);
        self.new_item(log, draft);
        Ok(counts)
    }

    /// An item that nobody counts is an everyone-message.
    fn new_item(&mut self, log: &Log, draft: &Draft) {
        let Draft { id, kind, at, data, .. } = draft.clone();
        let (offset, at) = (log.top + 1, log.at.max(at));
        self.items.insert((log.id, offset), ItemState::default());
        self.changes.new_items.push(NewItem { channel: log.id, offset, at, id, kind, data });
    }

    fn message(
        &mut self,
        draft: &Draft,
        from: Option<&Json>,
        lane: Option<&Lane>,
    ) -> Result<Written, StoreError> {
        let Draft { channel, id, at, data, .. } = draft.clone();
        let record = self.append(&draft.channel, &draft.id, at, |log| Message {
            channel,
            offset: log.top,
            id,
            at: log.at,
            from: from.and_then(|from| Member::from_json(from.as_str()).ok()),
            client_id: lane.map(|lane| lane.client_id.clone()),
            seq: lane.map(|lane| lane.seq),
            data,
        })?;
        Ok(Written::Records { records: vec![record], counts: None })
    }
}

/// The inbox channel of a user. Users are checked before they come here.
pub(super) fn address(user: &str) -> Result<Channel, StoreError> {
    Channel::inbox(user).map_err(|error| StoreError::Unavailable(error.to_string()))
}
