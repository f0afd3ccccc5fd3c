//! Marks: states of items, the counts that follow, and the record that says so.

use rusqlite::{Connection, params};
use tidings_protocol::{Channel, ErrorCode, MarkSet, Offsets, Tally, UpTo, server::Marked};
use tidings_server_core::{
    inbox::{ItemState, recount},
    store::{Lane, Mark, Place, Refusal, Written},
};

use super::{
    append::{self, Log},
    everyone, inbox,
    row::{int, uint},
};

pub(super) fn mark(
    db: &Connection,
    stored: u64,
    mark: &Mark,
    lane: Option<&Lane>,
) -> rusqlite::Result<Written> {
    let log = inbox::open(db, &mark.user)?;
    let system = append::log(db, &Channel::system())?;
    let foreign = |stated: Option<_>, log: &Log| stated.is_some_and(|stated| stated != log.epoch);
    if foreign(mark.epochs.inbox, &log) || foreign(mark.epochs.system, &system) {
        return Ok(Written::Refused(Refusal { code: ErrorCode::EpochMismatch, expected: None }));
    }
    let up_to = mark.up_to.map(|up_to| UpTo {
        inbox: up_to.inbox.map(|offset| offset.min(log.top)),
        system: up_to.system.map(|offset| offset.min(system.top)),
    });
    let mut covered = Offsets::default();
    let changed = match up_to {
        Some(up_to) => {
            let own = up_to.inbox.map_or(Ok(false), |to| mark_up_to(db, log.id, to, mark.set))?;
            let shared = up_to
                .system
                .map_or(Ok(false), |to| everyone::mark_up_to(db, log.id, &system, to, mark.set))?;
            own || shared
        }
        None => {
            let listed = mark.offsets.clone().unwrap_or_default();
            let own = mark_each(db, log.id, listed.inbox, mark.set)?;
            let shared = everyone::mark_each(db, log.id, &system, listed.system, mark.set)?;
            covered = Offsets { inbox: some(own.covered), system: some(shared.covered) };
            own.changed || shared.changed
        }
    };
    everyone::settle(db, log.id, system.top)?;
    let counts = inbox::counts(db, log.id)?;
    let channel = inbox::address(&mark.user)?;
    if !changed {
        let at = Place { channel, epoch: log.epoch, offset: log.top, id: String::new() };
        return Ok(Written::Unchanged { at, counts: Some(counts) });
    }
    let record = append::append(db, &channel, &mark.id, mark.at, stored, |log| {
        Ok(Marked {
            channel: channel.clone(),
            offset: log.top,
            id: mark.id.clone(),
            at: log.at,
            client_id: lane.map(|lane| lane.client_id.clone()),
            seq: lane.map(|lane| lane.seq),
            offsets: up_to.is_none().then_some(covered),
            up_to,
            set: mark.set,
            counts,
        })
    })?;
    Ok(Written::Records { records: vec![record], counts: Some(counts) })
}

/// What came of marking a list of offsets.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Those that are items of the user.
    pub(super) covered: Vec<u64>,
    /// At least one state is another now.
    pub(super) changed: bool,
}

fn mark_each(
    db: &Connection,
    inbox: i64,
    offsets: Option<Vec<u64>>,
    set: MarkSet,
) -> rusqlite::Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut find = db.prepare_cached(
        "SELECT \"offset\", seen, read, archived FROM item WHERE channel = ?1 AND \"offset\" = ?2",
    )?;
    let mut tally = Shift::default();
    for offset in offsets.into_iter().flatten() {
        let Some((_, before)) =
            find.query_map(params![inbox, int(offset)], state)?.next().transpose()?
        else {
            continue;
        };
        outcome.covered.push(offset);
        outcome.changed |= set_state(db, inbox, offset, before, set, &mut tally)?;
    }
    tally.apply(db, inbox)?;
    Ok(outcome)
}

fn mark_up_to(db: &Connection, inbox: i64, to: u64, set: MarkSet) -> rusqlite::Result<bool> {
    let mut find = db.prepare_cached(
        "SELECT \"offset\", seen, read, archived FROM item
         WHERE channel = ?1 AND \"offset\" <= ?2 AND (seen <> ?3 OR read <> ?4 OR archived <> ?5)",
    )?;
    // `read: true` sets `seen` too. An absent flag is NULL, which differs from nothing: only rows that change are read.
    let seen = if set.read == Some(true) { Some(true) } else { set.seen };
    let found = find.query_map(params![inbox, int(to), seen, set.read, set.archived], state)?;
    let found = found.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut tally = Shift::default();
    let mut changed = false;
    for (offset, before) in found {
        changed |= set_state(db, inbox, offset, before, set, &mut tally)?;
    }
    tally.apply(db, inbox)?;
    Ok(changed)
}

fn set_state(
    db: &Connection,
    inbox: i64,
    offset: u64,
    before: ItemState,
    set: MarkSet,
    tally: &mut Shift,
) -> rusqlite::Result<bool> {
    let after = before.after(set);
    if after == before {
        return Ok(false);
    }
    db.prepare_cached(
        "UPDATE item SET seen = ?3, read = ?4, archived = ?5 WHERE channel = ?1 AND \"offset\" = ?2",
    )?
    .execute(params![inbox, int(offset), after.seen, after.read, after.archived])?;
    tally.add(before, after);
    Ok(true)
}

/// Rows of `offset, seen, read, archived`.
pub(super) fn state(row: &rusqlite::Row<'_>) -> rusqlite::Result<(u64, ItemState)> {
    let state = ItemState { seen: row.get(1)?, read: row.get(2)?, archived: row.get(3)? };
    Ok((uint(row, 0)?, state))
}

/// How the counts move, by the rule every store shares.
#[derive(Debug, Default)]
pub(super) struct Shift {
    unread: i64,
    unseen: i64,
}

impl Shift {
    fn add(&mut self, before: ItemState, after: ItemState) {
        self.count(recount(Tally::default(), None, Some(after)), 1);
        self.count(recount(Tally::default(), None, Some(before)), -1);
    }

    /// An item is gone.
    pub(super) fn remove(&mut self, before: ItemState) {
        self.count(recount(Tally::default(), None, Some(before)), -1);
    }

    fn count(&mut self, tally: Tally, times: i64) {
        self.unread += int(tally.unread) * times;
        self.unseen += int(tally.unseen) * times;
    }

    pub(super) fn apply(&self, db: &Connection, inbox: i64) -> rusqlite::Result<()> {
        if self.unread != 0 || self.unseen != 0 {
            db.prepare_cached(
                "UPDATE inbox SET unread = unread + ?2, unseen = unseen + ?3 WHERE channel = ?1",
            )?
            .execute(params![inbox, self.unread, self.unseen])?;
        }
        Ok(())
    }
}

pub(super) fn some(list: Vec<u64>) -> Option<Vec<u64>> {
    Some(list).filter(|list| !list.is_empty())
}
