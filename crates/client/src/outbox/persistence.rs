//! Persists the outbox over restarts: rows in storage, and at most one living client for each lane.
//!
//! ```text
//!  made ──Keep──► row stored ──Kept──► sent ──ack──► shown by its log ──Save──► row dropped
//!                     │                                                       │
//!  if a client ends here or anywhere between, another client of the user claims its lane,
//!  and sends the unanswered intents again, under the same (client_id, seq)
//! ```
//!
//! The driver guarantees two things: a row is on disk before `Kept`, and no other client can claim
//! the lane of a living one.

use std::sync::Arc;

use tidings_protocol::{
    Channel, ErrorCode,
    planted::{self, Planted},
};

use super::{ADOPTED, Body, Change, Intent, Intents, Operation, Progress, Refused, failure, row};
use crate::{Command, Error, Lane, context::Context, timers::Timer};

/// Milliseconds that an intent waits for storage. IndexedDB can hang; sending an intent that is not
/// stored is better than holding it.
const PATIENCE: u64 = 2_000;

/// State of the outbox's storage.
#[derive(Debug)]
pub(crate) struct Persistence {
    /// Whether the driver stores intents, and has not failed.
    usable: bool,
    /// Whether a `Claim` has no answer yet.
    claiming: bool,
    /// Whether the first `Claim` was answered, or took too long: intents of other clients are sent
    /// before new ones.
    claimed: bool,
    /// Number of the last `Keep`.
    last: u64,
    /// Number of intents adopted from other clients.
    adopted: u64,
}

impl Persistence {
    pub(crate) fn new(usable: bool) -> Self {
        Self { usable, claiming: false, claimed: false, last: 0, adopted: 0 }
    }

    /// Whether intents are stored over restarts.
    pub(crate) fn usable(&self) -> bool {
        self.usable
    }

    /// Whether this client's own intents may be sent.
    pub(crate) fn may_send(&self) -> bool {
        self.claimed || !self.usable
    }
}

impl Context {
    /// Asks storage to store new intents and to drop rows that are done. Without storage, new
    /// intents may be sent at once.
    ///
    /// When a log shows an intent, its row is done only after storage has that log. If the client
    /// ends in between, the next one has the intent or the record, and sending the intent again
    /// does no harm.
    pub(crate) fn persist(&mut self) {
        if !self.persistence.usable {
            self.outbox.go_without();
            return;
        }
        if self.outbox.has_shown() {
            if self.is_unsaved() {
                self.save_channels_soon();
            } else {
                self.outbox.finish_shown();
            }
        }
        let Some(user) = self.account.user().map(String::from) else { return };
        let number = self.persistence.last + 1;
        let changes = self.outbox.unpersisted(number);
        if !changes.is_empty() {
            self.persistence.last = number;
            self.bring_forward(Timer::Persist, PATIENCE);
            self.ask(Command::Persist { user, number, changes: changes.into() });
        }
        for lane in self.outbox.take_idle() {
            self.ask(Command::Release { lane: String::from(&*lane) });
        }
    }

    /// All changes up to this `Keep` are on disk.
    pub(crate) fn persisted(&mut self, number: u64) {
        self.outbox.persisted(number);
        if number >= self.persistence.last {
            self.timers.cancel(Timer::Persist);
        }
    }

    /// Storage did not answer in time: the intents that wait for it are sent all the same.
    pub(crate) fn persist_overdue(&mut self) {
        self.report(Error::new(ErrorCode::Storage, "an intent was not saved in time"));
        self.outbox.persisted(u64::MAX);
    }

    /// Asks for the lanes that the user's ended clients left.
    pub(crate) fn claim(&mut self) {
        if let Some(user) = self.account.user().map(String::from)
            && self.persistence.usable
            && !self.persistence.claiming
        {
            self.persistence.claiming = true;
            self.set(Timer::Claim, PATIENCE);
            self.ask(Command::Claim { user });
        }
    }

    /// It is time to ask for lanes again, or the last request has no answer.
    pub(crate) fn claim_due(&mut self) {
        if self.persistence.claiming {
            self.persistence.claiming = false;
            // No answer: this client's own intents don't wait any longer.
            self.persistence.claimed = true;
            self.claim_later();
        } else {
            self.claim();
        }
    }

    /// Schedules the next check. The bounds keep every setting from causing a flood.
    fn claim_later(&mut self) {
        self.set(Timer::Claim, self.config.adopt_every.clamp(1_000, 3_600_000));
    }

    /// Takes lanes that no other client holds, or a lane whose holder just ended. A lane for which
    /// there is no room, or that this version can't read, is released again.
    pub(crate) fn claimed(&mut self, user: &str, lanes: &[Lane]) {
        let ours = self.account.user() == Some(user);
        if ours && self.persistence.claiming {
            self.persistence.claiming = false;
            self.persistence.claimed = true;
            self.claim_later();
        }
        let inbox = Channel::inbox(user).ok();
        for lane in lanes {
            if self.outbox.holds(&lane.name) {
                continue;
            }
            let most = self.config.outbox_max as usize;
            let room = most.saturating_sub(self.outbox.unanswered());
            let foreign = lane.rows.iter().any(|(_, text)| row::is_foreign(text));
            match &inbox {
                Some(inbox) if ours && !foreign && lane.rows.len() <= room => {
                    self.outbox.adopt(lane, inbox, &mut self.persistence.adopted);
                }
                _ => self.ask(Command::Release { lane: lane.name.clone() }),
            }
        }
        self.answer_from_rooms();
        self.outbox.forget_failed(self.config.failed_max as usize);
    }

    /// Intents can't be stored any more: the outbox goes on in memory.
    pub(crate) fn lanes_failed(&mut self, reason: &str) {
        if self.persistence.usable {
            self.report(Error::new(ErrorCode::Storage, reason));
        }
        self.forgo_lanes();
    }

