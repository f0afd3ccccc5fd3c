//! The fold: list and counts as the two logs make them, one record at a time.
//!
//! One call changes items, counts and cursor for a record, so no reader sees them apart. The fold
//! holds no pending marks; [`super::view`] adds them.

use tidings_protocol::{
    Channel, Counts, Epoch, Item, Tally,
    client::Cursor,
    server::{Marked, Notification, Page, Snapshot, Trimmed},
};

use super::{
    Log, drop_where,
    entry::{Entry, SortKey},
    marks::{Facts, Mark},
};

/// How far back a log is loaded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    /// All items from this offset on are loaded.
    pub(crate) before: u64,
    /// The merged list holds every item of this log down to this position; [`SortKey::BOTTOM`]:
    /// there are no older items.
    pub(crate) floor: SortKey,
}

/// The inbox of one user, at one offset of each log.
#[derive(Debug)]
pub(crate) struct Fold {
    pub(crate) channel: Channel,
    cursors: [Cursor; 2],
    counts: Counts,
    /// Newest first.
    entries: Vec<Entry>,
    reach: [Reach; 2],
    pub(crate) facts: Facts,
    /// Inbox items up to this offset were removed.
    trimmed: u64,
    /// The newest inbox offset that a page was read at.
    read_at: u64,
    /// Most items kept; grows when the app loads more.
    capacity: usize,
}

/// The fold can't continue: a snapshot is needed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Lost;

impl Fold {
    /// Starts at a snapshot. Items above its offsets are left out, because their records will
    /// follow.
    pub(crate) fn of_snapshot(snapshot: &Snapshot, keep: usize) -> Self {
        let inbox = Cursor::new(snapshot.epoch, snapshot.offset);
        let mut fold = Self {
            channel: snapshot.channel.clone(),
            cursors: [inbox, snapshot.system],
            counts: snapshot.counts,
            entries: Vec::new(),
            reach: [Reach { before: 0, floor: SortKey::BOTTOM }; 2],
            facts: Facts::default(),
            trimmed: 0,
            read_at: 0,
            capacity: keep,
        };
        for item in &snapshot.items {
            if let Some(log) = fold.log_of(&item.channel)
                && item.offset <= fold.cursors[log as usize].offset
            {
                fold.insert(Entry::of_item(log, item, inbox.offset));
            }
        }
        let floor = fold.entries.last().map(Entry::sort_key);
        for (log, more) in [(Log::Inbox, snapshot.more), (Log::System, snapshot.system_more)] {
            if more {
                let before = fold.oldest(log).unwrap_or(fold.cursors[log as usize].offset + 1);
                // If no item is listed, the floor is above every item: all must be loaded first.
                let floor = floor.unwrap_or_else(|| SortKey::new(u64::MAX, log, before));
                fold.reach[log as usize] = Reach { before, floor };
            }
        }
        fold.shrink();
        fold
    }

    /// The fold as a snapshot with the newest `keep` items, for storage.
    pub(crate) fn to_snapshot(&self, keep: usize) -> Snapshot {
        let [inbox, system] = self.cursors;
        let mut items = Vec::new();
        let [older, older_system] = self.reach;
        let mut more = [older.floor > SortKey::BOTTOM, older_system.floor > SortKey::BOTTOM];
        for entry in &self.entries {
            if items.len() < keep && self.shows(entry) {
                items.push(self.item(entry));
            } else {
                more[entry.log as usize] = true;
            }
        }
        Snapshot {
            id: None,
            channel: self.channel.clone(),
            epoch: inbox.epoch,
            offset: inbox.offset,
            system,
            counts: self.counts,
            more: more[Log::Inbox as usize],
            system_more: more[Log::System as usize],
            items,
        }
    }

    fn item(&self, entry: &Entry) -> Item {
        Item {
            channel: self.channel_of(entry.log),
            offset: entry.offset,
            id: String::from(&*entry.id),
            kind: String::from(&*entry.kind),
            at: entry.at,
            seen: entry.flags.seen,
            read: entry.flags.read,
            archived: entry.flags.archived,
            data: entry.data.clone(),
        }
    }

