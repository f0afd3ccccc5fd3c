//! The one error an app sees.

use core::fmt::{self, Display, Formatter};

use tidings_protocol::{ErrorCode, Fault, Retry, server};

/// Something went wrong, whose fault it is and what to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Error {
    /// Stable name; a server may send codes this version does not know, hence text.
    pub code: String,
    /// Whose fault.
    pub fault: Fault,
    /// The client tries again by itself, or the same call may succeed later.
    pub retry: bool,
    /// In words: what went wrong and what to do.
    pub message: String,
}

impl Error {
    /// An error of the catalogue: `detail`, which is what happened, and behind it the advice for its code.
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

    /// What a server said. Its `retry` decides, whatever this version's catalogue thinks of the code.
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

/// One text of several.
pub(crate) fn joined(parts: &[&str]) -> String {
    let mut text = String::new();
    for part in parts {
        text.push_str(part);
    }
    text
}

/// Why a connection or an attempt ended, and what that asks for. In a box: it comes up through many returns, and a
/// result of one word costs a browser less code at each of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failure(Box<Why>);

/// What a [`Failure`] says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Why {
    pub(crate) error: Error,
    pub(crate) retry: Retry,
    /// Milliseconds the server wants to be left alone.
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

    /// A transport that closed without an `error` before: the code's range speaks.
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
