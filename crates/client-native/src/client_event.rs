//! Events that a client reports to its app, in the order they occurred.

use std::sync::Arc;

use futures_util::{Stream, stream};
use tidings_client_core::{Error, FailedIntent, ItemView, MessageView};
use tidings_protocol::{Channel, server::GapReason};
use tokio::sync::broadcast::{Receiver, error::RecvError};

/// An event the app may react to. States (inbox, connection) are read elsewhere and never missed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// A notification arrived, live or by resume, but not in a snapshot: once for each record.
    Arrived(Arc<ItemView>),
    /// A message arrived in a channel with readers, live or by resume: once for each record.
    Message {
        /// The channel.
        channel: Channel,
        /// The message, as in the channel's snapshot.
        message: Arc<MessageView>,
    },
    /// Records are missing for good.
    Gap {
        /// The channel.
        channel: Channel,
        /// First missing offset.
        from: u64,
        /// Last missing offset.
        to: u64,
        /// The reason.
        why: GapReason,
    },
    /// A mark or a message was refused for good; see [`crate::Outbox`].
    Failed(FailedIntent),
    /// An error that belongs to no call.
    Error(Error),
}

/// The reader of a stream was too slow and missed the oldest events. The inbox or channel itself
/// misses nothing: read its snapshot. A larger [`crate::Builder::buffer`] helps against bursts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the reader was too slow and missed {missed} happenings")]
pub struct Lagged {
    /// Number of missed events.
    pub missed: u64,
}

/// The stream of events; it ends with the client.
pub(crate) fn events(
    receiver: Receiver<ClientEvent>,
) -> impl Stream<Item = Result<ClientEvent, Lagged>> {
    stream::unfold(receiver, |mut receiver| async move {
        let item = match receiver.recv().await {
            Ok(event) => Ok(event),
            Err(RecvError::Lagged(missed)) => Err(Lagged { missed }),
            Err(RecvError::Closed) => return None,
        };
        Some((item, receiver))
    })
}
