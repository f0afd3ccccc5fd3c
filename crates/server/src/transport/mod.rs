//! Bytes ↔ frames: what every way of carrying messages has in common.
//!
//! | file | what |
//! |---|---|
//! | `door.rs` | who knocks, and from where: the same for all |
//! | `origin.rs`, `site.rs` | which pages may knock, and how origins and hosts are read |
//! | `ws.rs`, `upgrade.rs`, `fragments.rs` | WebSocket, how a request becomes one, and in how many frames a message may come |
//! | `sse.rs` | a stream of server-sent events |
//! | `poll.rs` | one answer, once there is news |
//! | `visit.rs` | a client's messages, where its stream or poll can't carry them |
//! | `address.rs` | what a stream's or poll's address says |
//! | `trail.rs` | cursors, kept as frames go by |
//! | `refusal.rs` | refusals by HTTP, as `EventSource` and `fetch` understand them |

pub mod address;
pub mod door;
pub mod fragments;
pub mod origin;
pub mod poll;
pub mod refusal;
pub mod site;
pub mod sse;
pub mod trail;
pub mod upgrade;
pub mod visit;
pub mod ws;

use bytes::Bytes;
use tidings_protocol::CloseCode;

/// What came in.
#[derive(Debug)]
pub enum Incoming {
    /// A text frame.
    Text(Box<str>),
    /// A binary frame; its content does not matter.
    Binary,
    /// A ping or pong.
    Life,
    /// A frame larger than allowed. The transport can't go on reading.
    TooLarge,
    /// A text frame that is not UTF-8. The transport can't go on reading.
    NotUtf8,
    /// The other end takes no more answers; what it said before is still to be carried out.
    HungUp,
    /// The other end closed, or the link broke.
    Ended,
}

/// The link broke.
#[derive(Debug, thiserror::Error)]
#[error("the link broke")]
pub struct Broken;

/// What a ping can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// The other end answers it.
    Awaited,
    /// There is no answer to wait for: that it was taken is all the life this link can show.
    Given,
}

/// One connection's link. Only its own task uses it.
pub trait Transport: Send + 'static {
    /// Its name in figures.
    const NAME: &'static str;
    /// A frame may hold several messages, where the client takes that. Others say one at a time, whatever the client says.
    const JOINS: bool = false;
    /// It ends with one answer, and its client comes again for the next.
    const ONCE: bool = false;

    /// Waits for the next frame. Cancel-safe.
    fn receive(&mut self) -> impl Future<Output = Incoming> + Send;

    /// Puts a frame into the write buffer; writes when it is full.
    fn feed(&mut self, frame: Bytes) -> impl Future<Output = Result<(), Broken>> + Send;

    /// Writes the buffer out.
    fn flush(&mut self) -> impl Future<Output = Result<(), Broken>> + Send;

    /// Asks for a sign of life.
    fn ping(&mut self) -> impl Future<Output = Result<Sign, Broken>> + Send;

    /// All that waited is written. `settled` tells whether nothing is under way that would bring more: what a transport that answers
    /// once asks before it does.
    fn rest(&mut self, settled: impl FnOnce() -> bool) {
        let _ = settled;
    }

    /// Closes and waits for the other end to agree.
    fn close(&mut self, code: CloseCode, reason: &'static str) -> impl Future<Output = ()> + Send;
}
