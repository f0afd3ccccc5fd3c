//! Locks and loads the rows of a batch, in one round trip.

use std::collections::BTreeMap;

use deadpool_postgres::ClientWrapper;
use tidings_protocol::{Channel, SystemCounts, Tally};
use tidings_server_core::{
    inbox::ItemState,
    log::{FirstAnswer, Inbox, KeyRow, LaneRow, Log, Needs, Rows},
};
use tokio_postgres::{Row, Statement, types::ToSql};

use super::{
    commit::Known,
    row::{Trouble, epoch, int, uint},
    turns,
};
use crate::log::{answer, gone, new_epoch};

const TURNS: &str = "SELECT pg_advisory_xact_lock(turn) FROM unnest($1::int8[]) AS turn";

/// Inserts in the order of names, in which rows are locked too: two nodes that make the same
/// channels can't deadlock. A channel that may be removed starts with `empty_since` 0, so the next
/// trim removes it if it got no record. A removed channel continues with its remembered epoch.
const MAKE: &str = "INSERT INTO channel (name, epoch, first, top, at, empty_since)
    SELECT t.name, coalesce(g.epoch, t.epoch), CASE WHEN g.hash IS NULL THEN 1 ELSE 2 END,
        CASE WHEN g.hash IS NULL THEN 0 ELSE 1 END, 0,
        CASE WHEN t.name <> 'system:all' AND t.name NOT LIKE 'inbox:%' THEN 0 END
    FROM unnest($1::text[], $2::text[], $3::int8[]) AS t (name, epoch, hash)
    LEFT JOIN gone g ON g.hash = t.hash
    ORDER BY t.name COLLATE \"C\" ON CONFLICT (name) DO NOTHING";

const LOCK: &str = "SELECT name, id, epoch, first, top, at FROM channel
    WHERE name = ANY($1) ORDER BY name FOR NO KEY UPDATE";

const LOOK: &str = "SELECT name, id, epoch, first, top, at FROM channel WHERE name = ANY($1)";

const KEYS: &str = "SELECT i.credential, i.key, i.fingerprint, i.answer
    FROM idempotency i JOIN unnest($1::text[], $2::text[]) AS t (credential, key)
    ON i.credential = t.credential AND i.key = t.key";

/// Counts the lanes of each user with a new lane.
const LANE_COUNTS: &str = "SELECT u.username,
        (SELECT count(*) FROM (SELECT FROM lane l WHERE l.username = u.username LIMIT u.most) AS one)
    FROM (
        SELECT t.username, max(t.most) AS most
        FROM unnest($1::text[], $2::text[], $3::int8[]) AS t (username, client_id, most)
        WHERE NOT EXISTS (
            SELECT FROM lane l WHERE l.username = t.username AND l.client_id = t.client_id
        ) GROUP BY t.username
    ) AS u";

const LANES: &str = "SELECT l.username, l.client_id, l.last, a.seq, a.answer, l.has_record
    FROM unnest($1::text[], $2::text[], $3::int8[]) AS t (username, client_id, seq)
    JOIN lane l ON l.username = t.username AND l.client_id = t.client_id
    LEFT JOIN lane_answer a ON a.lane = l.id AND a.seq = t.seq";

const INBOXES: &str = "SELECT i.channel, i.items, i.unread, i.unseen, i.system_from, i.system_at,
        i.system_unread, i.system_unseen, i.system_seen_to, i.system_read_to, i.system_archived_to
    FROM inbox i JOIN channel c ON c.id = i.channel WHERE c.name = ANY($1)";

const STATES: &str = "SELECT s.inbox, s.\"offset\", s.seen, s.read, s.archived
    FROM system_state s JOIN channel c ON c.id = s.inbox WHERE c.name = ANY($1)";

