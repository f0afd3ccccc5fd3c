//! JSON as text: [`Json`], a checked value, and [`Scanner`], the one parser under every decoder.
//!
//! The same scanner runs in browsers, native clients and servers, so all of them read a message
//! alike. `docs/decisions/0001-one-scanner.md` says why there is neither a fast path nor a
//! fallback.

use std::{
    borrow::Cow,
    fmt::{self, Debug, Display, Formatter},
    str::Chars,
    sync::Arc,
};

use crate::codec::{DecodeError, Reason};

pub use crate::scanner::Scanner;

/// A JSON value as checked text without insignificant white space; cheap to clone.
///
/// Payloads are opaque to Tidings: the publisher decides the order of keys, the form of numbers and
/// the escapes. White space between tokens is dropped, so the text never holds a raw newline and
/// may share a frame with other messages. Equality compares the text.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Json(Arc<str>);

impl Json {
    /// Checks a complete JSON text: grammar, surrogates and [`crate::limits::DEPTH`].
    pub fn parse(text: &str) -> Result<Self, DecodeError> {
        let mut scanner = Scanner::new(text);
        let value = scanner.json()?;
        scanner.end()?;
        Ok(value)
    }

    /// The value `null`.
    pub fn null() -> Self {
        Self(Arc::from("null"))
    }

    /// A JSON string.
    pub fn string(text: &str) -> Self {
        let mut out = String::with_capacity(text.len() + 2);
        push_str_escaped(&mut out, text);
        Self(Arc::from(out))
    }

    /// The text, without insignificant white space.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Length of the text in bytes; never 0.
    #[expect(clippy::len_without_is_empty, reason = "a JSON text is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether arrays and objects nest deeper than this many levels.
    pub fn is_deeper_than(&self, levels: usize) -> bool {
        let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
        for byte in self.0.bytes() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = !in_string,
                b'[' | b'{' if !in_string => depth += 1,
                b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth > levels {
                return true;
            }
        }
        false
    }

    /// Whether this is `null`.
    pub fn is_null(&self) -> bool {
        &*self.0 == "null"
    }

    /// Converts a Rust value to JSON.
    #[cfg(feature = "serde")]
    pub fn of<T: serde::Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        use serde::ser::Error;

        let text = serde_json::to_string(value)?;
        Self::parse(&text).map_err(serde_json::Error::custom)
    }

    /// Reads the value as a Rust type.
    #[cfg(feature = "serde")]
    pub fn to<'a, T: serde::Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.0)
    }

    /// Takes text that the scanner has checked; drops white space if `spaced` is true.
    pub(crate) fn scanned(text: &str, spaced: bool) -> Self {
        Self(if spaced { Arc::from(minified(text)) } else { Arc::from(text) })
    }
}

impl Debug for Json {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Display for Json {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Json {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error;

        let raw: &serde_json::value::RawValue =
            serde_json::from_str(&self.0).map_err(S::Error::custom)?;
        raw.serialize(serializer)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Json {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;

        let raw = Box::<serde_json::value::RawValue>::deserialize(deserializer)?;
        Self::parse(raw.get()).map_err(D::Error::custom)
    }
}

/// Appends a text as a JSON string with quotes; escapes only the characters that JSON requires.
pub fn push_str_escaped(out: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push('"');
    let mut done = 0;
    for (at, byte) in text.bytes().enumerate() {
        let short = match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'\n' => 'n',
            b'\r' => 'r',
            b'\t' => 't',
            0x08 => 'b',
            0x0c => 'f',
            0..0x20 => 'u',
            _ => continue,
        };
        out.push_str(text.get(done..at).unwrap_or_default());
        out.push('\\');
        out.push(short);
        if short == 'u' {
            out.push_str("00");
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
        done = at + 1;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out.push('"');
}

/// Appends a number. `core::fmt` needs ten times the code for it.
pub(crate) fn push_u64(out: &mut String, mut number: u64) {
    let mut digits = [0; 20];
    let mut first = digits.len();
    for place in digits.iter_mut().rev() {
        *place = b'0' + (number % 10) as u8;
        number /= 10;
        first -= 1;
        if number == 0 {
            break;
        }
    }
    for digit in digits.iter().skip(first) {
        out.push(char::from(*digit));
    }
}

/// Reads the inside of a JSON string that the scanner has checked.
pub(crate) fn unescaped(raw: &str) -> Result<Cow<'_, str>, Reason> {
    if raw.bytes().all(|byte| byte != b'\\') {
        return Ok(Cow::Borrowed(raw));
    }
    let mut out = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(mut char) = chars.next() {
        if char == '\\' {
            char = escaped(&mut chars).ok_or(Reason::Escape)?;
        }
        out.push(char);
    }
    Ok(Cow::Owned(out))
}

/// Reads the rest of an escape after its backslash: one character, or `uXXXX`, twice for a
/// surrogate pair.
fn escaped(chars: &mut Chars<'_>) -> Option<char> {
    Some(match chars.next()? {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'u' => {
            let mut unit = unit(chars)?;
            if unit & 0xfc00 == 0xd800 {
                // Skips the second `\u`.
                chars.next()?;
                chars.next()?;
                unit = 0x1_0000 + ((unit & 0x3ff) << 10) + (self::unit(chars)? & 0x3ff);
            }
            char::from_u32(unit)?
        }
        other => other,
    })
}

fn unit(chars: &mut Chars<'_>) -> Option<u32> {
    let mut unit = 0;
    for _ in 0..4 {
        unit = unit << 4 | chars.next()?.to_digit(16)?;
    }
    Some(unit)
}

/// Checked text without the white space between its tokens.
fn minified(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_string = false;
    let mut escaped = false;
    for char in text.chars() {
        if in_string {
            in_string = escaped || char != '"';
            escaped = !escaped && char == '\\';
        } else if matches!(char, ' ' | '\n' | '\r' | '\t') {
            continue;
        } else {
            in_string = char == '"';
        }
        out.push(char);
    }
    out
}
