//! Retention, a bounded amount a step: a sweep over all channels, some at a time.

use rusqlite::{Connection, OptionalExtension as _, params};
use tidings_protocol::{Channel, server::Trimmed};
use tidings_server_core::store::Retention;

use super::{
    append,
    commit::Step,
    inbox,
    marks::{Shift, state},
    row::{int, uint},
};

/// Channels looked at in one step.
const CHANNELS: u32 = 200;

/// Rows removed in one step per channel or table: a step holds up the writer for some milliseconds at most.
const ROWS: u64 = 500;

/// Where the sweep is.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// Id of the last channel looked at.
    after: i64,
}

/// A channel under the broom.
struct Swept {
    id: i64,
    name: String,
    first: u64,
    top: u64,
    /// Items, if it is an inbox.
    items: Option<u64>,
}

impl Sweep {
    /// `true`: there is more to look at.
    pub(super) fn step(
        &mut self,
        step: &mut Step<'_>,
        wall: u64,
        retention: &Retention,
    ) -> rusqlite::Result<bool> {
        let mut more = self.after == 0 && trim_tables(&step.transaction, wall, retention)?;
        let channels = some_channels(&step.transaction, self.after)?;
        let finished = channels.len() < CHANNELS as usize;
        let mut last = self.after;
        for channel in channels {
            let again = trim_items(step, wall, &channel, retention.items)?
                | trim_records(&step.transaction, wall, &channel, retention)?;
            if again {
                // The same channel first in the next step.
                self.after = last;
                return Ok(true);
            }
            last = channel.id;
        }
        more |= !finished;
        self.after = if finished { 0 } else { last };
        Ok(more)
    }
}

fn some_channels(db: &Connection, after: i64) -> rusqlite::Result<Vec<Swept>> {
    db.prepare_cached(
        "SELECT c.id, c.name, c.first, c.top, i.items FROM channel c LEFT JOIN inbox i ON i.channel = c.id
         WHERE c.id > ?1 ORDER BY c.id LIMIT ?2",
    )?
    .query_map(params![after, CHANNELS], |row| {
        let items: Option<i64> = row.get(4)?;
        Ok(Swept {
            id: row.get(0)?,
            name: row.get(1)?,
            first: uint(row, 2)?,
            top: uint(row, 3)?,
            items: items.and_then(|items| u64::try_from(items).ok()),
        })
    })?
    .collect()
}

fn trim_records(
    db: &Connection,
    wall: u64,
    channel: &Swept,
    retention: &Retention,
) -> rusqlite::Result<bool> {
    // Trimmed items made records meanwhile.
    let top = db
        .prepare_cached("SELECT top FROM channel WHERE id = ?1")?
        .query_row([channel.id], |row| uint(row, 0))?
        .max(channel.top);
    let kept = top + 1 - channel.first;
    let by_count = channel.first + kept.saturating_sub(retention.records);
    let oldest = wall.saturating_sub(retention.age_ms);
    // Times may jump, offsets don't: everything before the first record that is young enough goes.
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
        db.prepare_cached("UPDATE channel SET first = ?2 WHERE id = ?1")?
            .execute(params![channel.id, int(first)])?;
    }
    Ok(first < wanted)
}

/// Removed items are a record too: clients and counts follow.
fn trim_items(
    step: &mut Step<'_>,
    wall: u64,
    channel: &Swept,
    keep: u64,
) -> rusqlite::Result<bool> {
    let excess = channel.items.unwrap_or(0).saturating_sub(keep);
    if excess == 0 {
        return Ok(false);
    }
    let Ok(address) = Channel::parse(&channel.name) else { return Ok(false) };
    let db = &step.transaction;
    let oldest = db
        .prepare_cached(
            "SELECT \"offset\", seen, read, archived FROM item WHERE channel = ?1 ORDER BY \"offset\" LIMIT ?2",
        )?
        .query_map(params![channel.id, int(excess.min(ROWS))], state)?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let Some((up_to, _)) = oldest.last().copied() else { return Ok(false) };
    let mut shift = Shift::default();
    oldest.iter().for_each(|(_, state)| shift.remove(*state));
    db.prepare_cached("DELETE FROM item WHERE channel = ?1 AND \"offset\" <= ?2")?
        .execute(params![channel.id, int(up_to)])?;
    db.prepare_cached("UPDATE inbox SET items = items - ?2 WHERE channel = ?1")?
        .execute(params![channel.id, int(oldest.len() as u64)])?;
    shift.apply(db, channel.id)?;
    let counts = inbox::counts(db, channel.id)?;
    let id = step.ids.next(wall);
    append::append(db, &address, &id, wall, |log| {
        Ok(Trimmed {
            channel: address.clone(),
            offset: log.top,
            id: id.clone(),
            at: log.at,
            up_to,
            counts,
        })
    })?;
    Ok(excess > ROWS)
}

/// What has a time of its own. `true`: a bound was met, more is left.
fn trim_tables(db: &Connection, wall: u64, retention: &Retention) -> rusqlite::Result<bool> {
    let keys = db
        .prepare_cached(
            "DELETE FROM idempotency WHERE (credential, key) IN
             (SELECT credential, key FROM idempotency WHERE at < ?1 LIMIT ?2)",
        )?
        .execute(params![int(wall.saturating_sub(retention.keys_ms)), int(ROWS)])?;
    let dead = db
        .prepare_cached("SELECT id FROM lane WHERE at < ?1 LIMIT ?2")?
        .query_map(params![int(wall.saturating_sub(retention.lanes_ms)), int(ROWS)], |row| {
            row.get::<_, i64>(0)
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    for lane in &dead {
        db.prepare_cached("DELETE FROM lane_answer WHERE lane = ?1")?.execute([lane])?;
        db.prepare_cached("DELETE FROM lane WHERE id = ?1")?.execute([lane])?;
    }
    for table in ["revocation", "kept"] {
        let sql = format!("DELETE FROM {table} WHERE until <= ?1");
        db.prepare_cached(&sql)?.execute([int(wall)])?;
    }
    Ok(keys as u64 == ROWS || dead.len() as u64 == ROWS)
}
