//! WebSocket: the product's upgrade settings and its codec.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tidings_protocol::CloseCode;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Message, Utf8Bytes,
        protocol::{CloseFrame, Role, WebSocketConfig},
    },
};

use super::{
    Broken, Incoming, Sign, Transport,
    fragments::{Counted, TooManyFragments},
};

/// Sizes of a socket's buffers and frames, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Largest message, all its fragments together.
    pub message: usize,
    /// Largest frame.
    pub frame: usize,
    /// Most frames of a message.
    pub fragments: u32,
    /// What may wait unwritten before the socket counts as broken: a joined frame and what one publish may carry.
    pub unwritten: usize,
}

/// Read at once. tungstenite zeroes the buffer before each read: its default of 128 KiB costs memory and half the throughput.
const READ_BUFFER: usize = 1024;
/// Written at once: frames are fed until this much waits, then one system call takes them.
const WRITE_BUFFER: usize = 16 * 1024;

/// A WebSocket as a transport.
#[derive(Debug)]
pub struct Ws(WebSocketStream<Counted<TokioIo<Upgraded>>>);

impl Ws {
    /// A link that was upgraded, set up as every socket of this server is.
    pub async fn new(upgraded: Upgraded, sizes: Sizes) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(WRITE_BUFFER)
            .max_write_buffer_size(WRITE_BUFFER + sizes.unwritten)
            .max_message_size(Some(sizes.message))
            .max_frame_size(Some(sizes.frame));
        let link = Counted::new(TokioIo::new(upgraded), sizes.fragments);
        Self(WebSocketStream::from_raw_socket(link, Role::Server, Some(config)).await)
    }

    /// The next message as it is, control frames left out; `Err` says with which code the link must be closed.
    /// `None`: it ended.
    pub async fn message(&mut self) -> Option<Result<Message, CloseCode>> {
        loop {
            return match self.0.next().await? {
                // Reading on until the end is what completes the close handshake.
                Ok(Message::Close(_)) => continue,
                Ok(message) => Some(Ok(message)),
                Err(error) => fault(&error).map(Err),
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
    const JOINS: bool = true;

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
        let frame = CloseFrame { code: code.0.into(), reason: Utf8Bytes::from_static(reason) };
        if self.send(Message::Close(Some(frame))).await.is_ok() {
            while let Some(Ok(_)) = self.0.next().await {}
        }
    }
}

/// Which close code a broken rule asks for; `None`: the link itself is gone.
fn fault(error: &tungstenite::Error) -> Option<CloseCode> {
    use tungstenite::Error;
    match error {
        Error::Io(error) if error.get_ref().is_some_and(|inner| inner.is::<TooManyFragments>()) => {
            Some(CloseCode::TOO_LARGE)
        }
        Error::Capacity(_) => Some(CloseCode::TOO_LARGE),
        Error::Utf8(_) => Some(CloseCode::INVALID_UTF8),
        Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => None,
        Error::Protocol(_) => Some(CloseCode::PROTOCOL),
        _ => None,
    }
}
