//! PostgreSQL as a store: the contract, and what is its own.

use std::{sync::OnceLock, time::Duration};

use tidings_backing::Postgres as Server;
use tidings_server::log::{Connector, Postgres};
use tidings_server_core::conformance;

/// One server for all tests that don't harm it, with a database for each.
pub(crate) fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(Server::start)
}

pub(crate) fn connector(url: &str) -> Connector {
    let patience = Duration::from_secs(10);
    Connector { url: url.to_owned(), ca_file: None, connections: 4, patience }
}

pub(crate) fn open() -> Postgres {
    Postgres::open(&connector(&server().database())).unwrap()
}

#[test]
fn postgres_keeps_the_contract() {
    conformance::run(&|| Box::new(open()));
}
