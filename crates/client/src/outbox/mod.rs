//! The outbox: intents in the order they were made, until each has its answer.
//!
//! Intents go out over a lane, `(client_id, seq)` with `seq` dense from 1. The server takes each `seq` once and answers a
//! repeat with the first answer, so after a cut everything unanswered is simply sent again. Where the driver has
//! storage, an intent is kept there before it is sent and until it is answered; another client of the user adopts the
//! lane of one that died, and goes on with it ([`keep`](self::keep)).

mod hole;
mod intent;
mod keep;
mod row;
mod wish;

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

pub(crate) use intent::{Body, Deed, Intent, Progress, Unresolved};
pub(crate) use keep::Keeper;
pub(crate) use wish::{too_many, unknown_item};

/// Intents on their way at once: fewer than a server takes before it stops reading (32).
const WINDOW: usize = 16;
/// Numbers of intents of another life begin here; drivers count from 1.
pub(crate) const ADOPTED: u64 = 1 << 52;

/// An intent that was refused for good, kept for another try.
#[derive(Debug)]
struct Refused {
    shown: FailedIntent,
    intent: Intent,
    /// Storage knows that it was refused.
    kept: bool,
}

/// What an `error` on an intent meant.
#[derive(Debug, PartialEq)]
pub(crate) enum Refusal {
    /// Final: rolled back.
    Final(FailedIntent),
    /// There was a hole in the lane, which is none any more: send again.
    Mended,
    /// Not now: send again later.
    Later,
    /// An earlier send was meant: what came of the last one is still to be heard.
    Stale,
}

/// What an `ack` meant.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    /// The intent of this number was stored.
    Stored(u64, Stored),
    /// It could not be sent, and its place in the lane is given up.
    Given(FailedIntent),
    /// The same for one that storage lost.
    Lost(Error),
}

/// The intents of one user.
#[derive(Debug)]
pub(crate) struct Intents {
    /// Where new intents go.
    lane: String,
    next_seq: u64,
    /// Lanes that storage keeps rows of for this client, or did.
    held: Vec<Arc<str>>,
    /// In order, those of other lives first; short, so that taking the first out is cheap enough.
    list: Vec<Intent>,
    failed: Vec<Refused>,
    /// Where those have their rows that were refused before they had a place in a lane: nothing of it is ever sent.
    aside: Option<(Arc<str>, u64)>,
    /// Rows that storage need not keep any more.
    done: Vec<(Arc<str>, u64)>,
    /// Rows of what a log shows by now; storage keeps them until it has what that log shows.
    shown: Vec<(Arc<str>, u64)>,
    /// Counts what snapshots may show differently.
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

    /// Takes an intent.
    pub(crate) fn push(&mut self, number: u64, at: u64, body: Body) {
        let (lane, seq) = (Arc::from(&*self.lane), self.next_seq);
        self.next_seq += 1;
        self.changes += 1;
        let progress = Progress::New;
        self.list.push(Intent { number, at, lane, seq, body, progress, doom: None });
    }

