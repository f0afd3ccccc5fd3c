//! `loadMore`: one page request at a time for all views that wait.

use super::drop_where;
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

/// Changes with what views show of their loads: how many there are, and how often the errors changed.
///
/// That tells all of it, because no single event both begins a load and ends another one well.
pub(crate) type Face = (usize, u64);

/// Loads under way and the last errors, by view.
#[derive(Debug, Default)]
pub(crate) struct Pager {
    loads: Vec<Load>,
    request: Option<Request>,
    errors: Vec<(Filter, Error)>,
    /// Offset below which the last page was asked for.
    pub(crate) below: u64,
    /// Counts changes of `errors`.
    outcomes: u64,
}

impl Pager {
    /// A view wants older items. `false`: too many wait already.
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
        let room = self.loads.len() < LOADS_MAX;
        if room {
            self.loads.push(Load { filter: filter.clone(), calls: vec![call], had, pages: 0 });
        }
        room
    }

    /// Whether a request is wanted and none is out.
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
        let mut place = 0;
        while let Some(load) = self.loads.get_mut(place) {
            let grew = load.pages > 0 && shows(&load.filter) > load.had;
            if all || grew || load.pages >= PAGES_MAX {
                done.append(&mut load.calls);
                self.loads.remove(place);
            } else {
                place += 1;
            }
        }
        done
    }

    /// Ends every load with an error, which its view shows until it loads again. Answers their calls.
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

    /// As far as views show it.
    pub(crate) fn face(&self) -> Face {
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
