//! The outbox over restarts: rows in storage, one lane to one living client.
//!
//! ```text
//!  made ──Keep──► row stored ──Kept──► sent ──ack──► shown by its log ──Save──► row dropped
//!                     │                                                       │
//!  a client dies here or anywhere between: its lane is claimed by another client of the user,
//!  which sends what has no answer again, under the same (client_id, seq)
//! ```
//!
//! The driver answers for two things: a row is on disk before `Kept`, and a lane whose client lives is never claimed by another.

use std::sync::Arc;

use tidings_protocol::{
    Channel, ErrorCode,
    planted::{self, Planted},
};

use super::{ADOPTED, Body, Change, Deed, Intent, Intents, Progress, Refused, failure, row};
use crate::{Command, Error, Lane, context::Context, timers::Timer};

/// Milliseconds an intent waits for storage. IndexedDB can hang; an intent that was not kept is better sent than held.
const PATIENCE: u64 = 2_000;

/// Where the outbox's storage stands.
#[derive(Debug)]
pub(crate) struct Keeper {
    /// The driver keeps intents, and has not failed to.
    usable: bool,
    /// A `Claim` has no answer yet.
    claiming: bool,
    /// The first one was answered, or took too long: what other lives left goes before what is new.
    claimed: bool,
    /// The last `Keep`.
    last: u64,
    /// Intents of other lives so far.
    adopted: u64,
}

impl Keeper {
    pub(crate) fn new(usable: bool) -> Self {
        Self { usable, claiming: false, claimed: false, last: 0, adopted: 0 }
    }

    /// Intents are kept over restarts.
    pub(crate) fn usable(&self) -> bool {
        self.usable
    }

    /// Intents of this life may go.
    pub(crate) fn may_send(&self) -> bool {
        self.claimed || !self.usable
    }
}

impl Context {
    /// Has storage keep what is new and drop what is done. Without storage, what is new may be sent at once.
    ///
    /// What a log shows is done once storage has that log: a client that dies in between comes back with either the
    /// intent or the fact, and sending an intent again does no harm.
    pub(crate) fn keep(&mut self) {
        if !self.keeper.usable {
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
        let number = self.keeper.last + 1;
        let changes = self.outbox.unkept(number);
        if !changes.is_empty() {
            self.keeper.last = number;
            self.bring_forward(Timer::Keep, PATIENCE);
            self.ask(Command::Keep { user, number, changes: changes.into() });
        }
        for lane in self.outbox.take_idle() {
            self.ask(Command::Release { lane: String::from(&*lane) });
        }
    }

    /// Everything up to this `Keep` is on disk.
    pub(crate) fn kept(&mut self, number: u64) {
        self.outbox.kept(number);
        if number >= self.keeper.last {
            self.timers.cancel(Timer::Keep);
        }
    }

    /// Storage did not answer in time: what waits is sent all the same.
    pub(crate) fn keep_overdue(&mut self) {
        self.report(Error::new(ErrorCode::Storage, "an intent was not kept in time"));
        self.outbox.kept(u64::MAX);
    }

    /// Asks for the lanes that the user's dead clients left.
    pub(crate) fn claim(&mut self) {
        if let Some(user) = self.account.user().map(String::from)
            && self.keeper.usable
            && !self.keeper.claiming
        {
            self.keeper.claiming = true;
            self.set(Timer::Claim, PATIENCE);
            self.ask(Command::Claim { user });
        }
    }

    /// Time to ask for lanes again, or the answer to the last time is missing.
    pub(crate) fn claim_due(&mut self) {
        if self.keeper.claiming {
            self.keeper.claiming = false;
            self.keeper.claimed = true;
            self.claim_later();
        } else {
            self.claim();
        }
    }

    /// Looks again in a while, which no setting makes a flood.
    fn claim_later(&mut self) {
        self.set(Timer::Claim, self.config.adopt_every.clamp(1_000, 3_600_000));
    }

    /// The lanes that nobody else holds came, or one whose holder died just now. One there is no room for, or that this
    /// version can't read, is let go again.
    pub(crate) fn claimed(&mut self, user: &str, lanes: &[Lane]) {
        let ours = self.account.user() == Some(user);
        if ours && self.keeper.claiming {
            self.keeper.claiming = false;
            self.keeper.claimed = true;
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
                    self.outbox.adopt(lane, inbox, &mut self.keeper.adopted);
                }
                _ => self.ask(Command::Release { lane: lane.name.clone() }),
            }
        }
        self.answer_from_rooms();
        self.outbox.forget_failed(self.config.failed_max as usize);
    }

    /// Intents can't be kept any more: the outbox goes on in memory.
    pub(crate) fn lanes_failed(&mut self, reason: &str) {
        if self.keeper.usable {
            self.report(Error::new(ErrorCode::Storage, reason));
        }
        self.forgo_lanes();
    }

    /// The same without a word.
    pub(crate) fn forgo_lanes(&mut self) {
        self.keeper.usable = false;
        self.timers.cancel(Timer::Claim);
        self.timers.cancel(Timer::Keep);
        self.outbox.kept(u64::MAX);
        self.keep();
    }

    /// Another user's lanes are another matter.
    pub(crate) fn reset_keeper(&mut self) {
        self.keeper.claiming = false;
        self.keeper.claimed = false;
        self.timers.cancel(Timer::Claim);
    }

    /// Lets the lanes of an outbox go: what is stored of them waits for another life.
    pub(crate) fn release(&mut self, intents: &mut Intents) {
        for lane in std::mem::take(&mut intents.held) {
            self.ask(Command::Release { lane: String::from(&*lane) });
        }
    }
}

