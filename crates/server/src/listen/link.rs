//! One TCP link below HTTP: what it is doing, until when it may, and whether its peer still speaks.
//!
//! hyper knows one deadline for the time between two requests and that of a request's head. They are two here: a head that comes byte
//! by byte is an attack, a link that rests between requests is what a proxy keeps links for.

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

/// A server that goes away waits this long for the rest of a request's head, and for the first byte of a link it has just taken.
const LAST_HEAD: Duration = Duration::from_secs(1);
/// And this long for a further request on a link that rests: one that was sent before its client could know is answered.
const LAST_REST: Duration = Duration::from_millis(250);

/// The other end of a link, for responses that last. In the extensions of each request that [`serve`](super::serve) passes on.
#[derive(Clone, Debug, Default)]
pub struct Peer(Arc<Shared>);

#[derive(Debug, Default)]
pub(super) struct Shared {
    doing: Mutex<Doing>,
    /// Its place in the book of links, if it has one.
    entry: OnceLock<Entry>,
    /// Others need its place. Seen by whoever reads it.
    evicted: AtomicBool,
    reader: AtomicWaker,
    flow: Mutex<Flow>,
    /// The answer under way has no end of its own, and its maker notices that nobody takes it.
    is_lasting: AtomicBool,
    cut: Notify,
    /// Somebody wants to know when the peer stops speaking.
    is_watched: AtomicBool,
    /// Wakes the task that serves the link, which looks.
    look: Notify,
    stopped: Notify,
}

/// How what is written to a link is taken.
#[derive(Clone, Copy, Debug, Default)]
struct Flow {
    /// When the kernel took some last.
    taken: Option<Instant>,
    /// Since when it takes no more.
    stuck: Option<Instant>,
}

/// What a link is doing. Set by the task that serves it, as bytes and requests go by.
#[derive(Clone, Copy, Debug)]
pub(super) enum Doing {
    /// A request's head is awaited or coming.
    Head { since: Instant },
    /// A request is carried out.
    Request,
    /// All of its answer is given out.
    Answered,
    /// Nothing has come since.
    Idle { since: Instant },
}

impl Default for Doing {
    fn default() -> Self {
        Self::Head { since: Instant::now() }
    }
}

/// How long a link may do what it does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) head: Duration,
    pub(super) idle: Duration,
    /// With an answer of which nothing is taken.
    pub(super) taking: Duration,
}

impl Peer {
    /// Ends the link from inside a response that its reader does not take: now, or as soon as somebody looks.
    pub fn cut(&self) {
        self.0.cut.notify_one();
    }

    /// A request of this link showed a good credential.
    pub fn known(&self, whose: &Principal) {
        if let Some(entry) = self.0.entry.get() {
            entry.known(whose);
        }
    }

    /// It carries a connection that was counted in.
    pub(crate) fn admitted(&self) {
        if let Some(entry) = self.0.entry.get() {
            entry.admitted();
        }
    }

    /// The answer to the request under way lasts, and its maker watches whether it is taken.
    pub fn lasts(&self) {
        self.0.is_lasting.store(true, Ordering::Relaxed);
    }

    /// When some of what is written to it was taken last: a reader that is slow takes a little now and then.
    pub fn taken(&self) -> Option<Instant> {
        self.flow().taken
    }

    /// Waits until the peer has stopped speaking. It may still listen: whoever closes both ways and whoever closes one look the same
    /// until something is sent to them. A peer that has sent a further request already is not seen to stop.
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

    /// When the link ends if nothing changes.
    pub(super) fn deadline(&self, patience: Patience) -> Option<Instant> {
        let stuck = self.stuck_since().map(|since| since + patience.taking);
        self.doing().deadline(patience).into_iter().chain(stuck).min()
    }

    /// Nothing of an answer is taken just now.
    pub(super) fn is_stuck(&self) -> bool {
        self.stuck_since().is_some()
    }

    fn stuck_since(&self) -> Option<Instant> {
        let is_lasting = self.0.is_lasting.load(Ordering::Relaxed);
        self.flow().stuck.filter(|_| !is_lasting)
    }

    /// What became of a write.
    fn wrote(&self, written: &Poll<io::Result<usize>>) {
        let now = Instant::now();
        let mut flow = self.flow();
        match written {
            Poll::Pending => _ = flow.stuck.get_or_insert(now),
            Poll::Ready(_) => *flow = Flow { taken: Some(now), stuck: None },
        }
    }

    /// Plain values are whole, so a panic elsewhere does not spoil them.
    fn flow(&self) -> MutexGuard<'_, Flow> {
        self.0.flow.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request came.
    pub(super) fn begin(&self) {
        self.0.is_lasting.store(false, Ordering::Relaxed);
        self.0.is_watched.store(false, Ordering::Relaxed);
        self.set(Doing::Request);
        if let Some(entry) = self.0.entry.get() {
            entry.spoke();
        }
    }

    /// It is in the book of links, as long as the link is there.
    pub(super) fn enter(&self, entry: Entry) {
        // Set once, before the link is served.
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

    /// A value of one word's worth is whole, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, Doing> {
        self.0.doing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Ends the link, whatever it has become.
    pub(super) fn evict(&self) {
        self.evicted.store(true, Ordering::SeqCst);
        self.reader.wake();
        self.cut.notify_one();
    }
}

impl Doing {
    /// When the link ends if it does nothing else.
    fn deadline(self, patience: Patience) -> Option<Instant> {
        match self {
            Self::Head { since } => Some(since + patience.head),
            Self::Idle { since } => Some(since + patience.idle),
            Self::Request | Self::Answered => None,
        }
    }

    /// The same where the server goes away since then: a request that has begun to come is answered, and nothing else is waited for.
    /// `None`: the link may be told now.
    pub(super) fn last_deadline(self, leaving: Instant) -> Option<Instant> {
        match self {
            Self::Head { .. } => Some(leaving + LAST_HEAD),
            Self::Idle { .. } => Some(leaving + LAST_REST),
            Self::Request | Self::Answered => None,
        }
    }
}

/// A TCP stream that says what goes by, and holds its places among the links.
#[derive(Debug)]
pub(super) struct Link {
    stream: TcpStream,
    peer: Peer,
    _place: OwnedSemaphorePermit,
}

impl Link {
    pub(super) fn new(stream: TcpStream, peer: Peer, place: OwnedSemaphorePermit) -> Self {
        Self { stream, peer, _place: place }
    }

    /// Looks whether the peer stopped, on the waker of the task that serves the link: it reads nothing while it answers.
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
        // With the answer given out, hyper reads for the next request.
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
        // hyper comes by here each time it is woken.
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

/// An answer's body, that says when all of it was given out.
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
