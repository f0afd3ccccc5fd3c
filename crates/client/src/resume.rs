//! Following the two logs on one connection: where each stands, and what to do about holes.
//!
//! The fold accepts offset `cursor + 1` only. Lower ones are copies and are dropped; a higher one means that records are
//! missing, so the log is subscribed again from the cursor and the server sends them. A `snapshot` is taken only where
//! the server said it can't go on from the cursor, or where it leads forward.

use tidings_protocol::{
    Channel, Channels,
    client::{Cursor, Since, Subscribe},
    planted::{self, Planted},
    server::{Gap, Marked, Notification, Skip, Snapshot, Subscribed, Trimmed},
};

use crate::{
    Command, Stored,
    context::Context,
    error::Failure,
    inbox::{self, LOGS, Log},
    subscription::{
        Subscription, SubscriptionState, Verdict, confused, continues, elsewhere, news_of,
    },
    timers::Timer,
};

/// Where a snapshot leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// It was read too early: ask for another.
    Again,
    /// Nowhere: what is there is newer, or it is another inbox's.
    Backward,
    /// On from here.
    Forward,
}

/// Both logs on one connection.
#[derive(Debug)]
pub(crate) struct Resume {
    transport: u64,
    subscriptions: [Subscription; 2],
    /// Both logs were at their tops once.
    caught_up: bool,
    /// Where the server was told to go on, and more came over another connection since.
    named: Option<Box<[Cursor; 2]>>,
}

type Step = Result<(), Failure>;

impl Resume {
    pub(crate) fn begin(transport: u64, cx: &mut Context) -> Self {
        cx.await_answer(Timer::Sync);
        Self { transport, subscriptions: [Subscription::ASKED; 2], caught_up: false, named: None }
    }

    /// The list followed the logs before, over another transport; the server was told to go on from where it is `named`.
    pub(crate) fn goes_on(&mut self, was_live: bool, named: &Channels<Cursor>, cx: &Context) {
        self.caught_up = was_live;
        self.named = cx.inbox.fold().and_then(|fold| {
            let [inbox, system] = LOGS.map(|log| named.get(&fold.channel_of(log)).copied());
            Some(Box::new([inbox?, system?]))
        });
    }

    /// Whether a log came further over another connection than the server says, though not before it was asked: the server has
    /// said the truth of then.
    fn is_overtaken(&self, log: Log, stated: Cursor, cx: &Context) -> bool {
        let (Some(named), Some(fold)) = (&self.named, cx.inbox.fold()) else { return false };
        let (named, held) = (named[log as usize], fold.cursor(log));
        let same = named.epoch == stated.epoch && held.epoch == stated.epoch;
        same && (named.offset..held.offset).contains(&stated.offset)
    }

    pub(crate) fn end(cx: &mut Context) {
        cx.timers.cancel(Timer::Steady);
        cx.timers.cancel(Timer::Sync);
    }

    /// The list follows the logs; a repair under way does not change that.
    pub(crate) fn is_live(&self) -> bool {
        self.caught_up && !self.awaits_snapshot()
    }

    fn awaits_snapshot(&self) -> bool {
        let [inbox, system] = self.subscriptions;
        inbox.awaits_snapshot() || system.awaits_snapshot()
    }

    pub(crate) fn subscribed(&mut self, answer: &Subscribed, cx: &mut Context) -> Step {
        let left = held(&answer.channel, cx).filter(|held| held.epoch != answer.epoch);
        if self.takes(answer, cx) {
            if let Some(held) = left {
                cx.store.leave(held.epoch);
            }
            Ok(())
        } else {
            Err(elsewhere())
        }
    }

