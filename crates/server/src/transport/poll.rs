//! Long polling: one answer, sent once there is news or the wait is over.
//!
//! The answer is lines: first a head for the next request (cursors and credential), then messages.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderValue, header};
use tidings_protocol::{CloseCode, ErrorCode};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until},
};

use super::{
    Broken, Incoming, Sign, Transport,
    cursor_tracker::{self, CursorTracker, Passed},
    refusal::{self, Asker, is_last_word},
};
use crate::{driver::clock::Clock, listen::Peer};

/// How the next request resumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// By its address: `?cursor=`.
    Address,
    /// By the `cursors` of its `connect`.
    Connect,
}

/// The condition for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// All current messages, greeting included.
    All,
    /// News: the client was greeted before.
    News,
}

/// Bounds of one poll.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The latest time for the answer.
    pub until: Instant,
    /// Bytes of its messages. At least one message is always sent.
    pub bytes: usize,
}

/// One poll.
#[derive(Debug)]
pub struct LongPoll {
    /// `None` once it was used.
    answer: Option<oneshot::Sender<Response>>,
    next: Next,
    wait: Wait,
    bounds: Bounds,
    tracker: CursorTracker,
    /// `None` once the client stopped sending, or if the TCP connection is unknown.
    peer: Option<Peer>,
    lines: BytesMut,
    /// There is something worth an answer.
    news: bool,
    /// The last message belongs together with the next one.
    torn: bool,
    error: Bytes,
}

impl LongPoll {
    /// A poll of `peer` that is answered through `answer`.
    #[must_use]
    pub fn new(
        next: Next,
        wait: Wait,
        bounds: Bounds,
        tracker: CursorTracker,
        peer: Option<Peer>,
        answer: oneshot::Sender<Response>,
    ) -> Self {
        Self {
            answer: Some(answer),
            next,
            wait,
            bounds,
            tracker,
            peer,
            lines: BytesMut::new(),
            news: matches!(wait, Wait::All),
            torn: false,
            error: Bytes::new(),
        }
    }

    /// Whether the answer must end before this message: the answer already moves the client on, and
    /// would become too large with it.
    fn ends_before(&self, frame: &[u8]) -> bool {
        let size = match cursor_tracker::begins_a_channel(frame) {
            // Together with the messages that belong to it, which take at most half of an answer.
            true => self.bounds.bytes / 2,
            false => frame.len() + 1,
        };
        self.tracker.has_moved() && !self.torn && self.lines.len() + size > self.bounds.bytes
    }

    fn answer(&mut self) {
        let Some(answer) = self.answer.take() else { return };
        let mut body = match self.next {
            Next::Address => self.tracker.head_for_address(Clock::wall()),
            Next::Connect => self.tracker.head_for_connect(Clock::wall()),
        };
        body.push(b'\n');
        body.extend_from_slice(&self.lines);
        let kind = HeaderValue::from_static("application/x-ndjson");
        let mut response = Body::from(body).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        // A client that is gone polls again with its old cursors.
        let _gone = answer.send(response);
    }
}

async fn stopped(peer: Option<&Peer>) {
    match peer {
        Some(peer) => peer.stopped().await,
        None => std::future::pending().await,
    }
}

impl Transport for LongPoll {
    const NAME: &'static str = "poll";
    const ONCE: bool = true;

    async fn receive(&mut self) -> Incoming {
        if let Some(answer) = &mut self.answer {
            tokio::select! {
                () = answer.closed() => {}
                () = sleep_until(self.bounds.until) => self.answer(),
                // The client is gone, or wants the answer and sends no more. In both cases an
                // answer is right now.
                () = stopped(self.peer.as_ref()), if self.wait == Wait::News => {
                    self.peer = None;
                    self.news = true;
                    return Incoming::Life;
                }
            }
        }
        Incoming::Ended
    }

    async fn feed(&mut self, frame: Bytes) -> Result<(), Broken> {
        if is_last_word(&frame) {
            self.error = frame;
            return Ok(());
        }
        if self.ends_before(&frame) {
            self.answer();
        }
        if self.answer.is_none() {
            // Later messages are for the next poll.
            return Err(Broken);
        }
        let passed = self.tracker.pass(&frame);
        self.torn = passed == Passed::Opening;
        match passed {
            Passed::Greeting if self.wait == Wait::News => return Ok(()),
            Passed::Greeting | Passed::Reminder => {}
            Passed::News | Passed::Opening => self.news = true,
        }
        self.lines.put(frame);
        self.lines.put_u8(b'\n');
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Broken> {
        if self.lines.len() >= self.bounds.bytes && !self.torn {
            self.answer();
        }
        match self.answer {
            Some(_) => Ok(()),
            None => Err(Broken),
        }
    }

    async fn ping(&mut self) -> Result<Sign, Broken> {
        Ok(Sign::Given)
    }

    fn on_settled(&mut self, settled: impl FnOnce() -> bool) {
        // Once the session is settled, no further message is to come: the last one may have no
        // second part, such as a room without a gap.
        if self.news && settled() {
            self.answer();
        }
    }

    async fn close(&mut self, _code: CloseCode, reason: &'static str) {
        if let Some(answer) = self.answer.take() {
            let code = ErrorCode::from_name(reason).unwrap_or(ErrorCode::Internal);
            let _gone = answer.send(refusal::answer(Asker::Fetch, code, &self.error, 0));
        }
    }
}
