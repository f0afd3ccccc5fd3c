//! Real PostgreSQL, Redis and nginx servers for tests and benches.
//!
//! Each has a temporary folder and a free port of its own, and ends with the process that started it, however that ends. They can
//! be killed and started again on the same data, which is what most tests of a cluster are about.
//!
//! PostgreSQL's programs are looked for on the path and where Debian puts them. They refuse to run as root, so root runs them as
//! the user `postgres`. What is missing is named with the package that brings it.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a fixture that can't be set up has nothing to hand back"
)]

mod nginx;
mod postgres;
mod process;
mod redis;

pub use nginx::Nginx;
pub use postgres::Postgres;
pub use redis::Redis;
