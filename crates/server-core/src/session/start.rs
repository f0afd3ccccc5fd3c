//! The start of the inbox and `system:all`: together, because one snapshot covers both.

use tidings_protocol::{
    Channel, ErrorCode,
    client::{Cursor, Since},
    server::Snapshot,
};

use super::{
    State,
    backlog::Want,
    open::{Open, Pending},
    subscription::{Gap, Start, Subscription, cursor_of},
    turn::Turn,
};
use crate::{
    Refused,
    store::{Head, Op, Query, Write},
};

/// The start, step by step. In each array the inbox comes first.
#[derive(Debug)]
pub(super) struct Starting {
    /// The `id` to echo in the `subscribed` of `asked`.
    id: Option<u64>,
    /// The channel that a `subscribe` named.
    asked: Option<Channel>,
    cursors: [Option<Cursor>; 2],
    /// Gaps that were known before anything was read.
    gaps: [Option<Gap>; 2],
    step: Step,
}

#[derive(Debug)]
enum Step {
    /// Both heads are being read.
    Heads {
        /// The inbox has just been made.
        made: bool,
    },
    /// The inbox is being made.
    Opening,
    /// The snapshot is being read.
    Snapshot { heads: [Head; 2] },
}

impl Starting {
    /// Whether the expected answer is the snapshot.
    pub(super) const fn is_snapshot(&self) -> bool {
        matches!(self.step, Step::Snapshot { .. })
    }
}

impl Open {
    /// Starts both channels when a connection begins.
    pub(super) fn start(
        &mut self,
        id: Option<u64>,
        cursors: [Option<Cursor>; 2],
        turn: &mut Turn<'_>,
    ) {
        let step = Step::Heads { made: false };
        self.read_heads(Starting { id, asked: None, cursors, gaps: [None; 2], step }, turn);
    }

    /// Starts both channels again, without cursors: a snapshot, then the records after it.
    pub(super) fn start_afresh(
        &mut self,
        id: Option<u64>,
        asked: &Channel,
        gap: Option<Gap>,
        turn: &mut Turn<'_>,
    ) {
        self.forget_beginnings();
        for one in self.subscriptions.iter_mut().take(2) {
            one.restart(turn);
        }
        let gaps = if asked.is_system() { [None, gap] } else { [gap, None] };
        let step = Step::Heads { made: false };
        let asked = Some(asked.clone());
        self.read_heads(Starting { id, asked, cursors: [None; 2], gaps, step }, turn);
    }

    /// Drops earlier requests for the start of both channels: a subscription must begin only once.
    fn forget_beginnings(&mut self) {
        let pair: Vec<_> =
            self.subscriptions.iter().take(2).map(|one| one.channel.clone()).collect();
        self.forget(|pending| match pending {
            Pending::Start(_) => true,
            Pending::Locate { channel, .. } => pair.contains(channel),
            _ => false,
        });
        self.backlog.forget(|want| match want {
            Want::Snapshot(_) => true,
            Want::CatchUp(channel) => pair.contains(channel),
            Want::History(_) => false,
        });
    }

    fn read_heads(&mut self, starting: Starting, turn: &mut Turn<'_>) {
        let query = Query::Inbox { user: self.who.user.clone() };
        self.ask(query, Pending::Start(Box::new(starting)), turn);
    }

