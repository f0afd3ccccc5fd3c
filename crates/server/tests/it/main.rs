//! The server from outside: its stores against the contract, its sockets with well-behaved and
//! other clients.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that can't go on has failed"
)]

mod answers;
mod bad_credentials;
mod bad_input;
mod budgets;
mod bus;
mod cluster;
mod credentials;
mod drain;
mod durability;
mod families;
mod harness;
mod idempotency;
mod key_sets;
mod lanes;
mod lifetimes;
mod limits;
mod links;
mod odd_texts;
mod openapi;
mod origins;
mod postgres;
mod refusals;
mod rest;
mod rooms;
mod shares;
mod sockets;
mod starting;
mod store;
mod store_model;
mod summaries;
mod transports;
