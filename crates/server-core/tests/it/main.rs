//! Sessions, hub, services and the reference store together, without real time or a network.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod answers;
mod budgets;
mod entering;
mod harness;
mod limits;
mod liveness;
mod posts;
mod reading_back;
mod requests;
mod soup;
mod subscribing;
