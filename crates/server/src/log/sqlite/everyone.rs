//! States of everyone-messages, which are stored once for all: a user has three watermarks and a row for each message
//! whose state they don't tell.

use rusqlite::{Connection, params};
use tidings_protocol::MarkSet;
use tidings_server_core::inbox::ItemState;

use super::{
    append::Log,
    marks::{Outcome, state},
    row::{int, uint},
};

/// What a user's row says of everyone-messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks {
    /// Messages after this offset are the user's.
    pub(super) from: u64,
    seen_to: u64,
    read_to: u64,
    archived_to: u64,
}

impl Marks {
    pub(super) fn of(db: &Connection, inbox: i64) -> rusqlite::Result<Self> {
        db.prepare_cached(
            "SELECT system_from, system_seen_to, system_read_to, system_archived_to FROM inbox WHERE channel = ?1",
        )?
        .query_row([inbox], |row| {
            Ok(Self {
                from: uint(row, 0)?,
                seen_to: uint(row, 1)?,
                read_to: uint(row, 2)?,
                archived_to: uint(row, 3)?,
            })
        })
    }

    /// The state of a message without a row of its own.
    pub(super) const fn state(self, offset: u64) -> ItemState {
        ItemState {
            seen: offset <= self.seen_to,
            read: offset <= self.read_to,
            archived: offset <= self.archived_to,
        }
    }

    /// Watermarks of seen, read and archived.
    pub(super) const fn watermarks(self) -> [u64; 3] {
        [self.seen_to, self.read_to, self.archived_to]
    }

    fn store(self, db: &Connection, inbox: i64) -> rusqlite::Result<()> {
        db.prepare_cached(
            "UPDATE inbox SET system_seen_to = ?2, system_read_to = ?3, system_archived_to = ?4 WHERE channel = ?1",
        )?
        .execute(params![inbox, int(self.seen_to), int(self.read_to), int(self.archived_to)])?;
        Ok(())
    }
}

pub(super) fn mark_each(
    db: &Connection,
    inbox: i64,
    system: &Log,
    offsets: Option<Vec<u64>>,
    set: MarkSet,
) -> rusqlite::Result<Outcome> {
    let mut outcome = Outcome::default();
    let Some(offsets) = offsets else { return Ok(outcome) };
    let marks = Marks::of(db, inbox)?;
    for offset in offsets {
        if offset <= marks.from || offset > system.top {
            continue;
        }
        outcome.covered.push(offset);
        let before = own_state(db, inbox, offset)?.unwrap_or_else(|| marks.state(offset));
        let after = before.after(set);
        if after != before {
            outcome.changed = true;
            put(db, inbox, offset, after)?;
        }
    }
    Ok(outcome)
}

pub(super) fn mark_up_to(
    db: &Connection,
    inbox: i64,
    system: &Log,
    to: u64,
    set: MarkSet,
) -> rusqlite::Result<bool> {
    let mut marks = Marks::of(db, inbox)?;
    if to <= marks.from {
        return Ok(false);
    }
    let mut changed = false;
    let mut rows = Vec::new();
    for (offset, before) in own_states(db, inbox, marks.from, to)? {
        rows.push(offset);
        let after = before.after(set);
        if after != before {
            changed = true;
            put(db, inbox, offset, after)?;
        }
    }
    let before = marks;
    // `read: true` sets `seen` last, so it wins over `seen: false` of the same mark.
    let seen = if set.read == Some(true) { Some(true) } else { set.seen };
    let undone =
        [(seen, marks.seen_to), (set.read, marks.read_to), (set.archived, marks.archived_to)];
    // Undoing a flag takes its watermark away: what lies above `to` keeps the flag in a row of its own.
    let highest =
        undone.iter().filter(|(flag, _)| *flag == Some(false)).map(|(_, mark)| *mark).max();
    for offset in to + 1..=highest.unwrap_or(0).min(system.top) {
        if own_state(db, inbox, offset)?.is_none() {
            put(db, inbox, offset, before.state(offset))?;
        }
    }
    let moved = |flag: Option<bool>, mark: u64| match flag {
        Some(true) => mark.max(to),
        Some(false) => 0,
        None => mark,
    };
    marks.seen_to = moved(seen, marks.seen_to);
    marks.read_to = moved(set.read, marks.read_to);
    marks.archived_to = moved(set.archived, marks.archived_to);
    marks.store(db, inbox)?;
    // Arithmetic only, and it ends at the first one: nothing is read for messages without a row.
    Ok(changed
        || (marks.from + 1..=to).any(|offset| {
            before.state(offset).after(set) != before.state(offset)
                && rows.binary_search(&offset).is_err()
        }))
}

/// Counts the user's everyone-messages up to `top` anew. Cheap: rows exist for marked ones only.
pub(super) fn settle(db: &Connection, inbox: i64, top: u64) -> rusqlite::Result<()> {
    let marks = Marks::of(db, inbox)?;
    let (mut unread, mut unseen) = (0, 0);
    let own = own_states(db, inbox, marks.from, top)?;
    for (offset, state) in &own {
        let tally = state.tally();
        let implied = marks.state(*offset).tally();
        unread += int(tally.unread) - int(implied.unread);
        unseen += int(tally.unseen) - int(implied.unseen);
    }
    let above = |mark: u64| {
        let hidden = mark.max(marks.archived_to).max(marks.from);
        int(top.saturating_sub(hidden))
    };
    db.prepare_cached(
        "UPDATE inbox SET system_unread = ?2, system_unseen = ?3, system_at = ?4
         WHERE channel = ?1 AND (system_unread <> ?2 OR system_unseen <> ?3 OR system_at <> ?4)",
    )?
    .execute(params![
        inbox,
        above(marks.read_to) + unread,
        above(marks.seen_to) + unseen,
        int(top)
    ])?;
    Ok(())
}

fn own_state(db: &Connection, inbox: i64, offset: u64) -> rusqlite::Result<Option<ItemState>> {
    Ok(own_states(db, inbox, offset.saturating_sub(1), offset)?.pop().map(|(_, state)| state))
}

/// Rows above `from`, up to `to`, in order.
fn own_states(
    db: &Connection,
    inbox: i64,
    from: u64,
    to: u64,
) -> rusqlite::Result<Vec<(u64, ItemState)>> {
    db.prepare_cached(
        "SELECT \"offset\", seen, read, archived FROM system_state
         WHERE inbox = ?1 AND \"offset\" > ?2 AND \"offset\" <= ?3 ORDER BY \"offset\"",
    )?
    .query_map(params![inbox, int(from), int(to)], state)?
    .collect()
}

fn put(db: &Connection, inbox: i64, offset: u64, state: ItemState) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO system_state (inbox, \"offset\", seen, read, archived) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (inbox, \"offset\") DO UPDATE SET seen = ?3, read = ?4, archived = ?5",
    )?
    .execute(params![inbox, int(offset), state.seen, state.read, state.archived])?;
    Ok(())
}
