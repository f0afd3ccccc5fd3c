//! Reads values from checked text.
//!
//! The grammar of the whole text is checked before any value is read. So the rest can be small: one
//! function finds the fields of every message, and a value of the wrong type is noted once, in the
//! reader, while an arbitrary value takes its place. The caller never gets that value, because
//! [`Reader::finish`] then returns the error instead of the message.

use std::borrow::Cow;

use super::{Decode, DecodeError, Reason};
use crate::{
    Json,
    json::{Scanner, unescaped},
    scanner::integer,
};

/// The most fields that one struct may have, including a message's `type`.
pub(crate) const FIELDS_MAX: usize = 12;

/// Position of a value in its text. An absent field is an empty span at the end of its object.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: usize,
    to: usize,
}

/// A text with checked grammar, the value to read next, and the first error.
#[derive(Debug)]
pub struct Reader<'a> {
    text: &'a str,
    /// Whether the text holds white space between tokens.
    spaced: bool,
    next: Span,
    /// The innermost field that is being read.
    field: Option<&'static str>,
    error: Option<DecodeError>,
}

impl<'a> Reader<'a> {
    /// Checks a complete text; the whole text is the next value.
    pub fn check(text: &'a str) -> Result<Self, DecodeError> {
        let mut scanner = Scanner::new(text);
        scanner.peek();
        let from = scanner.position();
        scanner.skip()?;
        let next = Span { from, to: scanner.position() };
        scanner.end()?;
        Ok(Self { text, spaced: scanner.spaced(), next, field: None, error: None })
    }

    /// Returns the value, or the first error.
    pub fn finish<T>(self, value: T) -> Result<T, DecodeError> {
        match self.error {
            None => Ok(value),
            Some(error) => Err(error),
        }
    }

    /// Notes an error of the next value. Only the first error is kept.
    pub fn fail(&mut self, reason: Reason) {
        if self.error.is_none() {
            // If the value is absent, the error is that it is missing.
            let reason = if self.raw().is_empty() { Reason::Missing } else { reason };
            let error = DecodeError::new(reason, self.next.from);
            self.error = Some(self.field.map_or(error, |field| error.within(field)));
        }
    }

    /// Whether the value is absent or `null`.
    pub fn is_absent(&self) -> bool {
        matches!(self.raw(), "" | "null")
    }

    /// Whether the value is a string.
    pub fn is_string(&self) -> bool {
        self.raw().starts_with('"')
    }