    /// `false`: it contradicts what was asked, and changes nothing.
    pub(crate) fn takes(&mut self, answer: &Subscribed, cx: &mut Context) -> bool {
        let Some(log) = log_of(&answer.channel, cx) else { return true };
        let held = held(&answer.channel, cx);
        let at = Cursor::new(answer.epoch, answer.offset);
        if answer.recovered && !held.is_some_and(|held| continues(held, at)) {
            return false;
        }
        self.subscriptions[log as usize].answered(if answer.recovered {
            SubscriptionState::Behind(answer.top)
        } else {
            SubscriptionState::Broken(answer.top)
        });
        self.check_live(cx);
        true
    }

    pub(crate) fn snapshot(&mut self, snapshot: &Snapshot, cx: &mut Context) -> Step {
        let stated = stated(snapshot);
        if LOGS.iter().any(|log| self.is_overtaken(*log, stated[*log as usize], cx)) {
            return self.start_over(cx);
        }
        match self.fit(snapshot, cx) {
            Fit::Again => return self.start_over(cx),
            Fit::Backward => {}
            Fit::Forward => {
                for (log, stated) in LOGS.into_iter().zip(stated) {
                    if let Some(old) = cx.inbox.fold().map(|fold| fold.cursor(log).epoch)
                        && old != stated.epoch
                    {
                        cx.store.leave(old);
                    }
                }
                self.begin_at(snapshot, cx);
                self.folded(cx);
            }
        }
        Ok(())
    }

    /// Where a snapshot leads from here.
    pub(crate) fn fit(&self, snapshot: &Snapshot, cx: &Context) -> Fit {
        if log_of(&snapshot.channel, cx) != Some(Log::Inbox) {
            return Fit::Backward;
        }
        let stated = stated(snapshot);
        if let Some(fold) = cx.inbox.fold() {
            let mut back = false;
            for &log in &LOGS {
                let (held, stated) = (fold.cursor(log), stated[log as usize]);
                let broken = self.subscriptions[log as usize].awaits_snapshot();
                back |= !broken && (held.epoch != stated.epoch || held.offset > stated.offset);
            }
            if back && self.awaits_snapshot() {
                // It was read before records that have come since: folding those twice is worse than asking again.
                return Fit::Again;
            }
            if back {
                return Fit::Backward;
            }
        }
        Fit::Forward
    }

    /// Starts from a snapshot that leads forward.
    pub(crate) fn begin_at(&mut self, snapshot: &Snapshot, cx: &mut Context) {
        for subscription in &mut self.subscriptions {
            subscription.mended();
        }
        cx.inbox.start(snapshot, cx.config.keep);
        cx.gap = None;
    }

    /// Whether what is there is of the log that an answer names, if anything is.
    pub(crate) fn names_held_epoch(answer: &Subscribed, cx: &Context) -> bool {
        held(&answer.channel, cx).is_none_or(|held| held.epoch == answer.epoch)
    }

    /// Whether a snapshot is of other logs than what is there.
    pub(crate) fn is_elsewhere(snapshot: &Snapshot, cx: &Context) -> bool {
        let stated = stated(snapshot);
        let is_other = |log: &Log| {
            cx.inbox
                .fold()
                .is_some_and(|fold| fold.cursor(*log).epoch != stated[*log as usize].epoch)
        };
        LOGS.iter().any(is_other)
    }

    pub(crate) fn notification(&mut self, record: &Notification, cx: &mut Context) -> Step {
        let Some(log) = self.next(&record.channel, record.offset, cx)? else {
            return Ok(());
        };
        let fresh = cx.clock.age(cx.now, record.at) <= cx.config.arrived_max_age;
        let Some(fold) = cx.inbox.fold_mut() else { return Ok(()) };
        let entry = fold.notification(log, record);
        let view = inbox::item(fold, &entry, inbox::overlay(cx.deferred, &cx.outbox));
        fold.hold(entry);
        // Read on another device before it came here: not news.
        if fresh && !view.read && !view.archived {
            cx.emit(Command::Arrived(Box::new(view)));
        }
        self.folded(cx);
        Ok(())
    }

