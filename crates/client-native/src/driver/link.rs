//! The WebSocket: opens, reads, writes from a bounded queue, and closes.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _, future::BoxFuture};
use http::Uri;
use tidings_client_core::Event;
use tokio::{net::TcpStream, task::JoinSet, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{
        self, Message, Utf8Bytes,
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};
use tracing::debug;

/// The connection ended without a close code.
const ABNORMAL: u16 = 1006;
/// Largest frame from the server: a full send buffer (512 KiB) or a snapshot of large items fits
/// easily.
const FRAME_BYTES: usize = 4 << 20;
/// Most messages that may wait for the socket: the core's outbox after a reconnect, and as many
/// again.
const QUEUE: usize = 4_096;
/// How long closing may take.
const GOODBYE: Duration = Duration::from_secs(2);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// At most one open connection, and connections that are closing.
pub(crate) struct Link {
    endpoint: Uri,
    state: State,
    goodbyes: JoinSet<()>,
}

enum State {
    Absent,
    Opening { transport: u64, socket: BoxFuture<'static, Result<Socket, String>> },
    Open(Box<Open>),
}

struct Open {
    transport: u64,
    socket: Socket,
    queue: VecDeque<Utf8Bytes>,
    /// Whether the socket holds data that is not flushed: a message or a pong.
    unflushed: bool,
    /// Whether writing failed; earlier messages of the server may still be read.
    broken: bool,
}

impl Link {
    pub(crate) fn new(endpoint: Uri) -> Self {
        Self { endpoint, state: State::Absent, goodbyes: JoinSet::new() }
    }

    pub(crate) fn open(&mut self, transport: u64) {
        self.state = State::Opening { transport, socket: connect(self.endpoint.clone()).boxed() };
    }

    /// Queues a message. A full queue ends the connection, which [`Self::next`] reports.
    pub(crate) fn send(&mut self, transport: u64, text: String) {
        match &mut self.state {
            State::Open(open) if open.transport == transport => open.queue.push_back(text.into()),
            _ => debug!(transport, "a message for a link that is gone"),
        }
    }

    pub(crate) fn close(&mut self, transport: u64, code: u16) {
        match std::mem::replace(&mut self.state, State::Absent) {
            State::Opening { transport: found, .. } if found == transport => {}
            State::Open(open) if open.transport == transport => self.say_goodbye(*open, Some(code)),
            other => self.state = other,
        }
    }

    /// Returns the next event. Dropping this future loses nothing.
    pub(crate) async fn next(&mut self) -> Event {
        poll_fn(|cx| self.poll(cx)).await
    }

    /// Waits until all closing connections are closed.
    pub(crate) async fn finish(mut self) {
        while self.goodbyes.join_next().await.is_some() {}
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        let event = match &mut self.state {
            State::Absent => return Poll::Pending,
            State::Opening { transport, socket } => {
                let transport = *transport;
                match ready!(socket.poll_unpin(cx)) {
                    Ok(socket) => {
                        self.state = State::Open(Box::new(Open::new(transport, socket)));
                        return Poll::Ready(Event::TransportOpened { transport });
                    }
                    Err(reason) => Event::TransportClosed { transport, code: ABNORMAL, reason },
                }
            }
            State::Open(open) => match ready!(open.poll(cx)) {
                event @ Event::TransportClosed { .. } => event,
                event => return Poll::Ready(event),
            },
        };
        if let State::Open(open) = std::mem::replace(&mut self.state, State::Absent) {
            // The server closed first: its close frame needs an answer.
            self.say_goodbye(*open, None);
        }
        Poll::Ready(event)
    }

    fn say_goodbye(&mut self, open: Open, code: Option<u16>) {
        // Forgets connections that are closed, so that the set stays small.
        while self.goodbyes.try_join_next().is_some() {}
        let Open { mut socket, queue, .. } = open;
        self.goodbyes.spawn(async move {
            let goodbye = async {
                if let Some(code) = code {
                    // Messages of the queue are still sent.
                    for text in queue {
                        socket.feed(Message::Text(text)).await?;
                    }
                    let frame = CloseFrame { code: CloseCode::from(code), reason: "".into() };
                    socket.close(Some(frame)).await?;
                }
                // The closing handshake is complete when the server's close frame or its end is
                // read.
                while let Some(Ok(message)) = socket.next().await {
                    if message.is_close() {
                        break;
                    }
                }
                Ok::<_, tungstenite::Error>(())
            };
            // After an error or the deadline the socket is simply dropped.
            let _ = timeout(GOODBYE, goodbye).await;
        });
    }
}

impl Open {
    fn new(transport: u64, socket: Socket) -> Self {
        Self { transport, socket, queue: VecDeque::new(), unflushed: false, broken: false }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        loop {
            if self.queue.len() > QUEUE {
                let reason = format!("the network took none of the last {QUEUE} messages");
                return Poll::Ready(self.closed(ABNORMAL, reason));
            }
            self.poll_write(cx);
            let message = match ready!(self.socket.poll_next_unpin(cx)) {
                Some(Ok(message)) => message,
                Some(Err(error)) => {
                    return Poll::Ready(self.closed(ABNORMAL, error.to_string()));
                }
                None => return Poll::Ready(self.closed(ABNORMAL, String::new())),
            };
            match message {
                Message::Text(text) => {
                    let (transport, text) = (self.transport, text.as_str().to_owned());
                    return Poll::Ready(Event::TransportReceived { transport, text });
                }
                Message::Close(frame) => {
                    let (code, reason) = frame.map_or((1005, String::new()), |frame| {
                        (frame.code.into(), frame.reason.as_str().to_owned())
                    });
                    return Poll::Ready(self.closed(code, reason));
                }
                // The pong stays in the socket until it is flushed.
                Message::Ping(_) => self.unflushed = true,
                Message::Pong(_) | Message::Frame(_) => {}
                Message::Binary(_) => {
                    let reason = String::from("the server sent a binary message: not Tidings?");
                    return Poll::Ready(self.closed(ABNORMAL, reason));
                }
            }
        }
    }

    /// Writes as much as the socket takes now.
    fn poll_write(&mut self, cx: &mut Context<'_>) {
        if !self.broken {
            self.broken = self.try_write(cx).is_err();
        }
    }

    fn try_write(&mut self, cx: &mut Context<'_>) -> Result<(), tungstenite::Error> {
        let mut socket = Pin::new(&mut self.socket);
        while !self.queue.is_empty() {
            let Poll::Ready(room) = socket.poll_ready_unpin(cx) else { return Ok(()) };
            room?;
            if let Some(text) = self.queue.pop_front() {
                socket.start_send_unpin(Message::Text(text))?;
                self.unflushed = true;
            }
        }
        if self.unflushed
            && let Poll::Ready(flushed) = socket.poll_flush_unpin(cx)
        {
            self.unflushed = false;
            flushed?;
        }
        Ok(())
    }

    fn closed(&self, code: u16, reason: String) -> Event {
        Event::TransportClosed { transport: self.transport, code, reason }
    }
}

/// Opens the WebSocket; the core has the deadline. An error is a text, with the HTTP status if
/// there is one.
async fn connect(endpoint: Uri) -> Result<Socket, String> {
    let settings = WebSocketConfig::default()
        // The default of 128 KiB would be zeroed on each read.
        .read_buffer_size(8 << 10)
        .max_message_size(Some(FRAME_BYTES))
        .max_frame_size(Some(FRAME_BYTES));
    // Small messages must not wait: no Nagle.
    let nodelay = true;
    #[cfg(feature = "tls")]
    let opened = {
        let encrypted = endpoint.scheme_str() == Some("wss");
        let connector = if encrypted {
            let config = std::sync::Arc::new(crate::tls::config()?);
            Some(tokio_tungstenite::Connector::Rustls(config))
        } else {
            None
        };
        tokio_tungstenite::connect_async_tls_with_config(
            endpoint,
            Some(settings),
            nodelay,
            connector,
        )
        .await
    };
    #[cfg(not(feature = "tls"))]
    let opened =
        tokio_tungstenite::connect_async_with_config(endpoint, Some(settings), nodelay).await;
    match opened {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::Error::Http(answer)) => {
            Err(format!("the server answered {} instead of upgrading", answer.status()))
        }
        Err(error) => Err(error.to_string()),
    }
}
