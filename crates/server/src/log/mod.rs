//! Backends of the log: each implements [`tidings_server_core::store::Store`] and passes its conformance suite.

mod sqlite;

pub use sqlite::{OpenError, Report, Sqlite};
