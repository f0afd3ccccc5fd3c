//! The inbox: the fold of the logs, the loaded items, and the app's view of them.

mod deferred;
mod entry;
mod fold;
mod lookup;
mod marks;
mod pager;
mod view;

pub(crate) use entry::Entry;
pub(crate) use fold::Fold;
pub(crate) use lookup::{Found, Lookup};
pub(crate) use marks::Mark;
pub(crate) use pager::{LoadState, Pager};
pub(crate) use view::{item, overlay};

use tidings_protocol::server::{Page, Snapshot};

use crate::{DeferredLoaded, Filter, InboxStatus, InboxView, outbox::Intents};
use view::{Shown, Views, fitting};

/// The two logs of an inbox, in the order of their channels' names, which sorts items with equal
/// times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Log {
    /// The user's own channel.
    Inbox,
    /// `system:all`.
    System,
}

/// Both logs.
pub(crate) const LOGS: [Log; 2] = [Log::Inbox, Log::System];

/// Removes elements from a list. `Vec::retain` is faster, but takes four times the code for each
/// type of list; these lists are short.
pub(crate) fn drop_where<T>(list: &mut Vec<T>, gone: &dyn Fn(&T) -> bool) {
    let mut index = 0;
    while let Some(value) = list.get(index) {
        if gone(value) {
            drop(list.remove(index));
        } else {
            index += 1;
        }
    }
}

/// The inbox of the current user.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    fold: Option<Fold>,
    /// Counts accesses that may have changed the fold.
    changes: u64,
    /// The inputs of `shown`: the change counts of fold and outbox, and whether the inbox was live.
    made_of: (u64, u64, bool),
    pub(crate) pager: Pager,
    /// The search under way.
    pub(crate) lookup: Option<Box<Lookup>>,
    /// The state that the app was last told of.
    shown: Shown,
    loads: LoadState,
    /// Counts changes of `shown` and `loads`.
    revision: u64,
    views: Views,
}

impl Inbox {
    pub(crate) fn fold(&self) -> Option<&Fold> {
        self.fold.as_ref()
    }

    pub(crate) fn fold_mut(&mut self) -> Option<&mut Fold> {
        self.changes += 1;
        self.fold.as_mut()
    }

    /// Starts from a snapshot of the server or of storage.
    pub(crate) fn start(&mut self, snapshot: &Snapshot, keep: u32) {
        self.changes += 1;
        self.fold = Some(Fold::of_snapshot(snapshot, keep as usize));
        // An earlier page request or search belongs to the old fold.
        self.pager.cut();
        self.lookup = None;
    }

    /// Removes all data of the old user. Loads must have been ended before.
    pub(crate) fn clear(&mut self) {
        self.changes += 1;
        self.fold = None;
        self.pager = Pager::default();
        self.lookup = None;
    }

    /// Adds a requested page below the fold. A page that does not fit is dropped, and the waiting
    /// view asks for it again.
    pub(crate) fn page(&mut self, page: &Page, most: u32) {
        self.changes += 1;
        if let Some(fold) = &mut self.fold
            && let Some(log) = fold.log_of(&page.channel)
        {
            // A page that does not fit any more is requested again; the pager limits the number of
            // its pages.
            let _lost = fold.page(log, page, self.pager.below, most as usize);
        }
    }

    /// Drops marks that no item under way can need.
    pub(crate) fn prune(&mut self) {
        if let Some(fold) = &mut self.fold {
            let system = fold.cursor(Log::System).offset;
            fold.facts.prune(system, self.pager.since());
        }
    }

    /// The log and offset to load next, unless no items are left or the inbox is full.
    pub(crate) fn next_page(&self, most: u32) -> Option<(Log, u64)> {
        self.fold.as_ref().filter(|fold| !fold.full(most as usize)).and_then(Fold::next_page)
    }

    /// Counts changes of what the views show.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// Rebuilds the app's view, if one of its inputs changed.
    pub(crate) fn refresh(
        &mut self,
        live: bool,
        deferred: Option<DeferredLoaded>,
        intents: &Intents,
        most: u32,
    ) {
        let made_of = (self.changes, intents.changes(), live);
        if made_of == self.made_of {
            return;
        }
        self.made_of = made_of;
        let changed = match &self.fold {
            None => core::mem::take(&mut self.shown).status != InboxStatus::Loading,
            Some(fold) => {
                let status = if live { InboxStatus::Live } else { InboxStatus::Cached };
                self.shown.update(fold, status, overlay(deferred, intents), most as usize)
            }
        };
        self.revision += u64::from(changed);
    }

    /// Ends loads that have enough items or can't get more. Returns their calls, and whether no
    /// load is left.
    pub(crate) fn complete_loads(&mut self, most: u32) -> (Vec<u64>, bool) {
        let all = self.fold.is_some() && self.next_page(most).is_none();
        let shown = &self.shown;
        let done = self.pager.complete(all, &|filter| fitting(filter, shown));
        (done, self.pager.is_idle())
    }

    /// Notes the state of loads for the views: the ones under way, and errors.
    pub(crate) fn refresh_loads(&mut self) {
        let loads = self.pager.load_state();
        if loads != self.loads {
            self.loads = loads;
            self.revision += 1;
        }
    }

    /// Number of items that a view shows.
    pub(crate) fn showing(&self, filter: &Filter) -> usize {
        fitting(filter, &self.shown)
    }

    /// All items as the app sees them, newest first, and the fields besides them.
    pub(crate) fn shown(&self) -> &Shown {
        &self.shown
    }

    /// A view; it is the same object as long as its content is.
    pub(crate) fn view(&mut self, filter: &Filter) -> InboxView {
        self.views.get(filter, self.revision, &self.shown, &self.pager)
    }
}
