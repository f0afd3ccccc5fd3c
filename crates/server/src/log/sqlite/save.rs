//! Saves the changes of a batch.

use rusqlite::{Connection, params};
use tidings_protocol::Channel;
use tidings_server_core::{
    log::{ANSWERS_OF_A_LANE, FirstAnswer, NewItem, NewRecord, Rows},
    retention_clock::Checkpoint,
    store::{Head, Subject},
};

use super::{load::Loaded, row::int};
use crate::log::{answer, checksum};

pub(super) fn save(db: &Connection, loaded: &Loaded) -> rusqlite::Result<()> {
    new_channels(db, loaded)?;
    let rows = &loaded.rows;
    records(db, rows)?;
    items(db, rows)?;
    inboxes(db, rows)?;
    keys(db, rows)?;
    lanes(db, rows)?;
    others(db, rows)
}

/// A channel gets a row with its first record or its inbox. An inbox needs `system:all` too.
fn new_channels(db: &Connection, Loaded { rows, new }: &Loaded) -> rusqlite::Result<()> {
    let changes = &rows.changes;
    for (channel, Head { epoch, first, top }) in new {
        let Some(log) = rows.logs.get(channel) else { continue };
        let is_inbox = changes.new_inboxes.contains(&log.id);
        let is_needed = channel.is_system() && !changes.new_inboxes.is_empty();
        if changes.logs.contains(channel) || is_inbox || is_needed {
            db.prepare_cached(
                "INSERT INTO channel (id, name, epoch, first, top, at) VALUES (?1, ?2, ?3, ?4, ?5, 0)",
            )?
            .execute(params![
                log.id,
                channel.as_str(),
                epoch.as_str(),
                int(*first),
                int(*top)
            ])?;
        }
    }
    Ok(())
}

fn records(db: &Connection, rows: &Rows) -> rusqlite::Result<()> {
    for log in rows.changes.logs.iter().filter_map(|channel| rows.logs.get(channel)) {
        db.prepare_cached("UPDATE channel SET top = ?2, at = ?3 WHERE id = ?1")?
            .execute(params![log.id, int(log.top), int(log.at)])?;
    }
    for NewRecord { channel, stored, record } in &rows.changes.records {
        let sum = checksum::of_record(&record.channel, record.offset, &record.frame);
        db.prepare_cached(
            "INSERT INTO record (channel, \"offset\", at, id, frame, checksum)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            channel,
            int(record.offset),
            int(*stored),
            record.id,
            &record.frame[..],
            sum
        ])?;
        // A statement of its own: only a channel's first record changes the index by `oldest`.
        if rows.logs.get(&record.channel).is_some_and(|log| log.first == record.offset) {
            db.prepare_cached("UPDATE channel SET oldest = ?2, empty_since = NULL WHERE id = ?1")?
                .execute(params![channel, int(*stored)])?;
        }
    }
    Ok(())
}

fn items(db: &Connection, rows: &Rows) -> rusqlite::Result<()> {
    for NewItem { channel, offset, at, id, kind, data } in &rows.changes.new_items {
        let sum = checksum::of_item(*offset, id, kind, *at, data.as_str());
        let state = rows.items.get(&(*channel, *offset)).copied().unwrap_or_default();
        db.prepare_cached(
            "INSERT INTO item (channel, \"offset\", at, id, kind, data, checksum, seen, read, archived)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            channel,
            int(*offset),
            int(*at),
            id,
            kind,
            data.as_str(),
            sum,
            state.seen,
            state.read,
            state.archived
        ])?;
    }
    for item in &rows.changes.items {
        let Some(state) = rows.items.get(item) else { continue };
        db.prepare_cached(
            "UPDATE item SET seen = ?3, read = ?4, archived = ?5
             WHERE channel = ?1 AND \"offset\" = ?2",
        )?
        .execute(params![item.0, int(item.1), state.seen, state.read, state.archived])?;
    }
    for item in &rows.changes.states {
        let Some(state) = rows.states.get(item) else { continue };
        db.prepare_cached(
            "INSERT INTO system_state (inbox, \"offset\", seen, read, archived)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (inbox, \"offset\") DO UPDATE SET seen = ?3, read = ?4, archived = ?5",
        )?
        .execute(params![item.0, int(item.1), state.seen, state.read, state.archived])?;
    }
    Ok(())
}

