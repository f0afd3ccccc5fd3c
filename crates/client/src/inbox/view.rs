//! The app's view: the fold with pending marks on top, filtered into views with a stable identity.

use std::sync::Arc;

use tidings_protocol::Tally;

use super::{LOGS, Pager, deferred, entry::Entry, fold::Fold};
use crate::{
    DeferredLoaded, Filter, InboxStatus, InboxSummary, InboxView, ItemKey, ItemView, Show,
    outbox::{Intent, Intents},
};

/// Most views that are remembered; a view that was dropped is rebuilt with another identity and the
/// same content.
const VIEWS_MAX: usize = 32;

/// The whole inbox, as the app sees it.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub(crate) status: InboxStatus,
    /// All items, newest first.
    pub(crate) items: Arc<[ItemView]>,
    /// Unread and unseen items of both logs.
    pub(crate) tally: Tally,
    /// Whether older items can be loaded.
    pub(crate) has_more: bool,
    /// Whether `items` holds every item.
    pub(crate) complete: bool,
}

impl Shown {
    /// Adds pending marks to the fold. Returns whether anything changed.
    pub(crate) fn update(
        &mut self,
        fold: &Fold,
        status: InboxStatus,
        overlay: Option<Overlay<'_>>,
        most: usize,
    ) -> bool {
        let mut items = Vec::new();
        for entry in fold.entries() {
            if fold.shows(entry) {
                items.push(item(fold, entry, overlay));
            }
        }
        let mut all = Tally::default();
        for &log in &LOGS {
            let one = match overlay {
                Some((deferred, pending)) => deferred::tally(deferred, fold, log, pending),
                None => fold.tally(log),
            };
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

/// Replaces the items, unless they are equal: a reader that compares by identity then sees no
/// change.
fn replace(old: &mut Arc<[ItemView]>, new: Vec<ItemView>) -> bool {
    let differ = old.len() != new.len() || old.iter().zip(&new).any(|(old, new)| differ(old, new));
    if differ {
        *old = Arc::from(new);
    }
    differ
}

/// Pending intents to add to the fold. If there are any, the whole client is loaded, because it
/// made them.
pub(crate) type Overlay<'a> = (DeferredLoaded, &'a [Intent]);

/// The pending intents to add to the fold, if there are any.
pub(crate) fn overlay(deferred: Option<DeferredLoaded>, intents: &Intents) -> Option<Overlay<'_>> {
    let pending = intents.pending();
    deferred.filter(|_| !pending.is_empty()).map(|deferred| (deferred, pending))
}

/// Whether two views of items differ. An item's content never changes, only its states.
fn differ(old: &ItemView, new: &ItemView) -> bool {
    let flags = |item: &ItemView| (item.read, item.seen, item.archived, item.pending);
    old.key != new.key || flags(old) != flags(new)
}

/// One item with pending marks on top.
pub(crate) fn item(fold: &Fold, entry: &Entry, overlay: Option<Overlay<'_>>) -> ItemView {
    let (flags, open) = match overlay {
        Some((deferred, pending)) => deferred::flags(deferred, fold, entry, pending),
        None => (entry.flags, false),
    };
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

/// Views by filter, rebuilt when the inbox changed.
#[derive(Debug, Default)]
pub(crate) struct Views {
    /// In the order of their first use.
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
    /// The view of `shown` and of its loads. As long as `revision` is the same, the view is not
    /// rebuilt.
    pub(crate) fn get(
        &mut self,
        filter: &Filter,
        revision: u64,
        shown: &Shown,
        pager: &Pager,
    ) -> InboxView {
        let mut index = 0;
        while self.list.get(index).is_some_and(|view| view.filter != *filter) {
            index += 1;
        }
        if index >= VIEWS_MAX {
            index -= 1;
            self.list.remove(0);
        }
        if index >= self.list.len() {
            self.list.push(View { filter: filter.clone(), ..View::default() });
        }
        let view = &mut self.list[index];
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
        if filter.fits(item) {
            items.push(item.clone());
        }
    }
    replace(&mut view.items, items);
    let summary = shown.summary(filter);
    view.count = summary.count;
    view.status = summary.status;
    view.unread = summary.unread;
    view.unseen = summary.unseen;
    view.has_more = summary.has_more;
}

/// Number of items in a view.
pub(crate) fn fitting(filter: &Filter, shown: &Shown) -> usize {
    shown.items.iter().filter(|item| filter.fits(item)).count()
}

impl Shown {
    /// The fields of a view besides its items.
    pub(crate) fn summary(&self, filter: &Filter) -> InboxSummary {
        let whole_unread = filter.show == Show::Unread && filter.kinds.is_all();
        let count = if whole_unread {
            Some(self.tally.unread)
        } else {
            self.complete.then(|| fitting(filter, self) as u64)
        };
        InboxSummary {
            status: self.status,
            unread: self.tally.unread,
            unseen: self.tally.unseen,
            count,
            has_more: self.has_more,
        }
    }
}

impl Filter {
    /// Whether the view shows an item.
    #[must_use]
    pub fn fits(&self, item: &ItemView) -> bool {
        let state = match self.show {
            Show::Inbox => !item.archived,
            Show::Unread => !item.archived && !item.read,
            Show::Archived => item.archived,
            Show::All => true,
        };
        state && self.kinds.contains(&item.kind)
    }
}
