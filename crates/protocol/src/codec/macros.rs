//! The macros that turn structs into messages. They expand to little code: each field costs one
//! call of `push_field` and one of `Reader::field`, whose bodies all fields of one type share.

/// Turns a struct into a JSON object.
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
            fn read(reader: &mut crate::codec::Reader<'_>) -> Self {
                const NAMES: &[&str] = &[$(stringify!($field)),*];
                const { assert!(NAMES.len() <= crate::codec::FIELDS_MAX) }
                let mut fields = reader.fields(NAMES);
                Self { $($field: reader.field(&mut fields),)* }
            }
        }
    };
}

/// Makes a struct of each message, and an enum of all messages.
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
                let mut reader = crate::codec::Reader::check(text)?;
                let message = match &*reader.kind() {
                    $($tag => Self::$name(crate::codec::Decode::read(&mut reader)),)*
                    _ => return Err(reader.unknown_type()),
                };
                reader.finish(message)
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

            /// Every known `type`.
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

        // Not serde's own tagged enum: it buffers values, and raw values don't survive that
        // (serde-rs/json#545).
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
                fn read(reader: &mut crate::codec::Reader<'_>) -> Self {
                    const NAMES: &[&str] = &["type", $(stringify!($field)),*];
                    const { assert!(NAMES.len() <= crate::codec::FIELDS_MAX) }
                    let mut fields = reader.fields(NAMES);
                    reader.tag(&mut fields, $tag);
                    Self { $($field: reader.field(&mut fields),)* }
                }
            }
        )*
    };
}

pub(crate) use {messages, wire};
