//! WebSocket: the server's codec and its settings.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tidings_protocol::CloseCode;
use tidings_server_core::session::Excess;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Message, Utf8Bytes,
        protocol::{
            CloseFrame, Role, WebSocketConfig,
            frame::{
                Frame,
                coding::{Data, OpCode},
            },
        },
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
}

/// Bytes read at once. tungstenite zeroes the buffer before each read: its default of 128 KiB costs
/// memory and half the throughput.
const READ_BUFFER: usize = 1024;
/// Bytes written at once: frames are buffered up to this size, then written by one system call.
/// Larger messages are written in fragments of this size. The buffer never shrinks, so this keeps
/// it small even after a large message, and no message is too large for it.
const WRITE_BUFFER: usize = 16 * 1024;
/// Upper bound of the buffer: one fragment, the next, and control frames.
const UNWRITTEN: usize = 3 * WRITE_BUFFER;

/// Messages and control frames read while the client is asked to close: it may have sent them
/// before it got the request.
const CLOSING_FRAMES: u32 = 1_000;

/// A WebSocket as a transport.
#[derive(Debug)]
pub struct Ws(WebSocketStream<Counted<TokioIo<Upgraded>>>);

impl Ws {
    /// An upgraded connection, with this server's settings.
    pub async fn new(upgraded: Upgraded, sizes: Sizes) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(WRITE_BUFFER)
            .max_write_buffer_size(UNWRITTEN)
            .max_message_size(Some(sizes.message))
            .max_frame_size(Some(sizes.frame));
        let link = Counted::new(TokioIo::new(upgraded), sizes.fragments);
        Self(WebSocketStream::from_raw_socket(link, Role::Server, Some(config)).await)
    }

    /// The next message, ping or pong. `Err` is the code with which the connection must be closed.
    /// `None`: it ended.
    pub async fn message(&mut self) -> Option<Result<Message, Fault>> {
        loop {
            return match self.0.next().await? {
                // Reading until the end completes the close handshake.
                Ok(Message::Close(_)) => continue,
                Ok(message) => Some(Ok(message)),
                Err(error) => fault(&error).map(Err),
            };
        }
    }

    /// Sends one message and flushes.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn send(&mut self, message: Message) -> Result<(), Broken> {
        match message {
            Message::Text(text) => self.put(Data::Text, text.into()).await?,
            Message::Binary(bytes) => self.put(Data::Binary, bytes).await?,
            control => return self.0.send(control).await.map_err(broken),
        }
        self.0.flush().await.map_err(broken)
    }

    /// Puts a message into the buffer.
    async fn put(&mut self, kind: Data, bytes: Bytes) -> Result<(), Broken> {
        if bytes.len() > WRITE_BUFFER {
            // Boxed: few messages are this large, but the task would always reserve room for one.
            return Box::pin(self.put_in_parts(kind, bytes)).await;
        }
        let frame = Frame::message(bytes, OpCode::Data(kind), true);
        self.0.feed(Message::Frame(frame)).await.map_err(broken)
    }

    async fn put_in_parts(&mut self, mut kind: Data, mut rest: Bytes) -> Result<(), Broken> {
        loop {
            let part = rest.split_to(rest.len().min(WRITE_BUFFER));
            let is_last = rest.is_empty();
            let frame = Frame::message(part, OpCode::Data(kind), is_last);
            self.0.feed(Message::Frame(frame)).await.map_err(broken)?;
            if is_last {
                return Ok(());
            }
            kind = Data::Continue;
        }
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
            Some(Err(Fault::TooLarge(excess))) => Incoming::TooLarge(excess),
            Some(Err(Fault::NotUtf8)) => Incoming::NotUtf8,
            Some(Err(fault @ Fault::Protocol)) => {
                self.close(fault.close(), "").await;
                Incoming::Ended
            }
            None => Incoming::Ended,
        }
    }

    async fn feed(&mut self, frame: Bytes) -> Result<(), Broken> {
        self.put(Data::Text, frame).await
    }

    async fn flush(&mut self) -> Result<(), Broken> {
        self.0.flush().await.map_err(broken)
    }

    async fn ping(&mut self) -> Result<Sign, Broken> {
        self.0.send(Message::Ping(Bytes::new())).await.map_err(broken)?;
        Ok(Sign::Awaited)
    }

    async fn close(&mut self, code: CloseCode, reason: &'static str) {
        let frame = CloseFrame { code: code.0.into(), reason: Utf8Bytes::from_static(reason) };
        if self.0.send(Message::Close(Some(frame))).await.is_ok() {
            // Messages on their way are read until the client agrees, but not more than this:
            // reading costs time.
            for _ in 0..CLOSING_FRAMES {
                let Some(Ok(_)) = self.0.next().await else { break };
            }
        }
    }
}

/// A connection that can't be written to is gone. Any other error is this server's fault and must
/// be logged.
fn broken(error: tungstenite::Error) -> Broken {
    use tungstenite::{Error, error::ProtocolError};
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed | Error::Io(_) => {}
        Error::Protocol(ProtocolError::SendAfterClosing) => {}
        error => tracing::error!(%error, "a message could not be written to a socket"),
    }
    Broken
}

/// The rule that a client violated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A message is too large.
    TooLarge(Excess),
    /// A text is not UTF-8.
    NotUtf8,
    /// A frame violates the WebSocket protocol.
    Protocol,
}

impl Fault {
    /// The code with which the connection must be closed.
    #[must_use]
    pub const fn close(self) -> CloseCode {
        match self {
            Self::TooLarge(_) => CloseCode::TOO_LARGE,
            Self::NotUtf8 => CloseCode::INVALID_UTF8,
            Self::Protocol => CloseCode::PROTOCOL,
        }
    }
}

/// The violated rule. `None`: the connection itself is gone.
fn fault(error: &tungstenite::Error) -> Option<Fault> {
    use tungstenite::{
        Error,
        error::{CapacityError, ProtocolError},
    };
    match error {
        Error::Io(error) => {
            let TooManyFragments { most } = *error.get_ref()?.downcast_ref::<TooManyFragments>()?;
            Some(Fault::TooLarge(Excess::Frames(most)))
        }
        Error::Capacity(CapacityError::MessageTooLong { size, .. }) => {
            Some(Fault::TooLarge(Excess::Bytes(*size)))
        }
        Error::Utf8(_) => Some(Fault::NotUtf8),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        Error::Protocol(_) => Some(Fault::Protocol),
        _ => None,
    }
}
