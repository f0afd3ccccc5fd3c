//! Drives the core: turns sockets, timers and the store's answers into events, and carries out
//! commands.
//!
//! Each connection has a task ([`connection`]). One writer thread does group commits ([`writer`]),
//! and a few threads read ([`readers`]). The hub is divided into shards ([`shards`]), and a table
//! holds the connections ([`registry`]). With several nodes, one thread reads the other nodes'
//! records ([`follower`]), and one counts users over all nodes ([`leases`]). The driver makes no
//! decisions: those are the core's.

pub mod budgets;
pub mod clock;
pub mod connection;
pub mod connection_handle;
#[cfg(test)]
mod failing_store;
pub mod follower;
pub mod leases;
pub mod node;
pub mod post_queue;
mod queue;
pub mod readers;
pub mod registry;
pub mod request_context;
pub mod retention_clock;
pub mod shards;
#[cfg(test)]
mod sizes;
pub mod writer;

pub use clock::Clock;
pub use connection_handle::{ConnectionHandle, Notice};
pub use follower::Follower;
pub use node::Node;
pub use post_queue::PostQueue;
pub use request_context::{Authenticate, RequestContext};
