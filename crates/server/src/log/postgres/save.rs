//! Stores the changes of a batch, with one statement per table.

use std::pin::Pin;

use deadpool_postgres::ClientWrapper;
use tidings_protocol::Channel;
use tidings_server_core::{
    log::{ANSWERS_OF_A_LANE, FirstAnswer, NewRecord, Rows},
    store::Subject,
};

use super::row::{Trouble, int};
use crate::log::{answer, checksum};

/// Only the first record of an empty channel sets `oldest`. Later records change no indexed column.
const LOGS: &str = "UPDATE channel c SET top = t.top, at = t.at,
        oldest = coalesce(c.oldest, $4::int8), empty_since = NULL
    FROM unnest($1::int8[], $2::int8[], $3::int8[]) AS t (id, top, at) WHERE c.id = t.id";

const RECORDS: &str = "INSERT INTO record (channel, \"offset\", at, id, frame, checksum)
    SELECT * FROM unnest($1::int8[], $2::int8[], $3::int8[], $4::text[], $5::bytea[], $6::int8[])";

const NEW_ITEMS: &str = "INSERT INTO item (channel, \"offset\", at, id, kind, data, checksum, seen, read, archived)
    SELECT * FROM unnest($1::int8[], $2::int8[], $3::int8[], $4::text[], $5::text[], $6::text[], $7::int8[],
        $8::bool[], $9::bool[], $10::bool[])";

const ITEMS: &str = "UPDATE item i SET seen = t.seen, read = t.read, archived = t.archived
    FROM unnest($1::int8[], $2::int8[], $3::bool[], $4::bool[], $5::bool[])
        AS t (channel, \"offset\", seen, read, archived)
    WHERE i.channel = t.channel AND i.\"offset\" = t.\"offset\"";

const INBOXES: &str = "INSERT INTO inbox (channel, items, unread, unseen, system_from, system_at, system_unread,
        system_unseen, system_seen_to, system_read_to, system_archived_to)
    SELECT * FROM unnest($1::int8[], $2::int8[], $3::int8[], $4::int8[], $5::int8[], $6::int8[], $7::int8[],
        $8::int8[], $9::int8[], $10::int8[], $11::int8[])
    ON CONFLICT (channel) DO UPDATE SET items = excluded.items, unread = excluded.unread,
        unseen = excluded.unseen, system_at = excluded.system_at, system_unread = excluded.system_unread,
        system_unseen = excluded.system_unseen, system_seen_to = excluded.system_seen_to,
        system_read_to = excluded.system_read_to, system_archived_to = excluded.system_archived_to";

const STATES: &str = "INSERT INTO system_state (inbox, \"offset\", seen, read, archived)
    SELECT * FROM unnest($1::int8[], $2::int8[], $3::bool[], $4::bool[], $5::bool[])
    ON CONFLICT (inbox, \"offset\") DO UPDATE
        SET seen = excluded.seen, read = excluded.read, archived = excluded.archived";

const KEYS: &str = "INSERT INTO idempotency (credential, key, fingerprint, at, answer)
    SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::int8[], $5::text[])";

const LANES: &str = "INSERT INTO lane (username, client_id, last, at, has_record)
    SELECT * FROM unnest($1::text[], $2::text[], $3::int8[], $4::int8[], $5::bool[])
    ON CONFLICT (username, client_id) DO UPDATE
        SET last = excluded.last, at = excluded.at, has_record = excluded.has_record";

const ANSWERS: &str = "INSERT INTO lane_answer (lane, seq, answer)
    SELECT l.id, t.seq, t.answer
    FROM unnest($1::text[], $2::text[], $3::int8[], $4::text[]) AS t (username, client_id, seq, answer)
    JOIN lane l ON l.username = t.username AND l.client_id = t.client_id";

const OLD_ANSWERS: &str = "DELETE FROM lane_answer a
    USING unnest($1::text[], $2::text[], $3::int8[]) AS t (username, client_id, seq)
    JOIN lane l ON l.username = t.username AND l.client_id = t.client_id
    WHERE a.lane = l.id AND a.seq <= t.seq";

const CLAIMS: &str = "INSERT INTO kept (hash, text, until)
    SELECT t.hash, t.text, t.until FROM unnest($1::bytea[], $2::bytea[], $3::int8[]) AS t (hash, text, until)
    ON CONFLICT (hash) DO UPDATE SET until = greatest(kept.until, excluded.until)";

