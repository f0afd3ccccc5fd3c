//! One item, as the logs make it.

use std::sync::Arc;

use tidings_protocol::{Item, Json, MarkSet, server::Notification};

use super::{Log, marks::Mark};

/// The three states of an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    pub(crate) seen: bool,
    pub(crate) read: bool,
    pub(crate) archived: bool,
}

impl Flags {
    pub(crate) fn apply(&mut self, set: MarkSet) {
        set.apply(&mut self.seen, &mut self.read, &mut self.archived);
    }

    /// Whether it counts as unread.
    pub(crate) fn unread(self) -> bool {
        !self.read && !self.archived
    }

    /// Whether it counts as unseen.
    pub(crate) fn unseen(self) -> bool {
        !self.seen && !self.archived
    }
}

/// Position in the merged list: by time, then log, then offset. Packed into one number with the
/// same order; a number on the wire has at most 53 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SortKey(u128);

impl SortKey {
    /// Below every item.
    pub(crate) const BOTTOM: Self = Self(0);

    pub(crate) fn new(at: u64, log: Log, offset: u64) -> Self {
        Self(u128::from(at) << 64 | u128::from((log as u64) << 63 | offset))
    }
}

/// One item.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) log: Log,
    pub(crate) offset: u64,
    pub(crate) id: Arc<str>,
    pub(crate) kind: Arc<str>,
    pub(crate) at: u64,
    /// State after every mark up to the fold's inbox offset, and up to `as_of`.
    pub(crate) flags: Flags,
    /// The inbox offset at which its source was read: `flags` already includes marks up to here.
    as_of: u64,
    /// Whether it came as a record: such an item is always shown, even if the server's clock went
    /// back below the loaded items.
    pub(crate) live: bool,
    pub(crate) data: Json,
}

impl Entry {
    /// An item from a record: it has no marks yet.
    pub(crate) fn of_record(log: Log, record: &Notification) -> Self {
        Self {
            log,
            offset: record.offset,
            id: Arc::from(&*record.id),
            kind: Arc::from(&*record.kind),
            at: record.at,
            flags: Flags::default(),
            // A mark before an inbox item's own record can't cover it. A mark of a message to
            // everyone may well come before its record.
            as_of: if log == Log::Inbox { record.offset } else { 0 },
            live: true,
            data: record.data.clone(),
        }
    }

    /// An item of a snapshot or page that was read at `as_of`.
    pub(crate) fn of_item(log: Log, item: &Item, as_of: u64) -> Self {
        Self {
            log,
            offset: item.offset,
            id: Arc::from(&*item.id),
            kind: Arc::from(&*item.kind),
            at: item.at,
            flags: Flags { seen: item.seen, read: item.read, archived: item.archived },
            as_of,
            live: false,
            data: item.data.clone(),
        }
    }

    pub(crate) fn sort_key(&self) -> SortKey {
        SortKey::new(self.at, self.log, self.offset)
    }

    /// Applies the mark at inbox offset `offset`, if it covers this item and is newer than the
    /// item's source.
    pub(crate) fn mark(&mut self, offset: u64, mark: &Mark) {
        if self.precedes(offset) && mark.covers(self.log, self.offset) {
            self.flags.apply(mark.set);
        }
    }

    /// Whether a mark at this inbox offset is newer than the item's source.
    pub(crate) fn precedes(&self, offset: u64) -> bool {
        offset > self.as_of
    }
}
