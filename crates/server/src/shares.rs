//! Used-up shares of bounds that many callers share: a metric for each time, a log line for each
//! cause and minute.

use std::sync::Arc;

use tidings_server_core::{Principal, fair::Full};

use crate::{driver::Clock, refusals::Refusals};

/// A bound that is divided into shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// New TCP connections that wait for their turn.
    Accept,
    /// Unauthenticated TCP connections, sockets and streams.
    Strangers,
    /// Connections of all users.
    Connections,
    /// All TCP connections.
    Links,
    /// Open files.
    Files,
    /// TCP connections of a user.
    UserLinks,
    /// Reads that wait.
    Reads,
    /// Writes that wait.
    Writes,
}

/// Reports used-up shares.
#[derive(Clone, Debug, Default)]
pub struct Shares(Arc<Refusals>);

impl Bound {
    /// The message for the client, where there is one.
    pub(crate) const fn why(self, full: Full) -> &'static str {
        match (self, full) {
            (Self::Reads, Full::Share) => "too many reads of this user, key or address wait",
            (Self::Reads, Full::All) => "too many reads wait",
            (Self::Writes, Full::Share) => "too many writes of this user, key or address wait",
            (Self::Writes, Full::All) => "too many writes wait",
            (
                Self::Accept
                | Self::Strangers
                | Self::Connections
                | Self::Links
                | Self::Files
                | Self::UserLinks,
                _,
            ) => "the server needed the place for other connections",
        }
    }

    /// The setting, and the effect on callers beyond it.
    const fn cause(self, full: Full) -> &'static str {
        match (self, full) {
            (Self::Accept, Full::Share) => {
                "`limits.accept_queue_per_address`: further new links of this address are closed. If it is a proxy, name it in `trusted_proxies`"
            }
            (Self::Accept, Full::All) => {
                "`limits.accept_queue`: new links of the address with most of them are closed"
            }
            (Self::Strangers, Full::Share) => {
                "`limits.unauthenticated_per_address`: its link that has been silent longest is closed. If it is a proxy, name it in `trusted_proxies`"
            }
            (Self::Strangers, Full::All) => {
                "`limits.unauthenticated`: of the address with most, the link that has been silent longest is closed"
            }
            (Self::Connections, _) => {
                "`limits.connections`: further connections are answered `busy`"
            }
            (Self::Links, _) => {
                "`limits.links`: links without a credential are closed, of the address with most first"
            }
            (Self::Files, _) => {
                "the process may open no more files (`ulimit -n`): links without a credential are closed"
            }
            (Self::UserLinks, _) => {
                "`limits.links_per_user`: the user's link that has been idle longest is closed"
            }
            (Self::Reads, Full::Share) => {
                "`store.read_queue_each`: further reads are answered `busy`"
            }
            (Self::Reads, Full::All) => {
                "`store.read_queue`: the caller with most waiting reads is answered `busy`"
            }
            (Self::Writes, Full::Share) => {
                "`store.write_queue_each`: further writes are answered `busy`"
            }
            (Self::Writes, Full::All) => {
                "`store.write_queue`: the caller with most waiting writes is answered `busy`"
            }
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept_queue",
            Self::Strangers => "unauthenticated",
            Self::Connections => "connections",
            Self::Links => "links",
            Self::Files => "files",
            Self::UserLinks => "links_per_user",
            Self::Reads => "read_queue",
            Self::Writes => "write_queue",
        }
    }
}

impl Shares {
    pub(crate) const fn new(refusals: Arc<Refusals>) -> Self {
        Self(refusals)
    }

    /// A job or connection found no room.
    pub(crate) fn hit(&self, bound: Bound, full: Full, whose: &Principal) {
        let of = match full {
            Full::Share => whose.kind(),
            Full::All => "all",
        };
        let labels = [("share", bound.name()), ("of", of)];
        metrics::counter!("tidings_shares_hit_total", &labels).increment(1);
        self.0.record_share(bound.cause(full), whose, Clock::wall());
    }
}
