//! Tidings for Rust apps: the client core (`tidings-client-core`) on tokio's sockets.
//!
//! ```no_run
//! use futures_util::StreamExt as _;
//! use tidings_client::{Body, Client};
//!
//! # async fn fetch_ticket() -> Result<String, std::io::Error> { Ok(String::new()) }
//! # async fn follow() -> Result<(), Box<dyn std::error::Error>> {
//! // The ticket function is asked for every attempt: a ticket opens one connection.
//! let client = Client::builder("https://rt.example.com").ticket(async || fetch_ticket().await).build()?;
//!
//! let mut arrived = std::pin::pin!(client.inbox().arrived());
//! while let Some(item) = arrived.next().await {
//!     let item = item?; // `Lagged`: this loop was too slow, the inbox itself misses nothing
//!     let body: Body = Body::of(&item)?;
//!     println!("{} ({} unread)", body.title, client.inbox().snapshot().unread);
//!     client.inbox().mark_read([&*item.id]).await?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A [`Client`] is a handle; one task behind it owns the core, the socket and the one timer. The
//! connection is wanted from the first listener, mark or [`Client::connect`] on, and is kept up
//! (backoff, heartbeat, resume without loss) until [`Client::disconnect`], [`Client::close`] or the
//! last handle is dropped.
//!
//! | what | how |
//! |---|---|
//! | the inbox as it is now | [`Inbox::snapshot`] |
//! | and whenever it changes | [`Inbox::changes`], a `watch`: the newest state, however slow the reader |
//! | each notification once | [`Inbox::arrived`], a bounded stream that says when its reader was too slow |
//! | everything in order (gaps, refusals too) | [`Client::happenings`] |
//! | reading, archiving, undoing | [`Inbox::mark_read`] and its siblings: shown at once, rolled back when refused |
//! | why there is no connection | [`Client::connection`], [`Client::explain`] |
//!
//! This version speaks WebSocket and keeps its cache in memory.

mod body;
mod builder;
mod client;
mod credential;
mod driver;
mod endpoint;
mod happening;
mod inbox;
#[cfg(feature = "tls")]
mod tls;

pub use body::Body;
pub use builder::{BuildError, Builder};
pub use client::Client;
pub use credential::{CredentialRequest, IntoCredential};
pub use endpoint::EndpointError;
pub use happening::{Happening, Lagged};
pub use inbox::Inbox;

pub use tidings_client_core::{
    Backoff, Connection, Credential, Error, FailedIntent, InboxStatus, InboxView, ItemKey,
    ItemView as InboxItem, Status, Stored,
};
