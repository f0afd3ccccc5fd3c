//! The browser driver of [`tidings_client_core`]: its queue in Rust, the browser's things through a host in TypeScript.
//!
//! ```text
//!  Core.tell() ──push──► queue ──► Host.turn() ──► Core.run() ──► Client::handle ──► commands
//!     ▲ calls, answers, socket, timer, page │ catches traps                                  │
//!     └──────────── TypeScript ◄── Host.say() ◄───────────────────────────────────────────────┘
//! ```
//!
//! Two rules keep it simple. Everything that happens is *pushed*, and only [`Core::run`] handles it: what a command
//! sets off (even an app's callback that calls back in) joins the queue behind it. And `run` is only called by the
//! host's `turn`, so a trap anywhere in the core surfaces at one place in TypeScript, which can rebuild the client.
//!
//! The border is as narrow as that allows, because every function, type or closure that crosses it costs glue on every
//! page: what happened and what is wanted are a number with a text, and so is the host. `words` lists the numbers. The glue is
//! npm/src/glue.ts, by hand; wasm-bindgen's own serves the tests of this crate alone.
//!
//! | module | what |
//! |---|---|
//! | `core` | what TypeScript calls |
//! | `host` | what TypeScript is asked |
//! | `words` | what the numbers mean |
//! | `driver` | the queue, and commands to deeds |
//! | `json` | snapshots as text, each payload once |
//! | `rest` | what loads later |

mod core;
mod driver;
mod host;
mod json;
mod rest;
pub mod words;

/// A fraction of the standard library's allocator. It finds room by walking a list, which a page's few hundred kilobytes
/// keep short.
#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: lol_alloc::LockedAllocator<lol_alloc::FreeListAllocator> =
    lol_alloc::LockedAllocator::new(lol_alloc::FreeListAllocator::new());

pub use crate::core::Core;
