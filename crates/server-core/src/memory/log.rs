//! One channel's log.

use std::collections::VecDeque;

use bytes::Bytes;
use tidings_protocol::{Channel, Encode, Epoch};

use crate::store::{Head, Record, begun_anew};

#[derive(Clone, Debug)]
pub(super) struct Log {
    epoch: Epoch,
    first: u64,
    /// The time that the newest record states. It never goes back, so that lists by time can be
    /// paged by offset.
    at: u64,
    /// The time from which the channel counts as empty and unused, by the steady clock.
    empty_since: u64,
    /// The channel was removed, and has had no record since.
    has_gone: bool,
    records: VecDeque<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    /// By the steady clock.
    stored: u64,
    record: Record,
}

impl Log {
    pub(super) const fn new(epoch: Epoch) -> Self {
        Self { epoch, first: 1, at: 0, empty_since: 0, has_gone: false, records: VecDeque::new() }
    }

    pub(super) fn head(&self) -> Head {
        Head { epoch: self.epoch, first: self.first, top: self.top() }
    }

    pub(super) fn top(&self) -> u64 {
        self.first + self.records.len() as u64 - 1
    }

    /// The time of a record that states `at`: at least the time of its predecessor.
    pub(super) fn time(&self, at: u64) -> u64 {
        self.at.max(at)
    }

    /// Appends a record. `message` makes its message for its offset and time.
    pub(super) fn append<M: Encode>(
        &mut self,
        channel: &Channel,
        id: &str,
        at: u64,
        stored: u64,
        message: impl FnOnce(u64, u64) -> M,
    ) -> Record {
        let offset = self.top() + 1;
        self.at = self.time(at);
        let frame = Bytes::from(message(offset, self.at).to_json());
        let record = Record {
            channel: channel.clone(),
            epoch: self.epoch,
            offset,
            id: id.to_owned(),
            frame,
        };
        self.has_gone = false;
        self.records.push_back(Entry { stored, record: record.clone() });
        record
    }

    /// Records above `after`, oldest first.
    pub(super) fn after(&self, after: u64) -> impl Iterator<Item = &Record> {
        let skip = (after + 1).saturating_sub(self.first);
        self.records
            .iter()
            .skip(usize::try_from(skip).unwrap_or(usize::MAX))
            .map(|entry| &entry.record)
    }

    /// Records below `before`, newest first.
    pub(super) fn before(&self, before: u64) -> impl Iterator<Item = &Record> {
        self.records
            .iter()
            .rev()
            .map(|entry| &entry.record)
            .filter(move |record| record.offset < before)
    }

    /// Keeps at most `count` records, none of them older than `oldest`.
    pub(super) fn trim(&mut self, count: u64, oldest: u64, now: u64) {
        while let Some(entry) = self.records.front() {
            if self.records.len() as u64 <= count && entry.stored >= oldest {
                break;
            }
            self.records.pop_front();
            self.first += 1;
            self.empty_since = now;
        }
    }

    /// Whether the channel has had no records, and no use, since before `then`.
    pub(super) fn is_empty_since(&self, then: u64) -> bool {
        self.records.is_empty() && self.empty_since < then
    }

    /// Removes the channel. An empty log with a new epoch stays, so that clients of the old log
    /// notice.
    pub(super) fn go(&mut self, epoch: Epoch, now: u64) {
        let Head { epoch, first, .. } = begun_anew(epoch);
        let records = VecDeque::new();
        *self = Self { epoch, first, at: 0, empty_since: now, has_gone: true, records };
    }

    pub(super) const fn has_gone(&self) -> bool {
        self.has_gone
    }

    /// A client uses the channel at `now`. Ignored if the channel was used or had records since
    /// `before`.
    pub(super) fn use_at(&mut self, now: u64, before: u64) {
        if self.is_empty_since(before) && !self.has_gone {
            self.empty_since = now;
        }
    }

    /// Gives the log another identity. The records stay.
    pub(super) fn rename(&mut self, epoch: Epoch) {
        self.epoch = epoch;
        for entry in &mut self.records {
            entry.record.epoch = epoch;
        }
    }
}
