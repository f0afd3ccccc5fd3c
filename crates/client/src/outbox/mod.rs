//! The outbox: intents in the order they were made, until each has its answer.
//!
//! Intents are sent in a lane, `(client_id, seq)` with `seq` dense from 1. The server takes each
//! `seq` once and answers a repeat with the first answer, so after a cut the client simply sends
//! every unanswered intent again. If the driver has storage, an intent is stored before it is sent,
//! until it is answered. When a client ends, another client of the user adopts its lane and
//! continues it ([`keep`](self::persistence)).

mod hole;
mod intent;
mod persistence;
mod row;
mod unresolved_mark;

use std::sync::Arc;

use tidings_protocol::{
    Channel, ErrorCode, Retry,
    client::Cursor,
    server::{self, Ack},
};

use crate::{
    Change, Error, FailedIntent, IntentKind, Outbox, Stored,
    inbox::{Fold, Log},
};

pub use row::written;

pub(crate) use intent::{Body, Intent, Operation, Progress, Unresolved};
pub(crate) use persistence::Persistence;
pub(crate) use unresolved_mark::{too_many, unknown_item};

/// Most intents under way at once: fewer than the number at which a server stops reading (32).
const WINDOW: usize = 16;
/// Numbers of adopted intents start here; drivers count from 1.
pub(crate) const ADOPTED: u64 = 1 << 52;

/// An intent that was refused for good, kept for a retry.
#[derive(Debug)]
struct Refused {
    shown: FailedIntent,
    intent: Intent,
    /// Whether storage knows that it was refused.
    persisted: bool,
}

/// The meaning of an `error` on an intent.
#[derive(Debug, PartialEq)]
pub(crate) enum Refusal {
    /// The intent is refused for good and rolled back.
    Final(FailedIntent),
    /// The lane had a hole, which is closed now: send again.
    Mended,
    /// Send again later.
    Retry,
    /// The error answers an earlier send; the answer to the last one is still to come.
    Stale,
}

/// The meaning of an `ack`.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    /// The intent of this number was stored.
    Stored(u64, Stored),
    /// The intent could not be sent, and its `seq` was given up.
    Given(FailedIntent),
    /// The same, for an intent that storage lost.
    Lost(Error),
}

/// The intents of one user.
#[derive(Debug)]
pub(crate) struct Intents {
    /// The lane of new intents.
    lane: String,
    next_seq: u64,
    /// Lanes for which storage has rows of this client, or had.
    held: Vec<Arc<str>>,
    /// Intents in order, adopted ones first. The list is short, so removing its first is cheap.
    list: Vec<Intent>,
    failed: Vec<Refused>,
    /// Lane and last `seq` for the rows of intents that were refused before they had a place in a
    /// lane. Intents of this lane are never sent.
    aside: Option<(Arc<str>, u64)>,
    /// Rows that storage may drop.
    done: Vec<(Arc<str>, u64)>,
    /// Rows of intents that a log shows; storage keeps them until it has saved that log.
    shown: Vec<(Arc<str>, u64)>,
    /// Counts changes that snapshots may show.
    changes: u64,
}

impl Intents {
    pub(crate) fn new(lane: String) -> Self {
        Self {
            lane,
            next_seq: 1,
            held: Vec::new(),
            list: Vec::new(),
            failed: Vec::new(),
            aside: None,
            done: Vec::new(),
            shown: Vec::new(),
            changes: 0,
        }
    }

    /// Adds an intent.
    pub(crate) fn push(&mut self, number: u64, at: u64, body: Body) {
        let (lane, seq) = (Arc::from(&*self.lane), self.next_seq);
        self.next_seq += 1;
        self.changes += 1;
        let progress = Progress::New;
        self.list.push(Intent { number, at, lane, seq, body, progress, doom: None });
    }

