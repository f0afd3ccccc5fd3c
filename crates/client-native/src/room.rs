//! Channels beside the inbox: rooms, chats, topics.

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
    driver::Input,
    happening::{Happening, Lagged, happenings},
    outbox::stored,
};

/// One channel. A cheap handle; the channel is joined while a [`Subscription`] of it lives, and 5 s longer.
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

    /// Reads the channel: joins it, begins with its newest page, and goes on with what comes. With
    /// [`crate::Builder::state`] it goes on from where the last process was. Asks for a connection.
    ///
    /// # Errors
    /// `closed`. That the server does not let this user in is told by [`ChannelView::status`].
    pub async fn subscribe(&self) -> Result<Subscription, Error> {
        // First, so that nothing is missed between the two.
        let happenings = happenings(self.shared.subscribe());
        let (reply, answer) = oneshot::channel();
        self.shared.want();
        let channel = self.name.clone();
        self.shared.send(Input::Subscribe { channel: channel.clone(), reply }).await?;
        let view = answer.await.map_err(|_| closed())?;
        let messages = happenings.filter_map(move |happening| {
            std::future::ready(match happening {
                Ok(Happening::Message { channel: at, message }) if at == channel => {
                    Some(Ok(message))
                }
                Ok(_) => None,
                Err(lagged) => Some(Err(lagged)),
            })
        });
        Ok(Subscription { channel: self.clone(), view, messages: messages.boxed() })
    }

    /// Publishes a message. The channel need not be read. The future answers when the server stored it, which may be
    /// after a reconnect; dropping the future does not take the message back.
    ///
    /// # Errors
    /// `invalid_argument` where `data` is not JSON, `too_large`, `outbox_full`, or why the server refused it; refused
    /// messages stay in [`crate::Client::outbox`].
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

/// Reads a channel as long as it lives. As a stream: each message that comes from now on, once and in order, own ones
/// included; what is read back has not come. Bounded as [`crate::Inbox::arrived`] is.
pub struct Subscription {
    channel: Channel,
    view: watch::Receiver<ChannelView>,
    messages: BoxStream<'static, Result<Arc<MessageView>, Lagged>>,
}

impl Subscription {
    /// The channel as it is now: its messages in order, own ones without an answer last.
    #[must_use]
    pub fn snapshot(&self) -> ChannelView {
        self.view.borrow().clone()
    }

    /// The newest state whenever it changed. Whoever holds this reads the channel as well.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<ChannelView> {
        self.view.clone()
    }

    /// Loads older messages into the snapshot.
    ///
    /// # Errors
    /// When the server can't be asked, or refuses.
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
