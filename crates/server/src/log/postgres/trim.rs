//! Retention, a bounded amount a step, by one node at a time. An index finds the channels that are
//! due; each node also knows the channels that it wrote to. After its start a node checks all
//! channels once, because another node may have ended before it trimmed its own.

use std::sync::PoisonError;

use deadpool_postgres::ClientWrapper;
use tidings_protocol::Channel;
use tidings_server_core::{
    inbox::ItemState,
    log::Needs,
    retention_clock::Moment,
    store::{Retention, StoreError, may_go},
};
use tokio::time::timeout;
use tokio_postgres::{Row, types::ToSql};

use super::{
    Inner, load,
    read::{connection, settled},
    row::{Trouble, int, uint},
    save,
};
use crate::log::{gone, new_epoch};

/// Advisory lock of the node that trims.
const SWEEP: i64 = 0x7469_6469_6e67_7302;

/// Channels that are trimmed in one step.
const CHANNELS: usize = 20;

/// Channels written to by this node that are checked in one step.
const NAMES: usize = 500;

/// Rows of channels that a pass over all channels skips in one step.
const PASSED: i64 = 5_000;

/// Rows that are removed in one step, per channel or table.
const ROWS: u64 = 500;

/// A channel to trim.
struct Swept {
    id: i64,
    name: Channel,
    /// Number of items over the bound, if it is an inbox.
    excess: u64,
}

/// One step. `true`: more is left to check.
pub(super) async fn step(
    inner: &Inner,
    now: Moment,
    retention: &Retention,
) -> Result<bool, StoreError> {
    let client = connection(inner).await?;
    let work = async {
        client.batch_execute("BEGIN").await?;
        let mine = client.query_one("SELECT pg_try_advisory_xact_lock($1)", &[&SWEEP]).await?;
        let more = match mine.get(0) {
            true => sweep(inner, &client, now, retention).await?,
            // Another node trims now. It does not know the channels that this node wrote to.
            false => !inner.touched.is_empty(),
        };
        client.batch_execute("COMMIT").await?;
        Ok(more)
    };
    let result = timeout(inner.patience, work).await;
    let more = settled(client, result);
    if more.is_err() {
        inner.touched.lost();
    }
    more
}

async fn sweep(
    inner: &Inner,
    db: &ClientWrapper,
    now: Moment,
    retention: &Retention,
) -> Result<bool, Trouble> {
    let round = || inner.round.lock().unwrap_or_else(PoisonError::into_inner);
    let after = round().after(&inner.touched, retention);
    let written = inner.touched.some(NAMES);
    let mut more = written.len() == NAMES;
    let swept = sweep_channels(inner, db, now, retention, after, &written).await;
    let (unfinished, next) = swept?;
    round().goes_on(next);
    more |= next.is_some();
    more |= !unfinished.is_empty();
    unfinished.into_iter().for_each(|channel| inner.touched.again(channel));
    // After the channels, because writes lock in this order too.
    more |= trim_tables(db, now, retention).await?;
    Ok(more | forget_channels(db, now, retention).await?)
}

/// Channels that need another step, and the id after which the pass over all channels continues.
async fn sweep_channels(
    inner: &Inner,
    db: &ClientWrapper,
    now: Moment,
    retention: &Retention,
    after: Option<i64>,
    written: &[Channel],
) -> Result<(Vec<Channel>, Option<i64>), Trouble> {
    let mut channels = due(db, now, retention).await?;
    let mut named = named(db, written, retention).await?;
    let mut unfinished: Vec<Channel> =
        named.drain(CHANNELS.min(named.len())..).map(|channel| channel.name).collect();
    channels.extend(named);
    let mut next = None;
    if let Some(after) = after {
        let (found, last) = some_channels(db, after, now, retention).await?;
        channels.extend(found);
        next = last;
    }
    channels.sort_by_key(|channel| channel.id);
    channels.dedup_by_key(|channel| channel.id);
    lock(db, &channels).await?;
    for channel in channels {
        let again = trim_items(inner, db, now, &channel, retention).await?
            | trim_records(db, now, &channel, retention).await?;
        if again {
            unfinished.push(channel.name);
        }
    }
    Ok((unfinished, next))
}

