//! The sans-I/O core of the Tidings server: sessions, hub, service and log rules.
//!
//! The core has no sockets, threads, SQL or clocks. Time, randomness and the store's answers come
//! in from outside, so the same code runs under axum and in simulation.
//!
//! | module | content |
//! |---|---|
//! | [`session`] | one state machine per connection |
//! | [`session_id`] | which sessions end together |
//! | [`budget`] | how much of a node one user may use |
//! | [`hub`] | the subscribers of each channel; delivers only the next record |
//! | [`follow`] | when to read the log for records that other nodes wrote |
//! | [`proof`] | the first offset that a user without the right to read back may read |
//! | [`leases`] | a user's connections over all nodes |
//! | [`principal`] | the user, key or address that a piece of work is counted for |
//! | [`crowd`] | which unauthenticated connection makes room when there are too many |
//! | [`fair`] | which waiting caller is served next |
//! | [`mailbox`] | the messages that wait to be written to a connection |
//! | [`service`] | the only write path: requests to writes, outcomes to answers |
//! | [`store`] | the seam to durable storage |
//! | [`page`] | where an answer of the store ends |
//! | [`retention_clock`] | the clock that decides when data is forgotten |
//! | [`log`] | the rules that decide a batch of writes, for SQL stores |
//! | [`inbox`] | the fold of states and counts that every store applies |
//! | [`memory`] | the reference store, with crashes |
//! | `conformance` | the suite every store passes (feature `conformance`) |
//! | [`limits`] | every bound with its default and reason |

pub mod budget;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod crowd;
pub mod fair;
pub mod follow;
pub mod hub;
mod identity;
mod ids;
pub mod inbox;
pub mod leases;
pub mod limits;
pub mod log;
pub mod mailbox;
pub mod memory;
mod now;
pub mod page;
pub mod principal;
pub mod proof;
mod refused;
pub mod retention_clock;
pub mod service;
pub mod session;
pub mod session_id;
pub mod store;

pub use follow::Follow;
pub use hub::Hub;
pub use identity::Identity;
pub use ids::Ids;
pub use limits::Limits;
pub use mailbox::Mailbox;
pub use memory::MemoryStore;
pub use now::Now;
pub use principal::Principal;
pub use proof::ProofKey;
pub use refused::Refused;
pub use retention_clock::RetentionClock;
pub use session::Session;