    pub(crate) fn marked(&mut self, record: &Marked, cx: &mut Context) -> Step {
        if self.next(&record.channel, record.offset, cx)?.is_none() {
            if planted::on(Planted::MarksByArrival)
                && let Some(fold) = cx.inbox.fold_mut()
            {
                fold.mark(record);
            }
            return Ok(());
        }
        let Some(fold) = cx.inbox.fold_mut() else { return Ok(()) };
        let echo = cx.outbox.echoed(record.client_id.as_deref(), record.seq);
        let epoch = fold.cursor(Log::Inbox).epoch;
        let kept = fold.marked(record);
        if let Some((intent, true)) = echo {
            let Marked { channel, offset, id, .. } = record.clone();
            cx.settle(intent, Some(Stored { channel, epoch, offset, id }));
        }
        self.folded(cx);
        if kept.is_err() { self.start_over(cx) } else { Ok(()) }
    }

    pub(crate) fn trimmed(&mut self, record: &Trimmed, cx: &mut Context) -> Step {
        if self.next(&record.channel, record.offset, cx)?.is_some()
            && let Some(fold) = cx.inbox.fold_mut()
        {
            fold.trimmed(record);
            self.folded(cx);
        }
        Ok(())
    }

    pub(crate) fn skip(&mut self, skip: &Skip, cx: &mut Context) -> Step {
        let Some(log) = log_of(&skip.channel, cx) else { return Ok(()) };
        let Some(cursor) = cx.inbox.fold().map(|fold| fold.cursor(log).offset) else {
            return Ok(());
        };
        if self.next(&skip.channel, news_of(skip, cursor), cx)?.is_some()
            && let Some(fold) = cx.inbox.fold_mut()
        {
            fold.skip(log, skip.to);
            self.folded(cx);
        }
        Ok(())
    }

    pub(crate) fn gap(&mut self, gap: &Gap, cx: &mut Context) -> Step {
        let Some(log) = log_of(&gap.channel, cx) else { return Ok(()) };
        let before = gap.to.saturating_sub(1);
        let end = held(&gap.channel, cx).map(|held| Cursor { offset: before, ..held });
        if end.is_some_and(|end| self.is_overtaken(log, end, cx)) {
            // It came over the other connection, all of it.
            return Ok(());
        }
        let index = (gap.channel.clone(), gap.from, gap.to);
        if cx.gap.as_ref() != Some(&index) {
            cx.gap = Some(index);
            let Gap { channel, from, to, why } = gap.clone();
            cx.emit(Command::Gap { channel, from, to, why });
        }
        if self.subscriptions[log as usize].follows() {
            // No answer began with it: counts and list may have changed with the missing records.
            return self.start_over(cx);
        }
        Ok(())
    }

    /// A pong says how far a live log is: a lost last record shows here and nowhere else.
    pub(crate) fn top(&mut self, channel: &Channel, top: u64, cx: &mut Context) -> Step {
        match log_of(channel, cx) {
            Some(log) if self.is_behind(channel, top, cx) => self.repair(log, cx),
            _ => Ok(()),
        }
    }

    /// Whether a log that is followed has got further than its fold, with nothing on its way.
    pub(crate) fn is_behind(&self, channel: &Channel, top: u64, cx: &Context) -> bool {
        let Some(log) = log_of(channel, cx) else { return false };
        let Some(fold) = cx.inbox.fold() else { return false };
        self.subscriptions[log as usize].lacks(fold.cursor(log).offset, top)
    }

    /// The server ended a subscription.
    pub(crate) fn unsubscribed(&mut self, channel: &Channel, cx: &mut Context) -> Step {
        match log_of(channel, cx) {
            Some(log) => self.repair(log, cx),
            None => Ok(()),
        }
    }

    /// Nothing came for too long.
    pub(crate) fn overdue(&mut self, cx: &mut Context) -> Step {
        for &log in &LOGS {
            let overdue = self.subscriptions[log as usize].overdue();
            if overdue.inspect_err(|_| cx.round_trip.ran_out())? {
                self.repair(log, cx)?;
            }
        }
        Ok(())
    }