/// Channels whose oldest record is too old.
async fn due(
    db: &ClientWrapper,
    now: Moment,
    retention: &Retention,
) -> Result<Vec<Swept>, Trouble> {
    let statement = db
        .prepare_cached(
            "SELECT c.id, c.name, greatest(coalesce(i.items, 0) - $3, 0)
             FROM channel c LEFT JOIN inbox i ON i.channel = c.id
             WHERE c.oldest < $1 ORDER BY c.oldest LIMIT $2",
        )
        .await?;
    let oldest = int(now.steady.saturating_sub(retention.age_ms));
    let rows = db.query(&statement, &[&oldest, &(CHANNELS as i64), &int(retention.items)]).await?;
    swept(&rows)
}

/// Those of the named channels that exceed retention.
async fn named(
    db: &ClientWrapper,
    names: &[Channel],
    retention: &Retention,
) -> Result<Vec<Swept>, Trouble> {
    let names: Vec<&str> = names.iter().map(Channel::as_str).collect();
    let statement = db
        .prepare_cached(
            "SELECT c.id, c.name, greatest(coalesce(i.items, 0) - $2, 0)
             FROM channel c LEFT JOIN inbox i ON i.channel = c.id
             WHERE c.name = ANY($1) AND (coalesce(i.items, 0) > $2 OR c.top + 1 - c.first > $3)",
        )
        .await?;
    let (items, records) = (int(retention.items), int(retention.records));
    swept(&db.query(&statement, &[&names, &items, &records]).await?)
}

/// The next channels of the pass that exceed retention, or have no due time in their row: a server
/// of an older version wrote to them. The database itself skips all others.
async fn some_channels(
    db: &ClientWrapper,
    after: i64,
    now: Moment,
    retention: &Retention,
) -> Result<(Vec<Swept>, Option<i64>), Trouble> {
    let statement = db
        .prepare_cached(
            "SELECT c.id, c.name, greatest(coalesce(i.items, 0) - $3, 0)
             FROM channel c LEFT JOIN inbox i ON i.channel = c.id
             WHERE c.id > $1 AND c.id <= $1 + $6 AND (coalesce(i.items, 0) > $3
                 OR c.top + 1 - c.first > $4 OR (c.first <= c.top) <> (c.oldest IS NOT NULL)
                 OR EXISTS (
                     SELECT 1 FROM record r WHERE r.channel = c.id AND r.\"offset\" = c.first AND r.at < $5
                 )) ORDER BY c.id LIMIT $2",
        )
        .await?;
    let oldest = int(now.steady.saturating_sub(retention.age_ms));
    let (items, records, most) = (int(retention.items), int(retention.records), CHANNELS as i64);
    let values: [&(dyn ToSql + Sync); 6] = [&after, &most, &items, &records, &oldest, &PASSED];
    let found = swept(&db.query(&statement, &values).await?)?;
    let last = match found.last() {
        Some(last) if found.len() == CHANNELS => last.id,
        _ => after + PASSED,
    };
    let end: Option<i64> = db.query_one("SELECT max(id) FROM channel", &[]).await?.get(0);
    Ok((found, Some(last).filter(|last| end.is_some_and(|end| *last < end))))
}

fn swept(rows: &[Row]) -> Result<Vec<Swept>, Trouble> {
    let swept = |row: &Row| {
        let name = Channel::parse(row.get::<_, &str>(1))
            .map_err(|error| Trouble::damaged(error.to_string()))?;
        Ok(Swept { id: row.get(0), name, excess: uint(row.get(2))? })
    };
    rows.iter().map(swept).collect()
}

/// Locks channels in the order of writers, so that they can't deadlock.
async fn lock(db: &ClientWrapper, channels: &[Swept]) -> Result<(), Trouble> {
    let ids: Vec<i64> = channels.iter().map(|channel| channel.id).collect();
    let lock = "SELECT 1 FROM channel WHERE id = ANY($1) ORDER BY name FOR NO KEY UPDATE";
    let statement = db.prepare_cached(lock).await?;
    db.query(&statement, &[&ids]).await?;
    Ok(())
}

