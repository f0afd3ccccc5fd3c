//! Inboxes: their row, their items, their counts.

use rusqlite::{Connection, OptionalExtension as _, params};
use tidings_protocol::{Channel, Counts, SystemCounts, Tally};
use tidings_server_core::store::Draft;

use super::{
    append::{self, Log},
    row::{int, uint},
};
use crate::log::checksum;

/// Makes the user's inbox if there is none: from now on they see everyone-messages. Answers its log.
pub(super) fn open(db: &Connection, user: &str) -> rusqlite::Result<Log> {
    let channel = address(user)?;
    let log = append::log(db, &channel)?;
    let known = db
        .prepare_cached("SELECT 1 FROM inbox WHERE channel = ?1")?
        .query_row([log.id], |_| Ok(()))
        .optional()?;
    if known.is_none() {
        let system = append::log(db, &Channel::system())?;
        db.prepare_cached(
            "INSERT INTO inbox (channel, system_from, system_at) VALUES (?1, ?2, ?2)",
        )?
        .execute(params![log.id, int(system.top)])?;
    }
    Ok(log)
}

/// The inbox channel of a user. Users are checked before they come here.
pub(super) fn address(user: &str) -> rusqlite::Result<Channel> {
    Channel::inbox(user).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// Adds a new item and counts it.
pub(super) fn add_item(db: &Connection, log: &Log, draft: &Draft) -> rusqlite::Result<()> {
    insert_item(db, log, draft)?;
    db.prepare_cached(
        "UPDATE inbox SET items = items + 1, unread = unread + 1, unseen = unseen + 1 WHERE channel = ?1",
    )?
    .execute([log.id])?;
    Ok(())
}

/// Adds an item that nobody counts: an everyone-message.
pub(super) fn insert_item(db: &Connection, log: &Log, draft: &Draft) -> rusqlite::Result<()> {
    let Draft { id, kind, data, .. } = draft;
    let sum = checksum::of_item(log.top, id, kind, log.at, data.as_str());
    db.prepare_cached(
        "INSERT INTO item (channel, \"offset\", at, id, kind, data, checksum) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![log.id, int(log.top), int(log.at), id, kind, data.as_str(), sum])?;
    Ok(())
}

/// The counts as the inbox's row has them: those of everyone-messages at the offset of the last mark.
pub(super) fn counts(db: &Connection, inbox: i64) -> rusqlite::Result<Counts> {
    db.prepare_cached(
        "SELECT unread, unseen, system_unread, system_unseen, system_at FROM inbox WHERE channel = ?1",
    )?
    .query_row([inbox], |row| {
        Ok(Counts {
            inbox: Tally { unread: uint(row, 0)?, unseen: uint(row, 1)? },
            system: SystemCounts {
                unread: uint(row, 2)?,
                unseen: uint(row, 3)?,
                at: uint(row, 4)?,
            },
        })
    })
}
