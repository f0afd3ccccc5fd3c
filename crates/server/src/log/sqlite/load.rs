//! Loads the rows of a batch.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use tidings_protocol::{Channel, SystemCounts, Tally};
use tidings_server_core::{
    inbox::ItemState,
    log::{FirstAnswer, Inbox, KeyRow, LaneRow, Log, Needs, Rows},
    store::{Head, begun_anew},
};

use super::{
    read,
    row::{epoch, int, uint},
};
use crate::log::{answer, new_epoch};

/// The rows of a batch, and which of them the database does not have yet.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) rows: Rows,
    /// Channels without a row. They get one if the batch stores something for them.
    pub(super) new: BTreeMap<Channel, Head>,
}

pub(super) fn load(db: &Connection, needs: &Needs) -> rusqlite::Result<Loaded> {
    let mut loaded = Loaded::default();
    for channel in needs.channels() {
        loaded.log(db, channel)?;
    }
    for channel in &needs.inboxes {
        let Some(id) = loaded.id_of(channel) else { continue };
        if let Some(row) = inbox(db, id)? {
            loaded.rows.inboxes.insert(id, row);
        }
    }
    for channel in &needs.states {
        let Some(id) = loaded.id_of(channel) else { continue };
        for (offset, state) in states(db, id)? {
            loaded.rows.states.insert((id, offset), state);
        }
    }
    let sql = "SELECT \"offset\", seen, read, archived FROM item
               WHERE channel = ?1 AND \"offset\" >= ?2 AND \"offset\" <= ?3";
    let mut items = db.prepare_cached(sql)?;
    let listed = needs.items.iter().map(|(channel, offset)| (channel, *offset, *offset));
    let up_to = needs.items_to.iter().map(|(channel, offset)| (channel, 0, *offset));
    for (channel, from, to) in listed.chain(up_to) {
        let Some(id) = loaded.id_of(channel) else { continue };
        let found = items.query_map(params![id, int(from), int(to)], state)?;
        for item in found {
            let (offset, state) = item?;
            loaded.rows.items.insert((id, offset), state);
        }
    }
    for (credential, key) in &needs.keys {
        let found = db
            .prepare_cached(
                "SELECT fingerprint, answer FROM idempotency WHERE credential = ?1 AND key = ?2",
            )?
            .query_row(params![credential, key], |row| {
                Ok(KeyRow { fingerprint: row.get(0)?, answer: first_answer(row, 1)?, at: 0 })
            })
            .optional()?;
        if let Some(row) = found {
            loaded.rows.keys.insert((credential.clone(), key.clone()), row);
        }
    }
    loaded.lanes(db, needs)?;
    Ok(loaded)
}

impl Loaded {
    fn id_of(&self, channel: &Channel) -> Option<i64> {
        self.rows.logs.get(channel).map(|log| log.id)
    }

    fn log(&mut self, db: &Connection, channel: Channel) -> rusqlite::Result<()> {
        let known = db
            .prepare_cached("SELECT id, epoch, first, top, at FROM channel WHERE name = ?1")?
            .query_row([channel.as_str()], |row| {
                Ok(Log {
                    id: row.get(0)?,
                    epoch: epoch(row, 1)?,
                    first: uint(row, 2)?,
                    top: uint(row, 3)?,
                    at: uint(row, 4)?,
                })
            })
            .optional()?;
        let log = match known {
            Some(log) => log,
            None => self.new_log(db, &channel)?,
        };
        self.rows.logs.insert(channel, log);
        Ok(())
    }

    /// A channel that was removed continues with the log that began at its removal.
    fn new_log(&mut self, db: &Connection, channel: &Channel) -> rusqlite::Result<Log> {
        // SQLite seeds its random numbers from the operating system. An epoch is an identity, not a
        // secret.
        let (last, random): (i64, i64) = db
            .prepare_cached("SELECT coalesce(max(id), 0), random() FROM channel")?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let head = match read::gone(db, channel.as_str())? {
            Some(epoch) => begun_anew(epoch),
            None => Head { epoch: new_epoch(random.cast_unsigned()), first: 1, top: 0 },
        };
        self.new.insert(channel.clone(), head);
        let id = last + self.new.len() as i64;
        Ok(Log { id, epoch: head.epoch, first: head.first, top: head.top, at: 0 })
    }

