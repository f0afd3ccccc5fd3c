//! Retention, a bounded amount a step: a sweep over all channels, some at a time, by one node at a time.

use std::sync::PoisonError;

use deadpool_postgres::ClientWrapper;
use tidings_protocol::{Channel, server::Trimmed};
use tidings_server_core::{
    inbox::{ItemState, recount},
    store::{Retention, StoreError},
};
use tokio::time::timeout;
use tokio_postgres::types::ToSql;

use super::{
    Inner, load,
    needs::Needs,
    read::{connection, settled},
    row::{Trouble, int, uint},
    save,
};

/// Advisory lock of the node that sweeps.
const SWEEP: i64 = 0x7469_6469_6e67_7302;

/// Channels looked at in one step.
const CHANNELS: i64 = 20;

/// Rows removed in one step per channel or table.
const ROWS: u64 = 500;

/// A channel under the broom.
struct Swept {
    id: i64,
    name: Channel,
    /// Items too many, if it is an inbox.
    excess: u64,
}

/// `true`: there is more to look at. `false` also when another node sweeps.
pub(super) async fn step(
    inner: &Inner,
    wall: u64,
    retention: &Retention,
) -> Result<bool, StoreError> {
    let client = connection(inner).await?;
    let work = async {
        client.batch_execute("BEGIN").await?;
        let mine = client.query_one("SELECT pg_try_advisory_xact_lock($1)", &[&SWEEP]).await?;
        let more = mine.get(0) && sweep(inner, &client, wall, retention).await?;
        client.batch_execute("COMMIT").await?;
        Ok(more)
    };
    let result = timeout(inner.patience, work).await;
    settled(client, result)
}

async fn sweep(
    inner: &Inner,
    db: &ClientWrapper,
    wall: u64,
    retention: &Retention,
) -> Result<bool, Trouble> {
    let after: i64 = db.query_one("SELECT after FROM sweep", &[]).await?.get(0);
    let channels = some_channels(db, after, wall, retention).await?;
    lock(db, &channels).await?;
    let finished = channels.len() < CHANNELS as usize;
    let mut last = after;
    let mut again = false;
    for channel in &channels {
        again = trim_items(inner, db, wall, channel, retention).await?
            | trim_records(db, wall, channel, retention).await?;
        if again {
            // The same channel first in the next step.
            break;
        }
        last = channel.id;
    }
    let swept = finished && !again;
    // After the channels: whoever writes takes its locks in this order.
    let more = if swept { trim_tables(db, wall, retention).await? } else { true };
    let next = if swept { 0 } else { last };
    db.execute("UPDATE sweep SET after = $1", &[&next]).await?;
    Ok(more)
}

/// The next channels of which something is to go. Those of which nothing is are passed over by the database itself.
async fn some_channels(
    db: &ClientWrapper,
    after: i64,
    wall: u64,
    retention: &Retention,
) -> Result<Vec<Swept>, Trouble> {
    let statement = db
        .prepare_cached(
            "SELECT c.id, c.name, greatest(coalesce(i.items, 0) - $3, 0)
             FROM channel c LEFT JOIN inbox i ON i.channel = c.id
             WHERE c.id > $1 AND (coalesce(i.items, 0) > $3 OR c.top + 1 - c.first > $4 OR EXISTS (
                 SELECT 1 FROM record r WHERE r.channel = c.id AND r.\"offset\" = c.first AND r.at < $5
             )) ORDER BY c.id LIMIT $2",
        )
        .await?;
    let oldest = int(wall.saturating_sub(retention.age_ms));
    let values: [&(dyn ToSql + Sync); 5] =
        [&after, &CHANNELS, &int(retention.items), &int(retention.records), &oldest];
    let mut channels = Vec::new();
    for row in db.query(&statement, &values).await? {
        let name = Channel::parse(row.get::<_, &str>(1))
            .map_err(|error| Trouble::damaged(error.to_string()))?;
        channels.push(Swept { id: row.get(0), name, excess: uint(row.get(2))? });
    }
    Ok(channels)
}

/// In the order in which writers lock them.
async fn lock(db: &ClientWrapper, channels: &[Swept]) -> Result<(), Trouble> {
    let ids: Vec<i64> = channels.iter().map(|channel| channel.id).collect();
    let lock = "SELECT 1 FROM channel WHERE id = ANY($1) ORDER BY name FOR NO KEY UPDATE";
    let statement = db.prepare_cached(lock).await?;
    db.query(&statement, &[&ids]).await?;
    Ok(())
}

