//! Marks: the items they cover, and the recent marks that later items still need.

use tidings_protocol::{MarkSet, Offsets, UpTo, server::Marked};

use super::{Log, drop_where, entry::Entry};

/// Most recent marks that are remembered: a limit against a server that never lets them end.
const FACTS_MAX: usize = 256;

/// A mark and the offsets it covers, the same for marks in the log and pending marks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mark {
    /// Single offsets of each log, sorted.
    single: [Vec<u64>; 2],
    /// All items up to this offset of each log; 0: none.
    up_to: [u64; 2],
    pub(crate) set: MarkSet,
}

impl Mark {
    /// A mark of all items up to these offsets.
    pub(crate) fn up_to(up_to: [u64; 2], set: MarkSet) -> Self {
        Self { single: [Vec::new(), Vec::new()], up_to, set }
    }

    pub(crate) fn of_fact(marked: &Marked) -> Self {
        Self::of_wire(marked.offsets.as_ref(), marked.up_to, marked.set)
    }

    /// A mark from the fields of a message.
    pub(crate) fn of_wire(offsets: Option<&Offsets>, up_to: Option<UpTo>, set: MarkSet) -> Self {
        let up_to = up_to.unwrap_or_default();
        let up_to = [up_to.inbox.unwrap_or(0), up_to.system.unwrap_or(0)];
        let mut mark = Self::up_to(up_to, set);
        if let Some(offsets) = offsets {
            for (log, list) in [(Log::Inbox, &offsets.inbox), (Log::System, &offsets.system)] {
                for offset in list.iter().flatten() {
                    mark.add(log, *offset);
                }
            }
        }
        mark
    }

    /// Adds one item.
    pub(crate) fn add(&mut self, log: Log, offset: u64) {
        let list = &mut self.single[log as usize];
        if let Err(index) = list.binary_search(&offset) {
            list.insert(index, offset);
        }
    }

    pub(crate) fn covers(&self, log: Log, offset: u64) -> bool {
        offset <= self.up_to[log as usize]
            || self.single[log as usize].binary_search(&offset).is_ok()
    }

    /// Whether it covers items of this log at all.
    pub(crate) fn touches(&self, log: Log) -> bool {
        self.top(log) > 0
    }

    /// The highest offset it covers; 0: none.
    fn top(&self, log: Log) -> u64 {
        let single = self.single[log as usize].last().copied().unwrap_or(0);
        single.max(self.up_to[log as usize])
    }

    /// Whether it covers all old items of this log, loaded or not.
    pub(crate) fn sweeps(&self, log: Log) -> bool {
        self.up_to[log as usize] > 0
    }

    /// The single offsets, for a message.
    pub(crate) fn offsets(&self) -> Option<Offsets> {
        let list = |log: Log| {
            let list = &self.single[log as usize];
            (!list.is_empty()).then(|| list.clone())
        };
        let (inbox, system) = (list(Log::Inbox), list(Log::System));
        (inbox.is_some() || system.is_some()).then_some(Offsets { inbox, system })
    }

    /// The `up_to` offsets, for a message.
    pub(crate) fn watermarks(&self) -> Option<UpTo> {
        let mark = |log: Log| Some(self.up_to[log as usize]).filter(|up_to| *up_to > 0);
        let (inbox, system) = (mark(Log::Inbox), mark(Log::System));
        (inbox.is_some() || system.is_some()).then_some(UpTo { inbox, system })
    }
}

/// Folded marks that later items may need: messages to everyone that have not arrived yet, and
/// items of a page that was read before the mark.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// Marks by inbox offset, ascending.
    list: Vec<(u64, Mark)>,
    /// Marks up to this inbox offset were dropped to save room.
    forgotten: u64,
}

impl Facts {
    /// Remembers a mark. `false`: a mark was dropped that a later message to everyone needs.
    pub(crate) fn push(&mut self, offset: u64, mark: Mark, system: u64) -> bool {
        self.list.push((offset, mark));
        if self.list.len() <= FACTS_MAX {
            return true;
        }
        let (offset, mark) = self.list.remove(0);
        self.forgotten = offset;
        mark.top(Log::System) <= system
    }

    /// Drops marks that are needed neither by a record of `system:all` after `system` nor by a page
    /// requested at `paging`.
    pub(crate) fn prune(&mut self, system: u64, paging: Option<u64>) {
        drop_where(&mut self.list, &|(offset, mark)| {
            mark.top(Log::System) <= system && paging.is_none_or(|since| *offset <= since)
        });
    }

    /// Applies the marks that a new item has missed.
    pub(crate) fn catch_up(&self, entry: &mut Entry) {
        for (offset, mark) in &self.list {
            entry.mark(*offset, mark);
        }
    }

    /// Whether all marks after this inbox offset are still remembered.
    pub(crate) fn reach_back_to(&self, offset: u64) -> bool {
        offset >= self.forgotten
    }

    /// Whether some marks wait for messages to everyone.
    pub(crate) fn wait_for_system(&self, system: u64) -> bool {
        self.list.iter().any(|(_, mark)| mark.top(Log::System) > system)
    }
}
