//! Values out of checked text.
//!
//! The text's grammar is checked as a whole before anything is read, so that what follows can be small: fields are
//! cut by one function for all messages, and a value that is not what it should be is noted once, at
//! the reader, while an arbitrary one takes its place. Nobody sees that one, because [`Reader::finish`]
//! then gives the error instead of the message.

use std::borrow::Cow;

use super::{Decode, DecodeError, Reason};
use crate::{
    Json,
    json::{Scanner, unescaped},
    scanner::integer,
};

/// Most fields of one struct, a message's `type` among them.
pub(crate) const FIELDS_MAX: usize = 12;

/// Where a value stands in its text. Empty, at the end of its object: an absent field.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: usize,
    to: usize,
}

/// A text whose grammar is checked, the value in it that is next to be read, and what was wrong first.
#[derive(Debug)]
pub struct Reader<'a> {
    text: &'a str,
    /// There is white space between tokens somewhere.
    spaced: bool,
    next: Span,
    /// The innermost field that is being read.
    field: Option<&'static str>,
    error: Option<DecodeError>,
}

impl<'a> Reader<'a> {
    /// Checks a complete text; the whole of it is next.
    pub fn check(text: &'a str) -> Result<Self, DecodeError> {
        let mut scanner = Scanner::new(text);
        scanner.peek();
        let from = scanner.position();
        scanner.skip()?;
        let next = Span { from, to: scanner.position() };
        scanner.end()?;
        Ok(Self { text, spaced: scanner.spaced(), next, field: None, error: None })
    }

    /// What was read, if all went well.
    pub fn finish<T>(self, value: T) -> Result<T, DecodeError> {
        match self.error {
            None => Ok(value),
            Some(error) => Err(error),
        }
    }

    /// Notes that the value is not what it should be, unless something was wrong before.
    pub fn fail(&mut self, reason: Reason) {
        if self.error.is_none() {
            // An absent value is no wrong one.
            let reason = if self.raw().is_empty() { Reason::Missing } else { reason };
            let error = DecodeError::new(reason, self.next.from);
            self.error = Some(self.field.map_or(error, |field| error.within(field)));
        }
    }

    /// Whether the value is left out, or `null`.
    pub fn is_absent(&self) -> bool {
        matches!(self.raw(), "" | "null")
    }

    /// Whether the value is a string.
    pub fn is_string(&self) -> bool {
        self.raw().starts_with('"')
    }

    /// Reads a string; borrows where there is no escape.
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

    /// Keeps the value, whatever it is.
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

    /// Makes the array's next element the one to be read. `false`: there is none.
    pub fn element(&mut self, elements: &mut Elements<'a>) -> bool {
        let Elements { scanner, fresh, .. } = elements;
        if scanner.element(b']', fresh) != Ok(true) {
            return false;
        }
        scanner.peek();
        self.pass(scanner);
        true
    }

    /// Enters an object whose keys are not known.
    pub fn object(&mut self) -> Elements<'a> {
        self.enter(b'{', Reason::NotObject)
    }

    /// Makes the value of the object's next member the one to be read, and answers its key.
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

    /// Enters an object of these fields. Others are passed; one that comes twice is an error.
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

    /// Checks the field `type`, if it is there: it must be `tag`.
    pub(crate) fn tag(&mut self, fields: &mut Fields, tag: &str) {
        self.advance(fields);
        if !self.raw().is_empty() && self.string() != tag {
            self.fail(Reason::UnknownType);
        }
    }

    /// Finds the message's type; the whole text stays next.
    pub fn kind(&mut self) -> Cow<'a, str> {
        let whole = self.next;
        let mut fields = self.fields(&["type"]);
        self.advance(&mut fields);
        let kind = self.string();
        self.next = whole;
        kind
    }

    /// The error for a type nobody knows, or the one that kept it from being read.
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
            // Nothing is to be found there.
            from = self.text.len().max(to);
        }
        Elements { scanner: Scanner::at(self.text, from), fresh: true, field: self.field }
    }

    fn pass(&mut self, scanner: &mut Scanner<'a>) {
        let from = scanner.position();
        // The grammar was checked before.
        let _checked = scanner.pass();
        self.next = Span { from, to: scanner.position() };
    }
}

/// A place between the elements of an array or the members of an object.
#[derive(Debug)]
pub struct Elements<'a> {
    scanner: Scanner<'a>,
    /// Nothing was passed yet.
    fresh: bool,
    /// The field the container is the value of.
    field: Option<&'static str>,
}

/// An object's fields in the order of their names, and which of them is next.
#[derive(Debug)]
pub(crate) struct Fields {
    names: &'static [&'static str],
    spans: [Span; FIELDS_MAX],
    place: usize,
}
