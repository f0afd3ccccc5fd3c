//! Structs to JSON text and back: [`Encode`], [`Decode`], and the macros that derive both for a
//! message.
//!
//! `wire!` makes a struct a JSON object: its fields in declared order, `None` left out. `messages!`
//! does the same with `"type"` in front, and gathers the structs in an enum. Reading takes keys in
//! any order, ignores unknown ones and refuses doubled ones. Generic code is kept to thin shells
//! around [`Scanner`], because it ships to browsers.

mod envelope;
mod error;
mod macros;
mod values;

use crate::json::Scanner;

pub use envelope::{Envelope, messages_of};
pub(crate) use envelope::{type_of, unknown_type};
pub use error::{DecodeError, Reason};
pub(crate) use macros::{messages, wire};

/// Writes itself as JSON text.
pub trait Encode {
    /// Appends the text: canonical, without white space.
    fn encode(&self, out: &mut String);

    /// Whether a field of this value is left out.
    fn is_absent(&self) -> bool {
        false
    }

    /// The text on its own.
    fn to_json(&self) -> String {
        let mut out = String::new();
        self.encode(&mut out);
        out
    }
}

/// Reads itself from JSON text.
pub trait Decode: Sized {
    /// Passes one value.
    fn scan(scanner: &mut Scanner<'_>) -> Result<Self, DecodeError>;

    /// What an absent field means; nothing, when it is required.
    fn absent() -> Option<Self> {
        None
    }

    /// Reads a complete text.
    fn from_json(text: &str) -> Result<Self, DecodeError> {
        let mut scanner = Scanner::new(text);
        let value = Self::scan(&mut scanner)?;
        scanner.end()?;
        Ok(value)
    }
}

/// Appends `,"name":value` (`key` brings quotes and colon), without the comma at the start of an
/// object.
pub(crate) fn push_field<T: Encode>(out: &mut String, key: &str, value: &T) {
    if !value.is_absent() {
        push_key(out, key);
        value.encode(out);
    }
}

fn push_key(out: &mut String, key: &str) {
    if !out.ends_with('{') {
        out.push(',');
    }
    out.push_str(key);
}
