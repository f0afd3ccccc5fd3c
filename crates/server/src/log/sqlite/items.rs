//! Items with their states: snapshots and pages.

use rusqlite::{Connection, Row, params_from_iter, types::Value};
use tidings_protocol::{Channel, Item, Json, client::Cursor, server::Snapshot};
use tidings_server_core::{
    inbox::ItemState,
    log,
    page::{Fill, Newest, size_of_item},
    store::{Answer, Head, ItemQuery, NO_LOG, StoreError},
};

use super::{
    load,
    read::{Trouble, head},
    row::{int, uint},
};
use crate::log::{checksum, counts_at};

/// A user's inbox on one view.
#[derive(Debug)]
pub(super) struct Inbox {
    id: i64,
    channel: Channel,
    pub(super) head: Head,
    system_id: i64,
    pub(super) system: Head,
    row: log::Inbox,
}

/// `None` if the inbox was never made.
pub(super) fn inbox(db: &Connection, user: &str) -> Result<Option<Inbox>, Trouble> {
    let missing = |_| Trouble::Store(StoreError::Unavailable("no user id".to_owned()));
    let channel = Channel::inbox(user).map_err(missing)?;
    let Some((id, own)) = head(db, channel.as_str())? else { return Ok(None) };
    let (Some((system_id, system)), Some(row)) = (head(db, Channel::SYSTEM)?, load::inbox(db, id)?)
    else {
        return Ok(None);
    };
    let system = Head { first: system.first.max(row.system_from + 1), ..system };
    Ok(Some(Inbox { id, channel, head: own, system_id, system, row }))
}

pub(super) fn snapshot(
    db: &Connection,
    user: &str,
    limit: u32,
    bytes: u32,
) -> Result<Snapshot, Trouble> {
    let Some(inbox) = inbox(db, user)? else {
        return Err(Trouble::Store(StoreError::Unavailable("there is no such inbox".to_owned())));
    };
    let everything = ItemQuery {
        user: user.to_owned(),
        inbox_before: None,
        system_before: None,
        kinds: Vec::new(),
        read: None,
        archived: None,
        limit,
        bytes,
    };
    let Newest { items, more, system_more } = find(db, &inbox, &everything)?;
    Ok(Snapshot {
        id: None,
        counts: counts_at(inbox.row.counts(), inbox.system.top),
        channel: inbox.channel,
        epoch: inbox.head.epoch,
        offset: inbox.head.top,
        system: Cursor::new(inbox.system.epoch, inbox.system.top),
        more,
        system_more,
        items,
    })
}

pub(super) fn page(db: &Connection, query: &ItemQuery) -> Result<Answer, Trouble> {
    let Some(inbox) = inbox(db, &query.user)? else {
        let at = Cursor::new(NO_LOG, 0);
        return Ok(Answer::Items {
            items: Vec::new(),
            more: false,
            at,
            counts: Default::default(),
        });
    };
    let Newest { items, more, system_more } = find(db, &inbox, query)?;
    Ok(Answer::Items {
        items,
        more: more || system_more,
        at: Cursor::new(inbox.head.epoch, inbox.head.top),
        counts: counts_at(inbox.row.counts(), inbox.system.top),
    })
}

/// Reads one item more than fits from each channel, then takes the newest of both.
fn find(db: &Connection, inbox: &Inbox, query: &ItemQuery) -> Result<Newest, Trouble> {
    let mut items = own_items(db, inbox, query)?;
    items.extend(shared_items(db, inbox, query)?);
    Ok(Newest::of(items, query.limit, query.bytes))
}

/// `WHERE` clauses with their values.
struct Filter {
    sql: String,
    values: Vec<Value>,
}

impl Filter {
    fn new(channel: i64, query: &ItemQuery) -> Self {
        let mut filter = Self { sql: "i.channel = ?1".to_owned(), values: vec![channel.into()] };
        if !query.kinds.is_empty() {
            let refs: Vec<_> =
                query.kinds.iter().map(|kind| filter.bind(kind.clone().into())).collect();
            filter.and(&format!("i.kind IN ({})", refs.join(", ")));
        }
        filter
    }

    fn bind(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("?{}", self.values.len())
    }

    fn and(&mut self, clause: &str) {
        self.sql.push_str(" AND ");
        self.sql.push_str(clause);
    }

