//! The rules of the log: how writes change loaded rows.
//!
//! Each write sees the rows as the writes before it left them. A store saves the changes after all
//! writes are decided.

use std::collections::btree_map::Entry;

use bytes::Bytes;
use tidings_protocol::{
    Channel, Counts, Decode as _, Encode, Json, SystemCounts,
    server::{Member, Message, Notification, Trimmed},
};

use super::{
    changes::{NewItem, NewRecord},
    rows::{Inbox, Log, Rows, address},
};
use crate::{
    inbox::{ItemState, recount},
    retention_clock::Moment,
    store::{Draft, Lane, Op, Record, StoreError, Write, Written},
};

impl Rows {
    /// Decides a write. A write that fails has changed nothing.
    ///
    /// # Errors
    /// A row was not loaded, or the write names an invalid user.
    pub fn write(&mut self, stored: u64, write: &Write) -> Result<Written, StoreError> {
        self.stored = stored;
        if let Some(answer) = self.earlier(write) {
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
            Op::StoreClaims { hash, text, until } => {
                let claims =
                    self.changes.claims.entry(*hash).or_insert_with(|| (text.clone(), *until));
                claims.1 = claims.1.max(*until);
                Written::Done
            }
            Op::SaveClock(checkpoint) => {
                self.changes.clock = Some(*checkpoint);
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
        self.remember(stored, write, &written);
        Ok(written)
    }

    /// Makes a missing inbox. Its user gets the broadcasts from now on.
    pub(super) fn open(&mut self, channel: &Channel) -> Result<Log, StoreError> {
        let (log, system) = (self.log(channel)?, self.system()?);
        if let Entry::Vacant(index) = self.inboxes.entry(log.id) {
            let counts = SystemCounts { unread: 0, unseen: 0, at: system.top };
            index.insert(Inbox { system_from: system.top, system: counts, ..Inbox::default() });
            self.changes.new_inboxes.insert(log.id);
        }
        Ok(log)
    }

    /// Appends a record. `message` makes its message for its offset and time. A record's time is at
    /// least the time of its predecessor: callers read the time before the transaction, and clocks
    /// are set back.
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
            record: record.clone(),
        });
        self.logs.insert(channel.clone(), log);
        self.changes.logs.insert(channel.clone());
        Ok(record)
    }

    fn notify(&mut self, drafts: &[Draft]) -> Result<Written, StoreError> {
        // All or nothing: a missing row is found before the first change.
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

    /// Adds an item without counting it. `add_item` counts the items of an inbox; counts of
    /// broadcasts are kept per user.
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

    /// Appends the record of a removal: the oldest items, with their states. The store deletes
    /// their rows.
    ///
    /// # Errors
    /// A row was not loaded.
    pub fn trim_items(
        &mut self,
        channel: &Channel,
        gone: &[(u64, ItemState)],
        id: &str,
        now: Moment,
    ) -> Result<(), StoreError> {
        let Some((up_to, _)) = gone.last().copied() else { return Ok(()) };
        self.stored = now.steady;
        let number = self.log(channel)?.id;
        let inbox = self.inbox(number)?;
        for (_, state) in gone {
            inbox.tally = recount(inbox.tally, Some(*state), None);
        }
        inbox.items = inbox.items.saturating_sub(gone.len() as u64);
        let counts = inbox.counts();
        self.changes.inboxes.insert(number);
        self.append(channel, id, now.wall, |log| Trimmed {
            channel: channel.clone(),
            offset: log.top,
            id: id.to_owned(),
            at: log.at,
            up_to,
            counts,
        })?;
        Ok(())
    }
}
