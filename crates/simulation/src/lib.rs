//! Both cores on one thread in virtual time: devices with the real client core, servers of the real sessions, hub, log
//! follower and services on the reference store, and between them a network, a bus, disks and browser storage that fail in
//! every way they can, all from one seed.
//!
//! This crate holds environment only. Every product rule runs from the product's crates; what is written here a second
//! time is the [`model`] that outcomes are compared with. `docs/simulation.md` says how to use it.
//!
//! | module | what |
//! |---|---|
//! | [`fate`] | what happens in the world of a seed |
//! | [`run`] | lives through seeds, and what became of them |
//! | [`world`] | devices, servers, backends, and the loop that lets time pass |
//! | [`device`], [`storage`] | a driver of the client core, its app, its network, and its browser's storage and locks |
//! | [`node`], `connection`, [`gate`] | a driver of the server core |
//! | [`disk`], [`bus`] | what servers share |
//! | [`mod@env`], [`faults`], [`clock`], [`rng`] | time, chance, the wire, and how bad they are |
//! | [`sight`], [`invariants`], [`model`] | what is seen, what is promised of it, the fold of the log to compare with |
//! | [`tally`], [`trace`], `told` | what happened, counted, hashed and told |

pub mod bus;
pub mod clock;
mod connection;
pub mod device;
pub mod disk;
pub mod env;
pub mod fate;
pub mod faults;
pub mod gate;
pub mod invariants;
pub mod model;
pub mod node;
pub mod rng;
pub mod run;
mod scroll;
pub mod sight;
pub mod storage;
pub mod tally;
mod told;
pub mod trace;
pub mod world;

pub use faults::Faults;
pub use rng::Rng;
pub use world::World;
