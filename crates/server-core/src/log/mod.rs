//! The rules of the log, once for all SQL stores.
//!
//! A store asks [`Needs::of`] which rows a batch is about, loads them as [`Rows`], has each write
//! decided by [`Rows::write`], and saves [`Rows::changes`] in one transaction. The rules do no I/O.
//! The reference store in [`memory`](crate::memory) shares nothing with them, so that a test can
//! compare both.
//!
//! | file | content |
//! |---|---|
//! | `needs.rs` | which rows a batch is about |
//! | `rows.rs` | the rows as a store loads them |
//! | `rules.rs` | records, notifications, inboxes |
//! | `marks.rs` | states of items, and the counts that follow |
//! | `broadcast.rs` | states of everyone-messages |
//! | `dedupe.rs` | idempotency keys and outbox lanes |
//! | `changes.rs` | what a store saves |

mod broadcast;
mod changes;
mod dedupe;
mod marks;
mod needs;
mod rows;
mod rules;

pub use changes::{Changes, NewItem, NewRecord};
pub use dedupe::{ANSWERS_OF_A_LANE, FirstAnswer};
pub use needs::Needs;
pub use rows::{Inbox, KeyRow, LaneRow, Log, Rows, address};
