//! States of broadcasts, the messages to everyone. Each is stored once for all users. A user has
//! three watermarks, and a row for each broadcast whose state differs from them.

use tidings_protocol::{MarkSet, SystemCounts};

use super::{
    marks::Outcome,
    rows::{Inbox, Log, Rows},
};
use crate::{inbox::ItemState, store::StoreError};

impl Inbox {
    /// The state of a broadcast without a row of its own.
    #[must_use]
    pub const fn implied(&self, offset: u64) -> ItemState {
        ItemState {
            seen: offset <= self.seen_to,
            read: offset <= self.read_to,
            archived: offset <= self.archived_to,
        }
    }
}

impl Rows {
    pub(super) fn mark_system_each(
        &mut self,
        inbox: i64,
        system: &Log,
        offsets: Option<Vec<u64>>,
        set: MarkSet,
    ) -> Result<Outcome, StoreError> {
        let mut outcome = Outcome::default();
        let row = *self.inbox(inbox)?;
        for offset in offsets.into_iter().flatten() {
            if offset <= row.system_from || offset > system.top {
                continue;
            }
            outcome.covered.push(offset);
            let own = self.states.get(&(inbox, offset)).copied();
            let before = own.unwrap_or_else(|| row.implied(offset));
            let after = before.after(set);
            if after != before {
                outcome.changed = true;
                self.put_state(inbox, offset, after);
            }
        }
        Ok(outcome)
    }

    pub(super) fn mark_system_up_to(
        &mut self,
        inbox: i64,
        system: &Log,
        to: u64,
        set: MarkSet,
    ) -> Result<bool, StoreError> {
        let before = *self.inbox(inbox)?;
        if to <= before.system_from {
            return Ok(false);
        }
        let own: Vec<(u64, ItemState)> = self
            .states
            .range((inbox, before.system_from + 1)..=(inbox, to))
            .map(|((_, offset), state)| (*offset, *state))
            .collect();
        let mut changed = false;
        for (offset, state) in &own {
            let after = state.after(set);
            if after != *state {
                changed = true;
                self.put_state(inbox, *offset, after);
            }
        }
        // `read: true` sets `seen` last, so it wins over `seen: false` of the same mark.
        let seen = if set.read == Some(true) { Some(true) } else { set.seen };
        let undone = [
            (seen, before.seen_to),
            (set.read, before.read_to),
            (set.archived, before.archived_to),
        ];
        // Clearing a flag resets its watermark. Broadcasts above `to` must keep the flag, so they
        // get rows of their own first.
        let highest =
            undone.iter().filter(|(flag, _)| *flag == Some(false)).map(|(_, mark)| *mark).max();
        for offset in to + 1..=highest.unwrap_or(0).min(system.top) {
            if !self.states.contains_key(&(inbox, offset)) {
                self.put_state(inbox, offset, before.implied(offset));
            }
        }
        let moved = |flag: Option<bool>, mark: u64| match flag {
            Some(true) => mark.max(to),
            Some(false) => 0,
            None => mark,
        };
        let row = self.inbox(inbox)?;
        row.seen_to = moved(seen, before.seen_to);
        row.read_to = moved(set.read, before.read_to);
        row.archived_to = moved(set.archived, before.archived_to);
        self.changes.inboxes.insert(inbox);
        // Whether a broadcast without a row of its own changed. This compares offsets with the
        // watermarks, reads no row, and ends at the first change.
        Ok(changed
            || (before.system_from + 1..=to).any(|offset| {
                before.implied(offset).after(set) != before.implied(offset)
                    && own.binary_search_by_key(&offset, |(own, _)| *own).is_err()
            }))
    }

    /// Counts the user's broadcasts up to `top` again.
    pub(super) fn recount(&mut self, inbox: i64, top: u64) -> Result<(), StoreError> {
        let row = *self.inbox(inbox)?;
        let above = |mark: u64| {
            let hidden = mark.max(row.archived_to).max(row.system_from);
            top.saturating_sub(hidden)
        };
        // Counts by the watermarks alone, then corrects each broadcast with a state of its own. The
        // cost depends on such rows only, not on the number of broadcasts.
        let (mut unread, mut unseen) = (above(row.read_to), above(row.seen_to));
        if row.system_from < top {
            for ((_, offset), state) in
                self.states.range((inbox, row.system_from + 1)..=(inbox, top))
            {
                let (own, implied) = (state.tally(), row.implied(*offset).tally());
                unread = (unread + own.unread).saturating_sub(implied.unread);
                unseen = (unseen + own.unseen).saturating_sub(implied.unseen);
            }
        }
        let counts = SystemCounts { unread, unseen, at: top };
        if counts != row.system {
            self.inbox(inbox)?.system = counts;
            self.changes.inboxes.insert(inbox);
        }
        Ok(())
    }

    fn put_state(&mut self, inbox: i64, offset: u64, state: ItemState) {
        self.states.insert((inbox, offset), state);
        self.changes.states.insert((inbox, offset));
    }
}
