//! Serde for the types that are not plain objects. Channels and epochs are strings, which are
//! checked when they are read.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::{
    Channel, Epoch, Json, Proof, Retry,
    client::{Cursor, Since},
    codec::{Decode as _, Reason},
    server::{GapReason, Posted},
};

macro_rules! as_strings {
    ($($name:ident)*) => {
        $(
            impl Serialize for $name {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.serialize_str(self.as_str())
                }
            }

            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    let text = Cow::<'_, str>::deserialize(deserializer)?;
                    Self::parse(&text).map_err(D::Error::custom)
                }
            }
        )*
    };
}

as_strings!(Channel Epoch);

impl Serialize for Proof {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Proof {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from_text(&Cow::<'_, str>::deserialize(deserializer)?))
    }
}

macro_rules! as_words {
    ($($name:ident)*) => {
        $(
            impl Serialize for $name {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.serialize_str(self.as_str())
                }
            }

            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    let word = Cow::<'_, str>::deserialize(deserializer)?;
                    Self::from_word(&word).ok_or_else(|| D::Error::custom(Reason::UnknownWord.as_str()))
                }
            }
        )*
    };
}

as_words!(Retry GapReason);

impl Serialize for Since {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Cursor(cursor) => cursor.serialize(serializer),
            Self::First => serializer.serialize_str("first"),
            Self::Now => serializer.serialize_str("now"),
        }
    }
}

impl<'de> Deserialize<'de> for Since {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Json::deserialize(deserializer)?;
        let word = value.to::<String>().ok();
        match word.as_deref() {
            Some("first") => Ok(Self::First),
            Some("now") => Ok(Self::Now),
            Some(_) => Err(D::Error::custom(Reason::UnknownWord.as_str())),
            None => value.to::<Cursor>().map(Self::Cursor).map_err(D::Error::custom),
        }
    }
}

impl Serialize for Posted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Message(message) => message.serialize(serializer),
            Self::Notification(note) => note.serialize(serializer),
            Self::Other(record) => record.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Posted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_json(Json::deserialize(deserializer)?.as_str()).map_err(D::Error::custom)
    }
}
