//! The outbox: intents in the order they were made, until each has its answer.
//!
//! Intents go out over a lane, `(client_id, seq)` with `seq` dense from 1. The server takes each `seq` once and answers a
//! repeat with the first answer, so after a cut everything unanswered is simply sent again.

use tidings_protocol::{
    client::{self, Cursor},
    server::{self, Ack, Marked},
};

use crate::{
    Error, FailedIntent, Outbox, Stored,
    inbox::{Fold, Log, drop_where},
    intent::{Body, Intent, Progress},
};

/// Intents on their way at once: fewer than a server takes before it stops reading (32).
const WINDOW: usize = 16;

/// An intent that was refused for good, kept for another try.
#[derive(Debug)]
struct Refused {
    shown: FailedIntent,
    body: Body,
}

/// What an `error` on an intent meant.
#[derive(Debug, PartialEq)]
pub(crate) enum Refusal {
    /// Final: rolled back.
    Final(FailedIntent),
    /// The lane goes on under a new name: send again.
    Moved,
    /// Not now: send again later.
    Later,
}

/// The intents of one user.
#[derive(Debug)]
pub(crate) struct Intents {
    lane: String,
    next_seq: u64,
    /// In order; short, so that taking the first out is cheap enough.
    list: Vec<Intent>,
    failed: Vec<Refused>,
    /// Counts what the list of items may show differently.
    changes: u64,
}

impl Intents {
    pub(crate) fn new(lane: String) -> Self {
        Self { lane, next_seq: 1, list: Vec::new(), failed: Vec::new(), changes: 0 }
    }

    /// Takes an intent.
    pub(crate) fn push(&mut self, number: u64, body: Body) {
        let seq = self.next_seq;
        self.next_seq += 1;
        self.changes += 1;
        self.list.push(Intent { number, seq, body, progress: Progress::Unsent });
    }

    /// Intents without an answer.
    pub(crate) fn unanswered(&self) -> usize {
        let mut count = 0;
        for intent in &self.list {
            count += usize::from(!intent.stored());
        }
        count
    }

    /// Intents the fold does not have yet, in order.
    pub(crate) fn pending(&self) -> &[Intent] {
        &self.list
    }

    /// Nothing is on its way any more: the connection went, or everything is to be sent again.
    pub(crate) fn recall(&mut self) {
        for intent in &mut self.list {
            if let Progress::Sent(_) = intent.progress {
                intent.progress = Progress::Unsent;
            }
        }
    }

    /// The next message to send as request `id`, if the window has room.
    pub(crate) fn next(&mut self, id: u64) -> Option<client::Mark> {
        let mut room = WINDOW;
        for intent in &mut self.list {
            match intent.progress {
                Progress::Unsent if room > 0 => {
                    intent.progress = Progress::Sent(id);
                    return Some(intent.body.message(id, &self.lane, intent.seq));
                }
                Progress::Sent(_) => room = room.saturating_sub(1),
                Progress::Unsent | Progress::Stored(_) => {}
            }
        }
        None
    }

    /// Whether some intent waits for an answer on this connection.
    pub(crate) fn in_flight(&self) -> bool {
        self.list.iter().any(|intent| matches!(intent.progress, Progress::Sent(_)))
    }

    /// The server stored an intent. Answers its number, if it is ours and had no answer yet.
    pub(crate) fn acknowledged(&mut self, ack: &Ack) -> Option<(u64, Stored)> {
        let place = self.find(ack.client_id.as_deref(), ack.seq, ack.id)?;
        self.changes += 1;
        let intent = self.list.get_mut(place)?;
        intent.progress = Progress::Stored(Cursor { epoch: ack.epoch, offset: ack.offset });
        let stored = Stored {
            channel: ack.channel.clone(),
            epoch: ack.epoch,
            offset: ack.offset,
            id: ack.record_id.clone().unwrap_or_default(),
        };
        Some((intent.number, stored))
    }

    /// An intent came back as a fact, perhaps before its answer: it is done, and a later fact must not be hidden by it.
    pub(crate) fn echoed(
        &mut self,
        marked: &Marked,
        epoch: tidings_protocol::Epoch,
    ) -> Option<(u64, Stored)> {
        let client_id = marked.client_id.as_deref()?;
        let seq = marked.seq.filter(|_| self.lane == client_id)?;
        let place = self.list.iter().position(|intent| intent.seq == seq)?;
        self.changes += 1;
        let intent = self.list.remove(place);
        let stored = Stored {
            channel: marked.channel.clone(),
            epoch,
            offset: marked.offset,
            id: marked.id.clone(),
        };
        (!intent.stored()).then_some((intent.number, stored))
    }

