//! Structs to JSON text and back: [`Encode`], [`Decode`], and the macros that derive both for a message.
//!
//! `wire!` makes a struct a JSON object: its fields in declared order, `None` left out. `messages!` does the same with
//! `"type"` in front, and gathers the structs in an enum. Reading takes keys in any order, ignores unknown ones and
//! refuses doubled ones. Generic code is kept to thin shells around [`Scanner`], because it ships to browsers.

use std::{
    collections::BTreeMap,
    fmt::{self, Display, Formatter},
};

use crate::{
    Channel, Epoch, ErrorCode, Json, Retry,
    client::{Cursor, Since},
    json::{Scanner, push_str_escaped, push_u64},
    server::GapReason,
};

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

/// Why a text is not what it should be. The text comes from the other end: nothing of it is repeated here.
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

    /// Names the field it happened in; the innermost stays.
    pub(crate) fn within(mut self, field: &'static str) -> Self {
        self.field = self.field.or(Some(field));
        self
    }

    /// What is wrong.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// Where: bytes from the start of the text.
    pub fn at(&self) -> usize {
        self.at
    }

    /// In which field of the message, if in one.
    pub fn field(&self) -> Option<&'static str> {
        self.field
    }

    /// The code that answers it: [`ErrorCode::UnknownType`] or [`ErrorCode::BadRequest`].
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
        /// What is wrong with a text.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Reason { $(#[doc = $text] $name,)* }

        impl Reason {
            /// In a few words.
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

/// The messages of a frame: one, or several separated by newlines. Skips empty lines.
pub fn messages_of(frame: &str) -> impl Iterator<Item = &str> {
    frame.split('\n').filter(|line| !line.trim_ascii().is_empty())
}

/// What a message says of itself, as far as it can be read: for answers to messages that can't be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// The message type.
    pub kind: Option<String>,
    /// To be echoed.
    pub id: Option<u64>,
    /// Outbox lane.
    pub client_id: Option<String>,
    /// Position in the lane.
    pub seq: Option<u64>,
}

impl Envelope {
    /// Reads what can be read; stops where the text is broken.
    pub fn peek(text: &str) -> Self {
        let mut found = Self::default();
        let _broken = Scanner::new(text).object(&mut |key, scanner| {
            match key {
                "type" => found.kind = Some(scanner.string()?.into_owned()),
                "id" => found.id = Some(scanner.integer()?),
                "client_id" => found.client_id = Some(scanner.string()?.into_owned()),
                "seq" => found.seq = Some(scanner.integer()?),
                _ => scanner.skip()?,
            }
            Ok(())
        });
        found
    }
}

/// Finds a message's type. It is the first key of a canonical message; else the whole object is passed.
pub(crate) fn type_of(text: &str) -> Result<std::borrow::Cow<'_, str>, DecodeError> {
    let canonical = text
        .strip_prefix("{\"type\":\"")
        .and_then(|rest| rest.split_once('"'))
        .map(|(name, _)| name);
    if let Some(name) = canonical.filter(|name| !name.contains('\\')) {
        return Ok(name.into());
    }
    let mut found = None;
    let mut scanner = Scanner::new(text);
    scanner.object(&mut |key, scanner| {
        if key == "type" && found.is_none() {
            found = Some(scanner.string().map_err(|error| error.within("type"))?.into_owned());
            return Ok(());
        }
        scanner.skip()
    })?;
    scanner.end()?;
    found.map(Into::into).ok_or_else(|| DecodeError::new(Reason::Missing, 0).within("type"))
}

/// The error for a type nobody knows: first the text has to be JSON at all.
pub(crate) fn unknown_type(text: &str) -> DecodeError {
    match Json::parse(text) {
        Ok(_) => DecodeError::new(Reason::UnknownType, 0).within("type"),
        Err(error) => error,
    }
}

/// Appends `,"name":value` (`key` brings quotes and colon), without the comma at the start of an object.
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

/// Makes a struct a JSON object.
macro_rules! wire {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(optional_fields))]
        pub struct $name {
            $(
                $(#[$field_meta])*
                #[cfg_attr(feature = "serde", serde(skip_serializing_if = "crate::codec::Encode::is_absent"))]
                pub $field: $type,
            )*
        }

        impl crate::codec::Encode for $name {
            fn encode(&self, out: &mut String) {
                out.push('{');
                $(crate::codec::push_field(out, concat!("\"", stringify!($field), "\":"), &self.$field);)*
                out.push('}');
            }
        }

        impl crate::codec::Decode for $name {
            fn scan(scanner: &mut crate::json::Scanner<'_>) -> Result<Self, crate::codec::DecodeError> {
                $(let mut $field: Option<$type> = None;)*
                scanner.object(&mut |key, scanner| match key {
                    $(stringify!($field) => scanner.field(stringify!($field), &mut $field),)*
                    _ => scanner.skip(),
                })?;
                Ok(Self { $($field: scanner.required(stringify!($field), $field)?,)* })
            }
        }
    };
}

