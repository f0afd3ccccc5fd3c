//! The browser driver of [`tidings_client_core`]: its queue is in Rust, the browser's APIs are
//! behind a host in TypeScript.
//!
//! ```text
//!  Core.tell() ──push──► queue ──► Host.turn() ──► Core.run() ──► Client::handle ──► commands
//!     ▲ calls, answers, socket, timer, page │ catches traps                                  │
//!     └──────────── TypeScript ◄── Host.say() ◄───────────────────────────────────────────────┘
//! ```
//!
//! Two rules keep it simple. Every event is *pushed*, and only [`Core::run`] handles it: an event
//! that a command causes (even a call from an app's callback) joins the end of the queue. And only
//! the host's `turn` calls `run`, so a trap anywhere in the core surfaces at one place in
//! TypeScript, which can rebuild the client.
//!
//! The border is as narrow as possible, because every function, type or closure that crosses it
//! costs glue on every page: an operation is numbers with a text, and the host is a number. `ops` is
//! the table of operations. The glue is npm/src/glue.ts, written by hand; wasm-bindgen's own glue
//! serves only the tests of this crate.
//!
//! | module | what |
//! |---|---|
//! | `core` | the interface that TypeScript calls |
//! | `host` | the functions that TypeScript provides |
//! | `ops` | all that crosses, in one table |
//! | `driver` | the queue, and the execution of commands |
//! | `json` | snapshots as text, each payload once |
//! | `deferred` | the deferred part |
//! | `samples` | a text of each shape, for the TypeScript compiler to check |

mod core;
mod deferred;
mod driver;
mod host;
mod json;
pub mod ops;
#[cfg(not(target_arch = "wasm32"))]
pub mod samples;

/// A fraction of the size of the standard library's allocator. It finds free memory by walking a
/// list, which stays short with a page's few hundred kilobytes.
#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: lol_alloc::LockedAllocator<lol_alloc::FreeListAllocator> =
    lol_alloc::LockedAllocator::new(lol_alloc::FreeListAllocator::new());

pub use crate::core::{Core, OPTIONS};
