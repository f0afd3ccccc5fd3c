//! The server from outside: its store against the contract, its sockets against clients that behave and those that don't.

mod store;