    /// Adds an intent that is refused at once, before it has a place in a lane; `lane` makes a name
    /// for the lane of such rows.
    pub(crate) fn decline(
        &mut self,
        (number, at): (u64, u64),
        body: Body,
        error: Error,
        lane: &mut dyn FnMut() -> String,
    ) -> FailedIntent {
        let (lane, seq) = self.aside.get_or_insert_with(|| (Arc::from(lane()), 0));
        *seq += 1;
        let (lane, seq, progress) = (lane.clone(), *seq, Progress::Unsent);
        self.changes += 1;
        let intent = Intent { number, at, lane, seq, body, progress, doom: None };
        let shown = failure(&intent, at, error);
        self.failed.push(Refused { shown: shown.clone(), intent, persisted: false });
        shown
    }

    /// Number of intents without an answer.
    pub(crate) fn unanswered(&self) -> usize {
        let mut count = 0;
        for intent in &self.list {
            count += usize::from(!intent.stored());
        }
        count
    }

    /// Intents that are not in the client's copies of the logs yet, in order.
    pub(crate) fn pending(&self) -> &[Intent] {
        &self.list
    }

    /// Refused intents of one channel, each with its form for the app.
    pub(crate) fn failed_in(
        &self,
        channel: &Channel,
        each: &mut dyn FnMut(&Intent, &FailedIntent),
    ) {
        for refused in &self.failed {
            if refused.intent.body.channel == *channel {
                each(&refused.intent, &refused.shown);
            }
        }
    }

    /// Takes back all sends: the connection ended, or all intents must be sent again.
    pub(crate) fn recall(&mut self) {
        self.recall_from(0);
    }

    /// Takes back the sends from a place on. Intents before it have answers of their own, which may
    /// be under way: sent again, they would use up the budget that the refused one waits for.
    fn recall_from(&mut self, index: usize) {
        for intent in self.list.iter_mut().skip(index) {
            if let Progress::Sent(_) = intent.progress {
                intent.progress = Progress::Unsent;
            }
        }
    }

    /// The next message to send as request `id`, if the window has room. `own`: whether this
    /// client's own intents may be sent, too. An intent longer than `bytes` can't be sent; its
    /// `seq` is given up.
    pub(crate) fn next(&mut self, id: u64, own: bool, bytes: usize) -> Option<String> {
        let mut room = WINDOW;
        for intent in &mut self.list {
            if intent.is_unresolved() {
                // A wish keeps its place in the order: no intent made after it may be sent first.
                return None;
            }
            match intent.progress {
                Progress::Unsent if room > 0 && (own || *intent.lane != *self.lane) => {
                    intent.progress = Progress::Sent(id);
                    let write =
                        |void| intent.body.message(Some(id), &intent.lane, intent.seq, void);
                    let text = write(intent.doom.is_some());
                    if text.len() <= bytes {
                        return Some(text);
                    }
                    // The lane must stay dense, so a `void` takes the place of the message.
                    intent.doom = Some(Box::new(too_large()));
                    return Some(write(true));
                }
                Progress::Sent(_) => room = room.saturating_sub(1),
                // It is not on disk yet, and no later intent may overtake it.
                Progress::New | Progress::Storing(_) => return None,
                Progress::Unsent | Progress::Stored(_) => {}
            }
        }
        None
    }

    /// Whether an intent waits for an answer on this connection.
    pub(crate) fn in_flight(&self) -> bool {
        self.list.iter().any(|intent| matches!(intent.progress, Progress::Sent(_)))
    }

