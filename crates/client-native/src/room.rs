//! Channels besides the inbox: rooms, chats, topics.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::{Stream, StreamExt as _, stream::BoxStream};
use serde::Serialize;
use tidings_client_core::{ChannelView, Error, MessageView, Stored};
use tidings_protocol::{Channel as Name, ErrorCode, Json};
use tokio::sync::{oneshot, watch};

use crate::{
    client::{Shared, closed},
    client_event::{ClientEvent, Lagged, events},
    driver::Input,
    outbox::stored,
};

/// One channel. A cheap handle; the client is subscribed while a [`Subscription`] exists, and 5 s
/// longer.
#[derive(Clone, Debug)]
pub struct Channel {
    shared: Arc<Shared>,
    name: Name,
}

impl Channel {
    pub(crate) fn new(shared: Arc<Shared>, name: &str) -> Result<Self, Error> {
        let invalid = |why: &str| Error::new(ErrorCode::InvalidArgument, why);
        let name = Name::parse(name).map_err(|error| invalid(&error.to_string()))?;
        if name.namespace() == "inbox" || name.is_system() {
            return Err(invalid("the inbox is read by Client::inbox"));
        }
        Ok(Self { shared, name })
    }

    /// Such as `room:42`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Subscribes to the channel: starts with its newest page, then adds new messages. With
    /// [`crate::Builder::state`] it goes on from where the last process was. Asks for a connection.
    ///
    /// # Errors
    /// `closed`. If the server refuses the user, [`ChannelView::status`] says so.
    pub async fn subscribe(&self) -> Result<Subscription, Error> {
        // Taken first, so that no event is missed in between.
        let events = events(self.shared.subscribe());
        let (reply, answer) = oneshot::channel();
        self.shared.want();
        let channel = self.name.clone();
        self.shared.send(Input::Subscribe { channel: channel.clone(), reply }).await?;
        let view = answer.await.map_err(|_| closed())?;
        let messages = events.filter_map(move |event| {
            std::future::ready(match event {
                Ok(ClientEvent::Message { channel: at, message }) if at == channel => {
                    Some(Ok(message))
                }
                Ok(_) => None,
                Err(lagged) => Some(Err(lagged)),
            })
        });
        Ok(Subscription { channel: self.clone(), view, messages: messages.boxed() })
    }

    /// Publishes a message; no subscription is needed. The future completes when the server has
    /// stored it, which may be after a reconnect. Dropping the future does not undo it.
    ///
    /// # Errors
    /// `invalid_argument` if `data` is not JSON, `too_large`, `outbox_full`, or the server's
    /// reason. A refused message stays in [`crate::Client::outbox`].
    pub async fn publish<T: Serialize + ?Sized>(&self, data: &T) -> Result<Stored, Error> {
        let invalid =
            |error: serde_json::Error| Error::new(ErrorCode::InvalidArgument, &error.to_string());
        let data = Json::of(data).map_err(invalid)?;
        let (reply, answer) = oneshot::channel();
        self.shared.want();
        let channel = self.name.clone();
        self.shared.send(Input::Publish { channel, data, reply }).await?;
        stored(answer).await
    }
}

/// Keeps a channel subscribed while it exists. As a stream, it yields each new message once and in
/// order, own messages included, but no message of an older page. Bounded like
/// [`crate::Inbox::arrived`].
pub struct Subscription {
    channel: Channel,
    view: watch::Receiver<ChannelView>,
    messages: BoxStream<'static, Result<Arc<MessageView>, Lagged>>,
}

impl Subscription {
    /// The channel now: its messages in order, own messages without an answer last.
    #[must_use]
    pub fn snapshot(&self) -> ChannelView {
        self.view.borrow().clone()
    }

    /// The state after each change. A receiver keeps the channel subscribed, too.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<ChannelView> {
        self.view.clone()
    }

    /// Loads older messages into the snapshot.
    ///
    /// # Errors
    /// If the server can't be reached, or refuses.
    pub async fn load_more(&self) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        let channel = self.channel.name.clone();
        self.channel.shared.send(Input::Older { channel, reply }).await?;
        answer.await.map_err(|_| closed())?.map(drop)
    }
}

impl Stream for Subscription {
    type Item = Result<Arc<MessageView>, Lagged>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.messages.poll_next_unpin(context)
    }
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription").field("channel", &self.channel.name).finish_non_exhaustive()
    }
}
