//! The one error type of apps.

use core::fmt::{self, Display, Formatter};

use tidings_protocol::{ErrorCode, Fault, Retry, server};

/// An error: its code, the party at fault, and the remedy.
#[derive(Clone, Debug, PartialEq)]
pub struct Error {
    /// Stable name. It is a text, because a server may send codes that this version does not know.
    pub code: String,
    /// The party at fault.
    pub fault: Fault,
    /// Whether the client retries by itself, or the same call may succeed later.
    pub retry: bool,
    /// A text: the event and the remedy.
    pub message: String,
}

impl Error {
    /// An error with a known code: `detail` describes the event, and the code's advice follows it.
    #[must_use]
    pub fn new(code: ErrorCode, detail: &str) -> Self {
        let advice = code.advice();
        Self {
            code: String::from(code.as_str()),
            fault: code.fault(),
            retry: code.retry() != Retry::Never,
            message: if detail.is_empty() {
                String::from(advice)
            } else {
                joined(&[detail, ". ", advice])
            },
        }
    }

    /// An error of the server. Its `retry` decides, even if this version knows the code otherwise.
    pub(crate) fn of_server(error: &server::Error) -> Self {
        Self {
            code: error.code.clone(),
            fault: ErrorCode::from_name(&error.code).map_or(Fault::Server, ErrorCode::fault),
            retry: error.retry != Retry::Never,
            message: error.message.clone(),
        }
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code)?;
        f.write_str(": ")?;
        f.write_str(&self.message)
    }
}

impl core::error::Error for Error {}

/// Joins several texts.
pub(crate) fn joined(parts: &[&str]) -> String {
    let mut text = String::new();
    for part in parts {
        text.push_str(part);
    }
    text
}

/// Why a connection or an attempt ended, and how to react. It is boxed because many functions
/// return it, and a result of one word costs a browser less code in each.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failure(Box<Why>);

/// The contents of a [`Failure`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Why {
    pub(crate) error: Error,
    pub(crate) retry: Retry,
    /// Milliseconds that the server wants the client to wait.
    pub(crate) after: Option<u64>,
}

impl Failure {
    pub(crate) fn new(code: ErrorCode, detail: &str) -> Self {
        Self(Box::new(Why { error: Error::new(code, detail), retry: code.retry(), after: None }))
    }

    pub(crate) fn of_server(error: &server::Error) -> Self {
        let after = error.retry_after_ms;
        Self(Box::new(Why { error: Error::of_server(error), retry: error.retry, after }))
    }

    /// A transport that closed without an `error` before it: the range of the close code decides.
    pub(crate) fn of_close(code: u16, reason: &str) -> Self {
        let known = ErrorCode::ALL
            .iter()
            .copied()
            .find(|known| code >= 4_000 && known.close().is_some_and(|close| close.0 == code));
        let mut failure = Self::new(known.unwrap_or(ErrorCode::Network), reason);
        let retry = tidings_protocol::CloseCode(code).retry();
        failure.0.retry = retry;
        failure.0.error.retry = retry != Retry::Never;
        failure
    }

    pub(crate) fn why(self) -> Why {
        *self.0
    }
}
