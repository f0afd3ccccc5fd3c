//! Both cores on one thread in virtual time. Devices run the real client core; servers run the real
//! sessions, hub, log follower and services on the reference store. Between them are a network, a
//! bus, disks and browser storage, which fail in every way they can, all from one seed.
//!
//! This crate holds only the environment. Every product rule runs from the product's crates; the
//! only second implementation is the [`model`] that outcomes are compared with.
//! `docs/simulation.md` says how to use the simulation.
//!
//! | module | contents |
//! |---|---|
//! | [`workload`] | the workload and faults of a seed |
//! | [`run`] | runs seeds and collects their results |
//! | [`world`] | devices, servers, backends, and the loop that lets time pass |
//! | [`device`], [`storage`] | a driver of the client core, its app, its network, and its browser's storage and locks |
//! | [`node`], `connection`, [`gate`] | a driver of the server core |
//! | [`disk`], [`bus`] | the parts that servers share |
//! | [`mod@env`], [`faults`], [`clock`], [`rng`] | time, chance, the network, and their faults |
//! | [`observation`], [`invariants`], [`model`] | observations, the invariants they are checked against, and the fold of the log |
//! | [`tally`], [`trace`], `narration` | events: counted, hashed and described |

pub mod bus;
pub mod clock;
mod connection;
pub mod device;
pub mod disk;
pub mod env;
pub mod faults;
pub mod gate;
pub mod invariants;
pub mod model;
mod narration;
pub mod node;
pub mod observation;
pub mod rng;
pub mod run;
mod scroll;
pub mod storage;
pub mod tally;
pub mod trace;
pub mod workload;
pub mod world;

pub use faults::Faults;
pub use rng::Rng;
pub use world::World;
