//! Backends of the log: each implements [`tidings_server_core::store::Store`] and passes its
//! conformance suite.
//!
//! | module | content |
//! |---|---|
//! | `sqlite` | one node, one folder |
//! | `postgres` | many nodes, one database |
//! | `checksum`, `answer` | the common parts of their rows |
//! | `gone` | removed channels |
//! | `touched` | channels that may exceed retention |

mod answer;
mod checksum;
mod gone;
mod postgres;
mod sqlite;
mod touched;

pub use postgres::{ConnectError, Connector, Findings, Postgres};
pub use sqlite::{OpenError, Report, Sqlite};

pub use crate::private::{OpenToOthers, open_to_others};

use tidings_protocol::{Counts, Epoch, SystemCounts};

/// A random epoch. It is never the epoch that stands for no log.
const fn new_epoch(random: u64) -> Epoch {
    Epoch::from_bits(random | 1)
}

/// The same counts at a later top of `system:all`. That channel holds nothing but notifications, so
/// each offset above is a new one.
fn counts_at(counts: Counts, top: u64) -> Counts {
    let SystemCounts { unread, unseen, at } = counts.system;
    let new = top.saturating_sub(at);
    let system = SystemCounts { unread: unread + new, unseen: unseen + new, at: at.max(top) };
    Counts { system, ..counts }
}
