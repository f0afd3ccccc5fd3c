//! Each transport alone, and fallback and upgrade between them, over real sockets against the real
//! server and through the real nginx.
//!
//! `alone` runs every scenario over every transport: an app sees the same. `fallback` tests which
//! transport is used.

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
mod fallback;
mod listener;
mod proxy;
mod world;
