//! The limit of open files: each TCP connection needs one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tidings_server::Config;

/// Open files that the settings need, and the limit of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Files {
    pub(super) needed: u64,
    pub(super) allowed: u64,
}

impl Files {
    /// Raises the soft limit to the needed number, up to the hard limit.
    pub(super) fn raise(config: &Config) -> Self {
        let links = (config.limits.links + config.limits.accept_queue) as u64;
        // One more is kept for the next connection.
        let needed = links.saturating_add(1).saturating_add(config.other_files());
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        // `None` means no limit.
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
