//! Reading: each query on one view.

use std::cmp::Reverse;

use tidings_protocol::{Channel, Item, client::Cursor, server::Snapshot};

use super::{Tables, log::Log};
use crate::store::{Answer, ItemQuery, NO_LOG, Query, Record, StoreError};

impl Tables {
    pub(super) fn read(&self, query: &Query) -> Result<Answer, StoreError> {
        Ok(match query {
            Query::Heads(channels) => Answer::Heads(
                channels.iter().map(|channel| self.logs.get(channel).map(Log::head)).collect(),
            ),
            Query::Records { channel, after, limit, bytes } => {
                let log = self.logs.get(channel);
                let (records, more) =
                    log.map(|log| page(log.after(*after), *limit, *bytes)).unwrap_or_default();
                Answer::Records { head: log.map(Log::head), records, more }
            }
            Query::RecordsBefore { channel, before, limit } => {
                let log = self.logs.get(channel);
                let below = before.unwrap_or(u64::MAX);
                let (records, more) =
                    log.map(|log| page(log.before(below), *limit, u32::MAX)).unwrap_or_default();
                Answer::Records { head: log.map(Log::head), records, more }
            }
            Query::Inbox { user } => Answer::Inbox(self.heads(user)),
            Query::Snapshot { user, limit } => {
                Answer::Snapshot(Box::new(self.snapshot(user, *limit)?))
            }
            Query::Items(query) => self.items(query),
            Query::Clock => Answer::Clock { kept: self.clock, wall: None },
            Query::Kept { hash } => Answer::Kept(self.kept.get(hash).map(|(_, text)| text.clone())),
            Query::Revocations { after, limit } => {
                let newer = self.revocations.range(after + 1..).take(*limit as usize);
                Answer::Revocations(newer.map(|(number, one)| (*number, one.clone())).collect())
            }
        })
    }

    fn heads(&self, user: &str) -> Option<[crate::store::Head; 2]> {
        self.inboxes.get(user)?;
        let inbox = Channel::inbox(user).ok()?;
        Some([self.logs.get(&inbox)?.head(), self.logs.get(Channel::SYSTEM)?.head()])
    }

    fn snapshot(&self, user: &str, limit: u32) -> Result<Snapshot, StoreError> {
        let missing = || StoreError::Unavailable("there is no such inbox".to_owned());
        let [inbox, system] = self.heads(user).ok_or_else(missing)?;
        let all = self.all_items(user);
        let mut items = all.clone();
        items.truncate(limit as usize);
        let count = |items: &[Item], system: bool| {
            items.iter().filter(|item| item.channel.is_system() == system).count()
        };
        Ok(Snapshot {
            id: None,
            channel: Channel::inbox(user).map_err(|_| missing())?,
            epoch: inbox.epoch,
            offset: inbox.top,
            system: Cursor { epoch: system.epoch, offset: system.top },
            counts: self.counts(user),
            more: count(&all, false) > count(&items, false),
            system_more: count(&all, true) > count(&items, true),
            items,
        })
    }

    fn items(&self, query: &ItemQuery) -> Answer {
        let below = |item: &Item| {
            let before =
                if item.channel.is_system() { query.system_before } else { query.inbox_before };
            before.is_none_or(|before| item.offset < before)
        };
        let wanted = |item: &Item| {
            below(item)
                && (query.kinds.is_empty() || query.kinds.contains(&item.kind))
                && query.read.is_none_or(|read| item.read == read)
                && query.archived.is_none_or(|archived| item.archived == archived)
        };
        let mut items: Vec<Item> = self.all_items(&query.user).into_iter().filter(wanted).collect();
        let more = items.len() > query.limit as usize;
        items.truncate(query.limit as usize);
        let at =
            self.heads(&query.user).map_or(Cursor { epoch: NO_LOG, offset: 0 }, |[inbox, _]| {
                Cursor { epoch: inbox.epoch, offset: inbox.top }
            });
        Answer::Items { items, more, at, counts: self.counts(&query.user) }
    }

    /// The user's items and everyone-messages, newest first by (`at`, channel, offset).
    fn all_items(&self, user: &str) -> Vec<Item> {
        let (Some(inbox), Ok(channel)) = (self.inboxes.get(user), Channel::inbox(user)) else {
            return Vec::new();
        };
        let system = Channel::system();
        let own =
            inbox.items.iter().map(|(offset, (body, state))| body.item(&channel, *offset, *state));
        let shared = self.system.range(inbox.system_from + 1..);
        let shared =
            shared.map(|(offset, body)| body.item(&system, *offset, inbox.system_state(*offset)));
        let mut items: Vec<Item> = own.chain(shared).collect();
        items.sort_by_key(|item| Reverse((item.at, item.channel.clone(), item.offset)));
        items
    }
}

/// At most `limit` records and about `bytes` of frames, at least one record; and whether more follow.
fn page<'a>(
    mut records: impl Iterator<Item = &'a Record>,
    limit: u32,
    bytes: u32,
) -> (Vec<Record>, bool) {
    let mut page: Vec<Record> = Vec::new();
    let mut size = 0;
    for record in records.by_ref() {
        size += record.frame.len();
        if page.len() >= limit as usize || (!page.is_empty() && size > bytes as usize) {
            return (page, true);
        }
        page.push(record.clone());
    }
    (page, false)
}