    /// The same, without a report.
    pub(crate) fn forgo_lanes(&mut self) {
        self.persistence.usable = false;
        self.timers.cancel(Timer::Claim);
        self.timers.cancel(Timer::Persist);
        self.outbox.persisted(u64::MAX);
        self.persist();
    }

    /// The user changed: the lanes of the new user are not claimed yet.
    pub(crate) fn reset_persistence(&mut self) {
        self.persistence.claiming = false;
        self.persistence.claimed = false;
        self.timers.cancel(Timer::Claim);
    }

    /// Releases the lanes of an outbox: their stored rows wait for another client.
    pub(crate) fn release(&mut self, intents: &mut Intents) {
        for lane in std::mem::take(&mut intents.held) {
            self.ask(Command::Release { lane: String::from(&*lane) });
        }
    }
}

impl Intents {
    /// The changes for storage, as its request `number`: rows of new and refused intents, in order,
    /// and no rows that are done.
    fn unpersisted(&mut self, number: u64) -> Vec<Change> {
        let mut changes = Vec::new();
        for intent in &mut self.list {
            if intent.progress == Progress::New {
                intent.progress = Progress::Storing(number);
                changes.push(put(intent, row::text(intent, None)));
                hold(&mut self.held, &intent.lane);
            }
        }
        for refused in &mut self.failed {
            if !refused.persisted {
                refused.persisted = true;
                hold(&mut self.held, &refused.intent.lane);
                let (intent, shown) = (&refused.intent, &refused.shown);
                changes.push(put(intent, row::text(intent, Some((shown.at, &shown.error)))));
            }
        }
        for (lane, seq) in self.done.drain(..) {
            changes.push(Change::Drop { lane: String::from(&*lane), seq });
        }
        changes
    }

    /// Storage has executed all requests up to this one.
    fn persisted(&mut self, number: u64) {
        for intent in &mut self.list {
            if let Progress::Storing(asked) = intent.progress
                && asked <= number
            {
                intent.progress = Progress::Unsent;
            }
        }
    }

    fn has_shown(&self) -> bool {
        !self.shown.is_empty()
    }

    /// Storage has the logs that show these intents, or is about to get them.
    pub(crate) fn finish_shown(&mut self) {
        self.done.append(&mut self.shown);
    }

    /// Goes on without storage.
    fn go_without(&mut self) {
        self.done.clear();
        self.shown.clear();
        for intent in &mut self.list {
            if intent.progress == Progress::New {
                intent.progress = Progress::Unsent;
            }
        }
    }

    /// When the user of these intents returns, storage is asked again for rows that it has not
    /// confirmed.
    pub(crate) fn forget_asking(&mut self) {
        for intent in &mut self.list {
            if let Progress::Storing(_) = intent.progress {
                intent.progress = Progress::New;
            }
        }
    }

    /// Takes out the lanes that have no intents left; the own lane stays.
    fn take_idle(&mut self) -> Vec<Arc<str>> {
        let mut idle = Vec::new();
        let mut index = 0;
        while let Some(lane) = self.held.get(index) {
            // A lane is needed as long as storage may have rows of it.
            let used = !planted::on(Planted::LaneWithoutLock)
                && (**lane == *self.lane
                    || self.list.iter().any(|intent| intent.lane == *lane)
                    || self.shown.iter().any(|(shown, _)| shown == lane)
                    || self.failed.iter().any(|refused| refused.intent.lane == *lane));
            if used {
                index += 1;
            } else {
                let lane = self.held.remove(index);
                // Another client may now take it, so the next refused intent needs another lane for
                // its row.
                self.aside.take_if(|(aside, _)| *aside == lane);
                idle.push(lane);
            }
        }
        idle
    }

    fn holds(&self, lane: &str) -> bool {
        self.held.iter().any(|held| **held == *lane)
    }

    /// Takes over a lane of another client. Its intents are older than all of this client's own.
    fn adopt(&mut self, lane: &Lane, inbox: &Channel, adopted: &mut u64) {
        let name: Arc<str> = Arc::from(&*lane.name);
        hold(&mut self.held, &name);
        // Adopted intents are older, so they are sent before this client's own ones.
        let mut index = self.list.iter().position(|intent| *intent.lane == *self.lane);
        for (seq, text) in &lane.rows {
            self.changes += 1;
            *adopted += 1;
            let number = ADOPTED + *adopted;
            let row = row::read(text, inbox);
            // A row that can't be read still has its `seq`, which a `void` must give up: the lane
            // would have a hole otherwise.
            let doom = row.is_none().then(|| {
                let detail = "a saved intent of an older page is unreadable";
                Box::new(Error::new(ErrorCode::Storage, detail))
            });
            let (at, body, refused) = match row {
                Some(row) => (row.at, row.body, row.refused),
                None => (0, Body { channel: inbox.clone(), operation: Operation::Lost }, None),
            };
            let (lane, progress) = (name.clone(), Progress::Unsent);
            let intent = Intent { number, at, lane, seq: *seq, body, progress, doom };
            if let Some((at, error)) = refused {
                let shown = failure(&intent, at, error);
                self.failed.push(Refused { shown, intent, persisted: true });
            } else if let Some(index) = &mut index {
                self.list.insert(*index, intent);
                *index += 1;
            } else {
                self.list.push(intent);
            }
        }
    }
}

fn put(intent: &Intent, text: String) -> Change {
    Change::Put { lane: String::from(&*intent.lane), seq: intent.seq, text }
}

fn hold(held: &mut Vec<Arc<str>>, lane: &Arc<str>) {
    if !held.contains(lane) {
        held.push(lane.clone());
    }
}
