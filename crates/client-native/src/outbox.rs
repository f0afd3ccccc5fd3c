//! The outbox: intents without an answer, and refused intents.

use std::sync::Arc;

use tidings_client_core::{Error, Event, Outbox as OutboxView, Stored};
use tidings_protocol::ErrorCode;
use tokio::sync::{oneshot, watch};

use crate::{
    client::{Shared, closed},
    driver::Input,
};

/// Intents without an answer, and refused intents. A cheap handle. With [`crate::Builder::state`],
/// both outlive the process.
#[derive(Clone, Debug)]
pub struct Outbox {
    pub(crate) shared: Arc<Shared>,
}

impl Outbox {
    /// The current state.
    #[must_use]
    pub fn snapshot(&self) -> OutboxView {
        self.shared.outbox.borrow().clone()
    }

    /// The state after each change. Asks for a connection.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<OutboxView> {
        self.shared.want();
        self.shared.outbox.clone()
    }

    /// Retries a refused intent by its `id`, as a new intent.
    ///
    /// # Errors
    /// `not_found`, or the reason of the new refusal.
    pub async fn retry(&self, id: u64) -> Result<Stored, Error> {
        let (reply, answer) = oneshot::channel();
        self.shared.want();
        self.shared.send(Input::Retry { id, reply }).await?;
        stored(answer).await
    }

    /// Discards a refused intent by its `id`.
    ///
    /// # Errors
    /// `closed`.
    pub async fn discard(&self, id: u64) -> Result<(), Error> {
        self.shared.send(Input::Event(Event::FailedDiscarded { id })).await
    }
}

/// The answer of an intent that makes a record.
pub(crate) async fn stored(
    answer: oneshot::Receiver<Result<Option<Stored>, Error>>,
) -> Result<Stored, Error> {
    let nothing = || Error::new(ErrorCode::Internal, "an intent was answered with nothing");
    answer.await.map_err(|_| closed())??.ok_or_else(nothing)
}