const CLOCK: &str =
    "WITH old AS (DELETE FROM clock) INSERT INTO clock (steady, wall) VALUES ($1, $2)";

/// Skips locked rows: the holder of the lock writes to the channel, which counts as use.
const IN_USE: &str = "UPDATE channel c SET empty_since = $3 FROM (
        SELECT id FROM channel WHERE name = ANY($1) AND empty_since < $2
        ORDER BY name FOR NO KEY UPDATE SKIP LOCKED
    ) AS due WHERE c.id = due.id";

const REVOCATIONS: &str = "WITH numbers AS (
        UPDATE counter SET value = value + $5 WHERE name = 'revocation' RETURNING value - $5 AS before
    )
    INSERT INTO revocation (number, kind, subject, at, until)
    SELECT n.before + t.place, t.kind, t.subject, t.at, t.until
    FROM numbers n, unnest($1::text[], $2::text[], $3::int8[], $4::int8[])
        WITH ORDINALITY AS t (kind, subject, at, until, place)";

/// One statement in progress.
pub(super) type Saving<'a> = Pin<Box<dyn Future<Output = Result<(), Trouble>> + Send + 'a>>;

/// The statements for all changes. They are sent in the order in which they are polled.
pub(super) fn save<'a>(client: &'a ClientWrapper, rows: &'a Rows) -> Vec<Saving<'a>> {
    let changes = &rows.changes;
    let mut all: Vec<Saving<'a>> = Vec::new();
    if !changes.logs.is_empty() {
        all.push(Box::pin(logs(client, rows)));
    }
    if !changes.records.is_empty() {
        all.push(Box::pin(records(client, rows)));
    }
    if !changes.new_items.is_empty() {
        all.push(Box::pin(new_items(client, rows)));
    }
    if !changes.items.is_empty() {
        all.push(Box::pin(items(client, rows)));
    }
    if !(changes.inboxes.is_empty() && changes.new_inboxes.is_empty()) {
        all.push(Box::pin(inboxes(client, rows)));
    }
    if !changes.states.is_empty() {
        all.push(Box::pin(states(client, rows)));
    }
    if !changes.keys.is_empty() {
        all.push(Box::pin(keys(client, rows)));
    }
    if !changes.lanes.is_empty() {
        all.push(Box::pin(lanes(client, rows)));
        all.push(Box::pin(answers(client, rows)));
        if rows.lanes.values().any(|lane| lane.last > ANSWERS_OF_A_LANE) {
            all.push(Box::pin(old_answers(client, rows)));
        }
    }
    if !changes.revocations.is_empty() {
        all.push(Box::pin(revocations(client, rows)));
    }
    if !changes.claims.is_empty() {
        all.push(Box::pin(claims(client, rows)));
    }
    if changes.clock.is_some() {
        all.push(Box::pin(clock(client, rows)));
    }
    if !changes.in_use.is_empty() {
        all.push(Box::pin(in_use(client, rows)));
    }
    all
}

/// Prepares all statements on a connection, so that they are sent in the order in which they are
/// polled.
pub(super) async fn prepare(client: &ClientWrapper) -> Result<(), Trouble> {
    for sql in [
        LOGS,
        RECORDS,
        NEW_ITEMS,
        ITEMS,
        INBOXES,
        STATES,
        KEYS,
        LANES,
        ANSWERS,
        OLD_ANSWERS,
        REVOCATIONS,
        CLAIMS,
        CLOCK,
        IN_USE,
    ] {
        client.prepare_cached(sql).await?;
    }
    Ok(())
}

macro_rules! execute {
    ($client:expr, $sql:expr, $($column:expr),+) => {{
        let statement = $client.prepare_cached($sql).await?;
        $client.execute(&statement, &[$(&$column),+]).await?;
        Ok(())
    }};
}

/// One column of the changed rows.
fn column<'a, T: 'a, C>(rows: &'a [T], of: impl Fn(&'a T) -> C) -> Vec<C> {
    rows.iter().map(of).collect()
}

