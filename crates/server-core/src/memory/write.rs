//! Writes, each as one transaction.

use tidings_protocol::{
    Channel, Counts, Decode, ErrorCode, Json, MarkSet, Offsets, UpTo,
    server::{Marked, Member, Message, Notification},
};

use super::{
    Tables,
    items::{Body, Inbox},
    log::Log,
};
use crate::store::{Draft, Lane, Mark, Op, Record, RecordRef, Refusal, StoreError, Write, Written};

impl Tables {
    pub(super) fn write(&mut self, stored: u64, write: &Write) -> Result<Written, StoreError> {
        if let Some(answer) = self.dedupe.earlier(write) {
            return Ok(answer);
        }
        let written = match &write.op {
            Op::Notify(drafts) => self.notify(stored, drafts)?,
            Op::Message { draft, from } => {
                self.message(stored, draft, from.as_ref(), write.lane.as_ref())
            }
            Op::Mark(mark) => self.mark(stored, mark, write.lane.as_ref())?,
            Op::OpenInbox { user } => {
                self.open_inbox(&address(user)?, user);
                Written::Done
            }
            Op::Void => Written::Done,
            Op::StoreClaims { hash, text, until } => {
                let claims = self.claims.entry(*hash).or_insert_with(|| (*until, text.clone()));
                claims.0 = claims.0.max(*until);
                Written::Done
            }
            Op::Revoke(revocation) => {
                self.last_revocation += 1;
                self.revocations.insert(self.last_revocation, revocation.clone());
                Written::Done
            }
            Op::SaveClock(checkpoint) => {
                self.clock = Some(*checkpoint);
                Written::Done
            }
            Op::InUse { channels, before } => {
                for channel in channels {
                    if let Some(log) = self.logs.get_mut(channel) {
                        log.use_at(stored, *before);
                    }
                }
                Written::Done
            }
        };
        self.dedupe.remember(stored, write, &written);
        Ok(written)
    }

    /// The channel's log. A missing one is made.
    fn log(&mut self, channel: &Channel) -> &mut Log {
        let Self { logs, epochs, .. } = self;
        logs.entry(channel.clone()).or_insert_with(|| Log::new(epochs.next()))
    }

    fn open_inbox(&mut self, channel: &Channel, user: &str) {
        if !self.inboxes.contains_key(user) {
            let system_from = self.log(&Channel::system()).top();
            self.log(channel);
            self.inboxes.insert(user.to_owned(), Inbox::new(system_from));
        }
    }