    /// Handles an `ack`, if its intent is known and has no answer yet.
    pub(crate) fn acknowledged(&mut self, ack: &Ack, at: u64) -> Option<Answer> {
        let index = self.find(ack.client_id.as_deref(), ack.seq, ack.id)?;
        self.changes += 1;
        let intent = self.list.get_mut(index)?;
        let (number, lost) = (intent.number, intent.body.operation == Operation::Lost);
        // If the intent can't be sent, an answer without a record is that to its `void`. With a
        // record, an earlier send was stored after all, and the intent has succeeded.
        if ack.record_id.is_none()
            && let Some(error) = intent.doom.take()
        {
            if !lost {
                return Some(Answer::Given(self.fail(index, at, *error)));
            }
            self.forget(index);
            return Some(Answer::Lost(*error));
        }
        intent.progress = Progress::Stored(Cursor::new(ack.epoch, ack.offset));
        let stored = Stored {
            channel: ack.channel.clone(),
            epoch: ack.epoch,
            offset: ack.offset,
            id: ack.record_id.clone().unwrap_or_default(),
        };
        if lost {
            // It was stored before its row broke. Its content is unknown, so the client can't tell
            // when a log shows it, and drops the row now.
            self.forget(index);
        }
        Some(Answer::Stored(number, stored))
    }

    /// An intent came back as a record, perhaps before its answer. It is done, and must not hide
    /// later records. Returns its number, and whether it had no answer yet.
    pub(crate) fn echoed(
        &mut self,
        client_id: Option<&str>,
        seq: Option<u64>,
    ) -> Option<(u64, bool)> {
        let (lane, seq) = client_id.zip(seq)?;
        let ours = |intent: &Intent| intent.seq == seq && *intent.lane == *lane;
        let index = self.list.iter().position(ours)?;
        let (number, open) =
            self.list.get(index).map(|intent| (intent.number, !intent.stored()))?;
        let Intent { lane, seq, .. } = self.list.remove(index);
        self.changes += 1;
        self.shown.push((lane, seq));
        Some((number, open))
    }

    /// The inbox has come this far: marks stored up to here need not be laid on top of it any more.
    pub(crate) fn folded(&mut self, fold: &Fold) {
        let cursor = fold.cursor(Log::Inbox);
        self.settle(&|body| match body.operation {
            Operation::Mark { .. } => Some(Some(cursor)),
            Operation::Lost | Operation::Publish(_) | Operation::UnresolvedMark { .. } => None,
        });
    }

    /// Drops intents that the server has stored and a log shows. `cursor_of`: the cursor of a
    /// body's log, `Some(None)` if the log is not followed; `None` for bodies that are not
    /// concerned.
    pub(crate) fn settle(&mut self, cursor_of: &dyn Fn(&Body) -> Option<Option<Cursor>>) {
        let over = |intent: &Intent| match (intent.progress, cursor_of(&intent.body)) {
            (Progress::Stored(position), Some(Some(cursor))) => {
                // A log with another epoch will never show this record.
                position.epoch != cursor.epoch || position.offset <= cursor.offset
            }
            (Progress::Stored(_), Some(None)) => true,
            _ => false,
        };
        while let Some(index) = self.list.iter().position(over) {
            let Intent { lane, seq, .. } = self.list.remove(index);
            self.changes += 1;
            self.shown.push((lane, seq));
        }
    }

    /// The server refused an intent; `lane` is the name of a new lane, in case this one has a hole.
    pub(crate) fn refused(
        &mut self,
        error: &server::Error,
        at: u64,
        lane: String,
    ) -> Option<Refusal> {
        let index = self.find(error.client_id.as_deref(), error.seq, error.id);
        if error.retry == Retry::Never {
            return Some(Refusal::Final(self.fail(index?, at, Error::of_server(error))));
        }
        // A final answer is the same for each send. A "not now" or a lane's expected `seq` is true
        // only for its own send: after a later send, acting on it would store an intent twice.
        let Some(index) = index.filter(|index| self.was_last_sent_as(*index, error.id)) else {
            return error.seq.map(|_| Refusal::Stale);
        };
        Some(match error.expected {
            Some(expected) => {
                // The server refuses every later send of the lane, too.
                self.recall();
                if !self.fill(index, expected) {
                    self.renumber(index, expected, &Arc::from(lane));
                }
                Refusal::Mended
            }
            None => {
                self.recall_from(index);
                Refusal::Retry
            }
        })
    }

