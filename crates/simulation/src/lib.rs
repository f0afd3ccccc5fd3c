//! Both cores on one thread in virtual time: devices with the real client core, a server of the real sessions, hub,
//! services and reference store, and a network between them that delays, doubles, reorders, loses and cuts, all from
//! one seed.
//!
//! This crate holds environment only. Every product rule runs from the product's crates; what is written here a second
//! time is the [`model`] that outcomes are compared with.
//!
//! | module | what |
//! |---|---|
//! | [`world`] | the devices, the server, the publisher, and the loop that lets time pass |
//! | [`device`] | a driver of the client core |
//! | [`node`] | a driver of the server core |
//! | [`mod@env`] | time, chance, the wire and its faults |
//! | `promises` | what every save and every settled world is held against |
//! | [`model`] | the fold of the log, to compare with |

pub mod device;
pub mod env;
mod line;
pub mod model;
pub mod node;
mod promises;
mod rng;
pub mod world;

pub use env::Faults;
pub use rng::Rng;
pub use world::World;