    /// Whether every item has exactly the state at the cursors.
    ///
    /// This is not so while a page was read ahead of the fold, or while a mark is folded whose
    /// message to everyone has not arrived. Both pass within a moment. A snapshot saved meanwhile
    /// would later be loaded with states of another offset, or without items that the fold counts
    /// until it trims them.
    pub(crate) fn is_even(&self) -> bool {
        let [inbox, system] = self.cursors;
        !self.facts.wait_for_system(system.offset) && self.read_at <= inbox.offset
    }

    pub(crate) fn cursor(&self, log: Log) -> Cursor {
        self.cursors[log as usize]
    }

    pub(crate) fn cursors(&self) -> [(Epoch, u64); 2] {
        let [inbox, system] = self.cursors;
        [(inbox.epoch, inbox.offset), (system.epoch, system.offset)]
    }

    pub(crate) fn log_of(&self, channel: &Channel) -> Option<Log> {
        if *channel == self.channel {
            Some(Log::Inbox)
        } else {
            channel.is_system().then_some(Log::System)
        }
    }

    pub(crate) fn channel_of(&self, log: Log) -> Channel {
        match log {
            Log::Inbox => self.channel.clone(),
            Log::System => Channel::system(),
        }
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(crate) fn find(&self, id: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| &*entry.id == id)
    }

    /// Whether an item is above the floors of both logs, so that the merged list has no hole above
    /// it.
    pub(crate) fn shows(&self, entry: &Entry) -> bool {
        let [inbox, system] = self.reach;
        entry.live || entry.sort_key() >= inbox.floor.max(system.floor)
    }

    /// Unread and unseen items of a log. For `system:all`, each record since the last counts adds
    /// one.
    pub(crate) fn tally(&self, log: Log) -> Tally {
        match log {
            Log::Inbox => self.counts.inbox,
            Log::System => {
                let stated = self.counts.system;
                let since = self.cursor(Log::System).offset.saturating_sub(stated.at);
                Tally {
                    unread: stated.unread.saturating_add(since),
                    unseen: stated.unseen.saturating_add(since),
                }
            }
        }
    }

    /// Folds the next notification, whose offset must be the cursor's plus one. The caller gives
    /// the item to [`Self::hold`].
    pub(crate) fn notification(&mut self, log: Log, record: &Notification) -> Entry {
        self.cursors[log as usize].offset = record.offset;
        if let Some(counts) = record.counts.filter(|_| log == Log::Inbox) {
            self.counts = counts;
        } else if log == Log::Inbox {
            self.counts.inbox.unread = self.counts.inbox.unread.saturating_add(1);
            self.counts.inbox.unseen = self.counts.inbox.unseen.saturating_add(1);
        }
        let mut entry = Entry::of_record(log, record);
        self.facts.catch_up(&mut entry);
        entry
    }

    /// Puts a new item into the list.
    pub(crate) fn hold(&mut self, entry: Entry) {
        self.insert(entry);
        self.shrink();
    }

    /// Folds the next mark.
    pub(crate) fn marked(&mut self, record: &Marked) -> Result<(), Lost> {
        self.cursors[Log::Inbox as usize].offset = record.offset;
        self.counts = record.counts;
        let mark = self.mark(record);
        let system = self.cursor(Log::System).offset;
        if self.facts.push(record.offset, mark, system) { Ok(()) } else { Err(Lost) }
    }

    /// Changes the states of the items that a mark covers.
    pub(crate) fn mark(&mut self, record: &Marked) -> Mark {
        let mark = Mark::of_fact(record);
        for entry in &mut self.entries {
            entry.mark(record.offset, &mark);
        }
        mark
    }

    /// Folds the next removal of old items.
    pub(crate) fn trimmed(&mut self, record: &Trimmed) {
        self.cursors[Log::Inbox as usize].offset = record.offset;
        self.counts = record.counts;
        self.trimmed = self.trimmed.max(record.up_to);
        let gone = self.trimmed;
        drop_where(&mut self.entries, &|entry| entry.log == Log::Inbox && entry.offset <= gone);
        let reach = &mut self.reach[Log::Inbox as usize];
        if reach.before <= gone.saturating_add(1) {
            reach.floor = SortKey::BOTTOM;
        }
    }

