//! Server-sent events: a response without end, with one event for each message.
//!
//! ```text
//! id: <cursors>~<session token>     only for streams opened by an address; EventSource sends it back
//! data: {"type":"notification",…}
//! ```
//!
//! Two tasks pass the bytes on: the connection's task joins the waiting messages into one chunk,
//! the HTTP server's task writes it. Between them is room for one chunk, so that a client that
//! takes no bytes is noticed as on any other transport.

use std::{convert::Infallible, time::Duration};

use axum::{body::Body, response::Response};
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::stream;
use http::{HeaderValue, header};
use tidings_protocol::{CloseCode, ErrorCode, Retry, ServerMessage, server::Goaway};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};

use super::{
    Broken, Incoming, Sign, Transport,
    address::ENDED,
    cursor_tracker::CursorTracker,
    refusal::{self, Asker, is_last_word},
};
use crate::listen::Peer;

/// The shortest reconnect time. An `EventSource` with a shorter one would flood the server.
const RETRY_LEAST_MS: u64 = 1_000;

/// A comment that proxies and browsers count as a sign of life.
const HEARTBEAT: &[u8] = b":\n\n";

/// A stream. It is made before its first byte is sent.
#[derive(Debug)]
pub struct Sse {
    asker: Asker,
    stage: Stage,
    /// Written with the next flush.
    chunk: BytesMut,
    /// The client's cursors. `None`: the client keeps them itself, and events have no `id`.
    tracker: Option<CursorTracker>,
    /// Buffer for the next event's `id`.
    id: Vec<u8>,
    retry_ms: u64,
    /// The client was told to reconnect: the stream ends with the next write.
    leaving: bool,
    peer: Option<Peer>,
    /// State after the client stopped sending.
    doubts: Doubts,
}

/// Checks whether the client is still there. A client that is gone answers bytes with a reset, so
/// that later writes fail. A client that only stopped sending takes the bytes.
#[derive(Debug, Default)]
struct Doubts {
    /// When the client stopped sending.
    since: Option<Instant>,
    asked: usize,
}

#[derive(Debug)]
enum Stage {
    /// It is not decided yet whether there will be a stream.
    Asked {
        answer: oneshot::Sender<Response>,
        error: Option<Bytes>,
    },
    Flowing(Outflow),
    /// Everything was sent; the client is still taking it.
    Ending(oneshot::Receiver<()>),
    Ended,
}

#[derive(Debug)]
struct Outflow {
    chunks: mpsc::Sender<Bytes>,
    taken: oneshot::Receiver<()>,
}

impl Sse {
    /// A stream whose head is sent to `answer`. `retry_ms` is the reconnect time of an
    /// `EventSource`. `peer` is the TCP connection, if known.
    #[must_use]
    pub fn new(
        asker: Asker,
        tracker: Option<CursorTracker>,
        retry_ms: u64,
        peer: Option<Peer>,
        answer: oneshot::Sender<Response>,
    ) -> Self {
        if let Some(peer) = &peer {
            peer.lasts();
        }
        let stage = Stage::Asked { answer, error: None };
        let chunk = BytesMut::new();
        let (id, doubts) = (Vec::new(), Doubts::default());
        Self { asker, stage, chunk, tracker, id, retry_ms, leaving: false, peer, doubts }
    }

    /// The client is admitted: sends the head.
    fn begin(&mut self) -> Result<(), Broken> {
        let Stage::Asked { answer, .. } = std::mem::replace(&mut self.stage, Stage::Ended) else {
            return Err(Broken);
        };
        let (chunks, body) = mpsc::channel(1);
        let (held, taken) = oneshot::channel();
        answer.send(response(chunked(body, held))).map_err(|_| Broken)?;
        self.stage = Stage::Flowing(Outflow { chunks, taken });
        push_retry(&mut self.chunk, self.retry_ms);
        Ok(())
    }

    fn event(&mut self, frame: &[u8]) {
        if let Some(tracker) = &mut self.tracker {
            tracker.pass(frame);
            self.id.clear();
            if is_last_word(frame) && ends_for_good(frame) {
                self.id.extend_from_slice(ENDED.as_bytes());
            } else {
                tracker.push_id(&mut self.id);
            }
            self.chunk.reserve(self.id.len() + frame.len() + 16);
            self.chunk.put_slice(b"id: ");
            self.chunk.put_slice(&self.id);
            self.chunk.put_u8(b'\n');
        }
        push_data(&mut self.chunk, frame);
    }

    /// For an `EventSource`, `goaway` only sets when to reconnect, and the stream ends with it.
    fn goaway(&mut self, frame: &[u8]) {
        if self.asker == Asker::EventSource
            && frame.starts_with(br#"{"type":"goaway""#)
            && let Ok(text) = str::from_utf8(frame)
            && let Ok(ServerMessage::Goaway(Goaway { within_ms })) = ServerMessage::decode(text)
        {
            push_retry(&mut self.chunk, RETRY_LEAST_MS + random_below(within_ms));
            self.leaving = true;
        }
    }

    /// The body ends after the bytes it got.
    fn end(&mut self) {
        self.stage = match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Flowing(Outflow { taken, .. }) => Stage::Ending(taken),
            stage => stage,
        };
    }