async fn logs(client: &ClientWrapper, rows: &Rows) -> Result<(), Trouble> {
    let logs: Vec<_> =
        rows.changes.logs.iter().filter_map(|channel| rows.logs.get(channel)).collect();
    execute!(
        client,
        LOGS,
        column(&logs, |log| log.id),
        column(&logs, |log| int(log.top)),
        column(&logs, |log| int(log.at)),
        int(rows.stored)
    )
}

async fn records(client: &ClientWrapper, rows: &Rows) -> Result<(), Trouble> {
    let records = &rows.changes.records;
    execute!(
        client,
        RECORDS,
        column(records, |new| new.channel),
        column(records, |new| int(new.record.offset)),
        column(records, |new| int(new.stored)),
        column(records, |new| new.record.id.as_str()),
        column(records, |new| &new.record.frame[..]),
        column(records, |NewRecord { record, .. }| {
            checksum::of_record(&record.channel, record.offset, &record.frame)
        })
    )
}

async fn new_items(client: &ClientWrapper, rows: &Rows) -> Result<(), Trouble> {
    let items = &rows.changes.new_items;
    let states = column(items, |new| {
        rows.items.get(&(new.channel, new.offset)).copied().unwrap_or_default()
    });
    execute!(
        client,
        NEW_ITEMS,
        column(items, |new| new.channel),
        column(items, |new| int(new.offset)),
        column(items, |new| int(new.at)),
        column(items, |new| new.id.as_str()),
        column(items, |new| new.kind.as_str()),
        column(items, |new| new.data.as_str()),
        column(items, |new| {
            checksum::of_item(new.offset, &new.id, &new.kind, new.at, new.data.as_str())
        }),
        column(&states, |state| state.seen),
        column(&states, |state| state.read),
        column(&states, |state| state.archived)
    )
}

async fn items(client: &ClientWrapper, rows: &Rows) -> Result<(), Trouble> {
    let marked = &rows.changes.items;
    let marked: Vec<_> =
        marked.iter().filter_map(|key| Some((*key, *rows.items.get(key)?))).collect();
    execute!(
        client,
        ITEMS,
        column(&marked, |((channel, _), _)| *channel),
        column(&marked, |((_, offset), _)| int(*offset)),
        column(&marked, |(_, state)| state.seen),
        column(&marked, |(_, state)| state.read),
        column(&marked, |(_, state)| state.archived)
    )
}

async fn inboxes(client: &ClientWrapper, rows: &Rows) -> Result<(), Trouble> {
    let changed = rows.changes.inboxes.union(&rows.changes.new_inboxes);
    let rows: Vec<_> = changed.filter_map(|id| Some((*id, *rows.inboxes.get(id)?))).collect();
    execute!(
        client,
        INBOXES,
        column(&rows, |(id, _)| *id),
        column(&rows, |(_, row)| int(row.items)),
        column(&rows, |(_, row)| int(row.tally.unread)),
        column(&rows, |(_, row)| int(row.tally.unseen)),
        column(&rows, |(_, row)| int(row.system_from)),
        column(&rows, |(_, row)| int(row.system.at)),
        column(&rows, |(_, row)| int(row.system.unread)),
        column(&rows, |(_, row)| int(row.system.unseen)),
        column(&rows, |(_, row)| int(row.seen_to)),
        column(&rows, |(_, row)| int(row.read_to)),
        column(&rows, |(_, row)| int(row.archived_to))
    )
}

async fn states(client: &ClientWrapper, rows: &Rows) -> Result<(), Trouble> {
    let changed = &rows.changes.states;
    let rows: Vec<_> =
        changed.iter().filter_map(|key| Some((*key, *rows.states.get(key)?))).collect();
    execute!(
        client,
        STATES,
        column(&rows, |((inbox, _), _)| *inbox),
        column(&rows, |((_, offset), _)| int(*offset)),
        column(&rows, |(_, state)| state.seen),
        column(&rows, |(_, state)| state.read),
        column(&rows, |(_, state)| state.archived)
    )
}

