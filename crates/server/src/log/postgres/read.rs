//! Queries, each on one view: a single statement, or a transaction on one state of the database.

use bytes::Bytes;
use deadpool_postgres::{ClientWrapper, Object};
use futures_util::future::join_all;
use tidings_protocol::{Channel, Epoch};
use tidings_server_core::{
    page::Fill,
    retention_clock::Checkpoint,
    store::{Answer, Head, Query, Record, Revocation, StoreError, Subject, begun_anew},
};
use tokio::time::error::Elapsed;
use tokio_postgres::{Row, Statement};

use super::{
    Inner, items,
    open::pool_words,
    row::{Trouble, epoch, int, uint},
};
use crate::log::{checksum, gone};

/// Removed channels have no row, but a remembered epoch.
const HEADS: &str = "SELECT c.name, c.epoch, c.first, c.top FROM channel c WHERE c.name = ANY($1)
    UNION ALL SELECT t.name, g.epoch, 2, 1 FROM unnest($1::text[], $2::int8[]) AS t (name, hash)
    JOIN gone g ON g.hash = t.hash WHERE NOT EXISTS (SELECT 1 FROM channel c WHERE c.name = t.name)";

const GONE: &str = "SELECT epoch FROM gone WHERE hash = $1";

/// A page and its channel's head, in one statement and so on one view. Of the rows over the byte
/// limit the first one is returned, as a sign that more follow.
const AFTER: &str = "SELECT c.epoch, c.first, c.top, r.\"offset\", r.id, r.frame, r.checksum
    FROM channel c LEFT JOIN LATERAL (
        SELECT s.* FROM (
            SELECT \"offset\", id, frame, checksum,
                sum(octet_length(frame)) OVER (ORDER BY \"offset\") - octet_length(frame) AS before,
                row_number() OVER (ORDER BY \"offset\") AS place
            FROM (
                SELECT * FROM record WHERE channel = c.id AND \"offset\" > $2
                ORDER BY \"offset\" LIMIT $3
            ) page
        ) s WHERE s.before <= $4 OR s.place <= 2
    ) r ON true
    WHERE c.name = $1 ORDER BY r.\"offset\"";

const BEFORE: &str = "SELECT c.epoch, c.first, c.top, r.\"offset\", r.id, r.frame, r.checksum
    FROM channel c LEFT JOIN LATERAL (
        SELECT s.* FROM (
            SELECT \"offset\", id, frame, checksum,
                sum(octet_length(frame)) OVER (ORDER BY \"offset\" DESC) - octet_length(frame)
                    AS before,
                row_number() OVER (ORDER BY \"offset\" DESC) AS place
            FROM (
                SELECT * FROM record WHERE channel = c.id AND \"offset\" < $2
                ORDER BY \"offset\" DESC LIMIT $3
            ) page
        ) s WHERE s.before <= $4 OR s.place <= 2
    ) r ON true
    WHERE c.name = $1 ORDER BY r.\"offset\" DESC";

const PAIR: &str = "SELECT c.name, c.epoch, c.first, c.top, i.system_from FROM channel c, inbox i
    JOIN channel own ON own.id = i.channel WHERE c.name = ANY($1) AND own.name = $2";

/// The database's clock counts for all nodes, even if the clock of one node is wrong.
const CLOCK: &str = "SELECT c.steady, c.wall, (extract(epoch FROM clock_timestamp()) * 1000)::int8
    FROM (SELECT 1) AS one LEFT JOIN (SELECT * FROM clock ORDER BY steady DESC LIMIT 1) c ON true";

const CLAIMS: &str = "SELECT text FROM kept WHERE hash = $1";
const REVOCATIONS: &str = "SELECT number, kind, subject, at, until FROM revocation
    WHERE number > $1 ORDER BY number LIMIT $2";

/// Answers all queries. Queries of one statement are sent together, in one round trip.
pub(super) async fn answer(
    inner: &Inner,
    queries: &[Query],
) -> Result<Vec<Result<Answer, StoreError>>, StoreError> {
    let client = connection(inner).await?;
    let simple = queries.iter().map(|query| simple(&client, query));
    let mut answers = join_all(simple).await;
    drop(client);
    for (query, answer) in queries.iter().zip(&mut answers) {
        if answer.is_none() {
            *answer = Some(items::answer(inner, query).await.map_err(Trouble::from));
        }
    }
    let answers = answers.into_iter().map(|answer| {
        let none = || Err(StoreError::Unavailable("there is no such query".to_owned()));
        answer.map_or_else(none, |answer| answer.map_err(StoreError::from))
    });
    Ok(answers.collect())
}

pub(super) async fn connection(inner: &Inner) -> Result<Object, StoreError> {
    inner.pool.get().await.map_err(|error| StoreError::Unavailable(pool_words(&error)))
}

/// The result of a transaction. A connection whose transaction did not end is not used again.
pub(super) fn settled<T>(
    client: Object,
    result: Result<Result<T, Trouble>, Elapsed>,
) -> Result<T, StoreError> {
    match result {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(trouble)) => {
            drop(Object::take(client));
            Err(trouble.into())
        }
        Err(_) => {
            drop(Object::take(client));
            Err(StoreError::Unavailable("PostgreSQL does not answer".to_owned()))
        }
    }
}

/// The answer to a query of one statement. `None`: the query takes several.
async fn simple(client: &ClientWrapper, query: &Query) -> Option<Result<Answer, Trouble>> {
    Some(match query {
        Query::Heads(channels) => heads(client, channels).await,
        Query::Records { channel, after, limit, bytes } => {
            page(client, AFTER, channel, int(*after), *limit, *bytes).await
        }
        Query::RecordsBefore { channel, before, limit, bytes } => {
            let before = int(before.unwrap_or(u64::MAX));
            page(client, BEFORE, channel, before, *limit, *bytes).await
        }
        Query::Inbox { user } => pair(client, user).await,
        Query::Clock => clock(client).await,
        Query::Claims { hash } => claims(client, hash).await,
        Query::Revocations { after, limit } => revocations(client, *after, *limit).await,
        Query::Snapshot { .. } | Query::Items(_) => return None,
    })
}

pub(super) async fn prepared(client: &ClientWrapper, sql: &str) -> Result<Statement, Trouble> {
    Ok(client.prepare_cached(sql).await?)
}

async fn heads(client: &ClientWrapper, channels: &[Channel]) -> Result<Answer, Trouble> {
    let statement = prepared(client, HEADS).await?;
    let names: Vec<&str> = channels.iter().map(Channel::as_str).collect();
    let hashes: Vec<i64> = names.iter().map(|name| gone::hash(name)).collect();
    let rows = client.query(&statement, &[&names, &hashes]).await?;
    let mut found = std::collections::HashMap::with_capacity(rows.len());
    for row in &rows {
        found.insert(row.get::<_, &str>(0), head(row, 1)?);
    }
    Ok(Answer::Heads(channels.iter().map(|one| found.get(one.as_str()).copied()).collect()))
}

/// Reads the columns `epoch, first, top`, starting at `at`.
pub(super) fn head(row: &Row, at: usize) -> Result<Head, Trouble> {
    Ok(Head {
        epoch: epoch(row.get(at))?,
        first: uint(row.get(at + 1))?,
        top: uint(row.get(at + 2))?,
    })
}

async fn page(
    client: &ClientWrapper,
    sql: &str,
    channel: &Channel,
    from: i64,
    limit: u32,
    bytes: u32,
) -> Result<Answer, Trouble> {
    let statement = prepared(client, sql).await?;
    let (name, most) = (channel.as_str(), i64::from(limit) + 1);
    let rows = client.query(&statement, &[&name, &from, &most, &i64::from(bytes)]).await?;
    records(client, channel, &rows, limit, bytes).await
}

/// Rows of a head and a record each. A channel without records has one row without a record.
async fn records(
    client: &ClientWrapper,
    channel: &Channel,
    rows: &[Row],
    limit: u32,
    bytes: u32,
) -> Result<Answer, Trouble> {
    let Some(first) = rows.first() else {
        let statement = prepared(client, GONE).await?;
        let row = client.query_opt(&statement, &[&gone::hash(channel.as_str())]).await?;
        let gone = row.map(|row| epoch(row.get(0))).transpose()?;
        let head = gone.map(begun_anew);
        return Ok(Answer::Records { head, records: Vec::new(), more: false });
    };
    let head = head(first, 0)?;
    let mut fill = Fill::new(limit, bytes);
    let mut records: Vec<Record> = Vec::new();
    let mut more = false;
    for row in rows {
        let Some(offset) = row.get::<_, Option<i64>>(3) else { break };
        let frame: &[u8] = row.get(5);
        if !fill.takes(frame.len()) {
            more = true;
            break;
        }
        records.push(record(channel, head.epoch, uint(offset)?, frame, row)?);
    }
    Ok(Answer::Records { head: Some(head), records, more })
}

fn record(
    channel: &Channel,
    epoch: Epoch,
    offset: u64,
    frame: &[u8],
    row: &Row,
) -> Result<Record, Trouble> {
    if checksum::of_record(channel, offset, frame) != row.get::<_, i64>(6) {
        tracing::error!(%channel, offset, "a record is damaged");
        return Err(StoreError::Corrupt { channel: channel.clone(), offset }.into());
    }
    let frame = Bytes::copy_from_slice(frame);
    Ok(Record { channel: channel.clone(), epoch, offset, id: row.get(4), frame })
}

async fn pair(client: &ClientWrapper, user: &str) -> Result<Answer, Trouble> {
    let channel =
        Channel::inbox(user).map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let statement = prepared(client, PAIR).await?;
    let names = [channel.as_str(), Channel::SYSTEM];
    let rows = client.query(&statement, &[&&names[..], &channel.as_str()]).await?;
    let (mut own, mut system) = (None, None);
    for row in &rows {
        let head = head(row, 1)?;
        if row.get::<_, &str>(0) == Channel::SYSTEM {
            system = Some(Head { first: head.first.max(uint(row.get(4))? + 1), ..head });
        } else {
            own = Some(head);
        }
    }
    Ok(Answer::Inbox(own.zip(system).map(|(own, system)| [own, system])))
}

async fn clock(client: &ClientWrapper) -> Result<Answer, Trouble> {
    let statement = prepared(client, CLOCK).await?;
    let row = client.query_one(&statement, &[]).await?;
    let checkpoint = match (row.get::<_, Option<i64>>(0), row.get::<_, Option<i64>>(1)) {
        (Some(steady), Some(wall)) => Some(Checkpoint { steady: uint(steady)?, wall: uint(wall)? }),
        _ => None,
    };
    Ok(Answer::Clock { checkpoint, wall: Some(uint(row.get(2))?) })
}

async fn claims(client: &ClientWrapper, hash: &[u8; 32]) -> Result<Answer, Trouble> {
    let statement = prepared(client, CLAIMS).await?;
    let row = client.query_opt(&statement, &[&hash.as_slice()]).await?;
    Ok(Answer::Claims(row.map(|row| row.get::<_, Vec<u8>>(0).into())))
}

async fn revocations(client: &ClientWrapper, after: u64, limit: u32) -> Result<Answer, Trouble> {
    let statement = prepared(client, REVOCATIONS).await?;
    let rows = client.query(&statement, &[&int(after), &i64::from(limit)]).await?;
    let mut all = Vec::with_capacity(rows.len());
    for row in &rows {
        let name: String = row.get(2);
        let subject = match row.get(1) {
            "jti" => Subject::Jti(name),
            "session" => Subject::Session(name),
            _ => Subject::User(name),
        };
        let revocation = Revocation { subject, at: uint(row.get(3))?, until: uint(row.get(4))? };
        all.push((uint(row.get(0))?, revocation));
    }
    Ok(Answer::Revocations(all))
}
