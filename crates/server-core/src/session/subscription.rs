//! A connection's place in one channel.

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

/// One subscription. Small: a connection has at least two.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) channel: Channel,
    /// Known right after `Attach`.
    pub(super) slot: Option<Slot>,
    pub(super) epoch: Epoch,
    /// Last offset sent while catching up; live, the hub counts.
    pub(super) sent: u64,
    /// Last top the client knows of.
    pub(super) told: u64,
    /// The first offset that the user may read, who may not read all of the log.
    pub(super) from: Option<NonZeroU64>,
    pub(super) stage: Stage,
}

/// How far a subscription has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The log's head, or the inbox's snapshot, is being read.
    Starting,
    /// A page of the log is being read.
    Reading(Request),
    /// A page will be read once there is room for it.
    Waiting,
    /// The hub was asked to go live.
    Switching,
    /// The hub pushes.
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
            told: 0,
            from: None,
            stage: Stage::Starting,
        }
    }

    /// Leaves the hub and enters again: nothing of the old subscription is pushed into the new one.
    pub(super) fn restart(&mut self, turn: &mut Turn<'_>) {
        self.detach(turn);
        turn.out.push(Command::Attach { channel: self.channel.clone() });
        self.stage = Stage::Starting;
    }

    pub(super) fn detach(&mut self, turn: &mut Turn<'_>) {
        if let Some(slot) = self.slot.take() {
            turn.out.push(Command::Detach { channel: self.channel.clone(), slot });
        }
    }

    /// Asks the hub to push from now on.
    pub(super) fn go_live(&mut self, turn: &mut Turn<'_>) {
        self.stage = Stage::Switching;
        if let Some(slot) = self.slot {
            let (channel, epoch, sent) = (self.channel.clone(), self.epoch, self.sent);
            turn.out.push(Command::GoLive { channel, slot, epoch, sent });
        }
    }

    /// Tells the client where it starts. Records after `offset` follow.
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
        self.told = head.top.max(offset);
        let (channel, epoch, first, top) =
            (self.channel.clone(), head.epoch, head.first, head.top.max(offset));
        let proof = self.from.zip(turn.proofs);
        let proof = proof.map(|(from, key)| key.seal(user, &channel, epoch, from.get() - 1));
        turn.send(&server::Subscribed { id, channel, epoch, first, top, offset, recovered, proof });
    }

    /// The log as far as it is kept for this user.
    pub(super) fn kept(&self, head: Head) -> Head {
        let from = self.from.map_or(0, NonZeroU64::get);
        Head { first: head.first.max(from), ..head }
    }

    pub(super) fn gap(&self, gap: Gap, turn: &mut Turn<'_>) {
        let (channel, Gap { from, to, why }) = (self.channel.clone(), gap);
        turn.send(&server::Gap { channel, from, to, why });
    }
}

/// Offsets `from..=to` are missing for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) why: GapReason,
}

impl Gap {
    /// The whole log up to its top is unknown to the client.
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
    /// Right after what the client has.
    Resume(u64),
    /// The client has nothing, or nothing that counts.
    Fresh(Option<Gap>),
}

impl Start {
    /// Holds a client's claim against the log. The claim is never evidence against the log: a cursor above the top
    /// resets that client alone.
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

/// Of a client that was here before the first record, and has missed nothing of the log that began then.
pub(super) fn is_unborn(cursor: Cursor) -> bool {
    cursor.epoch == NO_LOG && cursor.offset == 0
}

/// The cursor in `since`, if it is one.
pub(super) const fn cursor_of(since: Option<Since>) -> Option<Cursor> {
    match since {
        Some(Since::Cursor(cursor)) => Some(cursor),
        _ => None,
    }
}
