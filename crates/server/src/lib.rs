//! The Tidings server.

pub mod driver;
pub mod transport;
