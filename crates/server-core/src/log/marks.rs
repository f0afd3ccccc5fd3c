//! Marks: new states of items, their counts, and the record of the mark.

use tidings_protocol::{ErrorCode, MarkSet, Offsets, UpTo, server::Marked};

use super::{
    dedupe::refused,
    rows::{Log, Rows, address},
};
use crate::{
    inbox::recount,
    store::{Lane, Mark, RecordRef, StoreError, Written},
};

/// The result of marking a list of offsets.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The offsets that are items of the user.
    pub(super) covered: Vec<u64>,
    /// At least one state has changed.
    pub(super) changed: bool,
}

impl Rows {
    pub(super) fn mark(&mut self, mark: &Mark, lane: Option<&Lane>) -> Result<Written, StoreError> {
        let channel = address(&mark.user)?;
        let log = self.open(&channel)?;
        let system = self.system()?;
        let foreign = |stated: Option<_>, log: &Log| stated.is_some_and(|epoch| epoch != log.epoch);
        if foreign(mark.epochs.inbox, &log) || foreign(mark.epochs.system, &system) {
            return Ok(refused(ErrorCode::EpochMismatch, None));
        }
        // A mark covers only records that exist now. Later ones keep their state.
        let up_to = mark.up_to.map(|up_to| UpTo {
            inbox: up_to.inbox.map(|offset| offset.min(log.top)),
            system: up_to.system.map(|offset| offset.min(system.top)),
        });
        let mut covered = Offsets::default();
        let changed = match up_to {
            Some(up_to) => {
                let own = match up_to.inbox {
                    Some(to) => self.mark_up_to(log.id, to, mark.set)?,
                    None => false,
                };
                let shared = match up_to.system {
                    Some(to) => self.mark_system_up_to(log.id, &system, to, mark.set)?,
                    None => false,
                };
                own || shared
            }
            None => {
                let listed = mark.offsets.clone().unwrap_or_default();
                let own = self.mark_each(log.id, listed.inbox, mark.set)?;
                let shared = self.mark_system_each(log.id, &system, listed.system, mark.set)?;
                covered = Offsets { inbox: some(own.covered), system: some(shared.covered) };
                own.changed || shared.changed
            }
        };
        self.recount(log.id, system.top)?;
        let counts = self.inbox(log.id)?.counts();
        if !changed {
            let at = RecordRef { channel, epoch: log.epoch, offset: log.top, id: String::new() };
            return Ok(Written::Unchanged { at, counts: Some(counts) });
        }
        let record = self.append(&channel, &mark.id, mark.at, |log| Marked {
            channel: channel.clone(),
            offset: log.top,
            id: mark.id.clone(),
            at: log.at,
            client_id: lane.map(|lane| lane.client_id.clone()),
            seq: lane.map(|lane| lane.seq),
            offsets: up_to.is_none().then_some(covered),
            up_to,
            set: mark.set,
            counts,
        })?;
        Ok(Written::Records { records: vec![record], counts: Some(counts) })
    }

    fn mark_each(
        &mut self,
        inbox: i64,
        offsets: Option<Vec<u64>>,
        set: MarkSet,
    ) -> Result<Outcome, StoreError> {
        let mut outcome = Outcome::default();
        for offset in offsets.into_iter().flatten() {
            if self.items.contains_key(&(inbox, offset)) {
                outcome.covered.push(offset);
                outcome.changed |= self.set_state(inbox, offset, set)?;
            }
        }
        Ok(outcome)
    }

    fn mark_up_to(&mut self, inbox: i64, to: u64, set: MarkSet) -> Result<bool, StoreError> {
        let up_to = self.items.range((inbox, 0)..=(inbox, to));
        let offsets: Vec<u64> = up_to.map(|((_, offset), _)| *offset).collect();
        let mut changed = false;
        for offset in offsets {
            changed |= self.set_state(inbox, offset, set)?;
        }
        Ok(changed)
    }

    /// Returns whether the state of a loaded item changed.
    fn set_state(&mut self, inbox: i64, offset: u64, set: MarkSet) -> Result<bool, StoreError> {
        let Some(state) = self.items.get_mut(&(inbox, offset)) else { return Ok(false) };
        let before = *state;
        let after = before.after(set);
        if after == before {
            return Ok(false);
        }
        *state = after;
        let row = self.inbox(inbox)?;
        row.tally = recount(row.tally, Some(before), Some(after));
        self.changes.items.insert((inbox, offset));
        self.changes.inboxes.insert(inbox);
        Ok(true)
    }
}

fn some(list: Vec<u64>) -> Option<Vec<u64>> {
    Some(list).filter(|list| !list.is_empty())
}
