//! Tidings for Rust apps: the client core (`tidings-client-core`) on tokio.
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
//! A [`Client`] is a handle; a task behind it owns the core, the connections and the timer. The
//! first listener, mark or [`Client::connect`] opens the connection. The client keeps it up
//! (backoff, heartbeat, resume without loss) until [`Client::disconnect`] or [`Client::close`], or
//! until the last handle is dropped.
//!
//! | to get | use |
//! |---|---|
//! | the inbox now | [`Inbox::snapshot`] |
//! | the inbox after each change | [`Inbox::changes`], a `watch`: the newest state, however slow the reader |
//! | each notification once | [`Inbox::arrived`], a bounded stream that says when its reader was too slow |
//! | all events in order (gaps, refusals too) | [`Client::events`] |
//! | items read, archived, restored | [`Inbox::mark_read`] and its siblings: shown at once, rolled back when refused |
//! | rooms, chats, topics | [`Client::channel`]: [`Channel::subscribe`] reads, [`Channel::publish`] writes |
//! | intents without an answer, or refused | [`Client::outbox`] |
//! | the reason for a missing connection | [`Client::connection`], [`Client::explain`] |
//!
//! With [`Builder::state`], a folder stores cursors, the newest items and messages, and all intents
//! without an answer. A process may be killed at any moment and loses none of them; the next
//! process goes on.
//!
//! The client uses WebSocket. If a network lets none through, it falls back to server-sent events,
//! and if those are held back, to long poll. It upgrades again when it can, without a gap
//! ([`Builder::transports`]). [`Connection::transport`] names the transport in use. Requests are
//! HTTP/1.1, directly to the server: no proxy from the environment, no redirects, no cookies.

mod body;
mod builder;
mod client;
mod client_event;
mod credential;
mod driver;
mod endpoint;
mod inbox;
mod outbox;
mod room;
mod state;
#[cfg(feature = "tls")]
mod tls;

pub use body::Body;
pub use builder::{BuildError, Builder};
pub use client::Client;
pub use client_event::{ClientEvent, Lagged};
pub use credential::{CredentialRequest, IntoCredential};
pub use endpoint::EndpointError;
pub use inbox::Inbox;
pub use outbox::Outbox;
pub use room::{Channel, Subscription};

pub use tidings_client_core::{
    Author, Backoff, ChannelStatus, ChannelView, Connection, Credential, Error, FailedIntent,
    GapView, InboxStatus, InboxView, IntentKind, ItemKey, ItemView as InboxItem,
    MessageView as Message, Outbox as OutboxView, Status, Stored, TransportKind,
};