async fn trim_records(
    db: &ClientWrapper,
    now: Moment,
    channel: &Swept,
    retention: &Retention,
) -> Result<bool, Trouble> {
    let statement = db.prepare_cached("SELECT first, top FROM channel WHERE id = $1").await?;
    let row = db.query_one(&statement, &[&channel.id]).await?;
    let (kept_first, top) = (uint(row.get(0))?, uint(row.get(1))?);
    let kept = top + 1 - kept_first;
    let by_count = kept_first + kept.saturating_sub(retention.records);
    // Times never go back within a channel. All records before the first one that is young enough
    // are removed.
    let statement = db
        .prepare_cached(
            "SELECT \"offset\" FROM record WHERE channel = $1 AND \"offset\" >= $2 AND at >= $3
             ORDER BY \"offset\" LIMIT 1",
        )
        .await?;
    let oldest = int(now.steady.saturating_sub(retention.age_ms));
    let young = db.query_opt(&statement, &[&channel.id, &int(kept_first), &oldest]).await?;
    let young = young.map(|row| uint(row.get(0))).transpose()?;
    let wanted = by_count.max(young.unwrap_or(top + 1));
    let first = wanted.min(kept_first + ROWS);
    if first > kept_first {
        let delete =
            db.prepare_cached("DELETE FROM record WHERE channel = $1 AND \"offset\" < $2").await?;
        db.execute(&delete, &[&channel.id, &int(first)]).await?;
    }
    note(db, now, channel, first).await?;
    Ok(first < wanted)
}

/// Stores the channel's first record, and its next due time.
async fn note(db: &ClientWrapper, now: Moment, channel: &Swept, first: u64) -> Result<(), Trouble> {
    let statement = db
        .prepare_cached(
            "UPDATE channel c SET first = $2, oldest = r.at, empty_since =
                 CASE WHEN r.at IS NULL AND $3 THEN coalesce(c.empty_since, $4::int8) END
             FROM (SELECT 1) AS one LEFT JOIN record r ON r.channel = $1 AND r.\"offset\" = $2
             WHERE c.id = $1",
        )
        .await?;
    let values: [&(dyn ToSql + Sync); 4] =
        [&channel.id, &int(first), &may_go(&channel.name), &int(now.steady)];
    db.execute(&statement, &values).await?;
    Ok(())
}

/// Removes channels without records for long. A locked row stays, because the holder of the lock
/// writes to the channel.
async fn forget_channels(
    db: &ClientWrapper,
    now: Moment,
    retention: &Retention,
) -> Result<bool, Trouble> {
    let since = |age: u64| int(now.steady.saturating_sub(age));
    let statement = db
        .prepare_cached(
            "DELETE FROM channel WHERE id IN (
                 SELECT id FROM channel WHERE empty_since < $1 AND first > top
                 ORDER BY empty_since LIMIT $2 FOR UPDATE SKIP LOCKED
             ) RETURNING name",
        )
        .await?;
    let empty = db.query(&statement, &[&since(retention.channels_ms), &int(ROWS)]).await?;
    let hashes: Vec<i64> = empty.iter().map(|row| gone::hash(row.get(0))).collect();
    // A new epoch, so that a client of the removed log does not take the next log for its own.
    let epochs = hashes
        .iter()
        .map(|_| Ok(new_epoch(getrandom::u64()?).as_str().to_owned()))
        .collect::<Result<Vec<String>, getrandom::Error>>()
        .map_err(|error| Trouble::damaged(error.to_string()))?;
    let statement = db
        .prepare_cached(
            "INSERT INTO gone (hash, epoch, at)
             SELECT DISTINCT ON (t.hash) t.hash, t.epoch, $3::int8
             FROM unnest($1::int8[], $2::text[]) AS t (hash, epoch)
             ON CONFLICT (hash) DO UPDATE SET epoch = excluded.epoch, at = excluded.at",
        )
        .await?;
    db.execute(&statement, &[&hashes, &epochs, &int(now.steady)]).await?;
    let statement = db
        .prepare_cached(
            "DELETE FROM gone WHERE hash IN (SELECT hash FROM gone WHERE at < $1 LIMIT $2)",
        )
        .await?;
    let forgotten = since(retention.forgotten_ms());
    let forgotten = db.execute(&statement, &[&forgotten, &int(ROWS)]).await?;
    Ok(hashes.len() as u64 == ROWS || forgotten == ROWS)
}