    fn notify(&mut self, stored: u64, drafts: &[Draft]) -> Result<Written, StoreError> {
        let mut records = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let Draft { channel, id, kind, at, data } = draft.clone();
            let at = self.log(&channel).time(at);
            let body = Body { id, kind, at, data };
            let counts = match channel.inbox_user() {
                Some(user) => {
                    self.open_inbox(&channel, user);
                    let offset = self.log(&channel).top() + 1;
                    if let Some(inbox) = self.inboxes.get_mut(user) {
                        inbox.add(offset, body);
                    }
                    Some(self.counts(user))
                }
                None if channel.is_system() => {
                    let offset = self.log(&channel).top() + 1;
                    self.system.insert(offset, body);
                    None
                }
                None => None,
            };
            let Draft { channel, id, kind, at, data } = draft.clone();
            let log = self.log(&channel);
            records.push(log.append(&draft.channel, &draft.id, at, stored, |offset, at| {
                Notification { channel: draft.channel.clone(), offset, id, kind, at, counts, data }
            }));
        }
        Ok(Written::Records { records, counts: None })
    }

    fn message(
        &mut self,
        stored: u64,
        draft: &Draft,
        from: Option<&Json>,
        lane: Option<&Lane>,
    ) -> Written {
        let Draft { channel, id, at, data, .. } = draft.clone();
        let record =
            self.log(&channel).append(&draft.channel, &draft.id, at, stored, |offset, at| {
                Message {
                    channel: draft.channel.clone(),
                    offset,
                    id,
                    at,
                    from: from.and_then(|from| Member::from_json(from.as_str()).ok()),
                    client_id: lane.map(|lane| lane.client_id.clone()),
                    seq: lane.map(|lane| lane.seq),
                    data,
                }
            });
        Written::Records { records: vec![record], counts: None }
    }

    /// The current counts of a user's inbox.
    pub(super) fn counts(&self, user: &str) -> Counts {
        let Some(inbox) = self.inboxes.get(user) else { return Counts::default() };
        let at = self.logs.get(Channel::SYSTEM).map_or(0, Log::top);
        Counts { inbox: inbox.tally, system: inbox.system_counts(&self.system, at) }
    }

    fn mark(
        &mut self,
        stored: u64,
        mark: &Mark,
        lane: Option<&Lane>,
    ) -> Result<Written, StoreError> {
        let channel = address(&mark.user)?;
        self.open_inbox(&channel, &mark.user);
        let inbox_head = self.log(&channel).head();
        let system_head = self.log(&Channel::system()).head();
        let foreign = |stated: Option<_>, epoch| stated.is_some_and(|stated| stated != epoch);
        if foreign(mark.epochs.inbox, inbox_head.epoch)
            || foreign(mark.epochs.system, system_head.epoch)
        {
            return Ok(Written::Refused(Refusal {
                code: ErrorCode::EpochMismatch,
                expected: None,
            }));
        }
        let up_to = mark.up_to.map(|up_to| UpTo {
            inbox: up_to.inbox.map(|offset| offset.min(inbox_head.top)),
            system: up_to.system.map(|offset| offset.min(system_head.top)),
        });
        let covered = self.covered(mark, up_to.as_ref());
        let changed = self.apply(&mark.user, &covered, mark.set);
        let counts = self.counts(&mark.user);
        if !changed {
            let at = RecordRef {
                channel,
                epoch: inbox_head.epoch,
                offset: inbox_head.top,
                id: String::new(),
            };
            return Ok(Written::Unchanged { at, counts: Some(counts) });
        }
        let record: Record =
            self.log(&channel).append(&channel, &mark.id, mark.at, stored, |offset, at| Marked {
                channel: channel.clone(),
                offset,
                id: mark.id.clone(),
                at,
                client_id: lane.map(|lane| lane.client_id.clone()),
                seq: lane.map(|lane| lane.seq),
                offsets: up_to.is_none().then_some(covered),
                up_to,
                set: mark.set,
                counts,
            });
        Ok(Written::Records { records: vec![record], counts: Some(counts) })
    }

    /// The existing items of the user that a mark covers.
    fn covered(&self, mark: &Mark, up_to: Option<&UpTo>) -> Offsets {
        let Some(inbox) = self.inboxes.get(&mark.user) else { return Offsets::default() };
        let listed = mark.offsets.clone().unwrap_or_default();
        let below = |top: Option<u64>, offset: u64| top.is_some_and(|top| offset <= top);
        let own = inbox.items.keys().copied().filter(|offset| match up_to {
            Some(up_to) => below(up_to.inbox, *offset),
            None => listed.inbox.as_ref().is_some_and(|list| list.contains(offset)),
        });
        let shared = self.system.range(inbox.system_from + 1..).map(|(offset, _)| *offset);
        let shared = shared.filter(|offset| match up_to {
            Some(up_to) => below(up_to.system, *offset),
            None => listed.system.as_ref().is_some_and(|list| list.contains(offset)),
        });
        let some = |list: Vec<u64>| Some(list).filter(|list| !list.is_empty());
        Offsets { inbox: some(own.collect()), system: some(shared.collect()) }
    }

    fn apply(&mut self, user: &str, covered: &Offsets, set: MarkSet) -> bool {
        let Some(inbox) = self.inboxes.get_mut(user) else { return false };
        let mut changed = false;
        for offset in covered.inbox.iter().flatten() {
            changed |= inbox.mark(*offset, set);
        }
        for offset in covered.system.iter().flatten() {
            changed |= inbox.mark_system(*offset, set);
        }
        changed
    }
}

fn address(user: &str) -> Result<Channel, StoreError> {
    Channel::inbox(user).map_err(|error| StoreError::Unavailable(format!("no user id: {error}")))
}