    /// Takes an intent that is refused at once, before it has a place in a lane; `lane` makes a name for the lane of such rows.
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
        self.failed.push(Refused { shown: shown.clone(), intent, kept: false });
        shown
    }

    /// Intents without an answer.
    pub(crate) fn unanswered(&self) -> usize {
        let mut count = 0;
        for intent in &self.list {
            count += usize::from(!intent.stored());
        }
        count
    }

    /// Intents the client's copies of the logs do not have yet, in order.
    pub(crate) fn pending(&self) -> &[Intent] {
        &self.list
    }

    /// Refused intents of one channel, as the app and the wire have them.
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

    /// Nothing is on its way any more: the connection went, or everything is to be sent again.
    pub(crate) fn recall(&mut self) {
        self.recall_from(0);
    }

    /// The same for what is behind a place. What was sent before that has an answer of its own, which may be on its way: sent
    /// again, it would use up what the one that was refused waits for.
    fn recall_from(&mut self, place: usize) {
        for intent in self.list.iter_mut().skip(place) {
            if let Progress::Sent(_) = intent.progress {
                intent.progress = Progress::Unsent;
            }
        }
    }

    /// The next message to send as request `id`, if the window has room. `own`: also what was made in this life.
    /// What is longer than `bytes` can't be sent; its place in the lane is given up.
    pub(crate) fn next(&mut self, id: u64, own: bool, bytes: usize) -> Option<String> {
        let mut room = WINDOW;
        for intent in &mut self.list {
            if intent.is_wish() {
                // What comes after it in its lane has to wait, too.
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
                    intent.doom = Some(Box::new(too_large()));
                    return Some(write(true));
                }
                Progress::Sent(_) => room = room.saturating_sub(1),
                Progress::New | Progress::Storing(_) => return None,
                Progress::Unsent | Progress::Stored(_) => {}
            }
        }
        None
    }

    /// Whether some intent waits for an answer on this connection.
    pub(crate) fn in_flight(&self) -> bool {
        self.list.iter().any(|intent| matches!(intent.progress, Progress::Sent(_)))
    }

    /// The server took an intent, if it is ours and had no answer yet.
    pub(crate) fn acknowledged(&mut self, ack: &Ack, at: u64) -> Option<Answer> {
        let place = self.find(ack.client_id.as_deref(), ack.seq, ack.id)?;
        self.changes += 1;
        let intent = self.list.get_mut(place)?;
        let (number, lost) = (intent.number, intent.body.deed == Deed::Lost);
        if ack.record_id.is_none()
            && let Some(error) = intent.doom.take()
        {
            if !lost {
                return Some(Answer::Given(self.fail(place, at, *error)));
            }
            self.forget(place);
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
            // Stored before its row broke: no log can be asked whether it shows what nobody can read.
            self.forget(place);
        }
        Some(Answer::Stored(number, stored))
    }

    /// An intent came back as a fact, perhaps before its answer: it is done, and a later fact must not be hidden by it.
    /// Answers its number, and whether it had no answer yet.
    pub(crate) fn echoed(
        &mut self,
        client_id: Option<&str>,
        seq: Option<u64>,
    ) -> Option<(u64, bool)> {
        let (lane, seq) = client_id.zip(seq)?;
        let ours = |intent: &Intent| intent.seq == seq && *intent.lane == *lane;
        let place = self.list.iter().position(ours)?;
        let (number, open) =
            self.list.get(place).map(|intent| (intent.number, !intent.stored()))?;
        let Intent { lane, seq, .. } = self.list.remove(place);
        self.changes += 1;
        self.shown.push((lane, seq));
        Some((number, open))
    }

    /// The inbox came this far: marks stored up to there need no place on top of it any more.
    pub(crate) fn folded(&mut self, fold: &Fold) {
        let cursor = fold.cursor(Log::Inbox);
        self.settle(&|body| match body.deed {
            Deed::Mark { .. } => Some(Some(cursor)),
            Deed::Lost | Deed::Publish(_) | Deed::Wish { .. } => None,
        });
    }

    /// Drops what the server stored and a log shows. `cursor_of`: where the log of a body is, `Some(None)` where it is not
    /// followed; `None` for bodies that are not meant.
    pub(crate) fn settle(&mut self, cursor_of: &dyn Fn(&Body) -> Option<Option<Cursor>>) {
        let over = |intent: &Intent| match (intent.progress, cursor_of(&intent.body)) {
            (Progress::Stored(place), Some(Some(cursor))) => {
                place.epoch != cursor.epoch || place.offset <= cursor.offset
            }
            (Progress::Stored(_), Some(None)) => true,
            _ => false,
        };
        while let Some(place) = self.list.iter().position(over) {
            let Intent { lane, seq, .. } = self.list.remove(place);
            self.changes += 1;
            self.shown.push((lane, seq));
        }
    }

    /// The server refused an intent; `lane` names the next lane should this one have a hole.
    pub(crate) fn refused(
        &mut self,
        error: &server::Error,
        at: u64,
        lane: String,
    ) -> Option<Refusal> {
        let place = self.find(error.client_id.as_deref(), error.seq, error.id);
        if error.retry == Retry::Never {
            return Some(Refusal::Final(self.fail(place?, at, Error::of_server(error))));
        }
        // Final answers are the same to each send. One that says "not now", or how far the lane was, is true of its own send
        // alone: after another one, moving on by it would have the same thing done twice.
        let Some(place) = place.filter(|place| self.was_last_sent_as(*place, error.id)) else {
            return error.seq.map(|_| Refusal::Stale);
        };
        Some(match error.expected {
            Some(expected) => {
                self.recall();
                if !self.fill(place, expected) {
                    self.renumber(place, expected, &Arc::from(lane));
                }
                Refusal::Mended
            }
            None => {
                self.recall_from(place);
                Refusal::Later
            }
        })
    }

    /// Keeps the newest refused intents.
    pub(crate) fn forget_failed(&mut self, most: usize) {
        while self.failed.len() > most {
            self.take_failed_at(0);
        }
    }

    /// Takes a refused intent back out.
    pub(crate) fn take_failed(&mut self, id: u64) -> Option<Body> {
        let place = self.failed.iter().position(|refused| refused.shown.id == id)?;
        Some(self.take_failed_at(place))
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

    /// Whether nothing was ever sent or to be sent on this lane, so that it is no user's yet.
    pub(crate) fn is_unused(&self) -> bool {
        self.next_seq == 1 && self.is_empty() && self.held.is_empty()
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
                Some((lane, seq)) => seq == intent.seq && *lane == *intent.lane,
                None => id == Some(request),
            };
            if ours {
                return Some(place);
            }
        }
        None
    }

    /// Takes an intent out, with its row.
    fn forget(&mut self, place: usize) {
        let Intent { lane, seq, .. } = self.list.remove(place);
        self.changes += 1;
        self.done.push((lane, seq));
    }

    /// Moves an intent to those that were refused for good.
    fn fail(&mut self, place: usize, at: u64, error: Error) -> FailedIntent {
        let intent = self.list.remove(place);
        self.changes += 1;
        let shown = failure(&intent, at, error);
        self.failed.push(Refused { shown: shown.clone(), intent, kept: false });
        shown
    }

    fn take_failed_at(&mut self, place: usize) -> Body {
        let Refused { intent, .. } = self.failed.remove(place);
        self.changes += 1;
        self.done.push((intent.lane, intent.seq));
        intent.body
    }
}

/// A refused intent as the app sees it.
fn failure(intent: &Intent, at: u64, error: Error) -> FailedIntent {
    let kind = match intent.body.deed {
        Deed::Publish(_) => IntentKind::Publish,
        Deed::Lost | Deed::Mark { .. } | Deed::Wish { .. } => IntentKind::Mark,
    };
    FailedIntent { id: intent.number, kind, channel: intent.body.channel.clone(), at, error }
}

/// A message over the size a server takes would never arrive, however often it is sent.
pub(crate) fn too_large() -> Error {
    let mut error = Error::new(ErrorCode::TooLarge, "");
    error.retry = false;
    error
}