async fn keys(client: &ClientWrapper, rows: &Rows) -> Result<(), Trouble> {
    let changed = &rows.changes.keys;
    let rows: Vec<_> =
        changed.iter().filter_map(|name| Some((name, rows.keys.get(name)?))).collect();
    let texts = rows.iter().map(|(_, row)| text_of(&row.answer)).collect::<Result<Vec<_>, _>>()?;
    execute!(
        client,
        KEYS,
        column(&rows, |((credential, _), _)| credential.as_str()),
        column(&rows, |((_, key), _)| key.as_str()),
        column(&rows, |(_, row)| row.fingerprint.as_slice()),
        column(&rows, |(_, row)| int(row.at)),
        texts
    )
}

async fn lanes(client: &ClientWrapper, rows: &Rows) -> Result<(), Trouble> {
    let changed = &rows.changes.lanes;
    let rows: Vec<_> =
        changed.iter().filter_map(|name| Some((name, rows.lanes.get(name)?))).collect();
    execute!(
        client,
        LANES,
        column(&rows, |((user, _), _)| user.as_str()),
        column(&rows, |((_, client_id), _)| client_id.as_str()),
        column(&rows, |(_, row)| int(row.last)),
        column(&rows, |(_, row)| int(row.at)),
        column(&rows, |(_, row)| row.has_record)
    )
}

async fn answers(client: &ClientWrapper, rows: &Rows) -> Result<(), Trouble> {
    let mut texts = Vec::with_capacity(rows.changes.answers.len());
    for (user, client_id, seq) in &rows.changes.answers {
        let lane = rows.lanes.get(&(user.clone(), client_id.clone()));
        if let Some(first) = lane.and_then(|lane| lane.answers.get(seq)) {
            texts.push((user.as_str(), client_id.as_str(), int(*seq), text_of(first)?));
        }
    }
    execute!(
        client,
        ANSWERS,
        column(&texts, |(user, ..)| *user),
        column(&texts, |(_, client_id, ..)| *client_id),
        column(&texts, |(.., seq, _)| *seq),
        column(&texts, |(.., text)| text.as_str())
    )
}

fn text_of(first: &FirstAnswer) -> Result<String, Trouble> {
    answer::encode(first).map_err(|error| Trouble::damaged(error.to_string()))
}

async fn old_answers(client: &ClientWrapper, rows: &Rows) -> Result<(), Trouble> {
    let rows: Vec<_> =
        rows.changes.lanes.iter().filter_map(|name| Some((name, rows.lanes.get(name)?))).collect();
    execute!(
        client,
        OLD_ANSWERS,
        column(&rows, |((user, _), _)| user.as_str()),
        column(&rows, |((_, client_id), _)| client_id.as_str()),
        column(&rows, |(_, row)| int(row.last.saturating_sub(ANSWERS_OF_A_LANE)))
    )
}

async fn claims(client: &ClientWrapper, rows: &Rows) -> Result<(), Trouble> {
    let rows: Vec<_> = rows.changes.claims.iter().collect();
    execute!(
        client,
        CLAIMS,
        column(&rows, |(hash, _)| hash.as_slice()),
        column(&rows, |(_, (text, _))| &**text),
        column(&rows, |(_, (_, until))| int(*until))
    )
}

async fn clock(client: &ClientWrapper, rows: &Rows) -> Result<(), Trouble> {
    let Some(checkpoint) = rows.changes.clock else { return Ok(()) };
    execute!(client, CLOCK, int(checkpoint.steady), int(checkpoint.wall))
}

async fn in_use(client: &ClientWrapper, rows: &Rows) -> Result<(), Trouble> {
    let statement = client.prepare_cached(IN_USE).await?;
    let now = int(rows.stored);
    for (channels, before) in &rows.changes.in_use {
        let names: Vec<&str> = channels.iter().map(Channel::as_str).collect();
        client.execute(&statement, &[&names, &int(*before), &now]).await?;
    }
    Ok(())
}

async fn revocations(client: &ClientWrapper, rows: &Rows) -> Result<(), Trouble> {
    let rows = &rows.changes.revocations;
    execute!(
        client,
        REVOCATIONS,
        column(rows, |one| match one.subject {
            Subject::Jti(_) => "jti",
            Subject::Session(_) => "session",
            Subject::User(_) => "user",
        }),
        column(rows, |one| match &one.subject {
            Subject::Jti(name) | Subject::Session(name) | Subject::User(name) => name.as_str(),
        }),
        column(rows, |one| int(one.at)),
        column(rows, |one| int(one.until)),
        rows.len() as i64
    )
}
