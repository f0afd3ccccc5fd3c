//! Retention, a bounded amount a step. An index finds the channels that are due; channels with new
//! records are remembered. An idle server has nothing to check, even with many channels.

use rusqlite::{Connection, OptionalExtension as _, Params, Row, params};
use tidings_protocol::Channel;
use tidings_server_core::{
    log::Needs,
    retention_clock::Moment,
    store::{Retention, may_go},
};

use super::{
    commit::Step,
    load::{load, state},
    row::{int, uint},
    save::save,
};
use crate::log::{
    gone, new_epoch,
    touched::{Round, Touched},
};

/// Channels that are checked in one step.
const CHANNELS: usize = 200;

/// Rows of channels that a pass over all channels skips in one step.
const PASSED: i64 = 5_000;

/// Rows that are removed in one step, per channel or table. A step holds up the writer for some
/// milliseconds at most.
const ROWS: u64 = 500;

/// The progress of retention.
#[derive(Debug, Default)]
pub(super) struct Sweep(Round);

/// A channel to trim.
struct Swept {
    id: i64,
    name: Channel,
    first: u64,
    top: u64,
    oldest: Option<i64>,
    empty_since: Option<i64>,
    /// Number of items, if it is an inbox.
    items: u64,
}

const SWEPT: &str =
    "SELECT c.id, c.name, c.first, c.top, c.oldest, c.empty_since, coalesce(i.items, 0)
     FROM channel c LEFT JOIN inbox i ON i.channel = c.id";

impl Sweep {
    /// One step. `true`: more is left to check.
    pub(super) fn step(
        &mut self,
        step: &mut Step<'_>,
        touched: &Touched,
        now: Moment,
        retention: &Retention,
    ) -> rusqlite::Result<bool> {
        let mut more = trim_tables(&step.transaction, now, retention)?;
        more |= forget_channels(&step.transaction, now, retention)?;
        let oldest = int(now.steady.saturating_sub(retention.age_ms));
        let due = format!("{SWEPT} WHERE c.oldest < ?1 ORDER BY c.oldest LIMIT ?2");
        let due = swept(&step.transaction, &due, params![oldest, CHANNELS as i64])?;
        more |= due.len() == CHANNELS;
        for channel in &due {
            more |= trim(step, now, channel, retention)?;
        }
        let written = touched.some(CHANNELS);
        more |= written.len() == CHANNELS;
        let by_name = format!("{SWEPT} WHERE c.name = ?1");
        for name in written {
            for channel in swept(&step.transaction, &by_name, [name.as_str()])? {
                if trim(step, now, &channel, retention)? {
                    touched.again(channel.name);
                    more = true;
                }
            }
        }
        Ok(more | self.look_at_some(step, touched, now, retention)?)
    }

    /// Trims the next channels of the pass over all channels.
    fn look_at_some(
        &mut self,
        step: &mut Step<'_>,
        touched: &Touched,
        now: Moment,
        retention: &Retention,
    ) -> rusqlite::Result<bool> {
        let Some(mut after) = self.0.after(touched, retention) else { return Ok(false) };
        let next = format!(
            "{SWEPT} WHERE c.id > ?1 AND c.id <= ?1 + ?3 AND (coalesce(i.items, 0) > ?4
                 OR c.top + 1 - c.first > ?5 OR (c.first <= c.top) <> (c.oldest IS NOT NULL))
             ORDER BY c.id LIMIT ?2"
        );
        let (items, records) = (int(retention.items), int(retention.records));
        let values = params![after, CHANNELS as i64, PASSED, items, records];
        let channels = swept(&step.transaction, &next, values)?;
        let all = channels.len() < CHANNELS;
        let end = if all { after + PASSED } else { after };
        for channel in channels {
            if trim(step, now, &channel, retention)? {
                // The next step begins with the same channel.
                self.0.goes_on(Some(after));
                return Ok(true);
            }
            after = channel.id;
        }
        let last: Option<i64> =
            step.transaction.query_row("SELECT max(id) FROM channel", [], |row| row.get(0))?;
        let next = Some(after.max(end)).filter(|next| last.is_some_and(|last| *next < last));
        self.0.goes_on(next);
        Ok(next.is_some())
    }
}

