//! Backends of the log: each implements [`tidings_server_core::store::Store`] and passes its conformance suite.
//!
//! | module | what |
//! |---|---|
//! | `sqlite` | one node, one folder |
//! | `postgres` | many nodes, one database |
//! | `checksum`, `answer` | what their rows have in common |
//! | `gone` | channels that went |
//! | `touched` | which channels may hold too much |

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

/// A random epoch; never the one that stands for no log.
const fn new_epoch(random: u64) -> Epoch {
    Epoch::from_bits(random | 1)
}

/// The same counts at a later top of `system:all`, which holds nothing but notifications: each one above is new.
fn counts_at(counts: Counts, top: u64) -> Counts {
    let SystemCounts { unread, unseen, at } = counts.system;
    let new = top.saturating_sub(at);
    let system = SystemCounts { unread: unread + new, unseen: unseen + new, at: at.max(top) };
    Counts { system, ..counts }
}