/// Makes a struct of each message, and an enum of them all.
macro_rules! messages {
    (
        $(#[$enum_meta:meta])*
        pub enum $enum:ident {
            $(
                $(#[$meta:meta])*
                $tag:literal $name:ident { $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)* }
            )*
        }
    ) => {
        $(#[$enum_meta])*
        #[derive(Clone, Debug, PartialEq)]
        #[allow(clippy::large_enum_variant, reason = "a message lives for one step; a box would cost an allocation each")]
        pub enum $enum {
            $($(#[$meta])* $name($name),)*
        }

        impl $enum {
            /// Reads a message from its text.
            pub fn decode(text: &str) -> Result<Self, crate::codec::DecodeError> {
                match &*crate::codec::type_of(text)? {
                    $($tag => <$name as crate::codec::Decode>::from_json(text).map(Self::$name),)*
                    _ => Err(crate::codec::unknown_type(text)),
                }
            }

            /// Appends the message's text.
            pub fn encode(&self, out: &mut String) {
                match self {
                    $(Self::$name(message) => crate::codec::Encode::encode(message, out),)*
                }
            }

            /// The message's text.
            pub fn to_json(&self) -> String {
                crate::codec::Encode::to_json(self)
            }

            /// The message's `type`.
            pub fn type_name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => $tag,)*
                }
            }

            /// Every `type` there is.
            pub const TYPES: &'static [&'static str] = &[$($tag),*];

            /// TypeScript declarations of all messages.
            #[cfg(feature = "ts")]
            pub(crate) fn declarations(config: &ts_rs::Config) -> Vec<crate::ts::Declaration> {
                vec![$(crate::ts::Declaration::of_message::<$name>(config, $tag)),*]
            }
        }

        impl crate::codec::Encode for $enum {
            fn encode(&self, out: &mut String) {
                Self::encode(self, out);
            }
        }

        #[cfg(feature = "serde")]
        impl serde::Serialize for $enum {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $(Self::$name(message) => message.serialize(serializer),)*
                }
            }
        }

        // Not serde's own tagged enum: it buffers values, and raw ones don't survive that (serde-rs/json#545).
        #[cfg(feature = "serde")]
        impl<'de> serde::Deserialize<'de> for $enum {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                use serde::de::Error;

                #[derive(serde::Deserialize)]
                struct Tag {
                    r#type: String,
                }

                let raw = Box::<serde_json::value::RawValue>::deserialize(deserializer)?;
                let Tag { r#type } = serde_json::from_str(raw.get()).map_err(D::Error::custom)?;
                match r#type.as_str() {
                    $($tag => serde_json::from_str(raw.get()).map(Self::$name).map_err(D::Error::custom),)*
                    other => Err(D::Error::unknown_variant(other, Self::TYPES)),
                }
            }
        }

        $(
            $(#[$meta])*
            #[derive(Clone, Debug, PartialEq)]
            #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(tag = "type", rename = $tag))]
            #[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(optional_fields, rename = concat!(stringify!($enum), "s[\"", $tag, "\"]")))]
            #[allow(missing_docs, reason = "fields that every message has are explained once, in docs/protocol.md")]
            pub struct $name {
                $(
                    $(#[$field_meta])*
                    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "crate::codec::Encode::is_absent"))]
                    pub $field: $type,
                )*
            }

            impl From<$name> for $enum {
                fn from(message: $name) -> Self {
                    Self::$name(message)
                }
            }

            impl crate::codec::Encode for $name {
                fn encode(&self, out: &mut String) {
                    out.push_str(concat!("{\"type\":\"", $tag, "\""));
                    $(crate::codec::push_field(out, concat!("\"", stringify!($field), "\":"), &self.$field);)*
                    out.push('}');
                }
            }

            impl crate::codec::Decode for $name {
                fn scan(scanner: &mut crate::json::Scanner<'_>) -> Result<Self, crate::codec::DecodeError> {
                    let mut tagged = false;
                    $(let mut $field: Option<$type> = None;)*
                    scanner.object(&mut |key, scanner| match key {
                        "type" => scanner.tag($tag, &mut tagged),
                        $(stringify!($field) => scanner.field(stringify!($field), &mut $field),)*
                        _ => scanner.skip(),
                    })?;
                    Ok(Self { $($field: scanner.required(stringify!($field), $field)?,)* })
                }
            }
        )*
    };
}

pub(crate) use {messages, wire};

/// Implements both traits for an enum of words.
macro_rules! words {
    ($name:ident { $($text:literal => $variant:ident,)* }) => {
        impl $name {
            /// The word on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
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
                match &*scanner.string()? {
                    $($text => Ok(Self::$variant),)*
                    _ => Err(unknown),
                }
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
