//! The handle that an app holds.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use futures_util::Stream;
use tidings_client_core::{Connection, Error, Event, InboxView, User};
use tidings_protocol::{
    ErrorCode,
    address::{AddressError, check_user},
};
use tokio::sync::{Notify, broadcast, mpsc, oneshot, watch};

use crate::{
    builder::Builder,
    client_event::{ClientEvent, Lagged, events},
    driver::Input,
    inbox::Inbox,
    outbox::Outbox,
    room::Channel,
};

/// A client of one Tidings server. Cheap to clone; the connection ends when the last handle (or
/// [`Inbox`]) is dropped.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

/// State that all handles of a client share with its task.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) connection: watch::Receiver<Connection>,
    pub(crate) inbox: watch::Receiver<InboxView>,
    pub(crate) outbox: watch::Receiver<tidings_client_core::Outbox>,
    /// Weak, so that streams end with the task even if handles remain.
    pub(crate) events: broadcast::WeakSender<ClientEvent>,
    pub(crate) inputs: mpsc::Sender<Input>,
    /// Wakes the task on the first listener: that call can't wait for room in `inputs`.
    pub(crate) wanted: Arc<Notify>,
    pub(crate) asked: AtomicBool,
}

impl Shared {
    /// Asks for the connection once in the client's life: a later listener must not undo
    /// `disconnect()`.
    pub(crate) fn want(&self) {
        if !self.asked.swap(true, Ordering::Relaxed) {
            self.wanted.notify_one();
        }
    }

    /// Events from now on; none if the client has ended.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<ClientEvent> {
        let nothing = || broadcast::channel(1).1;
        self.events.upgrade().map_or_else(nothing, |sender| sender.subscribe())
    }

    pub(crate) async fn send(&self, input: Input) -> Result<(), Error> {
        self.inputs.send(input).await.map_err(|_| closed())
    }
}

/// The task has ended: the app closed the client, or the runtime ended.
pub(crate) fn closed() -> Error {
    Error::new(ErrorCode::ClosedByApp, "")
}

impl Client {
    /// Starts with the server's URL, such as `https://rt.example.com`, with a path if the server is
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

    /// A channel besides the inbox: a room, a chat or a topic, such as `room:42`. This call does
    /// not subscribe to it.
    ///
    /// # Errors
    /// `invalid_argument`: the name is not `namespace:name`, or it is an inbox.
    pub fn channel(&self, name: &str) -> Result<Channel, Error> {
        Channel::new(Arc::clone(&self.shared), name)
    }

    /// Published messages and marks that have no answer yet or were refused.
    #[must_use]
    pub fn outbox(&self) -> Outbox {
        Outbox { shared: Arc::clone(&self.shared) }
    }

    /// The current state of the connection.
    #[must_use]
    pub fn connection(&self) -> Connection {
        self.shared.connection.borrow().clone()
    }

    /// The state of the connection after each change. Asks for a connection.
    #[must_use]
    pub fn connection_changes(&self) -> watch::Receiver<Connection> {
        self.shared.want();
        self.shared.connection.clone()
    }

    /// All events from now on, in order. Bounded like [`Inbox::arrived`]. Asks for a connection.
    pub fn events(&self) -> impl Stream<Item = Result<ClientEvent, Lagged>> + Send + use<> {
        let receiver = self.shared.subscribe();
        self.shared.want();
        events(receiver)
    }

    /// Asks for a connection, also after [`Self::disconnect`] and after the client gave up.
    ///
    /// # Errors
    /// `closed`.
    pub async fn connect(&self) -> Result<(), Error> {
        self.shared.asked.store(true, Ordering::Relaxed);
        self.shared.send(Input::Event(Event::ConnectRequested)).await
    }

    /// Ends the connection until [`Self::connect`].
    ///
    /// # Errors
    /// `closed`.
    pub async fn disconnect(&self) -> Result<(), Error> {
        self.shared.asked.store(true, Ordering::Relaxed);
        self.shared.send(Input::Event(Event::DisconnectRequested)).await
    }

    /// Ends the wait of the backoff.
    ///
    /// # Errors
    /// `closed`.
    pub async fn retry_now(&self) -> Result<(), Error> {
        self.shared.send(Input::Event(Event::RetryRequested)).await
    }

    /// Changes the client's user; `None`: no user. All data shown for the former user is removed in
    /// one step.
    ///
    /// # Errors
    /// `invalid_argument`: the user id is empty, has more than 128 bytes or a control character.
    /// `closed`.
    pub async fn set_user(&self, user: Option<String>) -> Result<(), Error> {
        if let Some(user) = &user {
            let invalid = |why: AddressError| Error::new(ErrorCode::InvalidArgument, why.as_str());
            check_user(user).map_err(invalid)?;
        }
        let user = user.map_or(User::Nobody, User::Named);
        self.shared.send(Input::Event(Event::UserChanged(user))).await
    }

    /// Describes why the client is not connected, and what happens next.
    pub async fn explain(&self) -> String {
        let (reply, answer) = oneshot::channel();
        match self.shared.send(Input::Explain { reply }).await {
            Ok(()) => answer.await.unwrap_or_else(|_| closed().to_string()),
            Err(error) => error.to_string(),
        }
    }

    /// Ends the client for good and waits for its task, which takes at most 2 s to close the
    /// connection.
    pub async fn close(self) {
        // An error means that the task has already ended.
        let _ = self.shared.send(Input::Event(Event::CloseRequested)).await;
        self.shared.inputs.closed().await;
    }
}
