//! What stands around a message: its frame, its type, and what its answer must echo.

use std::borrow::Cow;

use super::{DecodeError, Reason};
use crate::{Json, json::Scanner};

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

/// Finds a message's type. It is the first key of a canonical message; else the whole object is
/// passed.
pub(crate) fn type_of(text: &str) -> Result<Cow<'_, str>, DecodeError> {
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
