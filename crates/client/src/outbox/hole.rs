//! Repairs a lane with a hole: the server has taken every `seq` up to some point, but the client's
//! next message has a later `seq` than the one expected.

use std::sync::Arc;

use tidings_protocol::ErrorCode;

use super::{ADOPTED, Body, Intent, Intents, Operation, Progress};
use crate::Error;

/// Most `seq`s of a lane that are given up to close a hole: the server remembers the answers of as
/// many.
const HOLE_MAX: u64 = 1_000;

impl Intents {
    /// Whether a request is the last send of an intent. An answer without a request id could belong
    /// to any send, so it counts as the last.
    pub(super) fn was_last_sent_as(&self, index: usize, request: Option<u64>) -> bool {
        let sent = self.list.get(index).map(|intent| intent.progress);
        request.is_none_or(|request| sent == Some(Progress::Sent(request)))
    }

    /// Closes the hole before the intent at `index`: gives up each `seq` from `expected` on that
    /// the client no longer has. Waiting intents keep their `seq`, by which the server knows them,
    /// whatever storage remembers. `false`: there is no such hole, or it is too large.
    pub(super) fn fill(&mut self, index: usize, expected: u64) -> bool {
        let Some(refused) = self.list.get(index) else { return false };
        let (lane, to, inbox) = (refused.lane.clone(), refused.seq, refused.body.channel.clone());
        if !to.checked_sub(expected).is_some_and(|hole| (1..=HOLE_MAX).contains(&hole)) {
            return false;
        }
        for seq in expected..to {
            let ours = |intent: &Intent| intent.lane == lane;
            if self.list.iter().any(|intent| ours(intent) && intent.seq == seq) {
                continue;
            }
            let next = self.list.iter().position(|intent| ours(intent) && intent.seq > seq);
            let error = Error::new(ErrorCode::Storage, "an intent before those that wait was lost");
            self.list.insert(
                next.unwrap_or(index),
                Intent {
                    number: ADOPTED,
                    at: 0,
                    lane: lane.clone(),
                    seq,
                    body: Body { channel: inbox.clone(), operation: Operation::Lost },
                    progress: Progress::Unsent,
                    // Storage has lost the row of this `seq`: a `void` gives it up.
                    doom: Some(Box::new(error)),
                },
            );
        }
        true
    }

    /// Moves intents that the server has not taken from the lane of the intent at `index` to a new
    /// lane. Intents below `expected` were taken before: they are sent again in their old lane, or
    /// they would be stored twice.
    pub(super) fn renumber(&mut self, index: usize, expected: u64, to: &Arc<str>) {
        let Some(refused) = self.list.get(index) else { return };
        // The hole lies before the refused intent, whatever the server says.
        let (from, expected) = (refused.lane.clone(), expected.min(refused.seq));
        let mut seq = 0;
        for intent in &mut self.list {
            if intent.lane == from && !intent.stored() && intent.seq >= expected {
                seq += 1;
                // The intent is stored in its new lane before it is sent. Otherwise the client
                // could end in between, and the next one would send it from the old lane: the
                // server would store it twice.
                self.done.push((from.clone(), intent.seq));
                intent.lane = to.clone();
                intent.seq = seq;
                intent.progress = Progress::New;
            }
        }
        if *self.lane == *from {
            self.lane = String::from(&**to);
            self.next_seq = seq + 1;
        }
    }
}
