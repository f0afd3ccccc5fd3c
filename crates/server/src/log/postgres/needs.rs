//! Which rows a batch of writes is about: known before anything is read, so that all is locked in one order and loaded at once.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};
use tidings_protocol::Channel;
use tidings_server_core::store::{Mark, Op, Write};

use super::row::int;

/// Names of rows.
#[derive(Debug, Default)]
pub(super) struct Needs {
    /// Idempotency keys: credentials and their keys.
    pub(super) keys: BTreeSet<(String, String)>,
    /// Outbox lanes, by users and client ids, and how many the user may have.
    pub(super) lanes: BTreeMap<(String, String), u64>,
    /// Positions in lanes that may be repeats.
    pub(super) seqs: BTreeSet<(String, String, i64)>,
    /// Logs that may be appended to.
    pub(super) logs: BTreeSet<Channel>,
    /// Where `system:all` stands; its row is not locked for that.
    pub(super) system: bool,
    /// Inboxes, which are made when missing.
    pub(super) inboxes: BTreeSet<Channel>,
    /// Inboxes whose states of everyone-messages matter.
    pub(super) states: BTreeSet<Channel>,
    /// Single items.
    pub(super) items: BTreeSet<(Channel, i64)>,
    /// All items up to an offset.
    pub(super) items_to: BTreeMap<Channel, i64>,
}

impl Needs {
    pub(super) fn of(writes: &[Write]) -> Self {
        let mut needs = Self::default();
        writes.iter().for_each(|write| needs.add(write));
        needs
    }

    fn add(&mut self, write: &Write) {
        if let Some(key) = &write.key {
            self.keys.insert((key.credential.clone(), key.key.clone()));
        }
        if let Some(lane) = &write.lane {
            self.lanes.insert((lane.user.clone(), lane.client_id.clone()), lane.most);
            self.seqs.insert((lane.user.clone(), lane.client_id.clone(), int(lane.seq)));
        }
        match &write.op {
            Op::Notify(drafts) => {
                for draft in drafts {
                    self.logs.insert(draft.channel.clone());
                    if draft.channel.inbox_user().is_some() {
                        self.inbox(draft.channel.clone());
                    }
                }
            }
            Op::Message { draft, .. } => {
                self.logs.insert(draft.channel.clone());
            }
            Op::Mark(mark) => self.mark(mark),
            Op::OpenInbox { user } => {
                // A user that can't be one is refused when its write is decided.
                if let Ok(channel) = Channel::inbox(user) {
                    self.inbox(channel);
                }
            }
            Op::Void | Op::Revoke(_) | Op::Keep { .. } | Op::KeepClock(_) | Op::InUse { .. } => {}
        }
    }

    fn inbox(&mut self, channel: Channel) {
        self.system = true;
        self.logs.insert(channel.clone());
        self.inboxes.insert(channel);
    }

    fn mark(&mut self, mark: &Mark) {
        let Ok(channel) = Channel::inbox(&mark.user) else { return };
        self.inbox(channel.clone());
        self.states.insert(channel.clone());
        let listed = mark.offsets.iter().flat_map(|offsets| offsets.inbox.iter().flatten());
        self.items.extend(listed.map(|offset| (channel.clone(), int(*offset))));
        if let Some(to) = mark.up_to.and_then(|up_to| up_to.inbox) {
            let known = self.items_to.entry(channel).or_default();
            *known = int(to).max(*known);
        }
    }

    /// Advisory locks for what may have no row yet, in the order in which every node takes them.
    pub(super) fn turns(&self) -> Vec<i64> {
        let keys = self.keys.iter().map(|(credential, key)| turn("key", credential, key));
        // Of the user, whose lanes are counted; servers of older versions know of the lane's own turn only.
        let lanes = self
            .lanes
            .keys()
            .flat_map(|(user, client_id)| [turn("lanes", user, ""), turn("lane", user, client_id)]);
        let turns: BTreeSet<i64> = keys.chain(lanes).collect();
        turns.into_iter().collect()
    }

    /// Channels that must have a row, in the order in which every node makes and locks them.
    pub(super) fn channels(&self) -> BTreeSet<Channel> {
        let mut all = self.logs.clone();
        if self.system {
            all.insert(Channel::system());
        }
        all
    }
}

/// A number that all nodes derive alike. Two names with the same number only wait for one another.
pub(super) fn turn(kind: &str, one: &str, two: &str) -> i64 {
    let mut hasher = Sha256::new();
    for part in [kind, one, two] {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(hasher.finalize());
    i64::from_le_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_are_taken_in_one_order_whatever_the_order_of_writes() {
        let lane = |user: &str| tidings_server_core::store::Lane {
            user: user.into(),
            client_id: "c".into(),
            seq: 1,
            most: 10,
        };
        let void = |user: &str| Write { key: None, lane: Some(lane(user)), op: Op::Void };
        let one = Needs::of(&[void("a"), void("b"), void("a")]);
        let two = Needs::of(&[void("b"), void("a")]);
        assert_eq!(one.turns(), two.turns());
        assert_eq!(one.turns().len(), 4);
        assert!(one.turns().is_sorted());
    }

    #[test]
    fn a_turn_knows_where_a_name_ends() {
        assert_ne!(turn("key", "ab", "c"), turn("key", "a", "bc"));
    }
}
