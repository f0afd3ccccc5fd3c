//! Items with their states: snapshots and pages.

use deadpool_postgres::ClientWrapper;
use tidings_protocol::{
    Channel, Counts, Item, Json, SystemCounts, Tally, client::Cursor, server::Snapshot,
};
use tidings_server_core::{
    inbox::ItemState,
    log,
    page::Newest,
    store::{Answer, Head, ItemQuery, NO_LOG, Query, StoreError},
};
use tokio::time::timeout;
use tokio_postgres::{Row, types::ToSql};

use super::{
    Inner,
    read::{connection, head, prepared, settled},
    row::{Trouble, int, uint},
};
use crate::log::{checksum, counts_at};

const INBOX: &str = "SELECT c.id, c.epoch, c.first, c.top, s.id, s.epoch, s.first, s.top,
        i.items, i.unread, i.unseen, i.system_from, i.system_at, i.system_unread, i.system_unseen,
        i.system_seen_to, i.system_read_to, i.system_archived_to
    FROM inbox i JOIN channel c ON c.id = i.channel JOIN channel s ON s.name = 'system:all'
    WHERE c.name = $1";

/// Of the rows over the byte limit the first one is returned, as a sign that more follow. The sum
/// counts bodies only. A body is smaller than its item, so no item that fits is left out.
const OWN: &str = "SELECT \"offset\", id, kind, at, data, checksum, seen, read, archived FROM (
        SELECT page.*,
            sum(octet_length(data)) OVER (ORDER BY \"offset\" DESC) - octet_length(data) AS before,
            row_number() OVER (ORDER BY \"offset\" DESC) AS place
        FROM (
            SELECT \"offset\", id, kind, at, data, checksum, seen, read, archived FROM item
            WHERE channel = $1 AND \"offset\" < $2
                AND (cardinality($3::text[]) = 0 OR kind = ANY($3))
                AND ($4::bool IS NULL OR read = $4) AND ($5::bool IS NULL OR archived = $5)
            ORDER BY \"offset\" DESC LIMIT $6
        ) page
    ) s WHERE s.before <= $7 OR s.place <= 2 ORDER BY \"offset\" DESC";

const SHARED: &str = "SELECT \"offset\", id, kind, at, data, checksum, seen, read, archived FROM (
        SELECT page.*,
            sum(octet_length(data)) OVER (ORDER BY \"offset\" DESC) - octet_length(data) AS before,
            row_number() OVER (ORDER BY \"offset\" DESC) AS place
        FROM (
            SELECT i.\"offset\", i.id, i.kind, i.at, i.data, i.checksum,
                coalesce(s.seen, i.\"offset\" <= $9) AS seen,
                coalesce(s.read, i.\"offset\" <= $10) AS read,
                coalesce(s.archived, i.\"offset\" <= $11) AS archived
            FROM item i LEFT JOIN system_state s
                ON s.inbox = $8 AND s.\"offset\" = i.\"offset\"
            WHERE i.channel = $1 AND i.\"offset\" < $2 AND i.\"offset\" > $12
                AND (cardinality($3::text[]) = 0 OR i.kind = ANY($3))
                AND ($4::bool IS NULL OR coalesce(s.read, i.\"offset\" <= $10) = $4)
                AND ($5::bool IS NULL OR coalesce(s.archived, i.\"offset\" <= $11) = $5)
            ORDER BY i.\"offset\" DESC LIMIT $6
        ) page
    ) s WHERE s.before <= $7 OR s.place <= 2 ORDER BY \"offset\" DESC";

/// A user's inbox on one view.
struct Inbox {
    id: i64,
    channel: Channel,
    head: Head,
    system_id: i64,
    system: Head,
    row: log::Inbox,
}

/// Answers the queries that take several statements on one view.
pub(super) async fn answer(inner: &Inner, query: &Query) -> Result<Answer, StoreError> {
    let client = connection(inner).await?;
    let work = async {
        client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        let answer = match query {
            Query::Snapshot { user, limit, bytes } => {
                snapshot(&client, user, *limit, *bytes).await?
            }
            Query::Items(query) => page(&client, query).await?,
            _ => return Err(Trouble::damaged("there is no such query".to_owned())),
        };
        client.batch_execute("COMMIT").await?;
        Ok(answer)
    };
    let result = timeout(inner.patience, work).await;
    settled(client, result)
}

async fn snapshot(
    client: &ClientWrapper,
    user: &str,
    limit: u32,
    bytes: u32,
) -> Result<Answer, Trouble> {
    let Some(inbox) = inbox(client, user).await? else {
        return Err(StoreError::Unavailable("there is no such inbox".to_owned()).into());
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
    let Newest { items, more, system_more } = find(client, &inbox, &everything).await?;
    Ok(Answer::Snapshot(Box::new(Snapshot {
        id: None,
        counts: counts_at(inbox.row.counts(), inbox.system.top),
        channel: inbox.channel,
        epoch: inbox.head.epoch,
        offset: inbox.head.top,
        system: Cursor::new(inbox.system.epoch, inbox.system.top),
        more,
        system_more,
        items,
    })))
}

async fn page(client: &ClientWrapper, query: &ItemQuery) -> Result<Answer, Trouble> {
    let Some(inbox) = inbox(client, &query.user).await? else {
        return Ok(Answer::Items {
            items: Vec::new(),
            more: false,
            at: Cursor::new(NO_LOG, 0),
            counts: Counts::default(),
        });
    };
    let Newest { items, more, system_more } = find(client, &inbox, query).await?;
    Ok(Answer::Items {
        items,
        more: more || system_more,
        at: Cursor::new(inbox.head.epoch, inbox.head.top),
        counts: counts_at(inbox.row.counts(), inbox.system.top),
    })
}

/// `None` if the inbox was never made.
async fn inbox(client: &ClientWrapper, user: &str) -> Result<Option<Inbox>, Trouble> {
    let channel = log::address(user)?;
    let statement = prepared(client, INBOX).await?;
    let Some(row) = client.query_opt(&statement, &[&channel.as_str()]).await? else {
        return Ok(None);
    };
    let number = |column| uint(row.get::<_, i64>(column));
    Ok(Some(Inbox {
        id: row.get(0),
        channel,
        head: head(&row, 1)?,
        system_id: row.get(4),
        system: head(&row, 5)?,
        row: log::Inbox {
            items: number(8)?,
            tally: Tally { unread: number(9)?, unseen: number(10)? },
            system_from: number(11)?,
            system: SystemCounts { at: number(12)?, unread: number(13)?, unseen: number(14)? },
            seen_to: number(15)?,
            read_to: number(16)?,
            archived_to: number(17)?,
        },
    }))
}

/// Reads one item more than fits from each channel, then takes the newest of both.
async fn find(client: &ClientWrapper, inbox: &Inbox, query: &ItemQuery) -> Result<Newest, Trouble> {
    let (own, shared) = (prepared(client, OWN).await?, prepared(client, SHARED).await?);
    let own_before = int(query.inbox_before.unwrap_or(u64::MAX));
    let shared_before = int(query.system_before.unwrap_or(u64::MAX));
    let (limit, bytes) = (i64::from(query.limit) + 1, i64::from(query.bytes));
    let row = &inbox.row;
    let marks = [row.seen_to, row.read_to, row.archived_to, row.system_from].map(int);
    let (kinds, read, archived) = (&query.kinds, &query.read, &query.archived);
    let own_values: [&(dyn ToSql + Sync); 7] =
        [&inbox.id, &own_before, kinds, read, archived, &limit, &bytes];
    let shared_values: [&(dyn ToSql + Sync); 12] = [
        &inbox.system_id,
        &shared_before,
        kinds,
        read,
        archived,
        &limit,
        &bytes,
        &inbox.id,
        &marks[0],
        &marks[1],
        &marks[2],
        &marks[3],
    ];
    let (own, shared) =
        tokio::try_join!(client.query(&own, &own_values), client.query(&shared, &shared_values))?;
    let own = own.iter().map(|row| item(&inbox.channel, row));
    let system = Channel::system();
    let shared = shared.iter().map(|row| item(&system, row));
    let items = own.chain(shared).collect::<Result<Vec<Item>, Trouble>>()?;
    Ok(Newest::of(items, query.limit, query.bytes))
}

/// A row of `offset, id, kind, at, data, checksum` and the state, verified.
fn item(channel: &Channel, row: &Row) -> Result<Item, Trouble> {
    let offset = uint(row.get(0))?;
    let (id, kind, at): (String, String, u64) = (row.get(1), row.get(2), uint(row.get(3))?);
    let data: &str = row.get(4);
    let damaged = || {
        tracing::error!(%channel, offset, "an item is damaged");
        Trouble::Store(StoreError::Corrupt { channel: channel.clone(), offset })
    };
    if checksum::of_item(offset, &id, &kind, at, data) != row.get::<_, i64>(5) {
        return Err(damaged());
    }
    let data = Json::parse(data).map_err(|_| damaged())?;
    let ItemState { seen, read, archived } =
        ItemState { seen: row.get(6), read: row.get(7), archived: row.get(8) };
    Ok(Item { channel: channel.clone(), offset, id, kind, at, seen, read, archived, data })
}
