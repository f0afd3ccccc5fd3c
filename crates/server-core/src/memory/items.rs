//! Items and their states.

use std::collections::BTreeMap;

use tidings_protocol::{Channel, Item, Json, MarkSet, SystemCounts, Tally};

use crate::inbox::{ItemState, recount};

/// An item without its state.
#[derive(Clone, Debug)]
pub(super) struct Body {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) at: u64,
    pub(super) data: Json,
}

impl Body {
    pub(super) fn item(&self, channel: &Channel, offset: u64, state: ItemState) -> Item {
        let ItemState { seen, read, archived } = state;
        let Self { id, kind, at, data } = self.clone();
        Item { channel: channel.clone(), offset, id, kind, at, seen, read, archived, data }
    }
}

/// A user's items.
#[derive(Clone, Debug)]
pub(super) struct Inbox {
    pub(super) items: BTreeMap<u64, (Body, ItemState)>,
    pub(super) tally: Tally,
    /// The user gets the broadcasts after this offset.
    pub(super) system_from: u64,
    /// States of the broadcasts that were ever marked. Others have the default state.
    pub(super) system: BTreeMap<u64, ItemState>,
}

impl Inbox {
    pub(super) fn new(system_from: u64) -> Self {
        Self {
            items: BTreeMap::new(),
            tally: Tally::default(),
            system_from,
            system: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, offset: u64, body: Body) {
        self.items.insert(offset, (body, ItemState::default()));
        self.tally = recount(self.tally, None, Some(ItemState::default()));
    }

    pub(super) fn remove(&mut self, offset: u64) {
        if let Some((_, state)) = self.items.remove(&offset) {
            self.tally = recount(self.tally, Some(state), None);
        }
    }

    /// Marks an item. Returns whether its state changed.
    pub(super) fn mark(&mut self, offset: u64, set: MarkSet) -> bool {
        let Some((_, state)) = self.items.get_mut(&offset) else { return false };
        let before = *state;
        *state = before.after(set);
        self.tally = recount(self.tally, Some(before), Some(*state));
        before != *state
    }

    /// The same for a broadcast. The caller checks that it exists.
    pub(super) fn mark_system(&mut self, offset: u64, set: MarkSet) -> bool {
        let before = self.system_state(offset);
        let after = before.after(set);
        if before != after {
            self.system.insert(offset, after);
        }
        before != after
    }

    pub(super) fn system_state(&self, offset: u64) -> ItemState {
        self.system.get(&offset).copied().unwrap_or_default()
    }

    /// Counts of the user's broadcasts up to `at`.
    pub(super) fn system_counts(&self, system: &BTreeMap<u64, Body>, at: u64) -> SystemCounts {
        let mine = system.range(self.system_from + 1..);
        let tally = mine.fold(Tally::default(), |tally, (offset, _)| {
            recount(tally, None, Some(self.system_state(*offset)))
        });
        SystemCounts { unread: tally.unread, unseen: tally.unseen, at }
    }
}
