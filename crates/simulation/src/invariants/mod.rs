//! The invariants, one file each. Observations at the borders of the product are checked against
//! them.
//!
//! | | promise | file |
//! |---|---|---|
//! | I1 | acknowledged ⇒ in the log, once, at its offset | `acknowledged` |
//! | I2 | logs are dense and immutable, one body per (epoch, offset) on all nodes | `dense` |
//! | I3 | offsets on each connection rise by one, and each hole is announced | `in_order` |
//! | I4 | no record is folded twice into one cursor store's state | `once` |
//! | I5 | one record per idempotency key and per (client_id, seq) | `idempotent` |
//! | I6 | one publisher's order is kept per channel | `publishers` |
//! | I7 | after the faults, every client reaches the top within [`PATIENCE`] | [`crate::World::try_settle`] |
//! | I8 | a connection gets nothing without the right, or after a revocation | `rights` |
//! | I9 | a ticket admits once | `tickets` |
//! | I10 | connection limits hold; an older connection of a page ends | `connections` |
//! | I11 | epochs change when records may be lost, and only then | `epochs` |
//! | I12 | list, counts and rooms are the fold of the log, and lists load down to its beginning | `folds`, `rooms`, `scroll` |
//! | I14 | queues and held state stay within their limits | `bounds` |
//! | I15 | every intent ends as stored, truly, or as an error, over crashes too | `answers`, `persisted`; rows as `rows` reads them |
//! | I17 | the same seed gives the same trace | [`crate::run`] |
//!
//! I13 (webhooks) and I16 (presence) have no checker yet.

mod acknowledged;
mod answers;
mod bounds;
mod connections;
mod dense;
mod epochs;
mod folds;
mod idempotent;
mod in_order;
mod once;
mod persisted;
mod publishers;
mod rights;
mod rooms;
mod rows;
mod tickets;

use std::{
    collections::BTreeMap,
    fmt::{self, Debug, Display, Formatter},
};

use tidings_client_core::{ChannelView, InboxView, Status};
use tidings_protocol::Channel;
use tidings_server_core::MemoryStore;

use crate::{
    model::History,
    observation::{Allowed, Observation, Page},
    trace::short,
};

pub use folds::difference;

/// Virtual milliseconds from the last fault until every client must be at the top: a backoff of 30
/// s, then 40 s until a dead link is noticed, and both again after a refusal.
pub const PATIENCE: u64 = 300_000;

/// State that checkers may read besides observations.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// True time.
    pub now: u64,
    /// The store.
    pub store: &'a MemoryStore,
    /// The contents of its logs.
    pub history: &'a History,
}

/// A device when all is quiet.
#[derive(Clone, Debug)]
pub struct End {
    /// Its page.
    pub page: Page,
    /// Its user.
    pub user: String,
    /// Whether it is connected.
    pub status: Status,
    /// The error that keeps it from being connected.
    pub error: Option<String>,
    /// Intents without an answer.
    pub pending: u32,
    /// Calls of its app without an answer.
    pub calls: usize,
    /// The whole list it shows.
    pub view: InboxView,
    /// The rooms it shows.
    pub rooms: Vec<(Channel, ChannelView)>,
    /// The rights of its connection's credential.
    pub allowed: Allowed,
    /// The last offset of a room up to which apps were told that records are missing. A reloaded
    /// page has its cache, but does not know what an earlier page was told.
    pub missing: BTreeMap<Channel, u64>,
}

/// An invariant that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its number, as `I3`.
    pub invariant: &'static str,
    /// How it was broken.
    pub what: String,
}

impl Display for Violation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} is broken: {}", self.invariant, short(&self.what))
    }
}

/// Checks observations against one invariant.
pub trait Checker: Debug {
    /// The invariant's number.
    fn invariant(&self) -> &'static str;

    /// Takes an observation.
    ///
    /// # Errors
    /// A description of how the invariant is broken.
    fn observe(&mut self, scene: &Scene<'_>, observation: &Observation) -> Result<(), String> {
        let _unused = (scene, observation);
        Ok(())
    }

    /// All is quiet: checks the final state.
    ///
    /// # Errors
    /// A description of how the invariant is broken.
    fn settled(&mut self, scene: &Scene<'_>) -> Result<(), String> {
        let _unused = scene;
        Ok(())
    }
}

/// All checkers.
#[must_use]
pub fn all() -> Vec<Box<dyn Checker>> {
    vec![
        Box::<acknowledged::Acknowledged>::default(),
        Box::<dense::Dense>::default(),
        Box::<in_order::InOrder>::default(),
        Box::<once::Once>::default(),
        Box::<idempotent::Idempotent>::default(),
        Box::<publishers::Publishers>::default(),
        Box::<rights::Rights>::default(),
        Box::<tickets::Tickets>::default(),
        Box::<connections::Connections>::default(),
        Box::<epochs::Epochs>::default(),
        Box::<folds::Folds>::default(),
        Box::<bounds::Bounds>::default(),
        Box::<answers::Answers>::default(),
        Box::<persisted::Persisted>::default(),
        Box::<rooms::Rooms>::default(),
    ]
}

#[cfg(test)]
mod testing;