    /// Takes in the heads. `None`: there is no inbox yet.
    pub(super) fn located(
        &mut self,
        mut starting: Starting,
        heads: Option<[Head; 2]>,
        turn: &mut Turn<'_>,
    ) -> Option<State> {
        let Step::Heads { made } = starting.step else { return None };
        let user = self.who.user.clone();
        let Some(heads) = heads else {
            if made {
                return Some(turn.close(&Refused::new(
                    ErrorCode::Internal,
                    "the inbox was made and is not there",
                )));
            }
            starting.step = Step::Opening;
            let write = Write { key: None, lane: None, op: Op::OpenInbox { user } };
            self.commit(write, Pending::Start(Box::new(starting)), turn);
            return None;
        };
        let [inbox, system] = &starting.cursors;
        match [Start::of(*inbox, heads[0]), Start::of(*system, heads[1])] {
            [Start::Resume(inbox), Start::Resume(system)] => {
                for (index, offset) in [inbox, system].into_iter().enumerate() {
                    self.begin_one(&starting, index, heads[index], offset, true, turn);
                }
                self.catch_up_pair(turn);
            }
            // If either can't resume, both start from one snapshot, so that items and counts agree.
            [inbox, system] => {
                for (gap, start) in starting.gaps.iter_mut().zip([inbox, system]) {
                    if let Start::Fresh(Some(missing)) = start {
                        *gap = Some(missing);
                    }
                }
                starting.step = Step::Snapshot { heads };
                self.want_read(Want::Snapshot(Box::new(starting)));
            }
        }
        None
    }

    /// The inbox was made.
    pub(super) fn opened(&mut self, mut starting: Starting, turn: &mut Turn<'_>) {
        if matches!(starting.step, Step::Opening) {
            starting.step = Step::Heads { made: true };
            self.read_heads(starting, turn);
        }
    }

    /// Sends the snapshot. It stands for all records up to its offsets.
    pub(super) fn snapshot(
        &mut self,
        starting: &Starting,
        snapshot: Snapshot,
        turn: &mut Turn<'_>,
    ) {
        let Step::Snapshot { heads } = &starting.step else { return };
        let cursors = [Cursor::new(snapshot.epoch, snapshot.offset), snapshot.system];
        for (index, (head, cursor)) in heads.iter().zip(cursors).enumerate() {
            // The snapshot is read after the heads, so it may be newer, but never older.
            let head = Head { epoch: cursor.epoch, top: head.top.max(cursor.offset), ..*head };
            self.begin_one(starting, index, head, cursor.offset, false, turn);
            if let (Some(gap), Some(one)) = (starting.gaps[index], self.subscriptions.get(index)) {
                one.gap(gap, turn);
            }
        }
        turn.send(&Snapshot { id: starting.id.filter(|_| starting.asked.is_some()), ..snapshot });
        self.catch_up_pair(turn);
    }

    fn begin_one(
        &mut self,
        starting: &Starting,
        index: usize,
        head: Head,
        offset: u64,
        recovered: bool,
        turn: &mut Turn<'_>,
    ) {
        if let Some(one) = self.subscriptions.get_mut(index) {
            let asked = starting.asked.as_ref() == Some(&one.channel);
            let id = starting.id.filter(|_| asked);
            one.begin(id, &self.who.user, head, offset, recovered, turn);
        }
    }

    fn catch_up_pair(&mut self, turn: &mut Turn<'_>) {
        for index in 0..2 {
            self.catch_up(index, turn);
        }
    }

    /// Reads a channel's head to begin a subscription.
    pub(super) fn locate(
        &mut self,
        id: Option<u64>,
        channel: Channel,
        since: Option<Since>,
        turn: &mut Turn<'_>,
    ) {
        let of_pair = self.subscriptions.iter().take(2).any(|one| one.channel == channel);
        if of_pair && (self.is_starting() || cursor_of(since).is_none()) {
            return self.start_afresh(id, &channel, None, turn);
        }
        self.forget(|pending| matches!(pending, Pending::Locate { channel: other, .. } if *other == channel));
        self.backlog.forget(|want| want.is_page_of(&channel));
        // The hub is attached before the head is read: a record that is committed in between is
        // then found by `go_live`, never missed.
        match self.subscription(&channel) {
            Some(one) => one.restart(turn),
            None => {
                let one = Subscription::attach(channel.clone(), turn);
                self.subscriptions.push(one);
            }
        }
        // In `system:all`, a user may read only messages that came after the inbox was made.
        let query = match of_pair {
            true => Query::Inbox { user: self.who.user.clone() },
            false => Query::Heads(vec![channel.clone()]),
        };
        self.ask(query, Pending::Locate { channel, id, since }, turn);
    }
}
