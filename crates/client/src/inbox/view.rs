//! What the app sees: the fold with pending marks on top, cut into views whose identity is stable.

use std::sync::Arc;

use tidings_protocol::Tally;

use super::{Log, entry::Entry, fold::Fold};
use crate::{Filter, InboxStatus, InboxView, ItemKey, ItemView, Show, intent::Pending};

/// Views remembered; one that was pushed out is rebuilt with a new identity and the same content.
const VIEWS_MAX: usize = 32;

/// The whole inbox as the app sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Shown {
    pub(crate) status: InboxStatus,
    /// All states, newest first.
    pub(crate) items: Arc<[ItemView]>,
    /// Unread and unseen of both logs.
    pub(crate) tally: Tally,
    /// Older items can be loaded.
    pub(crate) has_more: bool,
    /// Every item there is is in `items`.
    pub(crate) complete: bool,
}

impl Shown {
    /// Lays pending marks on the fold.
    pub(crate) fn of(
        fold: &Fold,
        status: InboxStatus,
        pending: &[Pending<'_>],
        most: usize,
    ) -> Self {
        let complete = fold.next_page().is_none();
        let (inbox, system) = (tally(fold, Log::Inbox, pending), tally(fold, Log::System, pending));
        let mut items = Vec::new();
        for entry in fold.entries() {
            if fold.shows(entry) {
                items.push(item(fold, entry, pending));
            }
        }
        Self {
            status,
            items: items.into(),
            tally: Tally {
                unread: inbox.unread.saturating_add(system.unread),
                unseen: inbox.unseen.saturating_add(system.unseen),
            },
            has_more: !complete && !fold.full(most),
            complete,
        }
    }
}

/// One item with pending marks on top.
pub(crate) fn item(fold: &Fold, entry: &Entry, pending: &[Pending<'_>]) -> ItemView {
    let mut flags = entry.flags;
    let mut open = false;
    for intent in pending.iter().filter(|intent| intent.covers(fold, entry)) {
        flags.apply(intent.mark.set);
        open |= !intent.answered();
    }
    ItemView {
        key: ItemKey {
            channel: fold.channel_of(entry.log),
            epoch: fold.cursor(entry.log).epoch,
            offset: entry.offset,
        },
        id: entry.id.clone(),
        kind: entry.kind.clone(),
        at: entry.at,
        read: flags.read,
        seen: flags.seen,
        archived: flags.archived,
        pending: open,
        data: entry.data.clone(),
    }
}

/// Counts of one log with pending marks on top.
///
/// Loaded items are counted one by one. The rest of the server's count are items that aren't loaded: a pending mark
/// of single items leaves them alone; one of everything sweeps them too.
fn tally(fold: &Fold, log: Log, pending: &[Pending<'_>]) -> Tally {
    let stated = fold.tally(log);
    if !pending.iter().any(|intent| intent.mark.touches(log)) {
        return stated;
    }
    let (mut known, mut shown) = (Tally::default(), Tally::default());
    for entry in fold.entries().iter().filter(|entry| entry.log == log) {
        let mut flags = entry.flags;
        known.unread += u64::from(flags.unread());
        known.unseen += u64::from(flags.unseen());
        for intent in pending.iter().filter(|intent| intent.covers(fold, entry)) {
            flags.apply(intent.mark.set);
        }
        shown.unread += u64::from(flags.unread());
        shown.unseen += u64::from(flags.unseen());
    }
    let mut unknown = Tally {
        unread: stated.unread.saturating_sub(known.unread),
        unseen: stated.unseen.saturating_sub(known.unseen),
    };
    for intent in
        pending.iter().filter(|intent| intent.mark.sweeps(log) && intent.current(fold, log))
    {
        let away = intent.mark.set.archived == Some(true);
        let read = intent.mark.set.read == Some(true);
        if away || read {
            unknown.unread = 0;
        }
        if away || read || intent.mark.set.seen == Some(true) {
            unknown.unseen = 0;
        }
    }
    Tally {
        unread: unknown.unread.saturating_add(shown.unread),
        unseen: unknown.unseen.saturating_add(shown.unseen),
    }
}

/// Views by filter, rebuilt when what they show was.
#[derive(Debug, Default)]
pub(crate) struct Views {
    /// Most recently used last.
    list: Vec<(Filter, u64, InboxView)>,
}

impl Views {
    /// The view of `shown` at `revision`; `make` adds what only the view itself knows.
    pub(crate) fn get(
        &mut self,
        filter: &Filter,
        revision: u64,
        shown: &Shown,
        finish: &dyn Fn(&mut InboxView),
    ) -> InboxView {
        let old = self
            .list
            .iter()
            .position(|(known, _, _)| known == filter)
            .map(|place| self.list.remove(place));
        let view = match old {
            Some((_, built, view)) if built == revision => view,
            old => {
                let mut view = build(filter, shown, old.map(|(_, _, view)| view.items));
                finish(&mut view);
                view
            }
        };
        if self.list.len() >= VIEWS_MAX {
            self.list.remove(0);
        }
        self.list.push((filter.clone(), revision, view.clone()));
        view
    }
}

fn build(filter: &Filter, shown: &Shown, old: Option<Arc<[ItemView]>>) -> InboxView {
    let mut fitting = Vec::new();
    for item in shown.items.iter() {
        if fits(filter, item) {
            fitting.push(item.clone());
        }
    }
    let items = match old {
        Some(old) if *old == *fitting => old,
        _ => fitting.into(),
    };
    let whole_unread = filter.show == Show::Unread && filter.kinds.is_empty();
    let count = if whole_unread {
        Some(shown.tally.unread)
    } else {
        shown.complete.then_some(items.len() as u64)
    };
    InboxView {
        status: shown.status,
        items,
        unread: shown.tally.unread,
        unseen: shown.tally.unseen,
        count,
        has_more: shown.has_more,
        loading_more: false,
        error: None,
    }
}

/// Items of a view.
pub(crate) fn fitting(filter: &Filter, shown: &Shown) -> usize {
    shown.items.iter().filter(|item| fits(filter, item)).count()
}

fn fits(filter: &Filter, item: &ItemView) -> bool {
    let state = match filter.show {
        Show::Inbox => !item.archived,
        Show::Unread => !item.archived && !item.read,
        Show::Archived => item.archived,
        Show::All => true,
    };
    state && (filter.kinds.is_empty() || filter.kinds.iter().any(|kind| **kind == *item.kind))
}