    fn lanes(&mut self, db: &Connection, needs: &Needs) -> rusqlite::Result<()> {
        let mut ids = BTreeMap::new();
        for (user, client_id) in needs.lanes.keys() {
            let found = db
                .prepare_cached(
                    "SELECT id, last, at, has_record FROM lane WHERE user = ?1 AND client_id = ?2",
                )?
                .query_row(params![user, client_id], |row| {
                    let lane = LaneRow {
                        last: uint(row, 1)?,
                        at: uint(row, 2)?,
                        has_record: row.get(3)?,
                        answers: BTreeMap::new(),
                    };
                    Ok((row.get::<_, i64>(0)?, lane))
                })
                .optional()?;
            if let Some((id, lane)) = found {
                ids.insert((user, client_id), id);
                self.rows.lanes.insert((user.clone(), client_id.clone()), lane);
            } else if !self.rows.lane_counts.contains_key(user) {
                let count = db
                    .prepare_cached("SELECT count(*) FROM lane WHERE user = ?1")?
                    .query_row([user], |row| uint(row, 0))?;
                self.rows.lane_counts.insert(user.clone(), count);
            }
        }
        for (user, client_id, seq) in &needs.seqs {
            let name = (user.clone(), client_id.clone());
            let Some(lane) = self.rows.lanes.get_mut(&name) else { continue };
            let (Some(id), true) = (ids.get(&(user, client_id)), *seq <= lane.last) else {
                continue;
            };
            let answer = db
                .prepare_cached("SELECT answer FROM lane_answer WHERE lane = ?1 AND seq = ?2")?
                .query_row(params![id, int(*seq)], |row| first_answer(row, 0))
                .optional()?;
            if let Some(answer) = answer {
                lane.answers.insert(*seq, answer);
            }
        }
        Ok(())
    }
}

/// The row of an inbox.
pub(super) fn inbox(db: &Connection, channel: i64) -> rusqlite::Result<Option<Inbox>> {
    db.prepare_cached(
        "SELECT items, unread, unseen, system_from, system_at, system_unread, system_unseen,
             system_seen_to, system_read_to, system_archived_to FROM inbox WHERE channel = ?1",
    )?
    .query_row([channel], |row| {
        let [at, unread, unseen] = [uint(row, 4)?, uint(row, 5)?, uint(row, 6)?];
        Ok(Inbox {
            items: uint(row, 0)?,
            tally: Tally { unread: uint(row, 1)?, unseen: uint(row, 2)? },
            system_from: uint(row, 3)?,
            system: SystemCounts { at, unread, unseen },
            seen_to: uint(row, 7)?,
            read_to: uint(row, 8)?,
            archived_to: uint(row, 9)?,
        })
    })
    .optional()
}

/// A user's own states of broadcasts.
fn states(db: &Connection, inbox: i64) -> rusqlite::Result<Vec<(u64, ItemState)>> {
    db.prepare_cached("SELECT \"offset\", seen, read, archived FROM system_state WHERE inbox = ?1")?
        .query_map([inbox], state)?
        .collect()
}

/// A row of `offset, seen, read, archived`.
pub(super) fn state(row: &Row<'_>) -> rusqlite::Result<(u64, ItemState)> {
    let state = ItemState { seen: row.get(1)?, read: row.get(2)?, archived: row.get(3)? };
    Ok((uint(row, 0)?, state))
}

fn first_answer(row: &Row<'_>, column: usize) -> rusqlite::Result<FirstAnswer> {
    answer::decode(row.get_ref(column)?.as_str()?).map_err(|error| {
        let text = rusqlite::types::Type::Text;
        rusqlite::Error::FromSqlConversionFailure(column, text, Box::new(error))
    })
}