    fn compare(&mut self, column: &str, operator: &str, value: impl Into<Value>) {
        let bind = self.bind(value.into());
        self.and(&format!("{column} {operator} {bind}"));
    }
}

fn own_items(db: &Connection, inbox: &Inbox, query: &ItemQuery) -> Result<Vec<Item>, Trouble> {
    let mut filter = Filter::new(inbox.id, query);
    if let Some(before) = query.inbox_before {
        filter.compare("i.\"offset\"", "<", int(before));
    }
    if let Some(read) = query.read {
        filter.compare("i.read", "=", read);
    }
    if let Some(archived) = query.archived {
        filter.compare("i.archived", "=", archived);
    }
    let limit = filter.bind((i64::from(query.limit) + 1).into());
    let sql = format!(
        "SELECT i.\"offset\", i.id, i.kind, i.at, i.data, i.checksum, i.seen, i.read, i.archived
         FROM item i WHERE {} ORDER BY i.\"offset\" DESC LIMIT {limit}",
        filter.sql
    );
    let fill = Fill::new(query.limit, query.bytes);
    collect(db, &sql, filter.values, &inbox.channel, fill, |row| {
        Ok(ItemState { seen: row.get(6)?, read: row.get(7)?, archived: row.get(8)? })
    })
}

fn shared_items(db: &Connection, inbox: &Inbox, query: &ItemQuery) -> Result<Vec<Item>, Trouble> {
    let row = &inbox.row;
    let mut filter = Filter::new(inbox.system_id, query);
    filter.compare("i.\"offset\"", ">", int(row.system_from));
    if let Some(before) = query.system_before {
        filter.compare("i.\"offset\"", "<", int(before));
    }
    let (read_to, archived_to) = (row.read_to, row.archived_to);
    if let Some(read) = query.read {
        let column = format!("coalesce(s.read, i.\"offset\" <= {read_to})");
        filter.compare(&column, "=", read);
    }
    if let Some(archived) = query.archived {
        let column = format!("coalesce(s.archived, i.\"offset\" <= {archived_to})");
        filter.compare(&column, "=", archived);
    }
    let owner = filter.bind(inbox.id.into());
    let limit = filter.bind((i64::from(query.limit) + 1).into());
    let sql = format!(
        "SELECT i.\"offset\", i.id, i.kind, i.at, i.data, i.checksum, s.seen, s.read, s.archived
         FROM item i LEFT JOIN system_state s ON s.inbox = {owner} AND s.\"offset\" = i.\"offset\"
         WHERE {} ORDER BY i.\"offset\" DESC LIMIT {limit}",
        filter.sql
    );
    let fill = Fill::new(query.limit, query.bytes);
    collect(db, &sql, filter.values, &Channel::system(), fill, |found| {
        let told: (Option<bool>, Option<bool>, Option<bool>) =
            (found.get(6)?, found.get(7)?, found.get(8)?);
        Ok(match told {
            (Some(seen), Some(read), Some(archived)) => ItemState { seen, read, archived },
            _ => row.implied(uint(found, 0)?),
        })
    })
}

/// Reads rows of `offset, id, kind, at, data, checksum` and then the state, and verifies them. Ends
/// with the first one that does not fit.
fn collect(
    db: &Connection,
    sql: &str,
    values: Vec<Value>,
    channel: &Channel,
    mut fill: Fill,
    state: impl Fn(&Row<'_>) -> rusqlite::Result<ItemState>,
) -> Result<Vec<Item>, Trouble> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut items = Vec::new();
    while let Some(row) = rows.next()? {
        let offset = uint(row, 0)?;
        let (id, kind, at): (String, String, u64) = (row.get(1)?, row.get(2)?, uint(row, 3)?);
        let data = row.get_ref(4)?.as_str().map_err(rusqlite::Error::from)?;
        let damaged = || {
            tracing::error!(%channel, offset, "an item is damaged");
            Trouble::Store(StoreError::Corrupt { channel: channel.clone(), offset })
        };
        if checksum::of_item(offset, &id, &kind, at, data) != row.get::<_, i64>(5)? {
            return Err(damaged());
        }
        let data = Json::parse(data).map_err(|_| damaged())?;
        let ItemState { seen, read, archived } = state(row)?;
        let channel = channel.clone();
        let item = Item { channel, offset, id, kind, at, seen, read, archived, data };
        let fits = fill.takes(size_of_item(&item));
        items.push(item);
        if !fits {
            break;
        }
    }
    Ok(items)
}