fn swept(db: &Connection, sql: &str, values: impl Params) -> rusqlite::Result<Vec<Swept>> {
    let read = |row: &Row<'_>| {
        let name = row.get_ref(1)?.as_str()?;
        let Ok(name) = Channel::parse(name) else { return Ok(None) };
        Ok(Some(Swept {
            id: row.get(0)?,
            name,
            first: uint(row, 2)?,
            top: uint(row, 3)?,
            oldest: row.get(4)?,
            empty_since: row.get(5)?,
            items: uint(row, 6)?,
        }))
    };
    let rows = db.prepare_cached(sql)?.query_map(values, read)?.collect::<Result<Vec<_>, _>>()?;
    Ok(rows.into_iter().flatten().collect())
}

/// Trims one channel. `true`: more is left.
fn trim(
    step: &mut Step<'_>,
    now: Moment,
    channel: &Swept,
    retention: &Retention,
) -> rusqlite::Result<bool> {
    let items = trim_items(step, now, channel, retention.items)?;
    Ok(trim_records(&step.transaction, now, channel, retention)? | items)
}

fn trim_records(
    db: &Connection,
    now: Moment,
    channel: &Swept,
    retention: &Retention,
) -> rusqlite::Result<bool> {
    // Trimmed items have made new records since the channel was read.
    let top = db
        .prepare_cached("SELECT top FROM channel WHERE id = ?1")?
        .query_row([channel.id], |row| uint(row, 0))?
        .max(channel.top);
    let kept = top + 1 - channel.first;
    let by_count = channel.first + kept.saturating_sub(retention.records);
    let oldest = now.steady.saturating_sub(retention.age_ms);
    // Times may jump, offsets don't. All records before the first one that is young enough are
    // removed.
    let young = db
        .prepare_cached(
            "SELECT \"offset\" FROM record WHERE channel = ?1 AND \"offset\" >= ?2 AND at >= ?3 ORDER BY \"offset\" LIMIT 1",
        )?
        .query_row(params![channel.id, int(channel.first), int(oldest)], |row| uint(row, 0))
        .optional()?;
    let wanted = by_count.max(young.unwrap_or(top + 1));
    let first = wanted.min(channel.first + ROWS);
    if first > channel.first {
        db.prepare_cached("DELETE FROM record WHERE channel = ?1 AND \"offset\" < ?2")?
            .execute(params![channel.id, int(first)])?;
    }
    note(db, now, channel, first)?;
    Ok(first < wanted)
}

/// Stores the channel's first record, and its next due time.
fn note(db: &Connection, now: Moment, channel: &Swept, first: u64) -> rusqlite::Result<()> {
    let oldest: Option<i64> = db
        .prepare_cached("SELECT at FROM record WHERE channel = ?1 AND \"offset\" = ?2")?
        .query_row(params![channel.id, int(first)], |row| row.get(0))
        .optional()?;
    let empty_since = match oldest {
        None if may_go(&channel.name) => channel.empty_since.or_else(|| Some(int(now.steady))),
        _ => None,
    };
    if (first, oldest, empty_since) != (channel.first, channel.oldest, channel.empty_since) {
        db.prepare_cached(
            "UPDATE channel SET first = ?2, oldest = ?3, empty_since = ?4 WHERE id = ?1",
        )?
        .execute(params![channel.id, int(first), oldest, empty_since])?;
    }
    Ok(())
}

