//! Large answers: each is read from the store only once the connection has taken enough of the
//! earlier ones.
//!
//! A waiting entry is small, but its answer may be up to a page of the log. So the store is asked
//! only while its answers, and those in the mailbox, fit into half of the mailbox. The other half
//! is for live records.

use std::collections::VecDeque;

use tidings_protocol::Channel;

use super::{
    Command,
    open::{Open, Pending},
    start::Starting,
    subscription::SubscriptionState,
    turn::Turn,
};
use crate::{Limits, store::Query};

/// A read that waits for room.
#[derive(Debug)]
pub(super) enum Want {
    /// The snapshot of the inbox and `system:all`.
    Snapshot(Box<Starting>),
    /// The next page for a subscription that catches up.
    CatchUp(Channel),
    /// A client's `history`.
    History(Box<History>),
}

/// A valid `history` without an answer yet.
#[derive(Debug)]
pub(super) struct History {
    pub(super) channel: Channel,
    pub(super) id: Option<u64>,
    pub(super) query: Query,
}

/// The kind of an answer from the store, which bounds its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    Small,
    Snapshot,
    CatchUp,
    Page,
}

impl Size {
    const fn most(self, limits: &Limits) -> usize {
        let most = match self {
            Self::Small => 0,
            Self::Snapshot => limits.snapshot_bytes,
            Self::CatchUp => limits.catch_up_bytes,
            Self::Page => limits.page_bytes,
        };
        most as usize
    }
}

/// The waiting reads, in the order of their requests.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    waiting: VecDeque<Want>,
    /// Bytes the session sent since the mailbox was low.
    sent: usize,
    awaits_drain: bool,
}

impl Backlog {
    /// The session sent this many bytes.
    pub(super) const fn sent(&mut self, bytes: usize) {
        self.sent = self.sent.saturating_add(bytes);
    }

    /// The mailbox is full, whatever was counted here.
    pub(super) const fn is_behind(&mut self) {
        self.sent = usize::MAX;
    }

    /// The mailbox is low.
    pub(super) const fn drained(&mut self) {
        self.sent = 0;
        self.awaits_drain = false;
    }

    pub(super) fn forget(&mut self, unwanted: impl Fn(&Want) -> bool) {
        self.waiting.retain(|want| !unwanted(want));
    }

    pub(super) fn holds(&self, wanted: impl Fn(&Want) -> bool) -> bool {
        self.waiting.iter().any(wanted)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many requests of the client wait here.
    pub(super) fn asked(&self) -> usize {
        self.waiting.iter().filter(|want| matches!(want, Want::History(_))).count()
    }
}

impl Want {
    /// Whether this is a page of the channel.
    pub(super) fn is_page_of(&self, channel: &Channel) -> bool {
        matches!(self, Self::CatchUp(other) if other == channel)
    }

    const fn size(&self) -> Size {
        match self {
            Self::Snapshot(_) => Size::Snapshot,
            Self::CatchUp(_) => Size::CatchUp,
            Self::History(_) => Size::Page,
        }
    }
}

impl Open {
    pub(super) fn want_read(&mut self, want: Want) {
        self.backlog.waiting.push_back(want);
    }

    /// Wants a page for a subscription that catches up. One waiting page for each channel is
    /// enough.
    pub(super) fn want_page(&mut self, index: usize) {
        let Some(one) = self.subscriptions.get_mut(index) else { return };
        one.state = SubscriptionState::Waiting;
        let channel = one.channel.clone();
        if !self.backlog.holds(|want| want.is_page_of(&channel)) {
            self.want_read(Want::CatchUp(channel));
        }
    }

    /// Reads the waiting entries, as far as there is room.
    pub(super) fn read_on(&mut self, turn: &mut Turn<'_>) {
        let room = turn.limits.mailbox_bytes / 2;
        while let Some(want) = self.backlog.waiting.front() {
            let under_way: usize = self.sizes_under_way().map(|size| size.most(turn.limits)).sum();
            let promised = self.backlog.sent.saturating_add(under_way);
            // If no bytes are outstanding, one answer is always requested, whatever its size;
            // otherwise a small mailbox would block it for ever.
            if promised > 0 && promised.saturating_add(want.size().most(turn.limits)) > room {
                // If no bytes were sent, there is no drain to wait for: the answers in progress
                // call this again.
                if self.backlog.sent > 0 && !self.backlog.awaits_drain {
                    self.backlog.awaits_drain = true;
                    turn.out.push(Command::AwaitDrain);
                }
                return;
            }
            let Some(want) = self.backlog.waiting.pop_front() else { return };
            self.read_for(want, turn);
        }
        if self.backlog.waiting.capacity() > 0 {
            self.backlog.waiting = VecDeque::new();
        }
    }

    fn read_for(&mut self, want: Want, turn: &mut Turn<'_>) {
        match want {
            Want::Snapshot(starting) => {
                let user = self.who.user.clone();
                let (limit, bytes) = (turn.limits.snapshot_items, turn.limits.snapshot_bytes);
                self.ask(Query::Snapshot { user, limit, bytes }, Pending::Start(starting), turn);
            }
            Want::CatchUp(channel) => {
                let waits = |one: &&super::subscription::Subscription| {
                    one.channel == channel && one.state == SubscriptionState::Waiting
                };
                // The subscription has ended or was restarted.
                let Some(after) = self.subscriptions.iter().find(waits).map(|one| one.sent) else {
                    return;
                };
                let query = Query::Records {
                    channel: channel.clone(),
                    after,
                    limit: turn.limits.catch_up_records,
                    bytes: turn.limits.catch_up_bytes,
                };
                let request = self.ask(query, Pending::Page { channel: channel.clone() }, turn);
                if let Some(one) = self.subscription(&channel) {
                    one.state = SubscriptionState::Reading(request);
                }
            }
            Want::History(history) => {
                let History { channel, id, query } = *history;
                self.ask(query, Pending::History { channel, id }, turn);
            }
        }
    }
}
