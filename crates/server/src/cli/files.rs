//! How many files the process may have open: each link is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tidings_server::Config;

/// What a server has open besides links, those that wait and connections to a database: its log, its listener, a connection to Redis, and some to
/// identity providers.
const OTHERS: u64 = 64;

/// Open files that the settings need, and those that the system gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Files {
    pub(super) needed: u64,
    pub(super) allowed: u64,
}

impl Files {
    /// Raises the soft limit to what the settings need, as far as the hard one lets it.
    pub(super) fn raise(config: &Config) -> Self {
        let links = (config.limits.links + config.limits.accept_queue) as u64;
        let store = (config.store.connections + config.store.readers) as u64;
        let needed = links.saturating_add(store).saturating_add(OTHERS);
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        // None is no limit.
        let most = maximum.unwrap_or(u64::MAX);
        let soft = current.unwrap_or(u64::MAX);
        let wanted = needed.min(most);
        let raised = soft < wanted
            && setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }).is_ok();
        Self { needed, allowed: if raised { wanted } else { soft } }
    }

    pub(super) const fn suffice(self) -> bool {
        self.allowed >= self.needed
    }
}
