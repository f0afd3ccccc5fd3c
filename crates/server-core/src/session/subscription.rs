//! A connection's subscription to one channel.

use std::num::NonZeroU64;

use tidings_protocol::{
    Channel, Epoch,
    client::{Cursor, Since},
    planted::{self, Planted},
    server::{self, GapReason},
};

use super::{Command, Request, turn::Turn};
use crate::{
    hub::Slot,
    store::{Head, NO_LOG},
};

/// One subscription. It must be small: a connection has at least two.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) channel: Channel,
    /// Set right after `Attach`.
    pub(super) slot: Option<Slot>,
    pub(super) epoch: Epoch,
    /// Last offset sent while catching up. While live, the hub counts.
    pub(super) sent: u64,
    /// Newest top that the client knows.
    pub(super) reported_top: u64,
    /// The first offset that the user may read. `None`: all of the log.
    pub(super) from: Option<NonZeroU64>,
    pub(super) state: SubscriptionState,
}

/// The progress of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SubscriptionState {
    /// The log's head, or the inbox's snapshot, is being read.
    Starting,
    /// A page of the log is being read.
    Reading(Request),
    /// A page will be read once there is room for it.
    Waiting,
    /// The hub was asked to go live.
    Switching,
    /// The hub pushes records.
    Live,
}

impl Subscription {
    pub(super) fn attach(channel: Channel, turn: &mut Turn<'_>) -> Self {
        turn.out.push(Command::Attach { channel: channel.clone() });
        Self {
            channel,
            slot: None,
            epoch: NO_LOG,
            sent: 0,
            reported_top: 0,
            from: None,
            state: SubscriptionState::Starting,
        }
    }

    /// Detaches from the hub and attaches again, so that nothing of the old subscription is pushed
    /// into the new one.
    pub(super) fn restart(&mut self, turn: &mut Turn<'_>) {
        self.detach(turn);
        turn.out.push(Command::Attach { channel: self.channel.clone() });
        self.state = SubscriptionState::Starting;
    }

    pub(super) fn detach(&mut self, turn: &mut Turn<'_>) {
        if let Some(slot) = self.slot.take() {
            turn.out.push(Command::Detach { channel: self.channel.clone(), slot });
        }
    }

    /// Asks the hub to push from now on.
    pub(super) fn go_live(&mut self, turn: &mut Turn<'_>) {
        self.state = SubscriptionState::Switching;
        if let Some(slot) = self.slot {
            let (channel, epoch, sent) = (self.channel.clone(), self.epoch, self.sent);
            turn.out.push(Command::GoLive { channel, slot, epoch, sent });
        }
    }

    /// Tells the client where the subscription starts. Records after `offset` follow.
    pub(super) fn begin(
        &mut self,
        id: Option<u64>,
        user: &str,
        head: Head,
        offset: u64,
        recovered: bool,
        turn: &mut Turn<'_>,
    ) {
        self.epoch = head.epoch;
        let left_out = recovered && offset < head.top && planted::on(Planted::ResumeOffByOne);
        self.sent = offset + u64::from(left_out);
        self.reported_top = head.top.max(offset);
        let (channel, epoch, first, top) =
            (self.channel.clone(), head.epoch, head.first, head.top.max(offset));
        let proof = self.from.zip(turn.proofs);
        let proof = proof.map(|(from, key)| key.seal(user, &channel, epoch, from.get() - 1));
        turn.send(&server::Subscribed { id, channel, epoch, first, top, offset, recovered, proof });
    }

    /// The part of the log that is stored and that the user may read.
    pub(super) fn kept(&self, head: Head) -> Head {
        let from = self.from.map_or(0, NonZeroU64::get);
        Head { first: head.first.max(from), ..head }
    }

    pub(super) fn gap(&self, gap: Gap, turn: &mut Turn<'_>) {
        let (channel, Gap { from, to, why }) = (self.channel.clone(), gap);
        turn.send(&server::Gap { channel, from, to, why });
    }
}

/// Offsets `from..=to` are lost permanently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) why: GapReason,
}

impl Gap {
    /// The client knows nothing of this log up to its top.
    pub(super) const fn of_epoch(head: Head) -> Self {
        Self { from: 1, to: head.top, why: GapReason::Epoch }
    }

    pub(super) const fn of_retention(after: u64, head: Head) -> Self {
        Self { from: after + 1, to: head.first - 1, why: GapReason::Retention }
    }
}

/// Where a subscription can start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// Right after the client's last record.
    Resume(u64),
    /// The client has no cursor, or an invalid one.
    Fresh(Option<Gap>),
}

impl Start {
    /// Checks a client's cursor against the log. The cursor is never evidence against the log: one
    /// above the top resets that client alone.
    pub(super) fn of(cursor: Option<Cursor>, head: Head) -> Self {
        let Some(cursor) = cursor else { return Self::Fresh(None) };
        let Cursor { epoch, offset, .. } = cursor;
        if !is_unborn(cursor) && (epoch != head.epoch || offset > head.top) {
            Self::Fresh(Some(Gap::of_epoch(head)))
        } else if offset + 1 < head.first {
            Self::Fresh(Some(Gap::of_retention(offset, head)))
        } else {
            Self::Resume(offset)
        }
    }
}

/// Whether the cursor is from before the channel's first record. Such a client has missed nothing
/// of the log that began then.
pub(super) fn is_unborn(cursor: Cursor) -> bool {
    cursor.epoch == NO_LOG && cursor.offset == 0
}

/// The cursor in `since`, if it has one.
pub(super) const fn cursor_of(since: Option<Since>) -> Option<Cursor> {
    match since {
        Some(Since::Cursor(cursor)) => Some(cursor),
        _ => None,
    }
}
