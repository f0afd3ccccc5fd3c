//! `loadMore`: one page request at a time for all waiting views.

use super::drop_where;
use crate::{Error, Filter, pages::REFUSALS_MAX};

/// Most pages that one `loadMore` fetches in search of items for its view.
const PAGES_MAX: u32 = 10;
/// Most views that wait at once.
const LOADS_MAX: usize = 32;
/// Most calls that join one view's load.
const CALLS_MAX: usize = 64;

/// A view that waits for older items.
#[derive(Debug)]
struct Load {
    filter: Filter,
    calls: Vec<u64>,
    /// Number of items it showed at the start; it waits for more than that.
    had: usize,
    pages: u32,
}

/// The page request under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Request {
    id: u64,
    /// Inbox offset when it was sent: later marks may be missing in the page.
    since: u64,
}

/// A value that changes with the state of loads in the views: the number of loads, and how often
/// the errors changed.
///
/// These two suffice, because no single event both starts a load and ends another with success.
pub(crate) type LoadState = (usize, u64);

/// Loads under way and the last errors, by view.
#[derive(Debug, Default)]
pub(crate) struct Pager {
    loads: Vec<Load>,
    request: Option<Request>,
    /// Refusals of pages for the loads under way.
    refusals: u8,
    errors: Vec<(Filter, Error)>,
    /// The offset below which the last page was requested.
    pub(crate) below: u64,
    /// Counts changes of `errors`.
    outcomes: u64,
}

impl Pager {
    /// A view asks for older items. `false`: too many are waiting.
    pub(crate) fn wait(&mut self, filter: &Filter, call: u64, had: usize) -> bool {
        let errors = self.errors.len();
        drop_where(&mut self.errors, &|(other, _)| other == filter);
        self.outcomes += u64::from(errors != self.errors.len());
        if let Some(load) = self.loads.iter_mut().find(|load| load.filter == *filter) {
            let room = load.calls.len() < CALLS_MAX;
            if room {
                load.calls.push(call);
            }
            return room;
        }
        if self.loads.is_empty() {
            self.refusals = 0;
        }
        let room = self.loads.len() < LOADS_MAX;
        if room {
            self.loads.push(Load { filter: filter.clone(), calls: vec![call], had, pages: 0 });
        }
        room
    }

    /// Whether a page is needed and none is under way.
    pub(crate) fn wants_page(&self) -> bool {
        self.request.is_none() && !self.loads.is_empty()
    }

    pub(crate) fn sent(&mut self, id: u64, since: u64, below: u64) {
        self.request = Some(Request { id, since });
        self.below = below;
        for load in &mut self.loads {
            load.pages += 1;
        }
    }

    /// Whether this answers the request under way; if so, the request is done.
    pub(crate) fn take_answer(&mut self, id: Option<u64>) -> bool {
        let ours = self.request.is_some_and(|request| id == Some(request.id));
        if ours {
            self.request = None;
        }
        ours
    }

    /// A page was refused for now. Returns whether the loads wait for another answer.
    pub(crate) fn outlasts(&mut self) -> bool {
        self.refusals = self.refusals.saturating_add(1);
        for load in &mut self.loads {
            load.pages = load.pages.saturating_sub(1);
        }
        self.refusals <= REFUSALS_MAX
    }

    /// The connection ended, and the request with it; the views go on waiting.
    pub(crate) fn cut(&mut self) {
        self.request = None;
    }

    /// The inbox offset from which marks must be remembered for the page under way.
    pub(crate) fn since(&self) -> Option<u64> {
        self.request.map(|request| request.since)
    }

    /// Ends the loads that have enough items; `all`: no more can come. Returns their calls.
    pub(crate) fn complete(&mut self, all: bool, shows: &dyn Fn(&Filter) -> usize) -> Vec<u64> {
        let mut done = Vec::new();
        if self.request.is_some() {
            return done;
        }
        let mut index = 0;
        while let Some(load) = self.loads.get_mut(index) {
            let grew = load.pages > 0 && shows(&load.filter) > load.had;
            if all || grew || load.pages >= PAGES_MAX {
                done.append(&mut load.calls);
                self.loads.remove(index);
            } else {
                index += 1;
            }
        }
        done
    }

    /// Ends every load with an error, which its view shows until it loads again. Returns their
    /// calls.
    pub(crate) fn fail(&mut self, error: &Error) -> Vec<u64> {
        let mut done = Vec::new();
        self.request = None;
        self.outcomes += 1;
        while !self.loads.is_empty() {
            let mut load = self.loads.remove(0);
            done.append(&mut load.calls);
            if self.errors.len() >= LOADS_MAX {
                self.errors.remove(0);
            }
            self.errors.push((load.filter, error.clone()));
        }
        done
    }

    /// The state of loads, as far as views show it.
    pub(crate) fn load_state(&self) -> LoadState {
        (self.loads.len(), self.outcomes)
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.loads.is_empty()
    }

    pub(crate) fn loading(&self, filter: &Filter) -> bool {
        self.loads.iter().any(|load| load.filter == *filter)
    }

    pub(crate) fn error(&self, filter: &Filter) -> Option<Error> {
        self.errors.iter().find(|(other, _)| other == filter).map(|(_, error)| error.clone())
    }
}
