//! Bytes ↔ frames: the common parts of all transports.
//!
//! | file | content |
//! |---|---|
//! | `request_policy.rs` | origin, address and credentials of a request, for all transports |
//! | `origin.rs`, `site.rs` | allowed pages, and the parsing of origins and hosts |
//! | `ws.rs`, `upgrade.rs`, `fragments.rs` | WebSocket, its upgrade, and its limit of fragments |
//! | `sse.rs` | a stream of server-sent events |
//! | `poll.rs` | one answer, once there is news |
//! | `post.rs` | a client's messages by POST, for streams and polls |
//! | `address.rs` | the parameters in the address of a stream or poll |
//! | `cursor_tracker.rs` | cursors, tracked as frames pass |
//! | `refusal.rs` | refusals by HTTP, as `EventSource` and `fetch` understand them |

pub mod address;
pub mod cursor_tracker;
pub mod fragments;
pub mod origin;
pub mod poll;
pub mod post;
pub mod refusal;
pub mod request_policy;
pub mod site;
pub mod sse;
pub mod upgrade;
pub mod ws;

use bytes::Bytes;
use tidings_protocol::CloseCode;
use tidings_server_core::session::Excess;

/// An input of a connection.
#[derive(Debug)]
pub enum Incoming {
    /// A text frame.
    Text(Box<str>),
    /// A binary frame; its content does not matter.
    Binary,
    /// A ping or pong.
    Life,
    /// A message larger than allowed. The transport can't go on reading.
    TooLarge(Excess),
    /// A text frame that is not UTF-8. The transport can't go on reading.
    NotUtf8,
    /// The client takes no more answers; its earlier messages must still be carried out.
    HungUp,
    /// The client closed, or the connection broke.
    Ended,
}

/// The connection broke.
#[derive(Debug, thiserror::Error)]
#[error("the link broke")]
pub struct Broken;

/// The sign of life that a ping can give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// The client answers it.
    Awaited,
    /// There is no answer. That the client took the bytes is the only possible sign of life.
    Given,
}

/// The transport of one connection. Only the connection's task uses it.
pub trait Transport: Send + 'static {
    /// Its name in metrics.
    const NAME: &'static str;
    /// A frame may hold several messages, if the client asks for that. Other transports always send
    /// one message a frame.
    const JOINS: bool = false;
    /// The connection ends with one answer, and its client comes again for the next.
    const ONCE: bool = false;

    /// Waits for the next frame. Cancel-safe.
    fn receive(&mut self) -> impl Future<Output = Incoming> + Send;

    /// Puts a frame into the write buffer; writes when it is full.
    fn feed(&mut self, frame: Bytes) -> impl Future<Output = Result<(), Broken>> + Send;

    /// Writes the buffer out.
    fn flush(&mut self) -> impl Future<Output = Result<(), Broken>> + Send;

    /// Requests a sign of life.
    fn ping(&mut self) -> impl Future<Output = Result<Sign, Broken>> + Send;

    /// The mailbox is written out. `settled` tells whether no work in progress would produce more;
    /// a transport with only one answer asks it before it answers.
    fn on_settled(&mut self, settled: impl FnOnce() -> bool) {
        let _ = settled;
    }

    /// Closes and waits for the client to agree.
    fn close(&mut self, code: CloseCode, reason: &'static str) -> impl Future<Output = ()> + Send;
}
