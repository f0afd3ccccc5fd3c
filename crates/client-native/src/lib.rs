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
//! A [`Client`] is a handle; one task behind it owns the core, the links and the one timer. The
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
//! | rooms, chats, topics | [`Client::channel`]: [`Channel::subscribe`] reads, [`Channel::publish`] writes |
//! | what has no answer yet, or was refused | [`Client::outbox`] |
//! | why there is no connection | [`Client::connection`], [`Client::explain`] |
//!
//! With [`Builder::state`], cursors, the newest items and messages and whatever has no answer yet are kept in a folder:
//! a process that is killed, at any moment, loses nothing of it, and the next one goes on.
//!
//! It speaks WebSocket; where a network lets none through, server-sent events; where that is held back, long poll; and climbs up
//! again when it can, without a gap ([`Builder::transports`]). [`Connection::transport`] names the one in use. Requests are
//! HTTP/1.1, straight to the server: no proxy of the environment, no redirects, no cookies.

mod body;
mod builder;
mod client;
mod credential;
mod driver;
mod endpoint;
mod happening;
mod inbox;
mod outbox;
mod room;
mod state;
#[cfg(feature = "tls")]
mod tls;

pub use body::Body;
pub use builder::{BuildError, Builder};
pub use client::Client;
pub use credential::{CredentialRequest, IntoCredential};
pub use endpoint::EndpointError;
pub use happening::{Happening, Lagged};
pub use inbox::Inbox;
pub use outbox::Outbox;
pub use room::{Channel, Subscription};

pub use tidings_client_core::{
    Author, Backoff, ChannelStatus, ChannelView, Connection, Credential, Error, FailedIntent,
    GapView, InboxStatus, InboxView, IntentKind, ItemKey, ItemView as InboxItem,
    MessageView as Message, Outbox as OutboxView, Status, Stored, TransportKind,
};
