//! Open files. Each TCP connection is one, and the rest of the process needs some too.

use std::io;

use rustix::{
    io::Errno,
    process::{Resource, getrlimit},
};

use crate::Config;

/// Files of a server besides TCP connections and connections to a database: its log, its listener,
/// a connection to Redis, and some to identity providers.
pub(crate) const OTHERS: usize = 64;

/// TCP connections may hold at least this many files, even if the process may open fewer.
pub(crate) const FEWEST: usize = 16;

impl Config {
    /// Open files that a server with these settings needs besides those of TCP connections.
    #[must_use]
    pub fn other_files(&self) -> u64 {
        let database = self.postgres().map_or(0, |connector| connector.connections);
        OTHERS.saturating_add(database) as u64
    }

    /// Open files that TCP connections may hold together: those that this process may open, less
    /// those that the rest of it needs. A store that can't open a file would refuse innocent users.
    pub(crate) fn files_of_links(&self) -> usize {
        let most = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let left = most.saturating_sub(self.other_files());
        usize::try_from(left).unwrap_or(usize::MAX).max(FEWEST)
    }
}

/// Whether the process or the system can open no more files.
pub(crate) fn are_out(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}
