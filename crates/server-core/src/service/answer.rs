//! From the outcome of a write to the answer for the caller.

use tidings_protocol::{Counts, server};

use crate::{
    refused::Refused,
    store::{Lane, RecordRef, Written},
};

/// The outcome of a write that was not refused, for REST and `ack`.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The addresses of the records. For a mark that changed nothing, the inbox at its top. Empty
    /// for `void` and revocations.
    pub refs: Vec<RecordRef>,
    /// Counts after a mark. `None` for a repeat, whose counts are no longer known.
    pub counts: Option<Counts>,
    /// The answer is an earlier one, to the same key or lane position: `Idempotency-Replayed:
    /// true`.
    pub replayed: bool,
}

/// The outcome of a write.
///
/// # Errors
/// The store's refusal.
pub fn outcome(written: &Written) -> Result<Outcome, Refused> {
    match written {
        Written::Records { records, counts } => {
            let refs = records.iter().map(|record| RecordRef {
                channel: record.channel.clone(),
                epoch: record.epoch,
                offset: record.offset,
                id: record.id.clone(),
            });
            Ok(Outcome { refs: refs.collect(), counts: *counts, replayed: false })
        }
        Written::Unchanged { at, counts } => {
            Ok(Outcome { refs: vec![at.clone()], counts: *counts, replayed: false })
        }
        Written::Replayed(refs) => Ok(Outcome { refs: refs.clone(), counts: None, replayed: true }),
        Written::Refused(refusal) => Err(refusal.clone().into()),
        Written::Done => Ok(Outcome { refs: Vec::new(), counts: None, replayed: false }),
    }
}

/// The `ack` of a request. `None` if it made no record (a `void`).
#[must_use]
pub fn ack(id: Option<u64>, lane: Option<&Lane>, outcome: &Outcome) -> Option<server::Ack> {
    let record_ref = outcome.refs.first()?;
    Some(server::Ack {
        id,
        client_id: lane.map(|lane| lane.client_id.clone()),
        seq: lane.map(|lane| lane.seq),
        channel: record_ref.channel.clone(),
        epoch: record_ref.epoch,
        offset: record_ref.offset,
        record_id: Some(record_ref.id.clone()).filter(|id| !id.is_empty()),
        duplicate: outcome.replayed.then_some(true),
    })
}

/// The `error` of a refusal.
#[must_use]
pub fn error(refused: &Refused) -> server::Error {
    server::Error {
        id: None,
        client_id: None,
        seq: None,
        channel: None,
        code: refused.code.as_str().to_owned(),
        message: refused.message(),
        retry: refused.code.retry(),
        retry_after_ms: refused.retry_after_ms,
        expected: refused.expected,
    }
}
