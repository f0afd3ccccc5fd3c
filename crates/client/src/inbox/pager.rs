//! `loadMore`: one page request at a time for all views that wait.

use crate::{Error, Filter};

/// Pages one `loadMore` may fetch in search of items that fit its view.
const PAGES_MAX: u32 = 10;
/// Views that can wait at once.
const LOADS_MAX: usize = 32;
/// Calls that can join one view's load.
const CALLS_MAX: usize = 64;

/// A view that waits for older items.
#[derive(Debug)]
struct Load {
    filter: Filter,
    calls: Vec<u64>,
    /// Items it showed when it began; more than that is what it waits for.
    had: usize,
    pages: u32,
}

/// The page request that is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Request {
    id: u64,
    /// Inbox offset when it was sent: marks after it may be missing in the page.
    since: u64,
}

/// What views show of their loads.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Face {
    loading: Vec<Filter>,
    errors: Vec<(Filter, Error)>,
}

/// Loads under way and the last errors, by view.
#[derive(Debug, Default)]
pub(crate) struct Pager {
    loads: Vec<Load>,
    request: Option<Request>,
    errors: Vec<(Filter, Error)>,
}

impl Pager {
    /// A view wants older items. `false`: too many wait already.
    pub(crate) fn wait(&mut self, filter: Filter, call: u64, had: usize) -> bool {
        self.errors.retain(|(other, _)| *other != filter);
        if let Some(load) = self.loads.iter_mut().find(|load| load.filter == filter) {
            let room = load.calls.len() < CALLS_MAX;
            if room {
                load.calls.push(call);
            }
            return room;
        }
        let room = self.loads.len() < LOADS_MAX;
        if room {
            self.loads.push(Load { filter, calls: vec![call], had, pages: 0 });
        }
        room
    }

    /// Whether a request is wanted and none is out.
    pub(crate) fn wants_page(&self) -> bool {
        self.request.is_none() && !self.loads.is_empty()
    }

    pub(crate) fn sent(&mut self, id: u64, since: u64) {
        self.request = Some(Request { id, since });
        for load in &mut self.loads {
            load.pages += 1;
        }
    }

    /// Whether this answers the request that is out; it is out no more then.
    pub(crate) fn take_answer(&mut self, id: Option<u64>) -> bool {
        let ours = self.request.is_some_and(|request| id == Some(request.id));
        if ours {
            self.request = None;
        }
        ours
    }

    /// The connection is gone, and the request with it; the views wait on.
    pub(crate) fn cut(&mut self) {
        self.request = None;
    }

    /// Inbox offset from which marks must be remembered for the page that is on its way.
    pub(crate) fn since(&self) -> Option<u64> {
        self.request.map(|request| request.since)
    }

    /// Ends the loads that got what they wanted; `all`: nothing more can come. Answers their calls.
    pub(crate) fn settle(&mut self, all: bool, shows: &dyn Fn(&Filter) -> usize) -> Vec<u64> {
        let mut done = Vec::new();
        if self.request.is_some() {
            return done;
        }
        self.loads.retain_mut(|load| {
            let grew = load.pages > 0 && shows(&load.filter) > load.had;
            let ends = all || grew || load.pages >= PAGES_MAX;
            if ends {
                done.append(&mut load.calls);
            }
            !ends
        });
        done
    }

    /// Ends every load with an error, which its view shows until it loads again. Answers their calls.
    pub(crate) fn fail(&mut self, error: &Error) -> Vec<u64> {
        let mut done = Vec::new();
        self.request = None;
        for load in self.loads.drain(..) {
            done.extend(load.calls);
            self.errors.push((load.filter, error.clone()));
        }
        let over = self.errors.len().saturating_sub(LOADS_MAX);
        self.errors.drain(..over);
        done
    }

    /// As far as views show it.
    pub(crate) fn face(&self) -> Face {
        let loading = self.loads.iter().map(|load| load.filter.clone()).collect();
        Face { loading, errors: self.errors.clone() }
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
