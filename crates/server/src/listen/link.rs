//! One TCP connection below HTTP: its current activity, its deadline, and whether its client still
//! sends.
//!
//! hyper has one deadline for both the time between two requests and the time of a request's head.
//! They must differ: a head that arrives byte by byte is an attack, but a proxy keeps idle
//! connections on purpose.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use futures_util::task::AtomicWaker;
use hyper::body::{Frame, SizeHint};
use tidings_server_core::Principal;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::{Notify, OwnedSemaphorePermit},
    time::Instant,
};

use super::lobby::Entry;

/// How long a stopping server waits for the rest of a request's head, and for the first byte of a
/// new connection.
const LAST_HEAD: Duration = Duration::from_secs(1);
/// How long a stopping server waits for another request on an idle connection. A request that the
/// client sent before it could see the shutdown is still answered.
const LAST_REST: Duration = Duration::from_millis(250);

/// The connection's other end, for long-lived responses. It is in the extensions of each request
/// that [`serve`](super::serve) passes on.
#[derive(Clone, Debug, Default)]
pub struct Peer(Arc<Shared>);

#[derive(Debug, Default)]
pub(super) struct Shared {
    doing: Mutex<Doing>,
    /// Its entry in the table of connections, if it has one.
    entry: OnceLock<Entry>,
    /// Another connection needs the room. The next read ends with an error.
    evicted: AtomicBool,
    reader: AtomicWaker,
    flow: Mutex<Flow>,
    /// The current answer is long-lived, and its producer notices a client that takes no bytes.
    is_lasting: AtomicBool,
    cut: Notify,
    /// A task wants to know when the client stops sending.
    is_watched: AtomicBool,
    /// Wakes the connection's task, which then checks whether the client stopped sending.
    look: Notify,
    stopped: Notify,
}

/// How the client takes written bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Flow {
    /// When the kernel last took bytes.
    taken: Option<Instant>,
    /// Since when the kernel takes no bytes.
    stuck: Option<Instant>,
}

/// The activity of a TCP connection. Set by its task as bytes and requests pass.
#[derive(Clone, Copy, Debug)]
pub(super) enum Doing {
    /// A request's head is expected or arriving.
    Head { since: Instant },
    /// A request is in progress.
    Request,
    /// The whole answer was produced.
    Answered,
    /// No byte came since the answer.
    Idle { since: Instant },
}

impl Default for Doing {
    fn default() -> Self {
        Self::Head { since: Instant::now() }
    }
}

/// How long each activity may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) head: Duration,
    pub(super) idle: Duration,
    /// For an answer whose client takes no bytes.
    pub(super) taking: Duration,
}

impl Peer {
    /// Closes the connection from inside a response that its client does not take: at once, or at
    /// the next check.
    pub fn cut(&self) {
        self.0.cut.notify_one();
    }

    /// A request on this connection had a valid credential.
    pub fn known(&self, whose: &Principal) {
        if let Some(entry) = self.0.entry.get() {
            entry.known(whose);
        }
    }

    /// The connection carries a socket or stream that was admitted.
    pub(crate) fn admitted(&self) {
        if let Some(entry) = self.0.entry.get() {
            entry.admitted();
        }
    }

    /// The current answer is long-lived, and its producer checks that the client takes it.
    pub fn lasts(&self) {
        self.0.is_lasting.store(true, Ordering::Relaxed);
    }

    /// When the client last took written bytes. A slow client takes some from time to time.
    pub fn taken(&self) -> Option<Instant> {
        self.flow().taken
    }

    /// Waits until the client has stopped sending. It may still receive: a full and a half close
    /// look the same until bytes are sent to it. If the client has already sent another request,
    /// its end is not noticed.
    pub async fn stopped(&self) {
        if !self.0.is_watched.swap(true, Ordering::Relaxed) {
            self.0.look.notify_one();
        }
        self.0.stopped.notified().await;
    }

    pub(super) async fn cut_off(&self) {
        self.0.cut.notified().await;
    }

    pub(super) async fn asked_to_look(&self) {
        self.0.look.notified().await;
    }

    pub(super) fn doing(&self) -> Doing {
        *self.lock()
    }

    /// When the connection ends if nothing changes.
    pub(super) fn deadline(&self, patience: Patience) -> Option<Instant> {
        let stuck = self.stuck_since().map(|since| since + patience.taking);
        self.doing().deadline(patience).into_iter().chain(stuck).min()
    }

    /// Whether the client takes no bytes of an answer at the moment.
    pub(super) fn is_stuck(&self) -> bool {
        self.stuck_since().is_some()
    }

    fn stuck_since(&self) -> Option<Instant> {
        let is_lasting = self.0.is_lasting.load(Ordering::Relaxed);
        self.flow().stuck.filter(|_| !is_lasting)
    }

    /// Notes the result of a write.
    fn wrote(&self, written: &Poll<io::Result<usize>>) {
        let now = Instant::now();
        let mut flow = self.flow();
        match written {
            Poll::Pending => _ = flow.stuck.get_or_insert(now),
            Poll::Ready(_) => *flow = Flow { taken: Some(now), stuck: None },
        }
    }

