//! The protocol against its golden messages, its text and serde.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod docs;
mod fixtures;
mod messages;
mod scanner;
mod support;
