//! Idempotency keys and outbox lanes: a repeated write gets the answer of the first one.

use std::collections::BTreeMap;

use tidings_protocol::ErrorCode;

use crate::store::{IdempotencyKey, Lane, RecordRef, Refusal, Write, Written};

/// Answers that are stored for each lane. A client repeats at most the intents that wait for an
/// answer.
const ANSWERS: usize = 1_000;

#[derive(Clone, Debug, Default)]
pub(super) struct Dedupe {
    keys: BTreeMap<(String, String), Key>,
    lanes: BTreeMap<(String, String), Seen>,
}

#[derive(Clone, Debug)]
struct Key {
    at: u64,
    fingerprint: [u8; 32],
    refs: Vec<RecordRef>,
}

#[derive(Clone, Debug)]
struct Seen {
    at: u64,
    last: u64,
    /// At least one of its writes made a record.
    has_record: bool,
    answers: BTreeMap<u64, Result<Vec<RecordRef>, Refusal>>,
}

impl Dedupe {
    /// The answer to a repeat, or the reason why the write is not possible. `None`: the write is
    /// new.
    pub(super) fn earlier(&self, write: &Write) -> Option<Written> {
        let by_key = write.key.as_ref().and_then(|key| self.earlier_key(key));
        by_key.or_else(|| write.lane.as_ref().and_then(|lane| self.earlier_seq(lane)))
    }

    fn earlier_key(&self, key: &IdempotencyKey) -> Option<Written> {
        let first = self.keys.get(&(key.credential.clone(), key.key.clone()))?;
        Some(if first.fingerprint == key.fingerprint {
            Written::Replayed(first.refs.clone())
        } else {
            Written::Refused(Refusal { code: ErrorCode::IdempotencyMismatch, expected: None })
        })
    }

    fn earlier_seq(&self, lane: &Lane) -> Option<Written> {
        let Some(seen) = self.lanes.get(&(lane.user.clone(), lane.client_id.clone())) else {
            let theirs = self.lanes.keys().filter(|(user, _)| *user == lane.user).count() as u64;
            let refusal = Refusal { code: ErrorCode::Full, expected: None };
            return (theirs >= lane.most).then_some(Written::Refused(refusal));
        };
        if lane.seq == seen.last + 1 {
            return None;
        }
        if lane.seq > seen.last {
            let expected = Some(seen.last + 1);
            return Some(Written::Refused(Refusal { code: ErrorCode::Sequence, expected }));
        }
        Some(match seen.answers.get(&lane.seq) {
            Some(Ok(refs)) => Written::Replayed(refs.clone()),
            Some(Err(refusal)) => Written::Refused(refusal.clone()),
            None => Written::Replayed(Vec::new()),
        })
    }

    /// Stores the answer in the same transaction as the write.
    pub(super) fn remember(&mut self, wall: u64, write: &Write, written: &Written) {
        let answer = match written {
            Written::Refused(refusal) => Err(refusal.clone()),
            other => {
                Ok(crate::service::outcome(other).map(|outcome| outcome.refs).unwrap_or_default())
            }
        };
        if let (Some(key), Ok(refs)) = (&write.key, &answer) {
            let entry = Key { at: wall, fingerprint: key.fingerprint, refs: refs.clone() };
            self.keys.insert((key.credential.clone(), key.key.clone()), entry);
        }
        if let Some(lane) = &write.lane {
            let fresh = || Seen { at: wall, last: 0, has_record: false, answers: BTreeMap::new() };
            let seen =
                self.lanes.entry((lane.user.clone(), lane.client_id.clone())).or_insert_with(fresh);
            seen.at = wall;
            seen.last = lane.seq;
            seen.has_record |= matches!(written, Written::Records { .. });
            seen.answers.insert(lane.seq, answer);
            if seen.answers.len() > ANSWERS {
                seen.answers.pop_first();
            }
        }
    }

    pub(super) fn trim(&mut self, oldest_key: u64, oldest_lane: u64, oldest_empty_lane: u64) {
        self.keys.retain(|_, key| key.at >= oldest_key);
        self.lanes.retain(|_, lane| {
            lane.at >= oldest_lane && (lane.has_record || lane.at >= oldest_empty_lane)
        });
    }
}
