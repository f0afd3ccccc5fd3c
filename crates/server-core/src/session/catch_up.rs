//! From the log to live, and back when a connection can't keep up.

use tidings_protocol::{Channel, client::Since, server::GapReason};

use super::{
    Command, Request, State,
    open::Open,
    subscription::{Gap, Stage, Start, cursor_of},
    turn::Turn,
};
use crate::{
    hub::Slot,
    store::{Head, NO_LOG, Record},
};

/// A channel nobody has written to yet.
const UNBORN: Head = Head { epoch: NO_LOG, first: 1, top: 0 };

impl Open {
    pub(super) fn attached(&mut self, channel: Channel, slot: Slot, turn: &mut Turn<'_>) {
        match self.subscriptions.iter_mut().find(|one| one.channel == channel && one.slot.is_none())
        {
            Some(one) => {
                one.slot = Some(slot);
                if one.stage == Stage::Switching {
                    one.go_live(turn);
                }
            }
            // Left meanwhile.
            None => turn.out.push(Command::Detach { channel, slot }),
        }
    }

    /// The head of a channel is known: its subscription begins.
    pub(super) fn begin_at(
        &mut self,
        channel: &Channel,
        id: Option<u64>,
        since: Option<Since>,
        head: Option<Head>,
        turn: &mut Turn<'_>,
    ) {
        let Some(place) = self.subscriptions.iter().position(|one| one.channel == *channel) else {
            return;
        };
        let head = head.unwrap_or(UNBORN);
        let start = Start::of(cursor_of(since), head);
        let (offset, gap) = match (start, since) {
            (Start::Resume(offset), _) => (offset, None),
            // One snapshot covers the pair.
            (Start::Fresh(gap), _) if place < 2 => {
                return self.start_afresh(id, channel, gap, turn);
            }
            (Start::Fresh(Some(gap)), _) if gap.why == GapReason::Retention => (gap.to, Some(gap)),
            (Start::Fresh(None), Some(Since::First)) => (head.first - 1, None),
            (Start::Fresh(gap), _) => (head.top, gap),
        };
        if let Some(one) = self.subscriptions.get_mut(place) {
            one.begin(id, head, offset, matches!(start, Start::Resume(_)), turn);
            if let Some(gap) = gap {
                one.gap(gap, turn);
            }
        }
        self.catch_up(place, turn);
    }

    /// Reads on, or goes live where everything known was sent.
    pub(super) fn catch_up(&mut self, place: usize, turn: &mut Turn<'_>) {
        let Some(one) = self.subscriptions.get_mut(place) else { return };
        if one.sent >= one.told {
            one.go_live(turn);
        } else {
            self.want_page(place);
        }
    }

    /// A page of the log is there.
    pub(super) fn page(
        &mut self,
        request: Request,
        channel: &Channel,
        head: Option<Head>,
        records: Vec<Record>,
        more: bool,
        turn: &mut Turn<'_>,
    ) -> Option<State> {
        let wanted = |one: &super::subscription::Subscription| {
            one.channel == *channel && one.stage == Stage::Reading(request)
        };
        // Asked for by a subscription that has ended or begun anew.
        let place = self.subscriptions.iter().position(wanted)?;
        let head = head.unwrap_or(UNBORN);
        if let Some(gap) =
            self.subscriptions.get(place).and_then(|one| missing(one.epoch, one.sent, head))
        {
            return self.go_on_after(place, gap, head, turn);
        }
        let one = self.subscriptions.get_mut(place)?;
        if one.epoch != head.epoch {
            // The log has begun: name it before its first record.
            one.begin(None, head, 0, true, turn);
        }
        for record in records {
            if record.offset == one.sent + 1 {
                one.sent = record.offset;
                turn.pass(record.frame);
            }
        }
        if more {
            self.want_page(place);
        } else {
            one.go_live(turn);
        }
        None
    }

    /// Records went missing between two pages: say which, and go on after them.
    fn go_on_after(
        &mut self,
        place: usize,
        gap: Gap,
        head: Head,
        turn: &mut Turn<'_>,
    ) -> Option<State> {
        let one = self.subscriptions.get_mut(place)?;
        if place < 2 {
            let channel = one.channel.clone();
            self.start_afresh(None, &channel, Some(gap), turn);
            return None;
        }
        let offset = if gap.why == GapReason::Retention { gap.to } else { head.top };
        one.begin(None, head, offset, false, turn);
        one.gap(gap, turn);
        self.catch_up(place, turn);
        None
    }

    pub(super) fn went_live(&mut self, channel: &Channel, slot: Slot) {
        if let Some(one) = self.switching(channel, slot) {
            one.stage = Stage::Live;
        }
    }

    pub(super) fn fell_behind(&mut self, channel: &Channel, slot: Slot) {
        if self.switching(channel, slot).is_some()
            && let Some(place) = self.subscriptions.iter().position(|one| one.channel == *channel)
        {
            self.want_page(place);
        }
    }

    fn switching(
        &mut self,
        channel: &Channel,
        slot: Slot,
    ) -> Option<&mut super::subscription::Subscription> {
        self.subscription(channel)
            .filter(|one| one.slot == Some(slot) && one.stage == Stage::Switching)
    }

    /// The hub stopped pushing: read the log again once the connection has drained.
    pub(super) fn lagged(&mut self, channel: &Channel, slot: Slot, sent: u64) {
        let live = |one: &super::subscription::Subscription| {
            one.channel == *channel
                && one.slot == Some(slot)
                && matches!(one.stage, Stage::Live | Stage::Switching)
        };
        let Some(place) = self.subscriptions.iter().position(live) else { return };
        if let Some(one) = self.subscriptions.get_mut(place) {
            one.sent = sent;
        }
        self.backlog.is_behind();
        self.want_page(place);
    }
}

/// What a subscription at `sent` can't get from this log any more.
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