async fn trim_records(
    db: &ClientWrapper,
    wall: u64,
    channel: &Swept,
    retention: &Retention,
) -> Result<bool, Trouble> {
    let statement = db.prepare_cached("SELECT first, top FROM channel WHERE id = $1").await?;
    let row = db.query_one(&statement, &[&channel.id]).await?;
    let (kept_first, top) = (uint(row.get(0))?, uint(row.get(1))?);
    let kept = top + 1 - kept_first;
    let by_count = kept_first + kept.saturating_sub(retention.records);
    // Times never go back within a channel: everything before the first record that is young enough goes.
    let statement = db
        .prepare_cached(
            "SELECT \"offset\" FROM record WHERE channel = $1 AND \"offset\" >= $2 AND at >= $3
             ORDER BY \"offset\" LIMIT 1",
        )
        .await?;
    let oldest = int(wall.saturating_sub(retention.age_ms));
    let young = db.query_opt(&statement, &[&channel.id, &int(kept_first), &oldest]).await?;
    let young = young.map(|row| uint(row.get(0))).transpose()?;
    let wanted = by_count.max(young.unwrap_or(top + 1));
    let first = wanted.min(kept_first + ROWS);
    if first > kept_first {
        let delete =
            db.prepare_cached("DELETE FROM record WHERE channel = $1 AND \"offset\" < $2").await?;
        db.execute(&delete, &[&channel.id, &int(first)]).await?;
        let update = db.prepare_cached("UPDATE channel SET first = $2 WHERE id = $1").await?;
        db.execute(&update, &[&channel.id, &int(first)]).await?;
    }
    Ok(first < wanted)
}

/// Removed items are a record too: clients and counts follow.
async fn trim_items(
    inner: &Inner,
    db: &ClientWrapper,
    wall: u64,
    channel: &Swept,
    retention: &Retention,
) -> Result<bool, Trouble> {
    if channel.excess == 0 {
        return Ok(false);
    }
    let mut needs = Needs::default();
    needs.logs.insert(channel.name.clone());
    needs.inboxes.insert(channel.name.clone());
    let Some(mut held) = load::load(db, &inner.known, &needs).await? else {
        return Ok(false);
    };
    let Ok(inbox) = held.inbox(channel.id) else { return Ok(false) };
    // Counted again under the lock.
    let excess = inbox.items.saturating_sub(retention.items);
    let statement = db
        .prepare_cached(
            "SELECT \"offset\", seen, read, archived FROM item WHERE channel = $1
             ORDER BY \"offset\" LIMIT $2",
        )
        .await?;
    let oldest = db.query(&statement, &[&channel.id, &int(excess.min(ROWS))]).await?;
    let Some(up_to) = oldest.last().map(|row| uint(row.get(0))).transpose()? else {
        return Ok(false);
    };
    for row in &oldest {
        let gone = ItemState { seen: row.get(1), read: row.get(2), archived: row.get(3) };
        inbox.tally = recount(inbox.tally, Some(gone), None);
    }
    inbox.items = inbox.items.saturating_sub(oldest.len() as u64);
    let counts = inbox.counts();
    held.changes.inboxes.insert(channel.id);
    let delete =
        db.prepare_cached("DELETE FROM item WHERE channel = $1 AND \"offset\" <= $2").await?;
    db.execute(&delete, &[&channel.id, &int(up_to)]).await?;
    let id = inner.ids.lock().unwrap_or_else(PoisonError::into_inner).next(wall);
    held.append(&channel.name, &id, wall, |log| Trimmed {
        channel: channel.name.clone(),
        offset: log.top,
        id: id.clone(),
        at: log.at,
        up_to,
        counts,
    })?;
    for saving in save::save(db, &held) {
        saving.await?;
    }
    Ok(excess > ROWS)
}

/// What has a time of its own. `true`: a bound was met, more is left.
async fn trim_tables(
    db: &ClientWrapper,
    wall: u64,
    retention: &Retention,
) -> Result<bool, Trouble> {
    let most = int(ROWS);
    let keys = db
        .execute(
            "DELETE FROM idempotency WHERE (credential, key) IN
             (SELECT credential, key FROM idempotency WHERE at < $1 LIMIT $2)",
            &[&int(wall.saturating_sub(retention.keys_ms)), &most],
        )
        .await?;
    let lanes = db
        .query(
            "DELETE FROM lane WHERE id IN (SELECT id FROM lane WHERE at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)
             RETURNING id",
            &[&int(wall.saturating_sub(retention.lanes_ms)), &most],
        )
        .await?;
    let lanes: Vec<i64> = lanes.iter().map(|row| row.get(0)).collect();
    db.execute("DELETE FROM lane_answer WHERE lane = ANY($1)", &[&lanes]).await?;
    db.execute("DELETE FROM revocation WHERE until <= $1", &[&int(wall)]).await?;
    db.execute("DELETE FROM kept WHERE until <= $1", &[&int(wall)]).await?;
    db.execute("DELETE FROM ticket WHERE ends <= clock_timestamp()", &[]).await?;
    Ok(keys == ROWS || lanes.len() as u64 == ROWS)
}
