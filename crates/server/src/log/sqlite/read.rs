//! Queries, each on one view.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use tidings_protocol::{Channel, Epoch};
use tidings_server_core::{
    page::Fill,
    retention_clock::Checkpoint,
    store::{Answer, Head, Query, Record, Revocation, StoreError, Subject, begun_anew},
};

use super::{
    items,
    row::{epoch, int, uint},
};
use crate::log::{checksum, gone};

/// Why a query has no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    Sqlite(rusqlite::Error),
    Store(StoreError),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Trouble> for StoreError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Sqlite(error) => Self::Unavailable(error.to_string()),
            Trouble::Store(error) => error,
        }
    }
}

pub(super) fn answer(db: &mut Connection, query: &Query) -> Result<Answer, StoreError> {
    // A deferred transaction: all its statements see the log as it was at the first one.
    let view = db.transaction().map_err(Trouble::from)?;
    let answer = on_view(&view, query)?;
    view.finish().map_err(Trouble::from)?;
    Ok(answer)
}

fn on_view(db: &Connection, query: &Query) -> Result<Answer, Trouble> {
    Ok(match query {
        Query::Heads(channels) => Answer::Heads(
            channels
                .iter()
                .map(|channel| Ok(head(db, channel.as_str())?.map(|(_, head)| head)))
                .collect::<Result<_, Trouble>>()?,
        ),
        Query::Records { channel, after, limit, bytes } => {
            let sql = "SELECT \"offset\", id, frame, checksum FROM record
                       WHERE channel = ?1 AND \"offset\" > ?2 ORDER BY \"offset\" LIMIT ?3";
            records(db, sql, channel, *after, *limit, *bytes)?
        }
        Query::RecordsBefore { channel, before, limit, bytes } => {
            let sql = "SELECT \"offset\", id, frame, checksum FROM record
                       WHERE channel = ?1 AND \"offset\" < ?2 ORDER BY \"offset\" DESC LIMIT ?3";
            records(db, sql, channel, before.unwrap_or(u64::MAX), *limit, *bytes)?
        }
        Query::Inbox { user } => {
            Answer::Inbox(items::inbox(db, user)?.map(|found| [found.head, found.system]))
        }
        Query::Snapshot { user, limit, bytes } => {
            Answer::Snapshot(Box::new(items::snapshot(db, user, *limit, *bytes)?))
        }
        Query::Items(query) => items::page(db, query)?,
        Query::Clock => {
            let checkpoint = db
                .prepare_cached("SELECT steady, wall FROM clock")?
                .query_row([], |row| Ok(Checkpoint { steady: uint(row, 0)?, wall: uint(row, 1)? }))
                .optional()?;
            Answer::Clock { checkpoint, wall: None }
        }
        Query::Claims { hash } => {
            let text: Option<Vec<u8>> = db
                .prepare_cached("SELECT text FROM kept WHERE hash = ?1")?
                .query_row([hash.as_slice()], |row| row.get(0))
                .optional()?;
            Answer::Claims(text.map(Bytes::from))
        }
        Query::Revocations { after, limit } => {
            Answer::Revocations(revocations(db, *after, *limit)?)
        }
    })
}

/// A channel's row id and head. A removed channel has no row: its id is 0.
pub(super) fn head(db: &Connection, channel: &str) -> rusqlite::Result<Option<(i64, Head)>> {
    let known = db
        .prepare_cached("SELECT id, epoch, first, top FROM channel WHERE name = ?1")?
        .query_row([channel], |row| {
            let head = Head { epoch: epoch(row, 1)?, first: uint(row, 2)?, top: uint(row, 3)? };
            Ok((row.get(0)?, head))
        })
        .optional()?;
    match known {
        Some(known) => Ok(Some(known)),
        None => Ok(gone(db, channel)?.map(|epoch| (0, begun_anew(epoch)))),
    }
}

/// The epoch of a removed channel.
pub(super) fn gone(db: &Connection, channel: &str) -> rusqlite::Result<Option<Epoch>> {
    db.prepare_cached("SELECT epoch FROM gone WHERE hash = ?1")?
        .query_row([gone::hash(channel)], |row| epoch(row, 0))
        .optional()
}

fn records(
    db: &Connection,
    sql: &str,
    channel: &Channel,
    from: u64,
    limit: u32,
    bytes: u32,
) -> Result<Answer, Trouble> {
    let Some((id, head)) = head(db, channel.as_str())? else {
        return Ok(Answer::Records { head: None, records: Vec::new(), more: false });
    };
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params![id, int(from), i64::from(limit) + 1])?;
    let mut fill = Fill::new(limit, bytes);
    let mut records: Vec<Record> = Vec::new();
    let mut more = false;
    while let Some(row) = rows.next()? {
        let length = row.get_ref(2)?.as_bytes().map_err(rusqlite::Error::from)?.len();
        if !fill.takes(length) {
            more = true;
            break;
        }
        records.push(record(channel, head.epoch, row)?);
    }
    Ok(Answer::Records { head: Some(head), records, more })
}

/// A row of `offset, id, frame, checksum`, verified.
fn record(channel: &Channel, epoch: Epoch, row: &Row<'_>) -> Result<Record, Trouble> {
    let offset = uint(row, 0)?;
    let frame = row.get_ref(2)?.as_bytes().map_err(rusqlite::Error::from)?;
    let sum = checksum::of_record(channel, offset, frame);
    if sum != row.get::<_, i64>(3)? {
        tracing::error!(%channel, offset, "a record is damaged");
        return Err(Trouble::Store(StoreError::Corrupt { channel: channel.clone(), offset }));
    }
    let frame = Bytes::copy_from_slice(frame);
    Ok(Record { channel: channel.clone(), epoch, offset, id: row.get(1)?, frame })
}

fn revocations(
    db: &Connection,
    after: u64,
    limit: u32,
) -> rusqlite::Result<Vec<(u64, Revocation)>> {
    db.prepare_cached(
        "SELECT number, kind, subject, at, until FROM revocation WHERE number > ?1 ORDER BY number LIMIT ?2",
    )?
    .query_map(params![int(after), limit], |row| {
        let subject: String = row.get(2)?;
        let subject = match row.get_ref(1)?.as_str()? {
            "jti" => Subject::Jti(subject),
            "session" => Subject::Session(subject),
            _ => Subject::User(subject),
        };
        Ok((uint(row, 0)?, Revocation { subject, at: uint(row, 3)?, until: uint(row, 4)? }))
    })?
    .collect()
}
