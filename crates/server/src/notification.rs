//! Publishing from Rust, with the same types and rules as over REST.

use serde::Serialize;
use tidings_protocol::{Json, rest::PublishNotification};
use tidings_server_core::Refused;

/// The data of one notification type.
pub trait Payload: Serialize {
    /// The type, such as `payment`.
    const TYPE: &'static str;
}

/// A notification to be published.
#[derive(Debug)]
pub struct Notification {
    pub(crate) body: PublishNotification,
    pub(crate) key: Option<String>,
    /// Encoding errors come out of `notify`, not in the middle of the chain.
    pub(crate) data: Result<Option<Json>, String>,
}

/// A notification was not stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotifyError {
    /// The payload can't be written as JSON.
    #[error("the payload can't be written as JSON: {0}")]
    Payload(String),
    /// The server refuses it, or its store is away; `Refused::code` says which.
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl axum::response::IntoResponse for NotifyError {
    fn into_response(self) -> axum::response::Response {
        let refused = match self {
            Self::Payload(detail) => Refused::new(tidings_protocol::ErrorCode::BadRequest, detail),
            Self::Refused(refused) => refused,
        };
        crate::error::ApiError(refused).into_response()
    }
}

impl Notification {
    /// A notification without data.
    pub fn new(kind: impl Into<String>, title: impl Into<String>) -> Self {
        let body =
            PublishNotification { kind: kind.into(), title: title.into(), ..Default::default() };
        Self { body, key: None, data: Ok(None) }
    }

    /// A notification with typed data.
    pub fn of<P: Payload>(payload: &P, title: impl Into<String>) -> Self {
        let data = Json::of(payload).map(Some).map_err(|error| error.to_string());
        Self { data, ..Self::new(P::TYPE, title) }
    }

    /// Adds a recipient.
    #[must_use]
    pub fn to_user(mut self, user: impl Into<String>) -> Self {
        self.body.to.users.get_or_insert_default().push(user.into());
        self
    }

    /// To everyone: one record, read by each user on arrival.
    #[must_use]
    pub fn to_everyone(mut self) -> Self {
        self.body.to.everyone = Some(true);
        self
    }

    /// The text below the title.
    #[must_use]
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.body.message = Some(message.into());
        self
    }

    /// The link: `http`, `https` or relative.
    #[must_use]
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.body.url = Some(url.into());
        self
    }

    /// A repeat with the same key within 24 h gets the first answer and stores nothing.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }
}
