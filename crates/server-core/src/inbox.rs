//! The fold of item states and counts: the rule every store obeys.
//!
//! A mark changes states ([`MarkSet::apply`]). Counts are always derived from states.

use tidings_protocol::{MarkSet, Tally};

/// The state of an item for its user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ItemState {
    /// The item was on screen.
    pub seen: bool,
    /// The user read it.
    pub read: bool,
    /// The user put it away.
    pub archived: bool,
}

impl ItemState {
    /// The state after a mark.
    #[must_use]
    pub fn after(mut self, set: MarkSet) -> Self {
        set.apply(&mut self.seen, &mut self.read, &mut self.archived);
        self
    }

    /// This item's contribution to the counts.
    #[must_use]
    pub const fn tally(self) -> Tally {
        Tally {
            unread: (!self.read && !self.archived) as u64,
            unseen: (!self.seen && !self.archived) as u64,
        }
    }
}

/// The counts after an item changed from one state to another. `None`: the item did not exist
/// before, or is removed.
#[must_use]
pub fn recount(counts: Tally, before: Option<ItemState>, after: Option<ItemState>) -> Tally {
    let of = |state: Option<ItemState>| state.map(ItemState::tally).unwrap_or_default();
    let (minus, plus) = (of(before), of(after));
    Tally {
        unread: (counts.unread + plus.unread).saturating_sub(minus.unread),
        unseen: (counts.unseen + plus.unseen).saturating_sub(minus.unseen),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_follow_an_item_through_its_states() {
        let new = ItemState::default();
        let read = new.after(MarkSet { read: Some(true), ..MarkSet::default() });
        assert!(read.seen, "reading implies having seen");
        let archived = new.after(MarkSet { archived: Some(true), ..MarkSet::default() });
        let mut counts = recount(Tally::default(), None, Some(new));
        assert_eq!(counts, Tally { unread: 1, unseen: 1 });
        counts = recount(counts, Some(new), Some(read));
        assert_eq!(counts, Tally { unread: 0, unseen: 0 });
        counts = recount(counts, Some(read), Some(new));
        assert_eq!(counts, Tally { unread: 1, unseen: 1 });
        counts = recount(counts, Some(new), Some(archived));
        assert_eq!(counts, Tally::default());
        assert_eq!(recount(counts, Some(archived), None), Tally::default());
    }
}
