//! Rooms and the outbox of the native client against the real server, while both are killed.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "../chaos/server.rs"]
#[allow(dead_code, reason = "servers that share a store are the other suite's")]
mod server;

mod author;
mod deaths;
mod rooms;
mod world;