    /// The value is plain data, so a panic elsewhere does no harm.
    fn flow(&self) -> MutexGuard<'_, Flow> {
        self.0.flow.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request began.
    pub(super) fn begin(&self) {
        self.0.is_lasting.store(false, Ordering::Relaxed);
        self.0.is_watched.store(false, Ordering::Relaxed);
        self.set(Doing::Request);
        if let Some(entry) = self.0.entry.get() {
            entry.spoke();
        }
    }

    /// Sets the entry in the table, which is there as long as the connection.
    pub(super) fn enter(&self, entry: Entry) {
        // Set once, before the connection is served.
        let _again = self.0.entry.set(entry);
    }

    #[cfg(test)]
    pub(super) fn is_evicted(&self) -> bool {
        self.0.evicted.load(Ordering::SeqCst)
    }

    pub(super) fn downgrade(&self) -> Weak<Shared> {
        Arc::downgrade(&self.0)
    }

    fn set(&self, doing: Doing) {
        *self.lock() = doing;
    }

    /// The value is plain data, so a panic elsewhere does no harm.
    fn lock(&self) -> MutexGuard<'_, Doing> {
        self.0.doing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Closes the connection, also after an upgrade.
    pub(super) fn evict(&self) {
        self.evicted.store(true, Ordering::SeqCst);
        self.reader.wake();
        self.cut.notify_one();
    }
}

impl Doing {
    /// When the connection ends in this activity.
    fn deadline(self, patience: Patience) -> Option<Instant> {
        match self {
            Self::Head { since } => Some(since + patience.head),
            Self::Idle { since } => Some(since + patience.idle),
            Self::Request | Self::Answered => None,
        }
    }

    /// The deadline while the server stops. A request that has begun to arrive is answered; the
    /// server waits for nothing else. `None`: the connection may be shut down now.
    pub(super) fn last_deadline(self, leaving: Instant) -> Option<Instant> {
        match self {
            Self::Head { .. } => Some(leaving + LAST_HEAD),
            Self::Idle { .. } => Some(leaving + LAST_REST),
            Self::Request | Self::Answered => None,
        }
    }
}

/// A connection's permits under the bounds on all connections.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) _permit: OwnedSemaphorePermit,
    pub(super) _file: OwnedSemaphorePermit,
}

/// A TCP stream that records its activity, and holds its permits among the TCP connections.
#[derive(Debug)]
pub(super) struct Link {
    stream: TcpStream,
    peer: Peer,
    _held: Held,
}

impl Link {
    pub(super) fn new(stream: TcpStream, peer: Peer, held: Held) -> Self {
        Self { stream, peer, _held: held }
    }

    /// Checks whether the client stopped sending, with the waker of the connection's task. hyper
    /// reads nothing while it answers.
    fn look(&self, context: &mut Context<'_>) {
        let mut byte = [0];
        match self.stream.poll_peek(context, &mut ReadBuf::new(&mut byte)) {
            Poll::Ready(Ok(0) | Err(_)) => {
                self.peer.0.is_watched.store(false, Ordering::Relaxed);
                self.peer.0.stopped.notify_one();
            }
            Poll::Ready(Ok(_)) | Poll::Pending => {}
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(entry) = self.peer.0.entry.get() {
            entry.leave();
        }
    }
}

impl AsyncRead for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.peer.0.reader.register(context.waker());
        if self.peer.0.evicted.load(Ordering::SeqCst) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        // After the answer, hyper reads for the next request.
        if let Doing::Answered = self.peer.doing() {
            self.peer.set(Doing::Idle { since: Instant::now() });
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if buffer.filled().len() > before
            && let Doing::Idle { .. } = self.peer.doing()
        {
            self.peer.set(Doing::Head { since: Instant::now() });
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Link {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.peer.wrote(&written);
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper calls this each time it is woken.
        if self.peer.0.is_watched.load(Ordering::Relaxed) {
            self.look(context);
        }
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.peer.wrote(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// An answer's body, which records when the whole answer was produced.
pub(super) struct Answer {
    body: Body,
    peer: Peer,
}

impl Answer {
    pub(super) fn new(body: Body, peer: Peer) -> Self {
        Self { body, peer }
    }
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.peer.set(Doing::Answered);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_a_little_now_and_then_is_slow_and_not_stuck() {
        let patience = Patience {
            head: Duration::from_secs(1),
            idle: Duration::from_secs(2),
            taking: Duration::from_secs(3),
        };
        let peer = Peer::default();
        peer.begin();
        assert!(!peer.is_stuck() && peer.taken().is_none() && peer.deadline(patience).is_none());
        peer.wrote(&Poll::Pending);
        let first = peer.deadline(patience).unwrap();
        peer.wrote(&Poll::Pending);
        assert_eq!(peer.deadline(patience), Some(first), "since the first that was not taken");
        peer.wrote(&Poll::Ready(Ok(1)));
        assert!(!peer.is_stuck() && peer.deadline(patience).is_none());
        let taken = peer.taken().unwrap();
        peer.wrote(&Poll::Pending);
        assert!(peer.deadline(patience).unwrap() >= taken + patience.taking, "anew");
        peer.lasts();
        assert!(!peer.is_stuck() && peer.deadline(patience).is_none(), "its maker watches");
        peer.begin();
        assert!(peer.is_stuck(), "the next answer does not last");
    }
}
