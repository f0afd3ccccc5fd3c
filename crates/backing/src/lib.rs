//! Real PostgreSQL, Redis and nginx servers for tests and benches.
//!
//! Each server has its own temporary folder and free port. It ends with the process that started
//! it, however that process ends. A test can kill a server and start it again on the same data;
//! most cluster tests need that.
//!
//! PostgreSQL's programs are searched on the path and in Debian's folders. They refuse to run as
//! root, so root runs them as the user `postgres`. The error for a missing program names the
//! package to install.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a fixture that can't be set up has nothing to hand back"
)]

mod nginx;
mod port;
mod postgres;
mod process;
mod redis;

pub use nginx::Nginx;
pub use port::free_port;
pub use postgres::Postgres;
pub use redis::Redis;
