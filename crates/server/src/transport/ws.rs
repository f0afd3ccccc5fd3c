//! WebSocket: the product's upgrade settings and its codec.

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tidings_protocol::CloseCode;
use tokio_tungstenite::tungstenite;

use super::{Broken, Incoming, Sign, Transport};

/// Sizes of a socket's buffers and frames, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Largest message, all its fragments together.
    pub message: usize,
    /// Largest frame.
    pub frame: usize,
    /// What may wait unwritten before the socket counts as broken: a joined frame and what one publish may carry.
    pub unwritten: usize,
}

/// Read at once. tungstenite zeroes the buffer before each read: its default of 128 KiB costs memory and half the throughput.
const READ_BUFFER: usize = 1024;
/// Written at once: frames are fed until this much waits, then one system call takes them.
const WRITE_BUFFER: usize = 16 * 1024;

/// Sets an upgrade up as every socket of this server is.
pub fn configure<F>(upgrade: WebSocketUpgrade<F>, sizes: Sizes) -> WebSocketUpgrade<F> {
    upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_write_buffer_size(WRITE_BUFFER + sizes.unwritten)
        .max_message_size(sizes.message)
        .max_frame_size(sizes.frame)
}

/// A WebSocket as a transport.
#[derive(Debug)]
pub struct Ws(WebSocket);

impl Ws {
    /// A socket that was [`configure`]d.
    #[must_use]
    pub const fn new(socket: WebSocket) -> Self {
        Self(socket)
    }

    /// The next message as it is, control frames left out; `Err` says with which code the link must be closed.
    /// `None`: it ended.
    pub async fn message(&mut self) -> Option<Result<Message, CloseCode>> {
        loop {
            return match self.0.next().await? {
                // Reading on until the end is what completes the close handshake.
                Ok(Message::Close(_)) => continue,
                Ok(message) => Some(Ok(message)),
                Err(error) => fault(error).map(Err),
            };
        }
    }

    /// Sends one message and flushes.
    ///
    /// # Errors
    /// The link broke.
    pub async fn send(&mut self, message: Message) -> Result<(), Broken> {
        self.0.send(message).await.map_err(|_| Broken)
    }
}

impl Transport for Ws {
    const NAME: &'static str = "ws";

    async fn receive(&mut self) -> Incoming {
        match self.message().await {
            Some(Ok(Message::Text(text))) => Incoming::Text(text.as_str().into()),
            Some(Ok(Message::Binary(_))) => Incoming::Binary,
            Some(Ok(_)) => Incoming::Life,
            Some(Err(CloseCode::TOO_LARGE)) => Incoming::TooLarge,
            Some(Err(CloseCode::INVALID_UTF8)) => Incoming::NotUtf8,
            Some(Err(code)) => {
                self.close(code, "").await;
                Incoming::Ended
            }
            None => Incoming::Ended,
        }
    }

    async fn feed(&mut self, frame: Bytes) -> Result<(), Broken> {
        // Frames are made from `String`s, so this never fails; checking costs a fraction of the system call.
        let text = Utf8Bytes::try_from(frame).map_err(|_| Broken)?;
        self.0.feed(Message::Text(text)).await.map_err(|_| Broken)
    }

    async fn flush(&mut self) -> Result<(), Broken> {
        self.0.flush().await.map_err(|_| Broken)
    }

    async fn ping(&mut self) -> Result<Sign, Broken> {
        self.send(Message::Ping(Bytes::new())).await?;
        Ok(Sign::Awaited)
    }

    async fn close(&mut self, code: CloseCode, reason: &'static str) {
        let frame = CloseFrame { code: code.0, reason: Utf8Bytes::from_static(reason) };
        if self.send(Message::Close(Some(frame))).await.is_ok() {
            while let Some(Ok(_)) = self.0.next().await {}
        }
    }
}

/// Which close code a broken rule asks for; `None`: the link itself is gone.
fn fault(error: axum::Error) -> Option<CloseCode> {
    use tungstenite::Error;
    match error.into_inner().downcast_ref::<Error>()? {
        Error::Capacity(_) => Some(CloseCode::TOO_LARGE),
        Error::Utf8(_) => Some(CloseCode::INVALID_UTF8),
        Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => None,
        Error::Protocol(_) => Some(CloseCode::PROTOCOL),
        _ => None,
    }
}
