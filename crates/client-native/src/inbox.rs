//! The inbox: one list, one count, and the actions on them.

use std::{future, sync::Arc};

use futures_util::{Stream, StreamExt as _};
use tidings_client_core::{Error, InboxView, ItemView, MarkTargets, Stored};
use tidings_protocol::{ErrorCode, MarkSet};
use tokio::sync::{oneshot, watch};

use crate::{
    client::{Shared, closed},
    client_event::{ClientEvent, Lagged, events},
    driver::Input,
};

const READ: MarkSet = MarkSet { seen: None, read: Some(true), archived: None };
const UNREAD: MarkSet = MarkSet { seen: None, read: Some(false), archived: None };
const SEEN: MarkSet = MarkSet { seen: Some(true), read: None, archived: None };
const ARCHIVED: MarkSet = MarkSet { seen: None, read: None, archived: Some(true) };
const UNARCHIVED: MarkSet = MarkSet { seen: None, read: None, archived: Some(false) };

/// The user's inbox, including messages to everyone. A cheap handle.
///
/// A mark shows at once; its future completes when the server has stored it, which may be after a
/// reconnect. Dropping the future does not undo the mark. A mark that fails is rolled back, and
/// `Error::code` says why.
#[derive(Clone, Debug)]
pub struct Inbox {
    pub(crate) shared: Arc<Shared>,
}

impl Inbox {
    /// The current state.
    #[must_use]
    pub fn snapshot(&self) -> InboxView {
        self.shared.inbox.borrow().clone()
    }

    /// The state after each change. Asks for a connection.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<InboxView> {
        self.shared.want();
        self.shared.inbox.clone()
    }

    /// Each notification that arrives from now on, once, in order within its channel; items of a
    /// snapshot have not "arrived". Asks for a connection.
    ///
    /// The stream holds up to [`crate::Builder::buffer`] items. A slower reader gets [`Lagged`] in
    /// place of the oldest, so no hole is silent and the connection never waits. [`Self::snapshot`]
    /// still has all items.
    pub fn arrived(&self) -> impl Stream<Item = Result<Arc<ItemView>, Lagged>> + Send + use<> {
        let receiver = self.shared.subscribe();
        self.shared.want();
        events(receiver).filter_map(|event| {
            future::ready(match event {
                Ok(ClientEvent::Arrived(item)) => Some(Ok(item)),
                Ok(_) => None,
                Err(lagged) => Some(Err(lagged)),
            })
        })
    }

    /// Loads older items into the snapshot.
    ///
    /// # Errors
    /// If the server can't be reached, or refuses.
    pub async fn load_more(&self) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        self.shared.send(Input::More { reply }).await?;
        answer.await.map_err(|_| closed())?.map(drop)
    }

    /// Marks items read, by their ids.
    ///
    /// # Errors
    /// If the mark is refused; it is then rolled back.
    pub async fn mark_read<I>(&self, ids: I) -> Result<Stored, Error>
    where
        I: IntoIterator<Item: Into<String>>,
    {
        self.mark(items(ids), READ).await
    }

    /// Marks items unread.
    ///
    /// # Errors
    /// As [`Self::mark_read`].
    pub async fn mark_unread<I>(&self, ids: I) -> Result<Stored, Error>
    where
        I: IntoIterator<Item: Into<String>>,
    {
        self.mark(items(ids), UNREAD).await
    }

    /// Marks items seen: they were on screen.
    ///
    /// # Errors
    /// As [`Self::mark_read`].
    pub async fn mark_seen<I>(&self, ids: I) -> Result<Stored, Error>
    where
        I: IntoIterator<Item: Into<String>>,
    {
        self.mark(items(ids), SEEN).await
    }

    /// Archives items.
    ///
    /// # Errors
    /// As [`Self::mark_read`].
    pub async fn archive<I>(&self, ids: I) -> Result<Stored, Error>
    where
        I: IntoIterator<Item: Into<String>>,
    {
        self.mark(items(ids), ARCHIVED).await
    }

    /// Takes items back into the inbox.
    ///
    /// # Errors
    /// As [`Self::mark_read`].
    pub async fn unarchive<I>(&self, ids: I) -> Result<Stored, Error>
    where
        I: IntoIterator<Item: Into<String>>,
    {
        self.mark(items(ids), UNARCHIVED).await
    }

    /// Marks all items read that this client has seen.
    ///
    /// # Errors
    /// As [`Self::mark_read`].
    pub async fn mark_all_read(&self) -> Result<Stored, Error> {
        self.mark(MarkTargets::All, READ).await
    }

    /// Marks the whole inbox seen.
    ///
    /// # Errors
    /// As [`Self::mark_read`].
    pub async fn mark_all_seen(&self) -> Result<Stored, Error> {
        self.mark(MarkTargets::All, SEEN).await
    }

    /// Archives the whole inbox.
    ///
    /// # Errors
    /// As [`Self::mark_read`].
    pub async fn archive_all(&self) -> Result<Stored, Error> {
        self.mark(MarkTargets::All, ARCHIVED).await
    }

    async fn mark(&self, targets: MarkTargets, set: MarkSet) -> Result<Stored, Error> {
        let (reply, answer) = oneshot::channel();
        self.shared.want();
        self.shared.send(Input::Mark { targets, set, reply }).await?;
        answer
            .await
            .map_err(|_| closed())??
            .ok_or_else(|| Error::new(ErrorCode::Internal, "a mark was answered with nothing"))
    }
}

fn items<I>(ids: I) -> MarkTargets
where
    I: IntoIterator<Item: Into<String>>,
{
    MarkTargets::Items(ids.into_iter().map(Into::into).collect())
}