    /// Skips offsets that are not for this user. They are not records, so they don't count as
    /// unread either.
    pub(crate) fn skip(&mut self, log: Log, to: u64) {
        let passed = to - self.cursors[log as usize].offset;
        self.cursors[log as usize].offset = to;
        if log == Log::System {
            self.counts.system.at = self.counts.system.at.saturating_add(passed);
        }
    }

    /// Whether a page belongs to the current logs. Its epoch and offset are the inbox's, even if it
    /// lists messages to everyone, because their states are in the inbox.
    pub(crate) fn is_of(&self, page: &Page) -> bool {
        page.epoch == self.cursor(Log::Inbox).epoch
    }

    /// Adds a page below the fold: items that are not loaded yet, with the marks since the page was
    /// read. `Err`: the page is older than the remembered marks, so its states can't be trusted; or
    /// items right above it were dropped since it was requested.
    pub(crate) fn page(
        &mut self,
        log: Log,
        page: &Page,
        below: u64,
        most: usize,
    ) -> Result<(), Lost> {
        let Reach { before, .. } = self.reach[log as usize];
        if !self.is_of(page) || !self.facts.reach_back_to(page.offset) || before != below {
            return Err(Lost);
        }
        self.capacity = most;
        self.read_at = self.read_at.max(page.offset);
        let mut floor = SortKey::BOTTOM;
        let mut lowest = before;
        for item in page.items.iter().flatten() {
            let gone = log == Log::Inbox && item.offset <= self.trimmed;
            if self.log_of(&item.channel) != Some(log) || item.offset >= before || gone {
                continue;
            }
            let mut entry = Entry::of_item(log, item, page.offset);
            self.facts.catch_up(&mut entry);
            lowest = lowest.min(entry.offset);
            if floor == SortKey::BOTTOM || entry.sort_key() < floor {
                floor = entry.sort_key();
            }
            self.insert(entry);
        }
        // A page without new items ends the log: another request would bring the same.
        if !page.more {
            floor = SortKey::BOTTOM;
        }
        self.reach[log as usize] = Reach { before: lowest, floor };
        self.shrink();
        Ok(())
    }

    /// The log to load next: the one whose floor limits the merged list.
    pub(crate) fn next_page(&self) -> Option<(Log, u64)> {
        let [inbox, system] = self.reach;
        let log = if inbox.floor >= system.floor { Log::Inbox } else { Log::System };
        let reach = self.reach[log as usize];
        (reach.floor > SortKey::BOTTOM).then_some((log, reach.before))
    }

    /// The offsets of both logs below which no item is loaded; 0: there are none.
    pub(crate) fn below(&self) -> [u64; 2] {
        self.reach.map(|reach| if reach.floor > SortKey::BOTTOM { reach.before } else { 0 })
    }

    /// Whether the fold holds the most items allowed.
    pub(crate) fn full(&self, most: usize) -> bool {
        self.entries.len() >= most
    }

    fn oldest(&self, log: Log) -> Option<u64> {
        let mut oldest = None;
        for entry in &self.entries {
            if entry.log == log && oldest.is_none_or(|oldest| entry.offset < oldest) {
                oldest = Some(entry.offset);
            }
        }
        oldest
    }

    fn insert(&mut self, entry: Entry) {
        let mut newer = 0;
        for other in &self.entries {
            if other.log == entry.log && other.offset == entry.offset {
                return;
            }
            newer += usize::from(other.sort_key() > entry.sort_key());
        }
        self.entries.insert(newer, entry);
    }

    /// Drops the oldest items beyond the capacity; they can be loaded again.
    fn shrink(&mut self) {
        while self.entries.len() > self.capacity {
            let Some(gone) = self.entries.pop() else { return };
            let floor = self.entries.last().map_or_else(|| gone.sort_key(), Entry::sort_key);
            // This log has a hole below the oldest item held, and loads again from there.
            let reach = &mut self.reach[gone.log as usize];
            reach.before = reach.before.max(gone.offset.saturating_add(1));
            reach.floor = reach.floor.max(floor);
        }
    }
}
