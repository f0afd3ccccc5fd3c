//! Open files: each link is one, and the rest of the process needs some too.

use std::io;

use rustix::{
    io::Errno,
    process::{Resource, getrlimit},
};

use crate::Config;

/// What a server opens besides links and connections to a database: its log, its listener, a
/// connection to Redis, and some to identity providers.
pub(crate) const OTHERS: usize = 64;

/// Links have at least so many files, however few the process may open.
const FEWEST: u64 = 16;

impl Config {
    /// Open files that a server with these settings needs besides those of links.
    #[must_use]
    pub fn other_files(&self) -> u64 {
        let database = self.postgres().map_or(0, |connector| connector.connections);
        OTHERS.saturating_add(database) as u64
    }

    /// Open files that links may hold together: what this process may open, less what the rest of
    /// it needs. A store that can't open a file refuses users who did nothing wrong.
    pub(crate) fn files_of_links(&self) -> usize {
        let most = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let left = most.saturating_sub(self.other_files()).max(FEWEST);
        usize::try_from(left).unwrap_or(usize::MAX)
    }
}

/// The process, or the system, has no file to give.
pub(crate) fn are_out(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}
