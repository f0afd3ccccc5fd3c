//! How the values of fields are written and read.

use std::collections::BTreeMap;

use super::{Decode, DecodeError, Encode, Reason, push_key};
use crate::{
    Channel, Epoch, Json, Retry,
    client::{Cursor, Since},
    json::{Scanner, push_str_escaped, push_u64},
    server::GapReason,
};

/// Implements both traits for an enum of words.
macro_rules! words {
    ($name:ident { $($text:literal => $variant:ident,)* }) => {
        impl $name {
            /// The word on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// What a word on the wire means.
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
            fn scan(scanner: &mut Scanner<'_>) -> Result<Self, DecodeError> {
                let unknown = DecodeError::new(Reason::UnknownWord, scanner.position());
                Self::from_word(&scanner.string()?).ok_or(unknown)
            }
        }
    };
}

words!(Retry { "backoff" => Backoff, "never" => Never, "ticket" => Ticket, });
words!(GapReason { "epoch" => Epoch, "retention" => Retention, });

impl Encode for u64 {
    fn encode(&self, out: &mut String) {
        push_u64(out, *self);
    }
}

impl Decode for u64 {
    fn scan(scanner: &mut Scanner<'_>) -> Result<Self, DecodeError> {
        scanner.integer()
    }
}

impl Encode for u32 {
    fn encode(&self, out: &mut String) {
        push_u64(out, u64::from(*self));
    }
}

impl Decode for u32 {
    fn scan(scanner: &mut Scanner<'_>) -> Result<Self, DecodeError> {
        let at = scanner.position();
        scanner.integer()?.try_into().map_err(|_| DecodeError::new(Reason::TooLarge, at))
    }
}

impl Encode for bool {
    fn encode(&self, out: &mut String) {
        out.push_str(if *self { "true" } else { "false" });
    }
}

impl Decode for bool {
    fn scan(scanner: &mut Scanner<'_>) -> Result<Self, DecodeError> {
        scanner.boolean()
    }
}

impl Encode for String {
    fn encode(&self, out: &mut String) {
        push_str_escaped(out, self);
    }
}

impl Decode for String {
    fn scan(scanner: &mut Scanner<'_>) -> Result<Self, DecodeError> {
        scanner.string().map(std::borrow::Cow::into_owned)
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
    fn scan(scanner: &mut Scanner<'_>) -> Result<Self, DecodeError> {
        if scanner.null()? { Ok(None) } else { T::scan(scanner).map(Some) }
    }

    fn absent() -> Option<Self> {
        Some(None)
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
    fn scan(scanner: &mut Scanner<'_>) -> Result<Self, DecodeError> {
        let mut values = Self::new();
        scanner.array(&mut |scanner| {
            values.push(T::scan(scanner)?);
            Ok(())
        })?;
        Ok(values)
    }
}

impl<V: Encode> Encode for BTreeMap<Channel, V> {
    fn encode(&self, out: &mut String) {
        out.push('{');
        for (channel, value) in self {
            push_key(out, "");
            push_str_escaped(out, channel.as_str());
            out.push(':');
            value.encode(out);
        }
        out.push('}');
    }
}

impl<V: Decode> Decode for BTreeMap<Channel, V> {
    fn scan(scanner: &mut Scanner<'_>) -> Result<Self, DecodeError> {
        let mut map = Self::new();
        scanner.object(&mut |key, scanner| {
            let at = scanner.position();
            let channel = Channel::parse(key).map_err(|_| DecodeError::new(Reason::Channel, at))?;
            if map.insert(channel, V::scan(scanner)?).is_some() {
                return Err(DecodeError::new(Reason::Duplicate, at));
            }
            Ok(())
        })?;
        Ok(map)
    }
}

impl Encode for Json {
    fn encode(&self, out: &mut String) {
        out.push_str(self.as_str());
    }
}

impl Decode for Json {
    fn scan(scanner: &mut Scanner<'_>) -> Result<Self, DecodeError> {
        scanner.json()
    }
}

impl Encode for Channel {
    fn encode(&self, out: &mut String) {
        push_str_escaped(out, self.as_str());
    }
}

impl Decode for Channel {
    fn scan(scanner: &mut Scanner<'_>) -> Result<Self, DecodeError> {
        let at = scanner.position();
        Self::parse(&scanner.string()?).map_err(|_| DecodeError::new(Reason::Channel, at))
    }
}

impl Encode for Epoch {
    fn encode(&self, out: &mut String) {
        push_str_escaped(out, self.as_str());
    }
}

impl Decode for Epoch {
    fn scan(scanner: &mut Scanner<'_>) -> Result<Self, DecodeError> {
        let at = scanner.position();
        Self::parse(&scanner.string()?).map_err(|_| DecodeError::new(Reason::Epoch, at))
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
    fn scan(scanner: &mut Scanner<'_>) -> Result<Self, DecodeError> {
        if scanner.peek() != Some(b'"') {
            return Cursor::scan(scanner).map(Self::Cursor);
        }
        let unknown = DecodeError::new(Reason::UnknownWord, scanner.position());
        match &*scanner.string()? {
            "first" => Ok(Self::First),
            "now" => Ok(Self::Now),
            _ => Err(unknown),
        }
    }
}
