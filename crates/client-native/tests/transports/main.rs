//! Each transport alone, and the ladder of them, over real sockets against the real server and through the real nginx.
//!
//! `alone` runs every scenario over every transport: what an app sees is the same. `ladder` is about which one is used.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "../chaos/server.rs"]
#[allow(dead_code, reason = "servers that share a store are the other suite's")]
mod server;

mod alone;
mod ear;
mod ladder;
mod proxy;
mod world;
