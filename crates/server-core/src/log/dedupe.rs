//! Idempotency keys and outbox lanes: a repeated write gets the answer of the first one.

use tidings_protocol::ErrorCode;

use super::rows::{KeyRow, LaneRow, Rows};
use crate::{
    service,
    store::{RecordRef, Refusal, Write, Written},
};

/// Answers that are stored for each lane. A client repeats at most the intents that wait for an
/// answer.
pub const ANSWERS_OF_A_LANE: u64 = 1_000;

/// The first answer to a key or lane position, which a repeat gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirstAnswer {
    /// References to its records. Empty if the write made no record.
    Stored(Vec<RecordRef>),
    /// The write was refused.
    Refused(ErrorCode),
}

impl FirstAnswer {
    /// The answer to remember.
    #[must_use]
    pub fn of(written: &Written) -> Self {
        match written {
            Written::Refused(refusal) => Self::Refused(refusal.code),
            other => Self::Stored(
                service::outcome(other).map(|outcome| outcome.refs).unwrap_or_default(),
            ),
        }
    }

    /// The answer to a repeat.
    #[must_use]
    pub fn repeated(&self) -> Written {
        match self {
            Self::Stored(refs) => Written::Replayed(refs.clone()),
            Self::Refused(code) => refused(*code, None),
        }
    }
}

impl Rows {
    /// The answer to a repeat, or the reason why the write is not possible. `None`: the write is
    /// new.
    pub(super) fn earlier(&self, write: &Write) -> Option<Written> {
        if let Some(key) = &write.key
            && let Some(row) = self.keys.get(&(key.credential.clone(), key.key.clone()))
        {
            return Some(match row.fingerprint == key.fingerprint {
                true => row.answer.repeated(),
                false => refused(ErrorCode::IdempotencyMismatch, None),
            });
        }
        let lane = write.lane.as_ref()?;
        let Some(row) = self.lanes.get(&(lane.user.clone(), lane.client_id.clone())) else {
            let theirs = self.lane_counts.get(&lane.user).copied().unwrap_or_default();
            return (theirs >= lane.most).then(|| refused(ErrorCode::Full, None));
        };
        // The next position of the lane: a new write.
        if lane.seq == row.last + 1 {
            return None;
        }
        // A gap: an earlier intent has not arrived, and a lane keeps its order.
        if lane.seq > row.last {
            return Some(refused(ErrorCode::Sequence, Some(row.last + 1)));
        }
        // The position is consumed, even if its answer is no longer stored: the write must not be
        // stored twice.
        let first = row.answers.get(&lane.seq);
        Some(first.map_or_else(|| Written::Replayed(Vec::new()), FirstAnswer::repeated))
    }

    /// Stores the answer in the same transaction as the write.
    pub(super) fn remember(&mut self, wall: u64, write: &Write, written: &Written) {
        if write.key.is_none() && write.lane.is_none() {
            return;
        }
        let answer = FirstAnswer::of(written);
        if let Some(key) = &write.key
            && !matches!(written, Written::Refused(_))
        {
            // Only a successful write uses up its key. A lane position, below, is consumed by a
            // refusal too.
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
            row.answers.insert(lane.seq, answer);
            self.changes.lanes.insert(name);
            let index = (lane.user.clone(), lane.client_id.clone(), lane.seq);
            self.changes.answers.insert(index);
        }
    }
}

pub(super) const fn refused(code: ErrorCode, expected: Option<u64>) -> Written {
    Written::Refused(Refusal { code, expected })
}
