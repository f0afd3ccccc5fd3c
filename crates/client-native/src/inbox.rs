//! The inbox: one list, one count, and what can be done with them.

use std::{future, sync::Arc};

use futures_util::{Stream, StreamExt as _};
use tidings_client_core::{Error, InboxView, ItemView, MarkTargets, Stored};
use tidings_protocol::{ErrorCode, MarkSet};
use tokio::sync::{oneshot, watch};

use crate::{
    client::{Shared, closed},
    driver::Input,
    happening::{Happening, Lagged, happenings},
};

const READ: MarkSet = MarkSet { seen: None, read: Some(true), archived: None };
const UNREAD: MarkSet = MarkSet { seen: None, read: Some(false), archived: None };
const SEEN: MarkSet = MarkSet { seen: Some(true), read: None, archived: None };
const ARCHIVED: MarkSet = MarkSet { seen: None, read: None, archived: Some(true) };
const UNARCHIVED: MarkSet = MarkSet { seen: None, read: None, archived: Some(false) };

/// The user's inbox, everyone-messages included. A cheap handle.
///
/// A mark shows at once; the future answers when the server stored it, which may be after a
/// reconnect. Dropping the future does not take the mark back. All marks fail alike: `Error::code`
/// says why, and the mark is rolled back.
#[derive(Clone, Debug)]
pub struct Inbox {
    pub(crate) shared: Arc<Shared>,
}

impl Inbox {
    /// As it is now.
    #[must_use]
    pub fn snapshot(&self) -> InboxView {
        self.shared.inbox.borrow().clone()
    }

    /// The newest state whenever it changed. Asks for a connection.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<InboxView> {
        self.shared.want();
        self.shared.inbox.clone()
    }

    /// Each notification that arrives from now on, once, in order within its channel; what a
    /// snapshot brings has not "arrived". Asks for a connection.
    ///
    /// The stream holds up to [`crate::Builder::buffer`] items; a reader that is slower gets
    /// [`Lagged`] in the place of the oldest, never a silent hole, and never holds up the
    /// connection. For all of them in spite of that, read [`Self::snapshot`].
    pub fn arrived(&self) -> impl Stream<Item = Result<Arc<ItemView>, Lagged>> + Send + use<> {
        let receiver = self.shared.subscribe();
        self.shared.want();
        happenings(receiver).filter_map(|happening| {
            future::ready(match happening {
                Ok(Happening::Arrived(item)) => Some(Ok(item)),
                Ok(_) => None,
                Err(lagged) => Some(Err(lagged)),
            })
        })
    }

    /// Loads older items into the snapshot.
    ///
    /// # Errors
    /// When the server can't be asked, or refuses.
    pub async fn load_more(&self) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        self.shared.send(Input::More { reply }).await?;
        answer.await.map_err(|_| closed())?.map(drop)
    }

    /// Marks items read, by their ids.
    ///
    /// # Errors
    /// When the mark is refused; it is rolled back.
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

    /// Puts items away.
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

    /// Marks the whole inbox read, as far as this client has seen it.
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

    /// Puts the whole inbox away.
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