/// Removes the oldest items. The removal is a record of its own, so that clients and counts follow.
async fn trim_items(
    inner: &Inner,
    db: &ClientWrapper,
    now: Moment,
    channel: &Swept,
    retention: &Retention,
) -> Result<bool, Trouble> {
    if channel.excess == 0 {
        return Ok(false);
    }
    let mut needs = Needs::default();
    needs.logs.insert(channel.name.clone());
    needs.inboxes.insert(channel.name.clone());
    let Some(mut rows) = load::load(db, &inner.known, &needs).await? else {
        return Ok(false);
    };
    let Ok(inbox) = rows.inbox(channel.id) else { return Ok(false) };
    // Counted again under the lock.
    let excess = inbox.items.saturating_sub(retention.items);
    let statement = db
        .prepare_cached(
            "SELECT \"offset\", seen, read, archived FROM item WHERE channel = $1
             ORDER BY \"offset\" LIMIT $2",
        )
        .await?;
    let oldest = db.query(&statement, &[&channel.id, &int(excess.min(ROWS))]).await?;
    let state = |row: &Row| ItemState { seen: row.get(1), read: row.get(2), archived: row.get(3) };
    let gone = oldest
        .iter()
        .map(|row| Ok((uint(row.get(0))?, state(row))))
        .collect::<Result<Vec<_>, Trouble>>()?;
    let Some((up_to, _)) = gone.last() else { return Ok(false) };
    let delete =
        db.prepare_cached("DELETE FROM item WHERE channel = $1 AND \"offset\" <= $2").await?;
    db.execute(&delete, &[&channel.id, &int(*up_to)]).await?;
    let id = inner.ids.lock().unwrap_or_else(PoisonError::into_inner).next(now.wall);
    rows.trim_items(&channel.name, &gone, &id, now)?;
    for saving in save::save(db, &rows) {
        saving.await?;
    }
    Ok(excess > ROWS)
}

/// Trims the tables whose rows have their own time. `true`: a bound was reached, and more is left.
async fn trim_tables(
    db: &ClientWrapper,
    now: Moment,
    retention: &Retention,
) -> Result<bool, Trouble> {
    let since = |age: u64| int(now.steady.saturating_sub(age));
    let most = int(ROWS);
    let keys = db
        .execute(
            "DELETE FROM idempotency WHERE (credential, key) IN
             (SELECT credential, key FROM idempotency WHERE at < $1 LIMIT $2)",
            &[&since(retention.keys_ms), &most],
        )
        .await?;
    let lanes = db
        .query(
            "DELETE FROM lane WHERE id IN (
                 SELECT id FROM lane WHERE at < $1 OR (NOT has_record AND at < $2)
                 LIMIT $3 FOR UPDATE SKIP LOCKED
             ) RETURNING id",
            &[&since(retention.lanes_ms), &since(retention.empty_lanes_ms), &most],
        )
        .await?;
    let lanes: Vec<i64> = lanes.iter().map(|row| row.get(0)).collect();
    db.execute("DELETE FROM lane_answer WHERE lane = ANY($1)", &[&lanes]).await?;
    db.execute("DELETE FROM revocation WHERE until <= $1", &[&int(now.over())]).await?;
    db.execute("DELETE FROM kept WHERE until <= $1", &[&int(now.over())]).await?;
    db.execute("DELETE FROM ticket WHERE ends <= clock_timestamp()", &[]).await?;
    Ok(keys == ROWS || lanes.len() as u64 == ROWS)
}
