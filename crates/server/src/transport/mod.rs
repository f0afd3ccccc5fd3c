//! Bytes ↔ frames: what every way of carrying messages has in common.

pub mod origin;
pub mod upgrade;
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
    /// The other end closed, or the link broke.
    Ended,
}

/// The link broke.
#[derive(Debug, thiserror::Error)]
#[error("the link broke")]
pub struct Broken;

/// One connection's link. Only its own task uses it.
pub trait Transport: Send + 'static {
    /// Waits for the next frame. Cancel-safe.
    fn receive(&mut self) -> impl Future<Output = Incoming> + Send;

    /// Puts a frame into the write buffer; writes when it is full.
    fn feed(&mut self, frame: Bytes) -> impl Future<Output = Result<(), Broken>> + Send;

    /// Writes the buffer out.
    fn flush(&mut self) -> impl Future<Output = Result<(), Broken>> + Send;

    /// Asks for a sign of life.
    fn ping(&mut self) -> impl Future<Output = Result<(), Broken>> + Send;

    /// Closes and waits for the other end to agree.
    fn close(&mut self, code: CloseCode, reason: &'static str) -> impl Future<Output = ()> + Send;
}