    /// Waits until the client took everything, or is gone. Cancel-safe.
    async fn taken(&mut self) {
        if let Stage::Ending(taken) = &mut self.stage {
            // Nothing is ever sent here: the sender is dropped together with the body.
            let _dropped = taken.await;
            self.stage = Stage::Ended;
        }
    }
}

impl Transport for Sse {
    const NAME: &'static str = "sse";

    async fn receive(&mut self) -> Incoming {
        match &mut self.stage {
            Stage::Asked { answer, .. } => answer.closed().await,
            Stage::Flowing(outflow) => loop {
                tokio::select! {
                    () = outflow.chunks.closed() => break,
                    () = self.doubts.rise(self.peer.as_ref()) => {
                        // If there is no room, other bytes are on their way, with the same effect.
                        let _full = outflow.chunks.try_send(Bytes::from_static(HEARTBEAT));
                    }
                }
            },
            Stage::Ending(_) | Stage::Ended => self.taken().await,
        }
        Incoming::Ended
    }

    async fn feed(&mut self, frame: Bytes) -> Result<(), Broken> {
        if let Stage::Asked { error, .. } = &mut self.stage {
            if is_last_word(&frame) {
                *error = Some(frame);
                return Ok(());
            }
            self.begin()?;
        }
        self.event(&frame);
        self.goaway(&frame);
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Broken> {
        match &self.stage {
            Stage::Flowing(outflow) if !self.chunk.is_empty() => {
                let chunk = std::mem::take(&mut self.chunk).freeze();
                outflow.chunks.send(chunk).await.map_err(|_| Broken)?;
            }
            _ => {}
        }
        if self.leaving {
            self.end();
        }
        Ok(())
    }

    async fn ping(&mut self) -> Result<Sign, Broken> {
        self.chunk.put_slice(HEARTBEAT);
        self.flush().await?;
        Ok(Sign::Given)
    }

    async fn close(&mut self, _code: CloseCode, reason: &'static str) {
        if matches!(self.stage, Stage::Asked { .. })
            && let Stage::Asked { answer, error } = std::mem::replace(&mut self.stage, Stage::Ended)
        {
            let code = ErrorCode::from_name(reason).unwrap_or(ErrorCode::Internal);
            let error = error.unwrap_or_default();
            // A client that is gone gets no answer.
            let _gone = answer.send(refusal::answer(self.asker, code, &error, self.retry_ms));
            return;
        }
        self.end();
        self.taken().await;
    }
}

impl Drop for Sse {
    /// A client that takes no bytes would keep its TCP connection until the kernel gives up.
    fn drop(&mut self) {
        if let (Stage::Flowing(_) | Stage::Ending(_), Some(peer)) = (&self.stage, &self.peer) {
            peer.cut();
        }
    }
}

impl Doubts {
    /// Times of the checks after the client stopped sending: at once, and while a reset may be on
    /// its way. Later the stream's heartbeat takes over.
    const AFTER: [Duration; 3] =
        [Duration::ZERO, Duration::from_millis(100), Duration::from_millis(1_000)];

    /// Waits until written bytes would reveal something. Cancel-safe.
    async fn rise(&mut self, peer: Option<&Peer>) {
        let Some(peer) = peer else { return std::future::pending().await };
        if self.since.is_none() {
            peer.stopped().await;
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        match Self::AFTER.get(self.asked) {
            Some(after) => sleep_until(since + *after).await,
            None => std::future::pending().await,
        }
        self.asked += 1;
    }
}

/// The body of the response. `held` is dropped together with the body: when all of it was taken, or
/// the connection is gone.
fn chunked(mut chunks: mpsc::Receiver<Bytes>, held: oneshot::Sender<()>) -> Body {
    Body::from_stream(stream::poll_fn(move |context| {
        let _held = &held;
        chunks.poll_recv(context).map(|chunk| chunk.map(Ok::<_, Infallible>))
    }))
}

/// A stream's head. The headers forbid caches and proxies to store, change or buffer the stream.
pub(super) fn response(body: Body) -> Response {
    let mut response = Response::new(body);
    for (name, value) in [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store, no-transform"),
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Appends the reconnect time. An `EventSource` keeps it until it gets another one, also while the
/// server is unreachable.
pub(super) fn push_retry(out: &mut impl BufMut, ms: u64) {
    let ms = ms.max(RETRY_LEAST_MS);
    out.put_slice(format!("retry: {ms}\n\n").as_bytes());
}

/// Appends an event without `id`. A message holds no raw newline, so it is one line.
pub(super) fn push_data(out: &mut impl BufMut, frame: &[u8]) {
    out.put_slice(b"data: ");
    out.put_slice(frame);
    out.put_slice(b"\n\n");
}

fn ends_for_good(error: &[u8]) -> bool {
    let message = str::from_utf8(error).ok().and_then(|text| ServerMessage::decode(text).ok());
    matches!(message, Some(ServerMessage::Error(error)) if error.retry == Retry::Never)
}

/// A random number to spread reconnects. 0 on a machine without randomness, which does no harm
/// here.
pub fn random_below(bound: u64) -> u64 {
    getrandom::u64().unwrap_or_default() % bound.max(1)
}