    /// Reads a string; borrows it if it holds no escape.
    pub fn string(&mut self) -> Cow<'a, str> {
        if !self.is_string() {
            self.fail(Reason::NotString);
            return Cow::Borrowed("");
        }
        let inside = self.text.get(self.next.from + 1..self.next.to - 1).unwrap_or_default();
        unescaped(inside).unwrap_or_else(|reason| {
            self.fail(reason);
            Cow::Borrowed("")
        })
    }

    /// Reads an integer of 0 to 2^53 − 1, written with digits only.
    pub fn integer(&mut self) -> u64 {
        integer(self.raw()).unwrap_or_else(|reason| {
            self.fail(reason);
            0
        })
    }

    /// Reads `true` or `false`.
    pub fn boolean(&mut self) -> bool {
        let raw = self.raw();
        if !matches!(raw, "true" | "false") {
            self.fail(Reason::NotBoolean);
        }
        raw == "true"
    }

    /// Takes the value as JSON of any type.
    pub fn json(&mut self) -> Json {
        if self.raw().is_empty() {
            self.fail(Reason::Missing);
        }
        Json::scanned(self.raw(), self.spaced)
    }

    /// Enters an array.
    pub fn array(&mut self) -> Elements<'a> {
        self.enter(b'[', Reason::NotArray)
    }

    /// Makes the array's next element the next value. `false`: there is none.
    pub fn element(&mut self, elements: &mut Elements<'a>) -> bool {
        let Elements { scanner, fresh, .. } = elements;
        if scanner.element(b']', fresh) != Ok(true) {
            return false;
        }
        scanner.peek();
        self.pass(scanner);
        true
    }

    /// Enters an object with arbitrary keys.
    pub fn object(&mut self) -> Elements<'a> {
        self.enter(b'{', Reason::NotObject)
    }

    /// Makes the value of the object's next member the next value, and returns its key.
    pub fn member(&mut self, members: &mut Elements<'a>) -> Option<Cow<'a, str>> {
        let Elements { scanner, fresh, .. } = members;
        if scanner.element(b'}', fresh) != Ok(true) {
            return None;
        }
        let key = scanner.key().ok()?;
        self.pass(scanner);
        self.field = members.field;
        Some(key)
    }

    /// Enters an object with these fields. Other fields are skipped; a doubled field is an error.
    pub(crate) fn fields(&mut self, names: &'static [&'static str]) -> Fields {
        let end = Span { from: self.next.to, to: self.next.to };
        let mut fields = Fields { names, spans: [end; FIELDS_MAX], place: 0 };
        let mut members = self.object();
        while let Some(key) = self.member(&mut members) {
            let place = names.iter().position(|name| *name == key);
            if let Some(span) = place.and_then(|place| fields.spans.get_mut(place)) {
                if span.from < span.to {
                    self.field = place.and_then(|place| names.get(place).copied());
                    self.fail(Reason::Duplicate);
                }
                *span = self.next;
            }
        }
        fields
    }

    /// Reads the next field of an object.
    #[inline(never)]
    pub(crate) fn field<T: Decode>(&mut self, fields: &mut Fields) -> T {
        self.advance(fields);
        T::read(self)
    }

    /// Checks the field `type`, if it is present: it must equal `tag`.
    pub(crate) fn tag(&mut self, fields: &mut Fields, tag: &str) {
        self.advance(fields);
        if !self.raw().is_empty() && self.string() != tag {
            self.fail(Reason::UnknownType);
        }
    }

    /// Finds the message's type; the whole text stays the next value.
    pub fn kind(&mut self) -> Cow<'a, str> {
        let whole = self.next;
        let mut fields = self.fields(&["type"]);
        self.advance(&mut fields);
        let kind = self.string();
        self.next = whole;
        kind
    }

    /// The error for an unknown type, or the earlier error that kept the type from being read.
    pub(crate) fn unknown_type(mut self) -> DecodeError {
        self.field = Some("type");
        self.fail(Reason::UnknownType);
        self.error.unwrap_or(DecodeError::new(Reason::UnknownType, 0))
    }

    /// The text of the value.
    fn raw(&self) -> &'a str {
        self.text.get(self.next.from..self.next.to).unwrap_or_default()
    }

    fn advance(&mut self, fields: &mut Fields) {
        if let (Some(span), Some(name)) =
            (fields.spans.get(fields.place), fields.names.get(fields.place))
        {
            self.next = *span;
            self.field = Some(name);
        }
        fields.place += 1;
    }

    fn enter(&mut self, bracket: u8, otherwise: Reason) -> Elements<'a> {
        let Span { mut from, to } = self.next;
        if self.raw().as_bytes().first() == Some(&bracket) {
            from += 1;
        } else {
            self.fail(otherwise);
            // An error was noted: the scanner starts where it finds no element.
            from = self.text.len().max(to);
        }
        Elements { scanner: Scanner::at(self.text, from), fresh: true, field: self.field }
    }

    fn pass(&mut self, scanner: &mut Scanner<'a>) {
        let from = scanner.position();
        // The grammar was checked before, so this can't fail.
        let _checked = scanner.pass();
        self.next = Span { from, to: scanner.position() };
    }
}

/// A position between the elements of an array or the members of an object.
#[derive(Debug)]
pub struct Elements<'a> {
    scanner: Scanner<'a>,
    /// No element was read yet.
    fresh: bool,
    /// The field that holds this array or object.
    field: Option<&'static str>,
}

/// An object's fields in the order of their names, and the field that is read next.
#[derive(Debug)]
pub(crate) struct Fields {
    names: &'static [&'static str],
    spans: [Span; FIELDS_MAX],
    place: usize,
}
