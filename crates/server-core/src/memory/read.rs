//! Queries, each on one view.

use tidings_protocol::{Channel, Item, client::Cursor, server::Snapshot};

use super::{Tables, log::Log};
use crate::{
    page::{Fill, Newest},
    store::{Answer, Head, ItemQuery, NO_LOG, Query, Record, StoreError},
};

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
            Query::RecordsBefore { channel, before, limit, bytes } => {
                let log = self.logs.get(channel);
                let below = before.unwrap_or(u64::MAX);
                let (records, more) =
                    log.map(|log| page(log.before(below), *limit, *bytes)).unwrap_or_default();
                Answer::Records { head: log.map(Log::head), records, more }
            }
            Query::Inbox { user } => Answer::Inbox(self.heads(user)),
            Query::Snapshot { user, limit, bytes } => {
                Answer::Snapshot(Box::new(self.snapshot(user, *limit, *bytes)?))
            }
            Query::Items(query) => self.items(query),
            Query::Clock => Answer::Clock { checkpoint: self.clock, wall: None },
            Query::Claims { hash } => {
                Answer::Claims(self.claims.get(hash).map(|(_, text)| text.clone()))
            }
            Query::Revocations { after, limit } => {
                let newer = self.revocations.range(after + 1..).take(*limit as usize);
                Answer::Revocations(newer.map(|(number, one)| (*number, one.clone())).collect())
            }
        })
    }

    fn heads(&self, user: &str) -> Option<[Head; 2]> {
        let from = self.inboxes.get(user)?.system_from + 1;
        let inbox = Channel::inbox(user).ok()?;
        let system = self.logs.get(Channel::SYSTEM)?.head();
        let system = Head { first: system.first.max(from), ..system };
        Some([self.logs.get(&inbox)?.head(), system])
    }

    fn snapshot(&self, user: &str, limit: u32, bytes: u32) -> Result<Snapshot, StoreError> {
        let missing = || StoreError::Unavailable("there is no such inbox".to_owned());
        let [inbox, system] = self.heads(user).ok_or_else(missing)?;
        let Newest { items, more, system_more } = Newest::of(self.all_items(user), limit, bytes);
        Ok(Snapshot {
            id: None,
            channel: Channel::inbox(user).map_err(|_| missing())?,
            epoch: inbox.epoch,
            offset: inbox.top,
            system: Cursor::new(system.epoch, system.top),
            counts: self.counts(user),
            more,
            system_more,
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
        let all = self.all_items(&query.user).into_iter().filter(wanted).collect();
        let Newest { items, more, system_more } = Newest::of(all, query.limit, query.bytes);
        let at = self
            .heads(&query.user)
            .map_or(Cursor::new(NO_LOG, 0), |[inbox, _]| Cursor::new(inbox.epoch, inbox.top));
        Answer::Items { items, more: more || system_more, at, counts: self.counts(&query.user) }
    }

    /// The user's items and broadcasts.
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
        own.chain(shared).collect()
    }
}

/// As many records as fit, and whether more follow.
fn page<'a>(
    records: impl Iterator<Item = &'a Record>,
    limit: u32,
    bytes: u32,
) -> (Vec<Record>, bool) {
    let mut fill = Fill::new(limit, bytes);
    let mut page = Vec::new();
    for record in records {
        if !fill.takes(record.frame.len()) {
            return (page, true);
        }
        page.push(record.clone());
    }
    (page, false)
}