    /// Whether a record is the next one of its log. A copy is dropped; a hole is repaired.
    fn next(
        &mut self,
        channel: &Channel,
        offset: u64,
        cx: &mut Context,
    ) -> Result<Option<Log>, Failure> {
        let Some(log) = log_of(channel, cx) else { return Ok(None) };
        let Some(cursor) = cx.inbox.fold().map(|fold| fold.cursor(log).offset) else {
            return Ok(None);
        };
        match self.subscriptions[log as usize].judge(cursor, offset) {
            Verdict::Next => {}
            Verdict::Copy if planted::on(Planted::NoDedupe) => {}
            Verdict::Copy => {
                cx.duplicates = cx.duplicates.saturating_add(1);
                return Ok(None);
            }
            Verdict::Early => return Ok(None),
            Verdict::Hole if planted::on(Planted::NoGapCheck) => {}
            Verdict::Hole => {
                self.repair(log, cx)?;
                return Ok(None);
            }
        }
        Ok(Some(log))
    }

    /// Subscribes again from the cursor.
    fn repair(&mut self, log: Log, cx: &mut Context) -> Step {
        let since = cx.inbox.fold().map(|fold| Since::Cursor(fold.cursor(log)));
        self.subscribe(log, since, cx)
    }

    /// Asks for a snapshot.
    fn start_over(&mut self, cx: &mut Context) -> Step {
        self.subscribe(Log::Inbox, None, cx)
    }

    fn subscribe(&mut self, log: Log, since: Option<Since>, cx: &mut Context) -> Step {
        let channel = match (log, cx.inbox.fold()) {
            (Log::Inbox, Some(fold)) => fold.channel.clone(),
            (Log::Inbox, None) => return Err(confused("no inbox to subscribe")),
            (Log::System, _) => Channel::system(),
        };
        self.subscriptions[log as usize].repair()?;
        cx.await_answer(Timer::Sync);
        let id = Some(cx.next_request());
        cx.send(self.transport, &Subscribe { id, channel, since });
        Ok(())
    }

    /// The fold went on.
    fn folded(&mut self, cx: &mut Context) {
        if let Some(fold) = cx.inbox.fold() {
            cx.outbox.folded(fold);
        }
        cx.inbox.prune();
        self.go_on(cx);
    }

    /// The fold went on, and nothing pending or paged is laid over it.
    pub(crate) fn go_on(&mut self, cx: &mut Context) {
        cx.save_soon();
        self.check_live(cx);
    }

    fn check_live(&mut self, cx: &mut Context) {
        for &log in &LOGS {
            if let Some(fold) = cx.inbox.fold() {
                self.subscriptions[log as usize].reached(fold.cursor(log).offset);
            }
        }
        let [inbox, system] = self.subscriptions;
        if !(inbox.is_live() && system.is_live()) {
            cx.await_answer(Timer::Sync);
            return;
        }
        cx.timers.cancel(Timer::Sync);
        if !self.caught_up {
            self.caught_up = true;
            cx.round_trip.got_through();
            cx.set(Timer::Steady, cx.config.backoff.base);
        }
    }
}

/// Where what is there of a channel stands.
fn held(channel: &Channel, cx: &Context) -> Option<Cursor> {
    let log = log_of(channel, cx)?;
    cx.inbox.fold().map(|fold| fold.cursor(log))
}

/// The cursors a snapshot states.
fn stated(snapshot: &Snapshot) -> [Cursor; 2] {
    [Cursor::new(snapshot.epoch, snapshot.offset), snapshot.system]
}

/// Which of the two logs a channel is; others are not followed here.
pub(crate) fn log_of(channel: &Channel, cx: &Context) -> Option<Log> {
    if channel.is_system() {
        return Some(Log::System);
    }
    let user = channel.inbox_user()?;
    (cx.account.user() == Some(user)).then_some(Log::Inbox)
}
