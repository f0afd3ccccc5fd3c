//! What the app sees: the fold with pending marks on top, cut into views whose identity is stable.

use std::sync::Arc;

use tidings_protocol::Tally;

use super::{LOGS, Log, Pager, entry::Entry, fold::Fold};
use crate::{Filter, InboxStatus, InboxView, ItemKey, ItemView, Show, intent::Intent};

/// Views remembered; one that was pushed out is rebuilt with a new identity and the same content.
const VIEWS_MAX: usize = 32;

/// The whole inbox as the app sees it.
#[derive(Debug, Default)]
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
    /// Lays pending marks on the fold. Answers whether anything is other than before.
    pub(crate) fn update(
        &mut self,
        fold: &Fold,
        status: InboxStatus,
        pending: &[Intent],
        most: usize,
    ) -> bool {
        let mut items = Vec::new();
        for entry in fold.entries() {
            if fold.shows(entry) {
                items.push(item(fold, entry, pending));
            }
        }
        let mut all = Tally::default();
        for &log in &LOGS {
            let one = tally(fold, log, pending);
            all.unread = all.unread.saturating_add(one.unread);
            all.unseen = all.unseen.saturating_add(one.unseen);
        }
        let complete = fold.next_page().is_none();
        let has_more = !complete && !fold.full(most);

        let other = replace(&mut self.items, items);
        let changed = other
            || (self.status, self.tally, self.has_more, self.complete)
                != (status, all, has_more, complete);
        (self.status, self.tally, self.has_more, self.complete) = (status, all, has_more, complete);
        changed
    }
}

/// Puts new items in the place of old ones, unless they are the same: who compares by identity sees no change then.
fn replace(old: &mut Arc<[ItemView]>, new: Vec<ItemView>) -> bool {
    let differ = **old != *new;
    if differ {
        *old = Arc::from(new);
    }
    differ
}

/// One item with pending marks on top.
pub(crate) fn item(fold: &Fold, entry: &Entry, pending: &[Intent]) -> ItemView {
    let mut flags = entry.flags;
    let mut open = false;
    for intent in pending {
        if intent.covers(fold, entry) {
            flags.apply(intent.body.mark.set);
            open |= !intent.stored();
        }
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
fn tally(fold: &Fold, log: Log, pending: &[Intent]) -> Tally {
    let stated = fold.tally(log);
    if !pending.iter().any(|intent| intent.body.mark.touches(log)) {
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
            if intent.covers(fold, entry) {
                flags.apply(intent.body.mark.set);
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
        let mark = &intent.body.mark;
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

/// Views by filter, rebuilt when what they show was.
#[derive(Debug, Default)]
pub(crate) struct Views {
    /// In the order they were first asked for.
    list: Vec<View>,
}

#[derive(Debug, Default)]
struct View {
    filter: Filter,
    /// The revision it shows.
    built: Option<u64>,
    content: InboxView,
}

impl Views {
    /// The view of `shown` and of its loads, which are as they were as long as `revision` is.
    pub(crate) fn get(
        &mut self,
        filter: &Filter,
        revision: u64,
        shown: &Shown,
        pager: &Pager,
    ) -> InboxView {
        let mut place = 0;
        while self.list.get(place).is_some_and(|view| view.filter != *filter) {
            place += 1;
        }
        if place >= VIEWS_MAX {
            place -= 1;
            self.list.remove(0);
        }
        if place >= self.list.len() {
            self.list.push(View { filter: filter.clone(), ..View::default() });
        }
        let view = &mut self.list[place];
        if view.built != Some(revision) {
            view.built = Some(revision);
            build(&mut view.content, filter, shown);
            view.content.loading_more = pager.loading(filter);
            view.content.error = pager.error(filter);
        }
        view.content.clone()
    }
}

fn build(view: &mut InboxView, filter: &Filter, shown: &Shown) {
    let mut items = Vec::new();
    for item in &*shown.items {
        if fits(filter, item) {
            items.push(item.clone());
        }
    }
    replace(&mut view.items, items);
    let whole_unread = filter.show == Show::Unread && filter.kinds.is_empty();
    view.count = if whole_unread {
        Some(shown.tally.unread)
    } else {
        shown.complete.then_some(view.items.len() as u64)
    };
    view.status = shown.status;
    view.unread = shown.tally.unread;
    view.unseen = shown.tally.unseen;
    view.has_more = shown.has_more;
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
