//! The messages, codes and limits that Tidings clients and servers share.
//!
//! The crate does no I/O and reads no clock. A frame is UTF-8 JSON text with one message: a
//! [`ClientMessage`] goes to the server, a [`ServerMessage`] to the client. `docs/protocol.md` is
//! the normative text, `fixtures/protocol/` holds its examples.
//!
//! | module | contents |
//! |---|---|
//! | [`address`] | [`Channel`] names, [`Epoch`]s and [`Proof`]s |
//! | [`json`] | [`Json`], a checked JSON value kept as text, and the scanner under every decoder |
//! | [`codec`] | [`Encode`] and [`Decode`], and the macro that derives both for a message |
//! | [`client`] | messages from client to server |
//! | [`server`] | messages from server to client |
//! | [`inbox`] | items, marks and counts, shared by both directions |
//! | [`codes`] | error codes and close codes, and how a client reacts to each |
//! | [`limits`] | sizes and counts with their defaults |
//! | [`rights`] | rights of users on channels |
//! | `rest` | bodies of the REST API (feature `serde`) |
//! | `ts` | TypeScript declarations (feature `ts`) |

pub mod address;
mod channels;
pub mod client;
pub mod codec;
pub mod codes;
pub mod inbox;
pub mod json;
pub mod limits;
#[doc(hidden)]
pub mod planted;
#[cfg(feature = "serde")]
pub mod rest;
pub mod rights;
mod scanner;
#[cfg(feature = "serde")]
mod serde_impls;
pub mod server;
#[cfg(feature = "ts")]
pub mod ts;

pub use address::{AddressError, Channel, Epoch, Proof};
pub use channels::Channels;
pub use client::ClientMessage;
pub use codec::{Decode, DecodeError, Encode};
pub use codes::{CloseCode, ErrorCode, Fault, Retry};
pub use inbox::{Counts, Item, MarkSet, Offsets, SystemCounts, Tally, UpTo};
pub use json::Json;
pub use server::ServerMessage;

/// The protocol version that a client states in `connect`.
pub const VERSION: u32 = 1;
