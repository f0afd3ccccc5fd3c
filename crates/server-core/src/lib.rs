//! The sans-I/O core of the Tidings server: sessions, hub, service and log rules.
//!
//! Nothing here knows a socket, a thread, SQL or a clock: time, randomness and answers of the store come in from outside, so the
//! same code runs under axum and in simulation.
//!
//! | module | what |
//! |---|---|
//! | [`session`] | one state machine per connection |
//! | [`session_id`] | which sessions end together |
//! | [`budget`] | what one user may use of a node |
//! | [`hub`] | who listens to what; delivers only the next record |
//! | [`follow`] | when to read the log for what other nodes wrote |
//! | [`proof`] | from where on a user without the right to read back may read |
//! | [`seats`] | a user's connections over all nodes |
//! | [`principal`] | on whose behalf something is done, and so for whom it is counted |
//! | [`crowd`] | who makes room among those that have not shown who they are |
//! | [`fair`] | who is served next where many wait |
//! | [`mailbox`] | what waits to be written to a connection |
//! | [`service`] | the only write path: requests to writes, outcomes to answers |
//! | [`store`] | the seam to durable storage |
//! | [`page`] | where an answer of the store ends |
//! | [`steady`] | the time by which things are forgotten |
//! | [`inbox`] | the fold of states and counts that every store keeps |
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
pub mod limits;
pub mod mailbox;
pub mod memory;
mod now;
pub mod page;
pub mod principal;
pub mod proof;
mod refused;
pub mod seats;
pub mod service;
pub mod session;
pub mod session_id;
pub mod steady;
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
pub use session::Session;
pub use steady::Steady;
