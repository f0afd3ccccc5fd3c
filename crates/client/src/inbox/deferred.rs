//! Pending marks on top of the fold: a page needs this code only after the user's first mark.

use tidings_protocol::Tally;

use super::{
    Log,
    entry::{Entry, Flags},
    fold::Fold,
};
use crate::{DeferredLoaded, outbox::Intent};

/// An item's flags with pending marks on top, and whether one of these marks has no answer yet.
#[inline(never)]
pub(crate) fn flags(
    _: DeferredLoaded,
    fold: &Fold,
    entry: &Entry,
    pending: &[Intent],
) -> (Flags, bool) {
    let mut flags = entry.flags;
    let mut open = false;
    for intent in pending {
        if let Some(mark) = intent.mark()
            && intent.covers(fold, entry)
        {
            flags.apply(mark.set);
            open |= !intent.stored();
        }
    }
    (flags, open)
}

/// Counts of one log with pending marks on top.
///
/// Loaded items are counted one by one. The rest of the server's count are items that are not
/// loaded: a pending mark of single items does not change them, a mark of all items covers them
/// too.
#[inline(never)]
pub(crate) fn tally(_: DeferredLoaded, fold: &Fold, log: Log, pending: &[Intent]) -> Tally {
    let stated = fold.tally(log);
    if !pending.iter().any(|intent| intent.mark().is_some_and(|mark| mark.touches(log))) {
        return stated;
    }
    let (mut known, mut shown) = (Tally::default(), Tally::default());
    for entry in fold.entries() {
        if entry.log != log {
            continue;
        }
        let mut flags = entry.flags;
        known.unread += u64::from(flags.unread());
        known.unseen += u64::from(flags.unseen());
        for intent in pending {
            if let Some(mark) = intent.mark()
                && intent.covers(fold, entry)
            {
                flags.apply(mark.set);
            }
        }
        shown.unread += u64::from(flags.unread());
        shown.unseen += u64::from(flags.unseen());
    }
    let mut unknown = Tally {
        unread: stated.unread.saturating_sub(known.unread),
        unseen: stated.unseen.saturating_sub(known.unseen),
    };
    for intent in pending {
        let Some(mark) = intent.mark() else { continue };
        if !mark.sweeps(log) || !intent.current(fold, log) {
            continue;
        }
        let away = mark.set.archived == Some(true) || mark.set.read == Some(true);
        if away {
            unknown.unread = 0;
        }
        if away || mark.set.seen == Some(true) {
            unknown.unseen = 0;
        }
    }
    Tally {
        unread: unknown.unread.saturating_add(shown.unread),
        unseen: unknown.unseen.saturating_add(shown.unseen),
    }
}
