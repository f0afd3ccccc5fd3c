//! Names the rows that a batch of writes needs. The names are known before the first read, so a
//! store locks the rows in one order and loads them at once.

use std::collections::{BTreeMap, BTreeSet};

use tidings_protocol::Channel;

use crate::store::{Mark, Op, Write};

/// The names of the rows that a batch of writes may read or change.
#[derive(Debug, Default)]
pub struct Needs {
    /// Idempotency keys, by credential and key.
    pub keys: BTreeSet<(String, String)>,
    /// Lanes by user and `client_id`, with the bound on the user's lanes.
    pub lanes: BTreeMap<(String, String), u64>,
    /// Lane positions that may be repeats.
    pub seqs: BTreeSet<(String, String, u64)>,
    /// Channels that may get a record.
    pub logs: BTreeSet<Channel>,
    /// Whether the top of `system:all` is read. That needs no lock.
    pub system: bool,
    /// Inboxes. A missing one may be made.
    pub inboxes: BTreeSet<Channel>,
    /// Inboxes whose own states of broadcasts are read.
    pub states: BTreeSet<Channel>,
    /// Single items.
    pub items: BTreeSet<(Channel, u64)>,
    /// All items up to an offset.
    pub items_to: BTreeMap<Channel, u64>,
}

impl Needs {
    /// The rows that these writes need.
    #[must_use]
    pub fn of(writes: &[Write]) -> Self {
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
            self.seqs.insert((lane.user.clone(), lane.client_id.clone(), lane.seq));
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
                // An invalid user id is refused when the write is decided.
                if let Ok(channel) = Channel::inbox(user) {
                    self.inbox(channel);
                }
            }
            Op::Void
            | Op::Revoke(_)
            | Op::StoreClaims { .. }
            | Op::SaveClock(_)
            | Op::InUse { .. } => {}
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
        self.items.extend(listed.map(|offset| (channel.clone(), *offset)));
        if let Some(to) = mark.up_to.and_then(|up_to| up_to.inbox) {
            let known = self.items_to.entry(channel).or_default();
            *known = to.max(*known);
        }
    }

    /// The channels that need a row, in the order in which every node makes and locks them.
    #[must_use]
    pub fn channels(&self) -> BTreeSet<Channel> {
        let mut all = self.logs.clone();
        if self.system {
            all.insert(Channel::system());
        }
        all
    }
}