impl Intents {
    /// What storage has to do, as its request `number`: rows of what is new or was refused, in order, and none of what is done.
    fn unkept(&mut self, number: u64) -> Vec<Change> {
        let mut changes = Vec::new();
        for intent in &mut self.list {
            if intent.progress == Progress::New {
                intent.progress = Progress::Storing(number);
                changes.push(put(intent, row::text(intent, None)));
                hold(&mut self.held, &intent.lane);
            }
        }
        for refused in &mut self.failed {
            if !refused.kept {
                refused.kept = true;
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

    /// Storage keeps what it was asked to, up to this request.
    fn kept(&mut self, number: u64) {
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

    /// Storage has what the logs show, or is asked for it.
    pub(crate) fn finish_shown(&mut self) {
        self.done.append(&mut self.shown);
    }

    /// There is no storage.
    fn go_without(&mut self) {
        self.done.clear();
        self.shown.clear();
        for intent in &mut self.list {
            if intent.progress == Progress::New {
                intent.progress = Progress::Unsent;
            }
        }
    }

    /// Storage is asked again for what it had not answered, when the user of these is back.
    pub(crate) fn forget_asking(&mut self) {
        for intent in &mut self.list {
            if let Progress::Storing(_) = intent.progress {
                intent.progress = Progress::New;
            }
        }
    }

    /// Takes out the lanes that nothing is left of; the own one stays.
    fn take_idle(&mut self) -> Vec<Arc<str>> {
        let mut idle = Vec::new();
        let mut place = 0;
        while let Some(lane) = self.held.get(place) {
            let used = !planted::on(Planted::LaneWithoutLock)
                && (**lane == *self.lane
                    || self.list.iter().any(|intent| intent.lane == *lane)
                    || self.shown.iter().any(|(shown, _)| shown == lane)
                    || self.failed.iter().any(|refused| refused.intent.lane == *lane));
            if used {
                place += 1;
            } else {
                let lane = self.held.remove(place);
                // Others may take it now: what is refused next has its rows elsewhere.
                self.aside.take_if(|(aside, _)| *aside == lane);
                idle.push(lane);
            }
        }
        idle
    }

    fn holds(&self, lane: &str) -> bool {
        self.held.iter().any(|held| **held == *lane)
    }

    /// Goes on with a lane of another life. Its intents are older than all of this one.
    fn adopt(&mut self, lane: &Lane, inbox: &Channel, adopted: &mut u64) {
        let name: Arc<str> = Arc::from(&*lane.name);
        hold(&mut self.held, &name);
        let mut place = self.list.iter().position(|intent| *intent.lane == *self.lane);
        for (seq, text) in &lane.rows {
            self.changes += 1;
            *adopted += 1;
            let number = ADOPTED + *adopted;
            let row = row::read(text, inbox);
            let doom = row.is_none().then(|| {
                let detail = "an intent of an earlier visit can't be read any more";
                Box::new(Error::new(ErrorCode::Storage, detail))
            });
            let (at, body, refused) = match row {
                Some(row) => (row.at, row.body, row.refused),
                None => (0, Body { channel: inbox.clone(), deed: Deed::Lost }, None),
            };
            let (lane, progress) = (name.clone(), Progress::Unsent);
            let intent = Intent { number, at, lane, seq: *seq, body, progress, doom };
            if let Some((at, error)) = refused {
                let shown = failure(&intent, at, error);
                self.failed.push(Refused { shown, intent, kept: true });
            } else if let Some(place) = &mut place {
                self.list.insert(*place, intent);
                *place += 1;
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