    /// Keeps only the newest refused intents.
    pub(crate) fn forget_failed(&mut self, most: usize) {
        while self.failed.len() > most {
            self.take_failed_at(0);
        }
    }

    /// Takes a refused intent out.
    pub(crate) fn take_failed(&mut self, id: u64) -> Option<Body> {
        let index = self.failed.iter().position(|refused| refused.shown.id == id)?;
        Some(self.take_failed_at(index))
    }

    /// Numbers of the driver's intents without an answer, for when none will come.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        let mut numbers = Vec::new();
        for intent in &self.list {
            if !intent.stored() && intent.number < ADOPTED {
                numbers.push(intent.number);
            }
        }
        numbers
    }

    /// Whether no intent ever used this lane, so that it belongs to no user yet.
    pub(crate) fn is_unused(&self) -> bool {
        self.next_seq == 1 && self.is_empty() && self.held.is_empty()
    }

    /// Whether there is nothing to keep for a user's return.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty() && self.failed.is_empty()
    }

    pub(crate) fn lane(&self) -> &str {
        &self.lane
    }

    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// Whether the app was told another state.
    pub(crate) fn differs_from(&self, shown: &Outbox) -> bool {
        if shown.pending as usize != self.unanswered() || shown.failed.len() != self.failed.len() {
            return true;
        }
        self.failed.iter().zip(&shown.failed).any(|(now, shown)| now.shown.id != shown.id)
    }

    /// The outbox as the app sees it.
    pub(crate) fn snapshot(&self) -> Outbox {
        let pending = u32::try_from(self.unanswered()).unwrap_or(u32::MAX);
        let mut failed = Vec::new();
        for refused in &self.failed {
            failed.push(refused.shown.clone());
        }
        Outbox { pending, failed }
    }

    /// Finds a sent intent, by lane and `seq`, else by request. Others are left out, so that late
    /// answers change nothing.
    fn find(&self, lane: Option<&str>, seq: Option<u64>, id: Option<u64>) -> Option<usize> {
        let lane = lane.zip(seq);
        for (index, intent) in self.list.iter().enumerate() {
            let Progress::Sent(request) = intent.progress else { continue };
            let ours = match lane {
                Some((lane, seq)) => seq == intent.seq && *lane == *intent.lane,
                None => id == Some(request),
            };
            if ours {
                return Some(index);
            }
        }
        None
    }

    /// Removes an intent and its row.
    fn forget(&mut self, index: usize) {
        let Intent { lane, seq, .. } = self.list.remove(index);
        self.changes += 1;
        self.done.push((lane, seq));
    }

    /// Moves an intent to the refused ones.
    fn fail(&mut self, index: usize, at: u64, error: Error) -> FailedIntent {
        let intent = self.list.remove(index);
        self.changes += 1;
        let shown = failure(&intent, at, error);
        self.failed.push(Refused { shown: shown.clone(), intent, persisted: false });
        shown
    }

    fn take_failed_at(&mut self, index: usize) -> Body {
        let Refused { intent, .. } = self.failed.remove(index);
        self.changes += 1;
        self.done.push((intent.lane, intent.seq));
        intent.body
    }
}

/// A refused intent as the app sees it.
fn failure(intent: &Intent, at: u64, error: Error) -> FailedIntent {
    let kind = match intent.body.operation {
        Operation::Publish(_) => IntentKind::Publish,
        Operation::Lost | Operation::Mark { .. } | Operation::UnresolvedMark { .. } => {
            IntentKind::Mark
        }
    };
    FailedIntent { id: intent.number, kind, channel: intent.body.channel.clone(), at, error }
}

/// The error of an intent that is larger than the server's limit: it could never be sent.
pub(crate) fn too_large() -> Error {
    let mut error = Error::new(ErrorCode::TooLarge, "");
    error.retry = false;
    error
}