const ITEMS: &str = "SELECT i.channel, i.\"offset\", i.seen, i.read, i.archived
    FROM unnest($1::text[], $2::int8[]) AS t (name, \"offset\")
    JOIN channel c ON c.name = t.name JOIN item i ON i.channel = c.id AND i.\"offset\" = t.\"offset\"";

const ITEMS_TO: &str = "SELECT i.channel, i.\"offset\", i.seen, i.read, i.archived
    FROM unnest($1::text[], $2::int8[]) AS t (name, \"offset\")
    JOIN channel c ON c.name = t.name JOIN item i ON i.channel = c.id AND i.\"offset\" <= t.\"offset\"";

type Value<'a> = &'a (dyn ToSql + Sync);

/// Locks and reads the rows that the writes need. `None`: a channel that this node took for known
/// has no row, so the batch must be tried again.
pub(super) async fn load(
    client: &ClientWrapper,
    known: &Known,
    needs: &Needs,
) -> Result<Option<Rows>, Trouble> {
    let turns = turns::of(needs);
    let channels = needs.channels();
    let unknown: Vec<&str> = known.missing(&channels);
    let epoch_of = |_: &&str| Ok(new_epoch(getrandom::u64()?).as_str().to_owned());
    let epochs = unknown
        .iter()
        .map(epoch_of)
        .collect::<Result<Vec<String>, getrandom::Error>>()
        .map_err(|error| Trouble::damaged(error.to_string()))?;
    let logs: Vec<&str> = needs.logs.iter().map(Channel::as_str).collect();
    // Read without a lock. Otherwise a broadcast would wait for all inboxes that are being opened.
    let looked_at: Vec<&str> = match needs.system && !needs.logs.contains(&Channel::system()) {
        true => vec![Channel::SYSTEM],
        false => Vec::new(),
    };
    let (credentials, keys) = columns(&needs.keys);
    let users: Vec<&str> = needs.seqs.iter().map(|(user, ..)| user.as_str()).collect();
    let client_ids: Vec<&str> = needs.seqs.iter().map(|(_, id, _)| id.as_str()).collect();
    let seqs: Vec<i64> = needs.seqs.iter().map(|(.., seq)| int(*seq)).collect();
    let (lane_users, lane_ids) = columns(needs.lanes.keys());
    let most: Vec<i64> = needs.lanes.values().map(|most| int(*most)).collect();
    let inboxes: Vec<&str> = needs.inboxes.iter().map(Channel::as_str).collect();
    let states: Vec<&str> = needs.states.iter().map(Channel::as_str).collect();
    let item_names: Vec<&str> = needs.items.iter().map(|(name, _)| name.as_str()).collect();
    let item_offsets: Vec<i64> = needs.items.iter().map(|(_, offset)| int(*offset)).collect();
    let to_names: Vec<&str> = needs.items_to.keys().map(Channel::as_str).collect();
    let to_offsets: Vec<i64> = needs.items_to.values().map(|offset| int(*offset)).collect();

    // Statements are sent in the order in which they are polled: locks first. Each statement sees
    // the commits before its own start, so the reads see the rows as locked.
    let turns: [Value<'_>; 1] = [&turns];
    let hashes: Vec<i64> = unknown.iter().map(|name| gone::hash(name)).collect();
    let made: [Value<'_>; 3] = [&unknown, &epochs, &hashes];
    let locked: [Value<'_>; 1] = [&logs];
    let looked: [Value<'_>; 1] = [&looked_at];
    let keyed: [Value<'_>; 2] = [&credentials, &keys];
    let laned: [Value<'_>; 3] = [&users, &client_ids, &seqs];
    let counted: [Value<'_>; 3] = [&lane_users, &lane_ids, &most];
    let opened: [Value<'_>; 1] = [&inboxes];
    let stated: [Value<'_>; 1] = [&states];
    let listed: [Value<'_>; 2] = [&item_names, &item_offsets];
    let up_to: [Value<'_>; 2] = [&to_names, &to_offsets];
    let (_, _, locked, seen, keys, lanes, counts, inboxes, states, items, items_to) = tokio::try_join!(
        ask(client, TURNS, needs.keys.is_empty() && needs.lanes.is_empty(), &turns),
        ask(client, MAKE, unknown.is_empty(), &made),
        ask(client, LOCK, logs.is_empty(), &locked),
        ask(client, LOOK, looked_at.is_empty(), &looked),
        ask(client, KEYS, keys.is_empty(), &keyed),
        ask(client, LANES, seqs.is_empty(), &laned),
        ask(client, LANE_COUNTS, lane_ids.is_empty(), &counted),
        ask(client, INBOXES, inboxes.is_empty(), &opened),
        ask(client, STATES, states.is_empty(), &stated),
        ask(client, ITEMS, item_names.is_empty(), &listed),
        ask(client, ITEMS_TO, to_names.is_empty(), &up_to),
    )?;
    if locked.len() + seen.len() < channels.len() {
        known.forget(&channels);
        return Ok(None);
    }
    let mut loaded = Rows::default();
    for row in locked.iter().chain(&seen) {
        let channel = Channel::parse(row.get::<_, &str>(0))
            .map_err(|error| Trouble::damaged(error.to_string()))?;
        let log = Log {
            id: row.get(1),
            epoch: epoch(row.get(2))?,
            first: uint(row.get(3))?,
            top: uint(row.get(4))?,
            at: uint(row.get(5))?,
        };
        loaded.logs.insert(channel, log);
    }
    loaded.keys = keys.iter().map(key).collect::<Result<_, Trouble>>()?;
    loaded.lanes = lanes_of(&lanes)?;
    for row in &counts {
        loaded.lane_counts.insert(row.get(0), uint(row.get(1))?);
    }
    for row in &inboxes {
        loaded.inboxes.insert(row.get(0), inbox(row)?);
    }
    for row in &states {
        loaded.states.insert((row.get(0), uint(row.get(1))?), state(row));
    }
    for row in items.iter().chain(&items_to) {
        loaded.items.insert((row.get(0), uint(row.get(1))?), state(row));
    }
    Ok(Some(loaded))
}

async fn ask(
    client: &ClientWrapper,
    sql: &str,
    skip: bool,
    values: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, Trouble> {
    if skip {
        return Ok(Vec::new());
    }
    let statement: Statement = client.prepare_cached(sql).await?;
    Ok(client.query(&statement, values).await?)
}

/// Prepares all statements on a connection. Later statements are then sent at once, in the order of
/// their calls.
pub(super) async fn prepare(client: &ClientWrapper) -> Result<(), Trouble> {
    for sql in [TURNS, MAKE, LOCK, LOOK, KEYS, LANES, LANE_COUNTS, INBOXES, STATES, ITEMS, ITEMS_TO]
    {
        client.prepare_cached(sql).await?;
    }
    Ok(())
}

fn columns<'a>(
    pairs: impl IntoIterator<Item = &'a (String, String)>,
) -> (Vec<&'a str>, Vec<&'a str>) {
    pairs.into_iter().map(|(one, two)| (one.as_str(), two.as_str())).unzip()
}

fn key(row: &Row) -> Result<((String, String), KeyRow), Trouble> {
    let key = KeyRow { fingerprint: row.get(2), answer: first_answer(row.get(3))?, at: 0 };
    Ok(((row.get(0), row.get(1)), key))
}

fn first_answer(text: &str) -> Result<FirstAnswer, Trouble> {
    let damaged = |error| Trouble::damaged(format!("a stored answer is damaged: {error}"));
    answer::decode(text).map_err(damaged)
}

fn lanes_of(rows: &[Row]) -> Result<BTreeMap<(String, String), LaneRow>, Trouble> {
    let mut lanes: BTreeMap<(String, String), LaneRow> = BTreeMap::new();
    for row in rows {
        let lane = lanes.entry((row.get(0), row.get(1))).or_default();
        lane.last = uint(row.get(2))?;
        lane.has_record = row.get(5);
        if let (Some(seq), Some(answer)) = (row.get::<_, Option<i64>>(3), row.get(4)) {
            lane.answers.insert(uint(seq)?, first_answer(answer)?);
        }
    }
    Ok(lanes)
}

fn inbox(row: &Row) -> Result<Inbox, Trouble> {
    let number = |column| uint(row.get::<_, i64>(column));
    Ok(Inbox {
        items: number(1)?,
        tally: Tally { unread: number(2)?, unseen: number(3)? },
        system_from: number(4)?,
        system: SystemCounts { at: number(5)?, unread: number(6)?, unseen: number(7)? },
        seen_to: number(8)?,
        read_to: number(9)?,
        archived_to: number(10)?,
    })
}

fn state(row: &Row) -> ItemState {
    ItemState { seen: row.get(2), read: row.get(3), archived: row.get(4) }
}