    /// The fold came this far: what was stored up to there needs no place on top of it any more.
    pub(crate) fn folded(&mut self, fold: &Fold) {
        let cursor = fold.cursor(Log::Inbox);
        let before = self.list.len();
        drop_where(&mut self.list, &|intent| match intent.progress {
            Progress::Stored(place) => place.epoch != cursor.epoch || place.offset <= cursor.offset,
            Progress::Unsent | Progress::Sent(_) => false,
        });
        self.changes += u64::from(before != self.list.len());
    }

    /// The server refused an intent; `lane` names the next lane should this one have a hole.
    pub(crate) fn refused(
        &mut self,
        error: &server::Error,
        at: u64,
        lane: String,
    ) -> Option<Refusal> {
        let place = self.find(error.client_id.as_deref(), error.seq, error.id)?;
        if error.expected.is_some() {
            self.lane = lane;
            self.recall();
            self.renumber();
            return Some(Refusal::Moved);
        }
        if error.retry != tidings_protocol::Retry::Never {
            self.recall();
            return Some(Refusal::Later);
        }
        self.changes += 1;
        let intent = self.list.remove(place);
        let failed = FailedIntent {
            id: intent.number,
            channel: intent.body.channel.clone(),
            at,
            error: Error::of_server(error),
        };
        self.failed.push(Refused { shown: failed.clone(), body: intent.body });
        Some(Refusal::Final(failed))
    }

    /// Keeps the newest refused intents.
    pub(crate) fn forget_failed(&mut self, most: usize) {
        while self.failed.len() > most {
            self.failed.remove(0);
        }
    }

    /// Takes a refused intent back out.
    pub(crate) fn take_failed(&mut self, id: u64) -> Option<Body> {
        let place = self.failed.iter().position(|refused| refused.shown.id == id)?;
        Some(self.failed.remove(place).body)
    }

    /// Numbers of the intents without an answer, for when none will come.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        let mut numbers = Vec::new();
        for intent in &self.list {
            if !intent.stored() {
                numbers.push(intent.number);
            }
        }
        numbers
    }

    /// Whether nothing was ever sent or to be sent on this lane, so that it is no user's yet.
    pub(crate) fn is_unused(&self) -> bool {
        self.next_seq == 1 && self.is_empty()
    }

    /// Whether there is anything worth keeping for a user's return.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty() && self.failed.is_empty()
    }

    pub(crate) fn lane(&self) -> &str {
        &self.lane
    }

    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// Whether the app was told otherwise.
    pub(crate) fn differs_from(&self, told: &Outbox) -> bool {
        if told.pending as usize != self.unanswered() || told.failed.len() != self.failed.len() {
            return true;
        }
        self.failed.iter().zip(&told.failed).any(|(now, told)| now.shown.id != told.id)
    }

    /// As the app sees it.
    pub(crate) fn snapshot(&self) -> Outbox {
        let pending = u32::try_from(self.unanswered()).unwrap_or(u32::MAX);
        let mut failed = Vec::new();
        for refused in &self.failed {
            failed.push(refused.shown.clone());
        }
        Outbox { pending, failed }
    }

    /// By lane and `seq`, else by request; only what is on its way, so that answers of another time change nothing.
    fn find(&self, lane: Option<&str>, seq: Option<u64>, id: Option<u64>) -> Option<usize> {
        let lane = lane.zip(seq);
        for (place, intent) in self.list.iter().enumerate() {
            let Progress::Sent(request) = intent.progress else { continue };
            let ours = match lane {
                Some((lane, seq)) => seq == intent.seq && lane == self.lane,
                None => id == Some(request),
            };
            if ours {
                return Some(place);
            }
        }
        None
    }

    fn renumber(&mut self) {
        let mut seq = 0;
        for intent in &mut self.list {
            if !intent.stored() {
                seq += 1;
                intent.seq = seq;
            }
        }
        self.next_seq = seq + 1;
    }
}
