//! The inbox: the logs' fold, what is loaded of it, and how the app sees it.

mod entry;
mod fold;
mod lookup;
mod marks;
mod pager;
mod rest;
mod view;

pub(crate) use entry::Entry;
pub(crate) use fold::Fold;
pub(crate) use lookup::{Found, Lookup};
pub(crate) use marks::Mark;
pub(crate) use pager::{Face, Pager};
pub(crate) use view::{item, overlay};

use tidings_protocol::server::{Page, Snapshot};

use crate::{Filter, InboxStatus, InboxView, Rest, outbox::Intents};
use view::{Shown, Views, fitting};

/// The two logs that feed one inbox. The order is that of their channels' names, which sorts equal times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Log {
    /// The user's own channel.
    Inbox,
    /// `system:all`.
    System,
}

/// Both of them.
pub(crate) const LOGS: [Log; 2] = [Log::Inbox, Log::System];

/// Drops what is not wanted any more. `Vec::retain` does the same faster and in four times the code for each kind of
/// list; these are short.
pub(crate) fn drop_where<T>(list: &mut Vec<T>, gone: &dyn Fn(&T) -> bool) {
    let mut place = 0;
    while let Some(value) = list.get(place) {
        if gone(value) {
            drop(list.remove(place));
        } else {
            place += 1;
        }
    }
}

/// The inbox of the current user.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    fold: Option<Fold>,
    /// Counts accesses that may have changed the fold.
    changes: u64,
    /// What `shown` was made of: changes of fold and outbox, and whether it was live.
    made_of: (u64, u64, bool),
    pub(crate) pager: Pager,
    /// The search that is under way.
    pub(crate) lookup: Option<Box<Lookup>>,
    /// What the app was last told.
    shown: Shown,
    loads: Face,
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

    /// Starts from a snapshot, of the server or of storage.
    pub(crate) fn start(&mut self, snapshot: &Snapshot, keep: u32) {
        self.changes += 1;
        self.fold = Some(Fold::of_snapshot(snapshot, keep as usize));
        // A page asked for earlier would be laid under another fold, and a search began below another.
        self.pager.cut();
        self.lookup = None;
    }

    /// Another user: nothing of the old one stays. Loads must have been ended before.
    pub(crate) fn clear(&mut self) {
        self.changes += 1;
        self.fold = None;
        self.pager = Pager::default();
        self.lookup = None;
    }

    /// Lays an expected page under the fold; one that does not fit is dropped, and asked for again by who waits.
    pub(crate) fn page(&mut self, page: &Page, most: u32) {
        self.changes += 1;
        if let Some(fold) = &mut self.fold
            && let Some(log) = fold.log_of(&page.channel)
        {
            // A page that does not fit any more is asked for again: the pager counts its pages.
            let _lost = fold.page(log, page, self.pager.below, most as usize);
        }
    }

    /// Forgets marks that nothing on its way can need.
    pub(crate) fn prune(&mut self) {
        if let Some(fold) = &mut self.fold {
            let system = fold.cursor(Log::System).offset;
            fold.facts.prune(system, self.pager.since());
        }
    }

    /// The log and offset to load from next, unless nothing is left or no room is.
    pub(crate) fn next_page(&self, most: u32) -> Option<(Log, u64)> {
        self.fold.as_ref().filter(|fold| !fold.full(most as usize)).and_then(Fold::next_page)
    }

    /// Grows with each change of what some view shows.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// Rebuilds what the app sees, if something it is made of changed.
    pub(crate) fn refresh(&mut self, live: bool, rest: Option<Rest>, intents: &Intents, most: u32) {
        let made_of = (self.changes, intents.changes(), live);
        if made_of == self.made_of {
            return;
        }
        self.made_of = made_of;
        let changed = match &self.fold {
            None => core::mem::take(&mut self.shown).status != InboxStatus::Loading,
            Some(fold) => {
                let status = if live { InboxStatus::Live } else { InboxStatus::Cached };
                self.shown.update(fold, status, overlay(rest, intents), most as usize)
            }
        };
        self.revision += u64::from(changed);
    }

    /// Ends loads that got what they wanted, or that can't get more. Answers their calls, and whether none is left.
    pub(crate) fn settle_loads(&mut self, most: u32) -> (Vec<u64>, bool) {
        let all = self.fold.is_some() && self.next_page(most).is_none();
        let shown = &self.shown;
        let done = self.pager.settle(all, &|filter| fitting(filter, shown));
        (done, self.pager.is_idle())
    }

    /// Notes what views show beside items: loads under way, and how the last ones failed.
    pub(crate) fn refresh_loads(&mut self) {
        let loads = self.pager.face();
        if loads != self.loads {
            self.loads = loads;
            self.revision += 1;
        }
    }

    /// How many items a view shows.
    pub(crate) fn showing(&self, filter: &Filter) -> usize {
        fitting(filter, &self.shown)
    }

    /// All items as the app sees them, newest first, and what it sees beside them.
    pub(crate) fn shown(&self) -> &Shown {
        &self.shown
    }

    /// A view, the same as long as its content is.
    pub(crate) fn view(&mut self, filter: &Filter) -> InboxView {
        self.views.get(filter, self.revision, &self.shown, &self.pager)
    }
}
