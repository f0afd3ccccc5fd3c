//! The shared part of a connection: its mailbox, its notices and a wakeup.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tidings_protocol::Channel;
use tidings_server_core::{
    Mailbox,
    hub::{Sink, Slot},
    session::Request,
    store::{Answer, StoreError, Written},
};
use tokio::sync::Notify;

/// An event for the connection's session from outside its task.
#[derive(Debug)]
pub enum Notice {
    /// The store answered a read.
    Read(Request, Result<Answer, StoreError>),
    /// The store answered a commit.
    Committed(Request, Result<Written, StoreError>),
    /// The hub stopped pushing to a subscription.
    Lagged {
        /// The channel.
        channel: Channel,
        /// The subscription.
        slot: Slot,
        /// Last offset pushed.
        sent: u64,
    },
    /// A newer connection of the same instance replaced this one.
    Replaced,
    /// The credential was revoked.
    Revoked,
    /// The server will stop.
    Draining {
        /// The window, in milliseconds.
        within_ms: u64,
    },
    /// The server stops now.
    Stopping,
    /// Other connections need the room of this unauthenticated one.
    NoRoom,
}

/// A connection as the hub, the store's threads and the registry see it.
///
/// One lock guards both parts. Each sender wakes the connection's task once, and the task takes
/// everything.
#[derive(Debug)]
pub struct ConnectionHandle {
    wakeup: Notify,
    waiting: Mutex<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    mailbox: Mailbox,
    /// Bounded by the session's outstanding requests, its subscriptions, and four more.
    notices: Vec<Notice>,
}

impl ConnectionHandle {
    /// A handle whose mailbox holds at most `mailbox_bytes`.
    #[must_use]
    pub fn new(mailbox_bytes: usize) -> Self {
        let waiting = Waiting { mailbox: Mailbox::new(mailbox_bytes), notices: Vec::new() };
        Self { wakeup: Notify::new(), waiting: Mutex::new(waiting) }
    }

    /// Adds a notice and wakes the task.
    pub fn notify(&self, notice: Notice) {
        self.lock().notices.push(notice);
        self.wakeup.notify_one();
    }

    /// Waits until something was added since the last call.
    pub async fn woken(&self) {
        self.wakeup.notified().await;
    }

    /// Takes all notices.
    #[must_use]
    pub fn take_notices(&self) -> Vec<Notice> {
        std::mem::take(&mut self.lock().notices)
    }

    /// Queues a session's own message. The task writes it before it sleeps, so there is no wakeup.
    pub fn send(&self, frame: Bytes) {
        self.lock().mailbox.push(frame);
    }

    /// The next frame to write.
    #[must_use]
    pub fn take(&self, batch: bool, join: usize) -> Option<Bytes> {
        self.lock().mailbox.take(batch, join)
    }

    /// Whether the mailbox is low enough for the session to go on.
    #[must_use]
    pub fn is_low(&self) -> bool {
        self.lock().mailbox.is_low()
    }

    /// Whether the mailbox is full, so that reading must stop.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.lock().mailbox.is_full()
    }

    /// The lock guards plain data that is consistent between statements, so a panic elsewhere does
    /// no harm.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The handle that the hub pushes into.
#[derive(Clone, Debug)]
pub struct HubSink(pub Arc<ConnectionHandle>);

impl Sink for HubSink {
    fn push(&self, frame: &Bytes) -> bool {
        let mut waiting = self.0.lock();
        let was_empty = waiting.mailbox.is_empty();
        let taken = waiting.mailbox.offer(frame);
        drop(waiting);
        if was_empty && taken {
            self.0.wakeup.notify_one();
        }
        taken
    }

    fn lagged(&self, channel: &Channel, slot: Slot, sent: u64) {
        self.0.notify(Notice::Lagged { channel: channel.clone(), slot, sent });
    }
}
