//! The sans-I/O core of the Tidings client.
//!
//! One function drives it: [`Client::handle`] takes the time, one [`Event`] (something that happened) and a
//! buffer to which it appends [`Command`]s (things to do). Nothing waits inside; time, seeds and ids come in from outside, so
//! the same code runs in browsers, on tokio and in simulation.
//!
//! A driver does four things:
//! 1. turns what happens (sockets, timers, storage, the app's calls) into events,
//! 2. executes commands in order *after* `handle` returned (a callback may lead to the next event),
//! 3. keeps exactly one timer, as [`Command::SetTimer`] says,
//! 4. reads the snapshots ([`Client::connection`], [`Client::inbox`], …) when [`Command::Changed`] names them.

mod account;
mod auth;
mod backoff;
mod client;
mod clock;
mod command;
mod config;
mod connected;
mod connecting;
mod context;
mod ended;
mod error;
mod event;
mod explain;
mod heartbeat;
mod idle;
mod inbox;
mod intent;
mod machine;
mod offline;
mod outbox;
mod resume;
mod rng;
mod snapshot;
mod storage;
mod timers;
mod waiting;

pub use client::Client;
pub use command::{Command, Readable};
pub use config::{Backoff, Config};
pub use error::Error;
pub use event::{Credential, Event, Filter, ItemKey, MarkTargets, Now, Show, TransportKind, User};
pub use snapshot::{
    Connection, FailedIntent, InboxStatus, InboxView, ItemView, Outbox, Status, Stored,
};