/// Removes channels without records for long.
fn forget_channels(db: &Connection, now: Moment, retention: &Retention) -> rusqlite::Result<bool> {
    let since = |age: u64| int(now.steady.saturating_sub(age));
    let empty = db
        .prepare_cached(
            "SELECT id, name, random() FROM channel
             WHERE empty_since < ?1 AND first > top ORDER BY empty_since LIMIT ?2",
        )?
        .query_map(params![since(retention.channels_ms), int(ROWS)], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?
        .collect::<rusqlite::Result<Vec<(i64, String, i64)>>>()?;
    for (id, name, random) in &empty {
        db.prepare_cached("DELETE FROM channel WHERE id = ?1")?.execute([id])?;
        let epoch = new_epoch(random.cast_unsigned());
        db.prepare_cached("INSERT OR REPLACE INTO gone (hash, epoch, at) VALUES (?1, ?2, ?3)")?
            .execute(params![gone::hash(name), epoch.as_str(), int(now.steady)])?;
    }
    let forgotten = db
        .prepare_cached(
            "DELETE FROM gone WHERE hash IN (SELECT hash FROM gone WHERE at < ?1 LIMIT ?2)",
        )?
        .execute(params![since(retention.forgotten_ms()), int(ROWS)])?;
    Ok(empty.len() as u64 == ROWS || forgotten as u64 == ROWS)
}

/// Removes the oldest items. The removal is a record of its own, so that clients and counts follow.
fn trim_items(
    step: &mut Step<'_>,
    now: Moment,
    channel: &Swept,
    most: u64,
) -> rusqlite::Result<bool> {
    let excess = channel.items.saturating_sub(most);
    if excess == 0 {
        return Ok(false);
    }
    let db = &step.transaction;
    let oldest = db
        .prepare_cached(
            "SELECT \"offset\", seen, read, archived FROM item WHERE channel = ?1 ORDER BY \"offset\" LIMIT ?2",
        )?
        .query_map(params![channel.id, int(excess.min(ROWS))], state)?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let Some((up_to, _)) = oldest.last().copied() else { return Ok(false) };
    db.prepare_cached("DELETE FROM item WHERE channel = ?1 AND \"offset\" <= ?2")?
        .execute(params![channel.id, int(up_to)])?;
    let mut needs = Needs::default();
    needs.logs.insert(channel.name.clone());
    needs.inboxes.insert(channel.name.clone());
    let mut loaded = load(db, &needs)?;
    let id = step.ids.next(now.wall);
    loaded
        .rows
        .trim_items(&channel.name, &oldest, &id, now)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    save(db, &loaded)?;
    Ok(excess > ROWS)
}

/// Trims the tables whose rows have their own time. `true`: a bound was reached, and more is left.
fn trim_tables(db: &Connection, now: Moment, retention: &Retention) -> rusqlite::Result<bool> {
    let since = |age: u64| int(now.steady.saturating_sub(age));
    let keys = db
        .prepare_cached(
            "DELETE FROM idempotency WHERE (credential, key) IN
             (SELECT credential, key FROM idempotency WHERE at < ?1 LIMIT ?2)",
        )?
        .execute(params![since(retention.keys_ms), int(ROWS)])?;
    let dead = db
        .prepare_cached(
            "SELECT id FROM lane WHERE at < ?1 OR (has_record = 0 AND at < ?2) LIMIT ?3",
        )?
        .query_map(
            params![since(retention.lanes_ms), since(retention.empty_lanes_ms), int(ROWS)],
            |row| row.get::<_, i64>(0),
        )?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    for lane in &dead {
        db.prepare_cached("DELETE FROM lane_answer WHERE lane = ?1")?.execute([lane])?;
        db.prepare_cached("DELETE FROM lane WHERE id = ?1")?.execute([lane])?;
    }
    for table in ["revocation", "kept"] {
        let sql = format!("DELETE FROM {table} WHERE until <= ?1");
        db.prepare_cached(&sql)?.execute([int(now.over())])?;
    }
    Ok(keys as u64 == ROWS || dead.len() as u64 == ROWS)
}
