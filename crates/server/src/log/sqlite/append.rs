//! Appending records: offset, counts and frame, given in one transaction.

use bytes::Bytes;
use rusqlite::{Connection, params};
use tidings_protocol::{
    Channel, Decode as _, Encode, Epoch, Json,
    server::{Member, Message, Notification},
};
use tidings_server_core::store::{Draft, Lane, Record, Written, begun_anew};

use super::{
    inbox, read,
    row::{epoch, int, uint},
};
use crate::log::{checksum, new_epoch};

/// A channel's row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Log {
    pub(super) id: i64,
    pub(super) epoch: Epoch,
    pub(super) top: u64,
    /// When the newest record was stored.
    pub(super) at: u64,
}

/// The channel's log, made when missing.
pub(super) fn log(db: &Connection, channel: &Channel) -> rusqlite::Result<Log> {
    advance(db, channel, 0, 0, 0)
}

/// The channel's log with its next offset given away.
fn next(db: &Connection, channel: &Channel, at: u64, stored: u64) -> rusqlite::Result<Log> {
    advance(db, channel, 1, at, stored)
}

/// Times are read before the transaction, and clocks are set back: a record's is at least its predecessor's, or a
/// list by time could not be paged by offset.
fn advance(
    db: &Connection,
    channel: &Channel,
    by: i64,
    at: u64,
    stored: u64,
) -> rusqlite::Result<Log> {
    // SQLite's own randomness is seeded by the operating system; an epoch is an identity, no secret.
    let mut insert = db.prepare_cached(
        "INSERT INTO channel (name, epoch, first, top, at) VALUES (?1, '', 1, ?2, ?3)
         ON CONFLICT (name) DO UPDATE SET top = top + ?2, at = max(at, ?3)
         RETURNING id, epoch, top, random(), at, first",
    )?;
    let (mut log, random, mut first) =
        insert.query_row(params![channel.as_str(), by, int(at)], |row| {
            let made = row.get_ref(1)?.as_str()?.is_empty();
            let random = made.then(|| row.get::<_, i64>(3)).transpose()?;
            let epoch = if made { new_epoch(0) } else { epoch(row, 1)? };
            let log = Log { id: row.get(0)?, epoch, top: uint(row, 2)?, at: uint(row, 4)? };
            Ok((log, random, uint(row, 5)?))
        })?;
    if let Some(random) = random {
        log.epoch = new_epoch(random.cast_unsigned());
        if let Some(epoch) = read::gone(db, channel.as_str())? {
            let begun = begun_anew(epoch);
            (log.epoch, first, log.top) = (begun.epoch, begun.first, begun.top + log.top);
        }
        db.prepare_cached("UPDATE channel SET epoch = ?2, first = ?3, top = ?4 WHERE id = ?1")?
            .execute(params![log.id, log.epoch.as_str(), int(first), int(log.top)])?;
    }
    // Its first record: a statement of its own, because most records change nothing of it.
    if by > 0 && log.top == first {
        db.prepare_cached("UPDATE channel SET oldest = ?2, empty_since = NULL WHERE id = ?1")?
            .execute(params![log.id, int(stored)])?;
    }
    Ok(log)
}

/// Appends a record whose message is made for its place.
pub(super) fn append<M: Encode>(
    db: &Connection,
    channel: &Channel,
    id: &str,
    at: u64,
    stored: u64,
    message: impl FnOnce(&Log) -> rusqlite::Result<M>,
) -> rusqlite::Result<Record> {
    let log = next(db, channel, at, stored)?;
    let frame = message(&log)?.to_json();
    let sum = checksum::of_record(channel, log.top, frame.as_bytes());
    db.prepare_cached(
        "INSERT INTO record (channel, \"offset\", at, id, frame, checksum) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![log.id, int(log.top), int(stored), id, frame.as_bytes(), sum])?;
    Ok(Record {
        channel: channel.clone(),
        epoch: log.epoch,
        offset: log.top,
        id: id.to_owned(),
        frame: Bytes::from(frame),
    })
}

pub(super) fn notify(db: &Connection, stored: u64, drafts: &[Draft]) -> rusqlite::Result<Written> {
    let mut records = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let user = draft.channel.inbox_user();
        if let Some(user) = user {
            inbox::open(db, user)?;
        }
        records.push(append(db, &draft.channel, &draft.id, draft.at, stored, |log| {
            let counts = if user.is_some() {
                inbox::add_item(db, log, draft)?;
                Some(inbox::counts(db, log.id)?)
            } else {
                if draft.channel.is_system() {
                    inbox::insert_item(db, log, draft)?;
                }
                None
            };
            let Draft { channel, id, kind, data, .. } = draft.clone();
            Ok(Notification { channel, offset: log.top, id, kind, at: log.at, counts, data })
        })?);
    }
    Ok(Written::Records { records, counts: None })
}

pub(super) fn message(
    db: &Connection,
    stored: u64,
    draft: &Draft,
    from: Option<&Json>,
    lane: Option<&Lane>,
) -> rusqlite::Result<Written> {
    let record = append(db, &draft.channel, &draft.id, draft.at, stored, |log| {
        let Draft { channel, id, data, .. } = draft.clone();
        Ok(Message {
            channel,
            offset: log.top,
            id,
            at: log.at,
            from: from.and_then(|from| Member::from_json(from.as_str()).ok()),
            client_id: lane.map(|lane| lane.client_id.clone()),
            seq: lane.map(|lane| lane.seq),
            data,
        })
    })?;
    Ok(Written::Records { records: vec![record], counts: None })
}
