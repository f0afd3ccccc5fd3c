//! Rooms and the outbox of the native client against the real server, through deaths of both.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "../chaos/server.rs"]
mod server;

mod author;
mod deaths;
mod rooms;
mod world;
