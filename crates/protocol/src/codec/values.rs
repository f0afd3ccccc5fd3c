//! Encoding and decoding of field values.

use super::{Decode, Encode, Reader, Reason};
use crate::{
    Channel, Epoch, Json, Proof, Retry,
    client::{Cursor, Since},
    json::{push_str_escaped, push_u64},
    server::{GapReason, Message, Notification, Posted},
};

/// Implements both traits for an enum of words.
macro_rules! words {
    ($name:ident, $any:ident { $($text:literal => $variant:ident,)* }) => {
        impl $name {
            /// The value in place of a word that could not be read.
            const ANY: Self = Self::$any;

            /// The word on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The value of a word on the wire.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($text => Some(Self::$variant),)* _ => None }
            }
        }

        impl Encode for $name {
            fn encode(&self, out: &mut String) {
                push_str_escaped(out, self.as_str());
            }
        }

        impl Decode for $name {
            fn read(reader: &mut Reader<'_>) -> Self {
                let word = Self::from_word(&reader.string());
                word.unwrap_or_else(|| {
                    reader.fail(Reason::UnknownWord);
                    Self::ANY
                })
            }
        }
    };
}

words!(Retry, Backoff { "backoff" => Backoff, "never" => Never, "ticket" => Ticket, });
words!(GapReason, Epoch { "epoch" => Epoch, "retention" => Retention, });

impl Encode for u64 {
    fn encode(&self, out: &mut String) {
        push_u64(out, *self);
    }
}

impl Decode for u64 {
    fn read(reader: &mut Reader<'_>) -> Self {
        reader.integer()
    }
}

impl Encode for u32 {
    fn encode(&self, out: &mut String) {
        push_u64(out, u64::from(*self));
    }
}

impl Decode for u32 {
    fn read(reader: &mut Reader<'_>) -> Self {
        reader.integer().try_into().unwrap_or_else(|_| {
            reader.fail(Reason::TooLarge);
            0
        })
    }
}

impl Encode for bool {
    fn encode(&self, out: &mut String) {
        out.push_str(if *self { "true" } else { "false" });
    }
}

impl Decode for bool {
    fn read(reader: &mut Reader<'_>) -> Self {
        reader.boolean()
    }
}

impl Encode for String {
    fn encode(&self, out: &mut String) {
        push_str_escaped(out, self);
    }
}

impl Decode for String {
    fn read(reader: &mut Reader<'_>) -> Self {
        reader.string().into_owned()
    }
}

impl<T: Encode> Encode for Option<T> {
    fn encode(&self, out: &mut String) {
        match self {
            Some(value) => value.encode(out),
            None => out.push_str("null"),
        }
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl<T: Decode> Decode for Option<T> {
    fn read(reader: &mut Reader<'_>) -> Self {
        if reader.is_absent() { None } else { Some(T::read(reader)) }
    }
}

impl<T: Encode> Encode for Vec<T> {
    fn encode(&self, out: &mut String) {
        out.push('[');
        for (place, value) in self.iter().enumerate() {
            if place > 0 {
                out.push(',');
            }
            value.encode(out);
        }
        out.push(']');
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn read(reader: &mut Reader<'_>) -> Self {
        let mut values = Self::new();
        let mut elements = reader.array();
        while reader.element(&mut elements) {
            values.push(T::read(reader));
        }
        values
    }
}

impl Encode for Json {
    fn encode(&self, out: &mut String) {
        out.push_str(self.as_str());
    }
}

impl Decode for Json {
    fn read(reader: &mut Reader<'_>) -> Self {
        reader.json()
    }
}

impl Encode for Channel {
    fn encode(&self, out: &mut String) {
        push_str_escaped(out, self.as_str());
    }
}

impl Decode for Channel {
    fn read(reader: &mut Reader<'_>) -> Self {
        Self::parse(&reader.string()).unwrap_or_else(|_| {
            reader.fail(Reason::Channel);
            Self::system()
        })
    }
}

impl Encode for Epoch {
    fn encode(&self, out: &mut String) {
        push_plain(&self.to_bytes(), out);
    }
}

impl Encode for Proof {
    fn encode(&self, out: &mut String) {
        push_plain(self.as_bytes(), out);
    }
}

impl Decode for Proof {
    fn read(reader: &mut Reader<'_>) -> Self {
        Self::from_text(&reader.string())
    }
}

/// Writes characters that need no escape; `as_str` would check them again.
fn push_plain(text: &[u8], out: &mut String) {
    out.push('"');
    for byte in text {
        out.push(char::from(*byte));
    }
    out.push('"');
}

impl Decode for Epoch {
    fn read(reader: &mut Reader<'_>) -> Self {
        Self::parse(&reader.string()).unwrap_or_else(|_| {
            reader.fail(Reason::Epoch);
            Self::from_bits(0)
        })
    }
}

impl Encode for Since {
    fn encode(&self, out: &mut String) {
        match self {
            Self::Cursor(cursor) => cursor.encode(out),
            Self::First => out.push_str("\"first\""),
            Self::Now => out.push_str("\"now\""),
        }
    }
}

impl Decode for Since {
    fn read(reader: &mut Reader<'_>) -> Self {
        if !reader.is_string() {
            return Self::Cursor(Cursor::read(reader));
        }
        match &*reader.string() {
            "first" => Self::First,
            "now" => Self::Now,
            _ => {
                reader.fail(Reason::UnknownWord);
                Self::Now
            }
        }
    }
}

impl Encode for Posted {
    fn encode(&self, out: &mut String) {
        match self {
            Self::Message(message) => message.encode(out),
            Self::Notification(note) => note.encode(out),
            Self::Other(record) => record.encode(out),
        }
    }
}

impl Decode for Posted {
    fn read(reader: &mut Reader<'_>) -> Self {
        match &*reader.kind() {
            "message" => Self::Message(Message::read(reader)),
            "notification" => Self::Notification(Notification::read(reader)),
            _ => Self::Other(Json::read(reader)),
        }
    }
}
