//! The one error an app sees.

use tidings_protocol::{ErrorCode, Fault};

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
    /// An error of the catalogue, with its own sentence and `detail` behind it.
    #[must_use]
    pub fn new(code: ErrorCode, detail: &str) -> Self {
        let mut message = String::from(code.advice());
        if !detail.is_empty() {
            message.push_str(" (");
            message.push_str(detail);
            message.push(')');
        }
        Self {
            code: String::from(code.as_str()),
            fault: code.fault(),
            retry: code.retry() != tidings_protocol::Retry::Never,
            message,
        }
    }
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.code)?;
        f.write_str(": ")?;
        f.write_str(&self.message)
    }
}

impl core::error::Error for Error {}
