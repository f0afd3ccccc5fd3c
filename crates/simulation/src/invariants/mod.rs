//! What is promised, a file each, judged by what is seen at the borders of the product.
//!
//! | | promise | file |
//! |---|---|---|
//! | I1 | acknowledged ⇒ in the log, once, at its offset | `acknowledged` |
//! | I2 | logs are dense and immutable, one body per (epoch, offset) on all nodes | `dense` |
//! | I3 | offsets on each connection rise by one, without a hole that is not told | `in_order` |
//! | I4 | nothing is folded twice into one cursor store's state | `once` |
//! | I5 | one record per idempotency key and per (client_id, seq) | `idempotent` |
//! | I6 | one publisher's order is kept per channel | `publishers` |
//! | I7 | after the faults, everybody reaches the top within [`PATIENCE`] | [`crate::World::try_settle`] |
//! | I8 | nothing to one without the right, or revoked | `rights` |
//! | I9 | a ticket admits once | `tickets` |
//! | I10 | connection limits hold; an older connection of a page ends | `connections` |
//! | I11 | epochs change when records may be gone, and only then | `epochs` |
//! | I12 | list, counts and rooms are the fold of the log, and lists load down to its beginning | `folds`, `rooms`, `scroll` |
//! | I14 | what is queued and held stays within bounds | `bounds` |
//! | I15 | every intent ends as stored, truly, or as an error, over crashes too | `answers`, `kept`; rows as `rows` reads them |
//! | I17 | the same seed gives the same trace | [`crate::run`] |
//!
//! I13 (webhooks) and I16 (presence) wait for what they speak of.

mod acknowledged;
mod answers;
mod bounds;
mod connections;
mod dense;
mod epochs;
mod folds;
mod idempotent;
mod in_order;
mod kept;
mod once;
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
    sight::{Allowed, Page, Sight},
    trace::short,
};

pub use folds::difference;

/// Virtual milliseconds after the last fault until everybody has to be at the top: backoff of 30 s, then a dead link's 40 s, and
/// again after a refusal.
pub const PATIENCE: u64 = 300_000;

/// What checkers may look at besides.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// True time.
    pub now: u64,
    /// The store.
    pub store: &'a MemoryStore,
    /// What its logs say.
    pub history: &'a History,
}

/// A device when all is quiet.
#[derive(Clone, Debug)]
pub struct End {
    /// Its page.
    pub page: Page,
    /// Whose.
    pub user: String,
    /// Whether it is connected.
    pub status: Status,
    /// Why not.
    pub error: Option<String>,
    /// Intents without an answer.
    pub pending: u32,
    /// Calls of its app without one.
    pub calls: usize,
    /// All it shows.
    pub view: InboxView,
    /// The rooms it shows.
    pub rooms: Vec<(Channel, ChannelView)>,
    /// What the credential of its connection allows.
    pub allowed: Allowed,
    /// Up to which offset of a room apps were told that records are missing. A page that is loaded again has its cache, and not what was
    /// told before.
    pub missing: BTreeMap<Channel, u64>,
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Which, as `I3`.
    pub invariant: &'static str,
    /// How.
    pub what: String,
}

impl Display for Breach {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} is broken: {}", self.invariant, short(&self.what))
    }
}

/// Holds what is seen against one promise.
pub trait Checker: Debug {
    /// The promise's number.
    fn invariant(&self) -> &'static str;

    /// Something was seen.
    ///
    /// # Errors
    /// In words, how the promise is broken.
    fn saw(&mut self, scene: &Scene<'_>, sight: &Sight) -> Result<(), String> {
        let _unused = (scene, sight);
        Ok(())
    }

    /// All is quiet.
    ///
    /// # Errors
    /// In words, how the promise is broken.
    fn settled(&mut self, scene: &Scene<'_>) -> Result<(), String> {
        let _unused = scene;
        Ok(())
    }
}

/// All of them.
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
        Box::<kept::Kept>::default(),
        Box::<rooms::Rooms>::default(),
    ]
}

#[cfg(test)]
mod testing;