fn inboxes(db: &Connection, rows: &Rows) -> rusqlite::Result<()> {
    for id in rows.changes.inboxes.union(&rows.changes.new_inboxes) {
        let Some(row) = rows.inboxes.get(id) else { continue };
        db.prepare_cached(
            "INSERT OR REPLACE INTO inbox (channel, items, unread, unseen, system_from, system_at,
                 system_unread, system_unseen, system_seen_to, system_read_to, system_archived_to)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            id,
            int(row.items),
            int(row.tally.unread),
            int(row.tally.unseen),
            int(row.system_from),
            int(row.system.at),
            int(row.system.unread),
            int(row.system.unseen),
            int(row.seen_to),
            int(row.read_to),
            int(row.archived_to)
        ])?;
    }
    Ok(())
}

fn keys(db: &Connection, rows: &Rows) -> rusqlite::Result<()> {
    for name in &rows.changes.keys {
        let Some(row) = rows.keys.get(name) else { continue };
        db.prepare_cached(
            "INSERT INTO idempotency (credential, key, fingerprint, at, answer)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            name.0,
            name.1,
            row.fingerprint,
            int(row.at),
            text_of(&row.answer)?
        ])?;
    }
    Ok(())
}

fn lanes(db: &Connection, rows: &Rows) -> rusqlite::Result<()> {
    for name in &rows.changes.lanes {
        let Some(row) = rows.lanes.get(name) else { continue };
        let (user, client_id) = name;
        let id: i64 = db
            .prepare_cached(
                "INSERT INTO lane (user, client_id, last, at, has_record) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (user, client_id) DO UPDATE SET last = ?3, at = ?4, has_record = ?5
                 RETURNING id",
            )?
            .query_row(
                params![user, client_id, int(row.last), int(row.at), row.has_record],
                |row| row.get(0),
            )?;
        let [from, to] = [0, u64::MAX].map(|seq| (user.clone(), client_id.clone(), seq));
        for (.., seq) in rows.changes.answers.range(from..=to) {
            let Some(first) = row.answers.get(seq) else { continue };
            db.prepare_cached("INSERT INTO lane_answer (lane, seq, answer) VALUES (?1, ?2, ?3)")?
                .execute(params![id, int(*seq), text_of(first)?])?;
        }
        if row.last > ANSWERS_OF_A_LANE {
            db.prepare_cached("DELETE FROM lane_answer WHERE lane = ?1 AND seq <= ?2")?
                .execute(params![id, int(row.last - ANSWERS_OF_A_LANE)])?;
        }
    }
    Ok(())
}

fn others(db: &Connection, rows: &Rows) -> rusqlite::Result<()> {
    let changes = &rows.changes;
    for revocation in &changes.revocations {
        let (kind, subject) = match &revocation.subject {
            Subject::Jti(jti) => ("jti", jti),
            Subject::Session(session) => ("session", session),
            Subject::User(user) => ("user", user),
        };
        db.prepare_cached(
            "INSERT INTO revocation (kind, subject, at, until) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute((kind, subject, int(revocation.at), int(revocation.until)))?;
    }
    for (hash, (text, until)) in &changes.claims {
        db.prepare_cached(
            "INSERT INTO kept (hash, text, until) VALUES (?1, ?2, ?3)
             ON CONFLICT (hash) DO UPDATE SET until = max(until, excluded.until)",
        )?
        .execute((hash.as_slice(), &**text, int(*until)))?;
    }
    if let Some(Checkpoint { steady, wall }) = changes.clock {
        db.execute("DELETE FROM clock", [])?;
        db.prepare_cached("INSERT INTO clock (steady, wall) VALUES (?1, ?2)")?
            .execute((int(steady), int(wall)))?;
    }
    for (channels, before) in &changes.in_use {
        let mut update = db.prepare_cached(
            "UPDATE channel SET empty_since = ?2 WHERE name = ?1 AND empty_since < ?3",
        )?;
        for name in channels.iter().map(Channel::as_str) {
            update.execute((name, int(rows.stored), int(*before)))?;
        }
    }
    Ok(())
}

fn text_of(first: &FirstAnswer) -> rusqlite::Result<String> {
    answer::encode(first).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}
