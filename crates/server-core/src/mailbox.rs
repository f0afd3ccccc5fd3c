//! The messages that wait to be written to one connection.

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};

/// Places kept allocated after a burst.
const KEPT: usize = 8;

/// A queue of encoded messages, bounded by bytes. It does no I/O: the driver wraps it in a lock;
/// the hub's side pushes, the socket's side takes.
#[derive(Debug)]
pub struct Mailbox {
    queue: VecDeque<Bytes>,
    bytes: usize,
    limit: usize,
}

impl Mailbox {
    /// An empty mailbox. It allocates only once a message waits. `limit` in bytes
    /// ([`crate::Limits::mailbox_bytes`]).
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { queue: VecDeque::new(), bytes: 0, limit }
    }

    /// Queues a live record, or refuses it if the queue would exceed the limit; the subscription
    /// then goes back to reading the log. An empty mailbox takes a record of any size.
    #[must_use]
    pub fn offer(&mut self, frame: &Bytes) -> bool {
        if !self.queue.is_empty() && self.bytes + frame.len() > self.limit {
            return false;
        }
        self.push(frame.clone());
        true
    }

    /// Queues a session's own message ([`crate::session::Command::Send`]). Never refused: the
    /// amount is bounded by outstanding requests, and by [`Mailbox::is_full`], at which the driver
    /// stops reading.
    pub fn push(&mut self, frame: Bytes) {
        self.bytes += frame.len();
        self.queue.push_back(frame);
    }

    /// The next frame to write. With `batch`, as many messages as fit in `join` bytes, separated by
    /// `\n`, but at least one.
    pub fn take(&mut self, batch: bool, join: usize) -> Option<Bytes> {
        let first = self.pop()?;
        let fits = |bytes: usize, next: Option<&Bytes>| {
            next.is_some_and(|next| bytes + 1 + next.len() <= join)
        };
        if !batch || !fits(first.len(), self.queue.front()) {
            return Some(first);
        }
        let mut joined =
            BytesMut::with_capacity(join.min(first.len() + self.bytes + self.queue.len()));
        joined.put(first);
        while fits(joined.len(), self.queue.front()) {
            let Some(next) = self.pop() else { break };
            joined.put_u8(b'\n');
            joined.put(next);
        }
        Some(joined.freeze())
    }

    /// Whether the queue is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether the limit is reached. Until it is not, the driver must not read from this
    /// connection.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.bytes >= self.limit
    }

    /// Whether the queue is short enough for [`crate::session::Event::Drained`]: at most a quarter
    /// of the limit.
    #[must_use]
    pub const fn is_low(&self) -> bool {
        self.bytes <= self.limit / 4
    }

    /// Bytes in the queue.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    fn pop(&mut self) -> Option<Bytes> {
        let frame = self.queue.pop_front()?;
        self.bytes -= frame.len();
        if self.queue.is_empty() && self.queue.capacity() > KEPT {
            self.queue = VecDeque::new();
        }
        Some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(frames: &[&'static str]) -> Mailbox {
        let mut mailbox = Mailbox::new(100);
        for frame in frames {
            mailbox.push(Bytes::from_static(frame.as_bytes()));
        }
        mailbox
    }

    #[test]
    fn messages_are_joined_only_for_clients_that_asked() {
        let mut plain = filled(&["a", "b"]);
        assert_eq!(plain.take(false, 100).unwrap(), "a");
        assert_eq!(plain.take(false, 100).unwrap(), "b");
        assert_eq!(plain.take(false, 100), None);
        let mut batch = filled(&["a", "b", "c"]);
        assert_eq!(batch.take(true, 100).unwrap(), "a\nb\nc");
        assert!(batch.is_empty());
    }

    #[test]
    fn a_joined_frame_stays_within_its_size() {
        let mut mailbox = filled(&["aaaa", "bbbb", "cccc", "dddddddddddd", "e"]);
        let frames: Vec<_> = std::iter::from_fn(|| mailbox.take(true, 9)).collect();
        assert_eq!(frames, ["aaaa\nbbbb", "cccc", "dddddddddddd", "e"]);
    }

    #[test]
    fn live_records_are_refused_over_the_limit_but_one_always_fits() {
        let mut mailbox = Mailbox::new(10);
        assert!(mailbox.offer(&Bytes::from_static(b"longer than the limit")));
        assert!(!mailbox.offer(&Bytes::from_static(b"x")));
        assert!(mailbox.is_full() && !mailbox.is_low());
        mailbox.take(false, 10).unwrap();
        assert!(mailbox.is_low());
        assert!(mailbox.offer(&Bytes::from_static(b"x")));
        assert_eq!(mailbox.bytes(), 1);
    }

    #[test]
    fn memory_comes_back_after_a_burst() {
        let mut mailbox = filled(&["x"; 90]);
        while mailbox.take(false, 1).is_some() {}
        assert_eq!(mailbox.queue.capacity(), 0);
    }
}
