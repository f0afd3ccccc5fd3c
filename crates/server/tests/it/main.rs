//! The server from outside: its store against the contract, its sockets against clients that behave and those that don't.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that can't go on has failed"
)]

mod durability;
mod store;
