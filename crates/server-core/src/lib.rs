//! The sans-I/O core of the Tidings server: sessions, hub, service and log rules.
//!
//! Nothing here knows a socket, a thread, SQL or a clock: time, randomness and answers of the store come in from outside, so the
//! same code runs under axum and in simulation.

pub mod store;
