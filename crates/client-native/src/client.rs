//! The handle an app holds.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use futures_util::Stream;
use tidings_client_core::{Connection, Error, Event, InboxView, User};
use tidings_protocol::ErrorCode;
use tokio::sync::{Notify, broadcast, mpsc, oneshot, watch};

use crate::{
    builder::Builder,
    driver::Input,
    happening::{Happening, Lagged, happenings},
    inbox::Inbox,
    outbox::Outbox,
    room::Channel,
};

/// A client of one Tidings server. Cheap to clone; when the last handle (and [`Inbox`]) is dropped,
/// the connection ends.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

/// What all handles of a client share with its task.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) connection: watch::Receiver<Connection>,
    pub(crate) inbox: watch::Receiver<InboxView>,
    pub(crate) outbox: watch::Receiver<tidings_client_core::Outbox>,
    /// Weak, so that streams end with the task, however many handles are left.
    pub(crate) happenings: broadcast::WeakSender<Happening>,
    pub(crate) inputs: mpsc::Sender<Input>,
    /// Wakes the task when somebody listens for the first time: that call can't wait for room in
    /// `inputs`.
    pub(crate) wanted: Arc<Notify>,
    pub(crate) asked: AtomicBool,
}

impl Shared {
    /// Asks for the connection, once in the client's life: a listener that comes later must not
    /// undo `disconnect()`.
    pub(crate) fn want(&self) {
        if !self.asked.swap(true, Ordering::Relaxed) {
            self.wanted.notify_one();
        }
    }

    /// What happens from now on; of a client that has ended, nothing.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Happening> {
        let nothing = || broadcast::channel(1).1;
        self.happenings.upgrade().map_or_else(nothing, |sender| sender.subscribe())
    }

    pub(crate) async fn send(&self, input: Input) -> Result<(), Error> {
        self.inputs.send(input).await.map_err(|_| closed())
    }
}

/// The task is gone: the app closed the client, or the runtime ended.
pub(crate) fn closed() -> Error {
    Error::new(ErrorCode::ClosedByApp, "")
}

impl Client {
    /// Starts with the server's address: `https://rt.example.com`, with a path if the server is
    /// nested under one.
    pub fn builder(url: impl Into<String>) -> Builder {
        Builder::new(url.into())
    }

    pub(crate) fn new(shared: Shared) -> Self {
        Self { shared: Arc::new(shared) }
    }

    /// The user's inbox.
    #[must_use]
    pub fn inbox(&self) -> Inbox {
        Inbox { shared: Arc::clone(&self.shared) }
    }

    /// A channel beside the inbox: a room, a chat, a topic, such as `room:42`. Nothing is joined by this.
    ///
    /// # Errors
    /// `invalid_argument`: it is not `namespace:name`, or an inbox.
    pub fn channel(&self, name: &str) -> Result<Channel, Error> {
        Channel::new(Arc::clone(&self.shared), name)
    }

    /// What was published or marked and has no answer yet, or was refused.
    #[must_use]
    pub fn outbox(&self) -> Outbox {
        Outbox { shared: Arc::clone(&self.shared) }
    }

    /// Where the connection stands.
    #[must_use]
    pub fn connection(&self) -> Connection {
        self.shared.connection.borrow().clone()
    }

    /// The newest state of the connection whenever it changed. Asks for a connection.
    #[must_use]
    pub fn connection_changes(&self) -> watch::Receiver<Connection> {
        self.shared.want();
        self.shared.connection.clone()
    }

    /// Everything that happens from now on, in order. Bounded as [`Inbox::arrived`] is. Asks for a
    /// connection.
    pub fn happenings(&self) -> impl Stream<Item = Result<Happening, Lagged>> + Send + use<> {
        let receiver = self.shared.subscribe();
        self.shared.want();
        happenings(receiver)
    }

    /// Wants a connection, also after [`Self::disconnect`], or after the client gave up.
    ///
    /// # Errors
    /// `closed`.
    pub async fn connect(&self) -> Result<(), Error> {
        self.shared.asked.store(true, Ordering::Relaxed);
        self.shared.send(Input::Event(Event::ConnectRequested)).await
    }

    /// Wants none until [`Self::connect`].
    ///
    /// # Errors
    /// `closed`.
    pub async fn disconnect(&self) -> Result<(), Error> {
        self.shared.asked.store(true, Ordering::Relaxed);
        self.shared.send(Input::Event(Event::DisconnectRequested)).await
    }

    /// Doesn't wait for the backoff.
    ///
    /// # Errors
    /// `closed`.
    pub async fn retry_now(&self) -> Result<(), Error> {
        self.shared.send(Input::Event(Event::RetryRequested)).await
    }

    /// Changes whose client this is; `None`: nobody's. Everything shown of the former user goes in
    /// one step.
    ///
    /// # Errors
    /// `closed`.
    pub async fn set_user(&self, user: Option<String>) -> Result<(), Error> {
        let user = user.map_or(User::Nobody, User::Named);
        self.shared.send(Input::Event(Event::UserChanged(user))).await
    }

    /// In words: why it is not connected, and what happens next.
    pub async fn explain(&self) -> String {
        let (reply, answer) = oneshot::channel();
        match self.shared.send(Input::Explain { reply }).await {
            Ok(()) => answer.await.unwrap_or_else(|_| closed().to_string()),
            Err(error) => error.to_string(),
        }
    }

    /// Ends the client for good and waits until its task has: says goodbye to the server within 2
    /// s.
    pub async fn close(self) {
        // An error means that the task has ended already, which is what is wanted.
        let _ = self.shared.send(Input::Event(Event::CloseRequested)).await;
        self.shared.inputs.closed().await;
    }
}
