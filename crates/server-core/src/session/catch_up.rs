//! The way of a subscription from the log to live, and back to the log when the connection can't
//! keep up.

use std::num::NonZeroU64;

use tidings_protocol::{
    Channel,
    client::{Cursor, Since},
    rights::Right,
    server::GapReason,
};

use super::{
    Command, Request, State,
    open::Open,
    subscription::{Gap, Start, Subscription, SubscriptionState, cursor_of, is_unborn},
    turn::Turn,
};
use crate::{
    hub::Slot,
    service::Caller,
    store::{Head, NO_LOG, Record},
};

/// The head of a channel without any record yet.
const UNBORN: Head = Head { epoch: NO_LOG, first: 1, top: 0 };

impl Open {
    pub(super) fn attached(&mut self, channel: Channel, slot: Slot, turn: &mut Turn<'_>) {
        match self.subscriptions.iter_mut().find(|one| one.channel == channel && one.slot.is_none())
        {
            Some(one) => {
                one.slot = Some(slot);
                if one.state == SubscriptionState::Switching {
                    one.go_live(turn);
                }
            }
            // The client unsubscribed meanwhile.
            None => turn.out.push(Command::Detach { channel, slot }),
        }
    }

    /// Starts a subscription once its channel's head is known.
    pub(super) fn begin_at(
        &mut self,
        channel: &Channel,
        id: Option<u64>,
        since: Option<Since>,
        head: Option<Head>,
        turn: &mut Turn<'_>,
    ) {
        let Some(index) = self.subscriptions.iter().position(|one| one.channel == *channel) else {
            return;
        };
        let head = head.unwrap_or(UNBORN);
        let (cursor, from) = self.within_rights(index, since, head, turn);
        let Some(one) = self.subscriptions.get_mut(index) else { return };
        one.from = from;
        let start = Start::of(cursor, one.kept(head));
        let (offset, gap) = match (start, since) {
            (Start::Resume(offset), _) => (offset, None),
            // The inbox and `system:all` share one snapshot, so both start again.
            (Start::Fresh(gap), _) if index < 2 => {
                return self.start_afresh(id, channel, gap, turn);
            }
            // Only the start of the same log is missing: continue right after the gap.
            (Start::Fresh(Some(gap)), _) if gap.why == GapReason::Retention => (gap.to, Some(gap)),
            // From the oldest record, which only a user with the right to read back may ask for.
            (Start::Fresh(None), Some(Since::First)) if from.is_none() => (head.first - 1, None),
            // The client has no position in this log, so it continues from the top.
            (Start::Fresh(gap), _) => (head.top, gap),
        };
        if let Some(one) = self.subscriptions.get_mut(index) {
            // If the cursor was moved to the start of the user's right, the client can't go on from
            // its own cursor.
            let recovered = matches!(start, Start::Resume(_)) && cursor == cursor_of(since);
            one.begin(id, &self.who.user, head, offset, recovered, turn);
            if let Some(gap) = gap {
                one.gap(gap, turn);
            }
        }
        self.catch_up(index, turn);
    }

    /// Limits a subscription to the user's rights. Returns the cursor to resume from, and the first
    /// offset the user may read (`None`: no bound).
    ///
    /// Without the right to read back, the user may read from the subscription that the cursor's
    /// proof names, or that this connection had; else from now on.
    fn within_rights(
        &self,
        index: usize,
        since: Option<Since>,
        head: Head,
        turn: &Turn<'_>,
    ) -> (Option<Cursor>, Option<NonZeroU64>) {
        let cursor = cursor_of(since);
        let may_all = |one: &&Subscription| {
            index < 2 || Caller::User(&self.who).check(&one.channel, Right::History).is_ok()
        };
        let Some(one) = self.subscriptions.get(index).filter(|one| !may_all(one)) else {
            return (cursor, None);
        };
        // A right in a channel without a log carries over to the log that began later.
        let had = one.from.filter(|_| one.epoch == head.epoch || one.epoch == NO_LOG);
        let had = had.map(|from| from.get() - 1);
        let of_log = |cursor: &Cursor| cursor.epoch == head.epoch || is_unborn(*cursor);
        let proven = cursor.filter(of_log).and_then(|cursor| {
            let (key, proof) = turn.proofs.zip(cursor.proof)?;
            key.open(proof, &self.who.user, &one.channel, cursor.epoch)
        });
        let Some(after) = proven.or(had).map(|after| after.min(head.top)) else {
            return (cursor, NonZeroU64::new(head.top + 1));
        };
        // A cursor from before the user's right moves up to its start.
        let raised = |cursor: Cursor| match cursor.epoch == head.epoch {
            true => Cursor { offset: cursor.offset.max(after), ..cursor },
            false => cursor,
        };
        (cursor.map(raised), NonZeroU64::new(after + 1))
    }

