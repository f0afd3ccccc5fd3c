//! Why the server refuses a request.

use tidings_protocol::{DecodeError, ErrorCode};

use crate::store::{Refusal, StoreError, USERS_LANES};

/// A refusal by a service or session. It becomes an `error` message or a problem+json body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Refused {
    /// The error code, which has a fault, a retry rule and a close code.
    pub code: ErrorCode,
    /// For the developer: the exact fault. Never holds a secret. A detail that ends in a full stop
    /// says what to do, too, and replaces the code's general advice.
    pub detail: String,
    /// When the request may be tried again, in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// With the code `sequence`: the `seq` that the lane expects.
    pub expected: Option<u64>,
}

impl Refused {
    /// A refusal with its particular reason. Empty if the code's advice is enough.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), retry_after_ms: None, expected: None }
    }

    /// The message for a developer: the particular reason, then the advice.
    #[must_use]
    pub fn message(&self) -> String {
        match self.detail.as_str() {
            "" => self.code.advice().to_owned(),
            whole if whole.ends_with('.') => whole.to_owned(),
            detail => format!("{detail}. {}", self.code.advice()),
        }
    }
}

impl From<ErrorCode> for Refused {
    fn from(code: ErrorCode) -> Self {
        Self::new(code, "")
    }
}

impl From<DecodeError> for Refused {
    fn from(error: DecodeError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        match refusal.code {
            // A day or more passes until a lane goes: a client that asks each minute loses nothing.
            ErrorCode::Full => {
                Self { retry_after_ms: Some(60_000), ..Self::new(ErrorCode::Full, USERS_LANES) }
            }
            code => Self { expected: refusal.expected, ..Self::from(code) },
        }
    }
}

impl From<StoreError> for Refused {
    /// The store's reason goes to the operator's log, not to clients.
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Corrupt { .. } => Self::from(ErrorCode::Internal),
            StoreError::TooMany(what) => Self {
                retry_after_ms: Some(1_000),
                ..Self::new(ErrorCode::Full, format!("too many {what}"))
            },
            StoreError::Unfit(_) => {
                Self::new(ErrorCode::BadRequest, "the server can't keep a text of this request")
            }
            StoreError::Busy(why) => {
                Self { retry_after_ms: Some(1_000), ..Self::new(ErrorCode::Busy, why) }
            }
            StoreError::Full(_) | StoreError::Unavailable(_) | StoreError::Unknown(_) => {
                Self { retry_after_ms: Some(1_000), ..Self::from(ErrorCode::StorageUnavailable) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_what_happened_first_and_then_one_cure() {
        let message = |detail: &str| Refused::new(ErrorCode::NotFound, detail).message();
        let advice = ErrorCode::NotFound.advice();
        assert_eq!(message(""), advice);
        assert_eq!(message("no room of this name"), format!("no room of this name. {advice}"));
        assert_eq!(message("no such room: make one."), "no such room: make one.");
    }
}
