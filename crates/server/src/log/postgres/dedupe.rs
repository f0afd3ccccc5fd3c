//! What makes a repeat answer the first answer: idempotency keys and outbox lanes.

use std::collections::BTreeMap;

use tidings_protocol::ErrorCode;
use tidings_server_core::store::{StoreError, Write, Written};

use super::held::Held;
use crate::log::answer;

/// A key's row.
#[derive(Clone, Debug)]
pub(super) struct KeyRow {
    pub(super) fingerprint: Vec<u8>,
    pub(super) answer: String,
    /// When it was made, for a row that is new.
    pub(super) at: u64,
}

/// A lane's row, with those of its answers that the batch may ask for.
#[derive(Clone, Debug, Default)]
pub(super) struct LaneRow {
    pub(super) last: u64,
    pub(super) at: u64,
    /// At least one of its writes made a record.
    pub(super) has_record: bool,
    pub(super) answers: BTreeMap<u64, String>,
}

impl Held {
    /// The answer of an earlier write of the same key or lane position, or why it can't be one.
    pub(super) fn earlier(&self, write: &Write) -> Result<Option<Written>, StoreError> {
        if let Some(key) = &write.key
            && let Some(row) = self.keys.get(&(key.credential.clone(), key.key.clone()))
        {
            return Ok(Some(match row.fingerprint == key.fingerprint {
                true => replay(&row.answer)?,
                false => answer::refused(ErrorCode::IdempotencyMismatch, None),
            }));
        }
        let Some(lane) = &write.lane else { return Ok(None) };
        let Some(row) = self.lanes.get(&(lane.user.clone(), lane.client_id.clone())) else {
            let theirs = self.lane_counts.get(&lane.user).copied().unwrap_or_default();
            return Ok((theirs >= lane.most).then(|| answer::refused(ErrorCode::Full, None)));
        };
        if lane.seq == row.last + 1 {
            return Ok(None);
        }
        if lane.seq > row.last {
            return Ok(Some(answer::refused(ErrorCode::Sequence, Some(row.last + 1))));
        }
        Ok(Some(match row.answers.get(&lane.seq) {
            Some(answer) => replay(answer)?,
            None => Written::Replayed(Vec::new()),
        }))
    }

    /// Remembers the answer, in the transaction of what was written.
    pub(super) fn remember(
        &mut self,
        wall: u64,
        write: &Write,
        written: &Written,
    ) -> Result<(), StoreError> {
        if write.key.is_none() && write.lane.is_none() {
            return Ok(());
        }
        let answer =
            answer::keep(written).map_err(|error| StoreError::Unavailable(error.to_string()))?;
        if let Some(key) = &write.key
            && !matches!(written, Written::Refused(_))
        {
            let name = (key.credential.clone(), key.key.clone());
            let fingerprint = key.fingerprint.to_vec();
            self.keys
                .insert(name.clone(), KeyRow { fingerprint, answer: answer.clone(), at: wall });
            self.changes.keys.insert(name);
        }
        if let Some(lane) = &write.lane {
            let name = (lane.user.clone(), lane.client_id.clone());
            let row = self.lanes.entry(name.clone()).or_insert_with(|| {
                *self.lane_counts.entry(lane.user.clone()).or_default() += 1;
                LaneRow::default()
            });
            row.has_record |= matches!(written, Written::Records { .. });
            row.last = lane.seq;
            row.at = wall;
            row.answers.insert(lane.seq, answer.clone());
            self.changes.lanes.insert(name);
            let place = (lane.user.clone(), lane.client_id.clone(), lane.seq);
            self.changes.answers.insert(place, answer);
        }
        Ok(())
    }
}

fn replay(text: &str) -> Result<Written, StoreError> {
    answer::replay(text)
        .map_err(|error| StoreError::Unavailable(format!("a kept answer is damaged: {error}")))
}