    /// Reads the next page, or goes live if everything known was sent.
    pub(super) fn catch_up(&mut self, index: usize, turn: &mut Turn<'_>) {
        let Some(one) = self.subscriptions.get_mut(index) else { return };
        if one.sent >= one.reported_top {
            one.go_live(turn);
        } else {
            self.want_page(index);
        }
    }

    /// Takes in a page of the log.
    pub(super) fn page(
        &mut self,
        request: Request,
        channel: &Channel,
        head: Option<Head>,
        records: Vec<Record>,
        more: bool,
        turn: &mut Turn<'_>,
    ) -> Option<State> {
        let wanted = |one: &Subscription| {
            one.channel == *channel && one.state == SubscriptionState::Reading(request)
        };
        // Otherwise the page was requested by a subscription that has ended or was restarted.
        let index = self.subscriptions.iter().position(wanted)?;
        let head = head.unwrap_or(UNBORN);
        if let Some(gap) =
            self.subscriptions.get(index).and_then(|one| missing(one.epoch, one.sent, head))
        {
            return self.go_on_after(index, gap, head, turn);
        }
        let one = self.subscriptions.get_mut(index)?;
        if one.epoch != head.epoch {
            // The log has begun since the subscription: the client must know its epoch before its
            // first record.
            one.begin(None, &self.who.user, head, 0, true, turn);
        }
        for record in records {
            // Offsets sent to a client must be dense.
            if record.offset == one.sent + 1 {
                one.sent = record.offset;
                turn.pass(record.frame);
            }
        }
        if more {
            self.want_page(index);
        } else {
            one.go_live(turn);
        }
        None
    }

    /// Records were lost between two pages: tells the client the gap, and continues after it.
    fn go_on_after(
        &mut self,
        index: usize,
        gap: Gap,
        head: Head,
        turn: &mut Turn<'_>,
    ) -> Option<State> {
        let one = self.subscriptions.get_mut(index)?;
        if index < 2 {
            let channel = one.channel.clone();
            self.start_afresh(None, &channel, Some(gap), turn);
            return None;
        }
        let offset = if gap.why == GapReason::Retention { gap.to } else { head.top };
        if gap.why == GapReason::Epoch {
            one.from = one.from.and_then(|_| NonZeroU64::new(head.top + 1));
        }
        one.begin(None, &self.who.user, head, offset, false, turn);
        one.gap(gap, turn);
        self.catch_up(index, turn);
        None
    }

    pub(super) fn went_live(&mut self, channel: &Channel, slot: Slot) {
        if let Some(one) = self.switching(channel, slot) {
            one.state = SubscriptionState::Live;
        }
    }

    pub(super) fn fell_behind(&mut self, channel: &Channel, slot: Slot) {
        if self.switching(channel, slot).is_some()
            && let Some(index) = self.subscriptions.iter().position(|one| one.channel == *channel)
        {
            self.want_page(index);
        }
    }

    fn switching(&mut self, channel: &Channel, slot: Slot) -> Option<&mut Subscription> {
        self.subscription(channel)
            .filter(|one| one.slot == Some(slot) && one.state == SubscriptionState::Switching)
    }

    /// The hub stopped pushing. Reads the log again from the hub's last offset, once the connection
    /// has drained.
    pub(super) fn lagged(&mut self, channel: &Channel, slot: Slot, sent: u64) {
        let live = |one: &Subscription| {
            one.channel == *channel
                && one.slot == Some(slot)
                && matches!(one.state, SubscriptionState::Live | SubscriptionState::Switching)
        };
        let Some(index) = self.subscriptions.iter().position(live) else { return };
        if let Some(one) = self.subscriptions.get_mut(index) {
            one.sent = sent;
        }
        self.backlog.is_behind();
        self.want_page(index);
    }
}

/// The records that this log can no longer provide to a subscription at `sent`.
fn missing(epoch: tidings_protocol::Epoch, sent: u64, head: Head) -> Option<Gap> {
    let begun = epoch == NO_LOG && sent == 0;
    if epoch != head.epoch && !begun {
        Some(Gap::of_epoch(head))
    } else if sent + 1 < head.first {
        Some(Gap::of_retention(sent, head))
    } else {
        None
    }
}
