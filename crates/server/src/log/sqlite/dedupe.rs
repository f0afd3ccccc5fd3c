//! What makes a repeat answer the first answer: idempotency keys and outbox lanes.

use rusqlite::{Connection, OptionalExtension as _, params};
use tidings_protocol::ErrorCode;
use tidings_server_core::{
    log::{ANSWERS_OF_A_LANE, FirstAnswer},
    store::{IdempotencyKey, Lane, Refusal, Write, Written},
};

use super::row::{int, uint};
use crate::log::answer;

/// The answer of an earlier write of the same key or lane position, or why it can't be one.
pub(super) fn earlier(db: &Connection, write: &Write) -> rusqlite::Result<Option<Written>> {
    if let Some(key) = &write.key
        && let Some(answer) = earlier_key(db, key)?
    {
        return Ok(Some(answer));
    }
    match &write.lane {
        Some(lane) => earlier_seq(db, lane),
        None => Ok(None),
    }
}

fn earlier_key(db: &Connection, key: &IdempotencyKey) -> rusqlite::Result<Option<Written>> {
    let found: Option<(Vec<u8>, String)> = db
        .prepare_cached(
            "SELECT fingerprint, answer FROM idempotency WHERE credential = ?1 AND key = ?2",
        )?
        .query_row(params![key.credential, key.key], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(match found {
        Some((fingerprint, answer)) if fingerprint == key.fingerprint => Some(replay(&answer)?),
        Some(_) => Some(refused(ErrorCode::IdempotencyMismatch, None)),
        None => None,
    })
}

fn earlier_seq(db: &Connection, lane: &Lane) -> rusqlite::Result<Option<Written>> {
    let known = db
        .prepare_cached("SELECT id, last FROM lane WHERE user = ?1 AND client_id = ?2")?
        .query_row(params![lane.user, lane.client_id], |row| {
            Ok((row.get::<_, i64>(0)?, uint(row, 1)?))
        })
        .optional()?;
    let Some((id, last)) = known else {
        let has_room = lanes_of(db, &lane.user)? < lane.most;
        return Ok((!has_room).then(|| refused(ErrorCode::Full, None)));
    };
    if lane.seq == last + 1 {
        return Ok(None);
    }
    if lane.seq > last {
        return Ok(Some(refused(ErrorCode::Sequence, Some(last + 1))));
    }
    let answer: Option<String> = db
        .prepare_cached("SELECT answer FROM lane_answer WHERE lane = ?1 AND seq = ?2")?
        .query_row(params![id, int(lane.seq)], |row| row.get(0))
        .optional()?;
    match answer {
        Some(answer) => replay(&answer).map(Some),
        None => Ok(Some(Written::Replayed(Vec::new()))),
    }
}

fn lanes_of(db: &Connection, user: &str) -> rusqlite::Result<u64> {
    db.prepare_cached("SELECT count(*) FROM lane WHERE user = ?1")?
        .query_row([user], |row| uint(row, 0))
}

/// Remembers the answer, in the transaction of what was written.
pub(super) fn remember(
    db: &Connection,
    wall: u64,
    write: &Write,
    written: &Written,
) -> rusqlite::Result<()> {
    if write.key.is_none() && write.lane.is_none() {
        return Ok(());
    }
    let answer = answer::encode(&FirstAnswer::of(written))
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    if let Some(key) = &write.key
        && !matches!(written, Written::Refused(_))
    {
        db.prepare_cached(
            "INSERT INTO idempotency (credential, key, fingerprint, at, answer) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![key.credential, key.key, key.fingerprint.as_slice(), int(wall), answer])?;
    }
    if let Some(lane) = &write.lane {
        let id: i64 = db
            .prepare_cached(
                "INSERT INTO lane (user, client_id, last, at, has_record) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (user, client_id) DO UPDATE
                     SET last = ?3, at = ?4, has_record = max(has_record, ?5) RETURNING id",
            )?
            .query_row(
                params![
                    lane.user,
                    lane.client_id,
                    int(lane.seq),
                    int(wall),
                    matches!(written, Written::Records { .. })
                ],
                |row| row.get(0),
            )?;
        db.prepare_cached("INSERT INTO lane_answer (lane, seq, answer) VALUES (?1, ?2, ?3)")?
            .execute(params![id, int(lane.seq), answer])?;
        db.prepare_cached("DELETE FROM lane_answer WHERE lane = ?1 AND seq <= ?2")?
            .execute(params![id, int(lane.seq.saturating_sub(ANSWERS_OF_A_LANE))])?;
    }
    Ok(())
}

fn replay(text: &str) -> rusqlite::Result<Written> {
    answer::decode(text).map(|first| first.repeated()).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
    })
}

const fn refused(code: ErrorCode, expected: Option<u64>) -> Written {
    Written::Refused(Refusal { code, expected })
}
