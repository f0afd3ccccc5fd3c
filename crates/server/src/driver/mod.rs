//! Feeds the core: turns sockets, timers and store answers into events, and commands into deeds.
//!
//! One task a connection ([`connection`]), one writer thread where group commit happens ([`writer`]), a few reader threads
//! ([`readers`]), the hub in shards ([`shards`]), a book of who is connected ([`registry`]), and where several nodes write, a thread that
//! reads what the others wrote ([`follower`]) and one that counts users over all of them ([`seating`]). No decision is made here:
//! those are the core's.

pub mod budgets;
pub mod clock;
pub mod connection;
pub mod entrance;
#[cfg(test)]
mod flaky;
pub mod follower;
pub mod line;
pub mod node;
mod queue;
pub mod readers;
pub mod registry;
pub mod seating;
pub mod shards;
#[cfg(test)]
mod sizes;
pub mod steady;
pub mod visits;
pub mod writer;

pub use clock::Clock;
pub use entrance::{Authenticate, Entrance};
pub use follower::Follower;
pub use line::{Line, Notice};
pub use node::Node;
pub use visits::Visits;
