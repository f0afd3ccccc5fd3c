//! What a client tells its app, in the order it happened.

use std::sync::Arc;

use futures_util::{Stream, stream};
use tidings_client_core::{Error, FailedIntent, ItemView, MessageView};
use tidings_protocol::{Channel, server::GapReason};
use tokio::sync::broadcast::{Receiver, error::RecvError};

/// Something the app may want to react to. States (inbox, connection) are read elsewhere and never
/// missed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Happening {
    /// A notification arrived, live or by resume, and not with a snapshot: once for each record.
    Arrived(Arc<ItemView>),
    /// A message came to a channel that is read, live or by resume: once for each record.
    Message {
        /// Where.
        channel: Channel,
        /// As in the channel's snapshot.
        message: Arc<MessageView>,
    },
    /// Records are missing for good.
    Gap {
        /// Where.
        channel: Channel,
        /// First missing offset.
        from: u64,
        /// Last missing offset.
        to: u64,
        /// Why.
        why: GapReason,
    },
    /// A mark or a message was refused for good; see [`crate::Outbox`].
    Failed(FailedIntent),
    /// Something went wrong that no call can answer.
    Error(Error),
}

/// The reader of a stream was slower than what came, and missed the oldest of it. The inbox or channel
/// itself misses nothing: read its snapshot. A larger [`crate::Builder::buffer`] helps
/// against bursts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the reader was too slow and missed {missed} happenings")]
pub struct Lagged {
    /// How many.
    pub missed: u64,
}

/// Ends when the client has.
pub(crate) fn happenings(
    receiver: Receiver<Happening>,
) -> impl Stream<Item = Result<Happening, Lagged>> {
    stream::unfold(receiver, |mut receiver| async move {
        let item = match receiver.recv().await {
            Ok(happening) => Ok(happening),
            Err(RecvError::Lagged(missed)) => Err(Lagged { missed }),
            Err(RecvError::Closed) => return None,
        };
        Some((item, receiver))
    })
}
