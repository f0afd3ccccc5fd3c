//! Why a text can't be read.

use std::fmt::{self, Display, Formatter};

use crate::ErrorCode;

/// Why a text can't be decoded. The text comes from the peer, so the error repeats none of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    reason: Reason,
    at: usize,
    field: Option<&'static str>,
}

impl DecodeError {
    pub(crate) const fn new(reason: Reason, at: usize) -> Self {
        Self { reason, at, field: None }
    }

    /// Names the field with the error; a field named earlier, further inside, stays.
    pub(crate) fn within(mut self, field: &'static str) -> Self {
        self.field = self.field.or(Some(field));
        self
    }

    /// The reason.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// Position of the error, in bytes from the start of the text.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The field with the error, if it is inside one.
    pub fn field(&self) -> Option<&'static str> {
        self.field
    }

    /// The error code for the answer: [`ErrorCode::UnknownType`] or [`ErrorCode::BadRequest`].
    pub fn code(&self) -> ErrorCode {
        if self.reason == Reason::UnknownType {
            ErrorCode::UnknownType
        } else {
            ErrorCode::BadRequest
        }
    }
}

impl Display for DecodeError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(field) = self.field {
            write!(f, "`{field}`: ")?;
        }
        write!(f, "{} at byte {}", self.reason.as_str(), self.at)
    }
}

impl std::error::Error for DecodeError {}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Why a text can't be decoded.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Reason { $(#[doc = $text] $name,)* }

        impl Reason {
            /// The reason in a few words.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

reasons! {
    Channel = "not a channel name",
    Control = "control character in a string",
    Depth = "nested too deep",
    Duplicate = "key given twice",
    Ended = "text ends too early",
    Epoch = "not an epoch",
    Escape = "bad escape in a string",
    Missing = "required field is missing",
    NotArray = "not an array",
    NotBoolean = "not true or false",
    NotInteger = "not a non-negative integer",
    NotObject = "not an object",
    NotString = "not a string",
    Number = "malformed number",
    Surrogate = "lone surrogate in a string",
    TooLarge = "integer too large",
    Trailing = "more after the end",
    Unexpected = "unexpected character",
    UnknownType = "unknown message type",
    UnknownWord = "unknown word",
}
