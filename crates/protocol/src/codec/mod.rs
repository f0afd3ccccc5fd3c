//! Structs to JSON text and back: [`Encode`], [`Decode`], and the macros that derive both for a
//! message.
//!
//! `wire!` turns a struct into a JSON object: its fields in declared order, `None` left out.
//! `messages!` does the same with `"type"` in front, and gathers the structs in an enum. Reading
//! takes keys in any order, ignores unknown keys and refuses doubled ones. Generic code stays thin
//! around [`Reader`], because browsers download it.

mod envelope;
mod error;
mod macros;
mod reader;
mod values;

pub use envelope::{Envelope, messages_of};
pub use error::{DecodeError, Reason};
pub(crate) use macros::{messages, wire};
pub(crate) use reader::FIELDS_MAX;
pub use reader::{Elements, Reader};

/// A value that can be written as JSON text.
pub trait Encode {
    /// Appends the canonical text, without white space.
    fn encode(&self, out: &mut String);

    /// Whether an object leaves out a field with this value.
    fn is_absent(&self) -> bool {
        false
    }

    /// Returns the text.
    fn to_json(&self) -> String {
        let mut out = String::new();
        self.encode(&mut out);
        out
    }
}

/// A value that can be read from JSON text.
pub trait Decode: Sized {
    /// Reads the reader's next value. An error is noted in the reader, and the returned value is
    /// then arbitrary.
    fn read(reader: &mut Reader<'_>) -> Self;

    /// Reads a complete text.
    fn from_json(text: &str) -> Result<Self, DecodeError> {
        let mut reader = Reader::check(text)?;
        let value = Self::read(&mut reader);
        reader.finish(value)
    }
}

/// Appends `,"name":value`, without the comma at the start of an object. `key` includes quotes and
/// colon.
pub(crate) fn push_field<T: Encode>(out: &mut String, key: &str, value: &T) {
    if !value.is_absent() {
        push_key(out, key);
        value.encode(out);
    }
}

#[inline(never)]
fn push_key(out: &mut String, key: &str) {
    if out.as_bytes().last() != Some(&b'{') {
        out.push(',');
    }
    out.push_str(key);
}
