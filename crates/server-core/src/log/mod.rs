//! The rules of the log, once for all SQL stores.
//!
//! A store asks [`Needs::of`] for the rows of a batch, loads them as [`Rows`], calls
//! [`Rows::write`] for each write, and saves [`Rows::changes`] in one transaction. The rules do no
//! I/O. The reference store in [`memory`](crate::memory) shares no code with them, so that a test
//! can compare both.
//!
//! | file | content |
//! |---|---|
//! | `needs.rs` | names of the rows that a batch needs |
//! | `rows.rs` | the rows as a store loads them |
//! | `rules.rs` | records, notifications, inboxes |
//! | `marks.rs` | states of items, and their counts |
//! | `broadcast.rs` | states of broadcasts |
//! | `dedupe.rs` | idempotency keys and outbox lanes |
//! | `changes.rs` | the changes that a store saves |

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
