//! The caller of the REST API.

use std::sync::Arc;

use tidings_protocol::ErrorCode;
use tidings_server_core::{Identity, Principal, Refused, service::Caller};

/// The caller of the REST API.
#[derive(Clone, Debug, PartialEq)]
pub enum RestCaller {
    /// A backend, by the name of its key.
    Backend(Arc<str>),
    /// A user, by a JWT.
    User(Box<Identity>),
    /// A user, by a session token. It may reconnect and read, but may not open anything that
    /// outlives it.
    Session(Box<Identity>),
}

impl RestCaller {
    /// The caller, for the core's service.
    #[must_use]
    pub fn caller(&self) -> Caller<'_> {
        match self {
            Self::Backend(_) => Caller::Backend,
            Self::User(identity) | Self::Session(identity) => Caller::User(identity),
        }
    }

    /// A stable name of the credential, for idempotency keys.
    #[must_use]
    pub fn credential(&self) -> String {
        match self {
            Self::Backend(name) => format!("key:{name}"),
            Self::User(identity) | Self::Session(identity) => format!("user:{}", identity.user),
        }
    }

    /// The party that the request is counted for.
    #[must_use]
    pub fn principal(&self) -> Principal {
        match self {
            Self::Backend(name) => Principal::ApiKey(Arc::clone(name)),
            Self::User(identity) | Self::Session(identity) => Principal::user(&identity.user),
        }
    }

    /// Refuses users.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn backend(&self) -> Result<(), Refused> {
        match self {
            Self::Backend(_) => Ok(()),
            Self::User(_) | Self::Session(_) => Err(Refused::new(
                ErrorCode::Forbidden,
                "only a backend may do this, with an API key in `Authorization`.",
            )),
        }
    }

    /// Refuses session tokens, which may not open further sessions.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn opens(&self) -> Result<(), Refused> {
        match self {
            Self::Backend(_) | Self::User(_) => Ok(()),
            Self::Session(_) => Err(Refused::new(
                ErrorCode::Forbidden,
                "a session token re-enters its session and opens no other: ask with a JWT or an API key.",
            )),
        }
    }

    /// Refuses every credential except the session token of the named session.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn session(&self, named: &str) -> Result<&Identity, Refused> {
        match self {
            Self::Session(identity) if identity.session == named => Ok(identity),
            Self::Session(_) => Err(Refused::new(
                ErrorCode::Forbidden,
                "the session token is another session's than the one in the path.",
            )),
            Self::Backend(_) | Self::User(_) => Err(Refused::new(
                ErrorCode::Forbidden,
                "show the session token that `connected` or the poll's head gave, not another credential.",
            )),
        }
    }

    /// Refuses backends.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn user(&self) -> Result<&Identity, Refused> {
        match self {
            Self::User(identity) | Self::Session(identity) => Ok(identity),
            Self::Backend(_) => Err(Refused::new(
                ErrorCode::Forbidden,
                "only a user may do this, with a JWT or session token of their own.",
            )),
        }
    }
}
