//! The browser driver of [`tidings_client_core`]: sockets, the timer and page lifecycle in Rust, the rest through a
//! [`Host`] in TypeScript.
//!
//! ```text
//!  socket, timer, page ──push──► queue ──► Host.turn() ──► Core.run() ──► Client::handle ──► commands
//!  Core.connect(), mark() … ─────┘            │ catches traps                                   │
//!  Host.changed(), settled(), tell() … ◄──────┴─────────────────────────────────────────────────┘
//! ```
//!
//! Two rules keep it simple. Everything that happens is *pushed*, and only [`Core::run`] handles it: what a command
//! sets off (even an app's callback that calls back in) joins the queue behind it. And `run` is only called by the
//! host's `turn`, so a trap anywhere in the core surfaces at one place in TypeScript, which can rebuild the client.
//!
//! | module | what |
//! |---|---|
//! | `driver` | the queue, and commands to deeds |
//! | `host` | what TypeScript gives and hears |
//! | `socket` | one WebSocket |
//! | `timer` | the one timer |
//! | `lifecycle` | online, visible, restored |
//! | `json` | snapshots as text, each payload once |

mod core;
mod driver;
mod host;
mod json;
mod lifecycle;
mod socket;
mod timer;

/// Half the size of the standard library's allocator; a page's few hundred kilobytes need no better one.
#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();

pub use crate::core::Core;
pub use host::{Host, Options};
