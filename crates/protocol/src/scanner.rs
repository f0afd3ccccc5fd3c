//! The scanner: a cursor over JSON text that checks everything it passes.

use std::borrow::Cow;

use crate::{
    Json,
    codec::{Decode, DecodeError, Reason},
    json::unescaped,
    limits::{DEPTH, MAX_OFFSET},
};

/// A cursor over one JSON text.
///
/// It passes each byte once, recurses only as deep as the typed message is, and borrows from the
/// text. It accepts exactly the JSON grammar (RFC 8259), with bounds on depth and without lone
/// surrogates.
#[derive(Debug)]
pub struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Containers around the cursor.
    depth: usize,
    /// White space was passed since somebody last cleared this; tells [`Json`] whether there is
    /// something to strip.
    spaced: bool,
}

/// What [`Scanner::object`] calls for each member: the key, and the scanner before the value, which
/// it must pass.
pub type OnMember<'f, 'a> = &'f mut dyn FnMut(&str, &mut Scanner<'a>) -> Result<(), DecodeError>;

impl<'a> Scanner<'a> {
    /// Starts before the first byte of a text.
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0, spaced: false }
    }

    /// Bytes passed so far.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Passes white space and tells the byte that begins the next token.
    pub fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = self.byte()?;
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.spaced = true;
            self.at += 1;
        }
    }

    /// Passes an object, member by member.
    pub fn object(&mut self, on_member: OnMember<'_, 'a>) -> Result<(), DecodeError> {
        self.open(b'{')?;
        if self.close(b'}')? {
            return Ok(());
        }
        loop {
            let key = self.key()?;
            on_member(&key, self)?;
            if self.next_or_close(b'}')? {
                return Ok(());
            }
        }
    }

    /// Passes an array; the closure must pass one element.
    pub fn array(
        &mut self,
        on_element: &mut dyn FnMut(&mut Self) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        self.open(b'[')?;
        if self.close(b']')? {
            return Ok(());
        }
        loop {
            on_element(self)?;
            if self.next_or_close(b']')? {
                return Ok(());
            }
        }
    }

    /// Passes a string and unescapes it; borrows where there is no escape.
    pub fn string(&mut self) -> Result<Cow<'a, str>, DecodeError> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected(Reason::NotString));
        }
        let from = self.at + 1;
        self.skip_string()?;
        unescaped(self.slice(from, self.at - 1), from)
    }

    /// Passes an integer of 0 to 2^53 − 1, written with digits only.
    pub fn integer(&mut self) -> Result<u64, DecodeError> {
        if !matches!(self.peek(), Some(b'0'..=b'9' | b'-')) {
            return Err(self.unexpected(Reason::NotInteger));
        }
        let from = self.at;
        self.skip_number()?;
        let mut number = 0_u64;
        for byte in self.slice(from, self.at).bytes() {
            if !byte.is_ascii_digit() {
                return Err(DecodeError::new(Reason::NotInteger, from));
            }
            number = number * 10 + u64::from(byte - b'0');
            if number > MAX_OFFSET {
                return Err(DecodeError::new(Reason::TooLarge, from));
            }
        }
        Ok(number)
    }

    /// Passes `true` or `false`.
    pub fn boolean(&mut self) -> Result<bool, DecodeError> {
        match self.peek() {
            Some(b't') => self.skip_word("true").map(|()| true),
            Some(b'f') => self.skip_word("false").map(|()| false),
            _ => Err(self.unexpected(Reason::NotBoolean)),
        }
    }

    /// Passes `null` if it is next.
    pub fn null(&mut self) -> Result<bool, DecodeError> {
        if self.peek() == Some(b'n') { self.skip_word("null").map(|()| true) } else { Ok(false) }
    }

    /// Passes any value and keeps it.
    pub fn json(&mut self) -> Result<Json, DecodeError> {
        self.peek();
        let from = self.at;
        self.spaced = false;
        self.skip()?;
        Ok(Json::scanned(self.slice(from, self.at), self.spaced))
    }

    /// Passes any value. Does not recurse: a bit per container tells objects from arrays.
    pub fn skip(&mut self) -> Result<(), DecodeError> {
        let outside = self.depth;
        let mut objects = 0_u64;
        loop {
            let mut complete = true;
            match self.peek() {
                Some(b'"') => self.skip_string()?,
                Some(b'{') => {
                    self.open(b'{')?;
                    objects = objects << 1 | 1;
                    complete = self.close(b'}')?;
                    if complete {
                        objects >>= 1;
                    } else {
                        self.key()?;
                    }
                }
                Some(b'[') => {
                    self.open(b'[')?;
                    objects <<= 1;
                    complete = self.close(b']')?;
                    if complete {
                        objects >>= 1;
                    }
                }
                Some(b't') => self.skip_word("true")?,
                Some(b'f') => self.skip_word("false")?,
                Some(b'n') => self.skip_word("null")?,
                Some(b'-' | b'0'..=b'9') => self.skip_number()?,
                _ => return Err(self.unexpected(Reason::Unexpected)),
            }
            while complete && self.depth > outside {
                let in_object = objects & 1 == 1;
                complete = self.next_or_close(if in_object { b'}' } else { b']' })?;
                if complete {
                    objects >>= 1;
                } else if in_object {
                    self.key()?;
                }
            }
            if complete {
                return Ok(());
            }
        }
    }

    /// Nothing but white space may follow.
    pub fn end(&mut self) -> Result<(), DecodeError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(DecodeError::new(Reason::Trailing, self.at)),
        }
    }

    /// Reads a member's value into its slot; a slot that is taken means the key came twice.
    pub(crate) fn field<T: Decode>(
        &mut self,
        name: &'static str,
        slot: &mut Option<T>,
    ) -> Result<(), DecodeError> {
        if slot.is_some() {
            return Err(DecodeError::new(Reason::Duplicate, self.at).within(name));
        }
        *slot = Some(T::scan(self).map_err(|error| error.within(name))?);
        Ok(())
    }

    /// Empties a slot at the end of its object.
    pub(crate) fn required<T: Decode>(
        &self,
        name: &'static str,
        slot: Option<T>,
    ) -> Result<T, DecodeError> {
        slot.or_else(T::absent)
            .ok_or_else(|| DecodeError::new(Reason::Missing, self.at).within(name))
    }

    /// Reads the member `type`, which must be `name` and come once.
    pub(crate) fn tag(&mut self, name: &str, seen: &mut bool) -> Result<(), DecodeError> {
        let at = self.at;
        if *seen {
            return Err(DecodeError::new(Reason::Duplicate, at).within("type"));
        }
        *seen = true;
        if self.string().map_err(|error| error.within("type"))? == name {
            Ok(())
        } else {
            Err(DecodeError::new(Reason::UnknownType, at).within("type"))
        }
    }

    pub(crate) fn unexpected(&self, otherwise: Reason) -> DecodeError {
        DecodeError::new(if self.at < self.text.len() { otherwise } else { Reason::Ended }, self.at)
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn slice(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }

    fn open(&mut self, bracket: u8) -> Result<(), DecodeError> {
        if self.peek() != Some(bracket) {
            return Err(self.unexpected(if bracket == b'{' {
                Reason::NotObject
            } else {
                Reason::NotArray
            }));
        }
        if self.depth == DEPTH {
            return Err(DecodeError::new(Reason::Depth, self.at));
        }
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    /// Passes the closing bracket of an empty container.
    fn close(&mut self, bracket: u8) -> Result<bool, DecodeError> {
        let found = self.peek() == Some(bracket);
        if found {
            self.at += 1;
            self.depth -= 1;
        }
        Ok(found)
    }

    /// Passes a comma (`false`) or the closing bracket (`true`).
    fn next_or_close(&mut self, bracket: u8) -> Result<bool, DecodeError> {
        if self.close(bracket)? {
            return Ok(true);
        }
        if self.peek() == Some(b',') {
            self.at += 1;
            return Ok(false);
        }
        Err(self.unexpected(Reason::Unexpected))
    }

    /// Passes a key and its colon.
    fn key(&mut self) -> Result<Cow<'a, str>, DecodeError> {
        let key = self.string()?;
        if self.peek() != Some(b':') {
            return Err(self.unexpected(Reason::Unexpected));
        }
        self.at += 1;
        Ok(key)
    }

    fn skip_word(&mut self, word: &str) -> Result<(), DecodeError> {
        if !self
            .text
            .as_bytes()
            .get(self.at..)
            .is_some_and(|rest| rest.starts_with(word.as_bytes()))
        {
            return Err(DecodeError::new(Reason::Unexpected, self.at));
        }
        self.at += word.len();
        Ok(())
    }

    /// `-? (0 | [1-9][0-9]*) (\. [0-9]+)? ([eE] [+-]? [0-9]+)?`
    fn skip_number(&mut self) -> Result<(), DecodeError> {
        let from = self.at;
        self.pass(b'-');
        let whole = self.at;
        let digits = self.digits();
        let mut fits =
            digits > 0 && (digits == 1 || self.text.as_bytes().get(whole) != Some(&b'0'));
        if self.pass(b'.') {
            fits &= self.digits() > 0;
        }
        if self.pass(b'e') || self.pass(b'E') {
            let _sign = self.pass(b'+') || self.pass(b'-');
            fits &= self.digits() > 0;
        }
        if fits { Ok(()) } else { Err(DecodeError::new(Reason::Number, from)) }
    }

    fn pass(&mut self, byte: u8) -> bool {
        let found = self.byte() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn digits(&mut self) -> usize {
        let from = self.at;
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - from
    }

    /// Passes a string from its opening to behind its closing quote.
    fn skip_string(&mut self) -> Result<(), DecodeError> {
        loop {
            let rest = self.text.as_bytes().get(self.at + 1..).unwrap_or_default();
            let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
            self.at += 1 + rest.iter().position(special).unwrap_or(rest.len());
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.skip_escape()?,
                Some(_) => return Err(DecodeError::new(Reason::Control, self.at)),
                None => return Err(DecodeError::new(Reason::Ended, self.at)),
            }
        }
    }

    /// Passes an escape up to its last byte. Surrogates must come in pairs: half of one is no text.
    fn skip_escape(&mut self) -> Result<(), DecodeError> {
        let from = self.at;
        self.at += 1;
        match self.byte() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => return Ok(()),
            Some(b'u') => {}
            _ => return Err(self.unexpected(Reason::Escape)),
        }
        match self.hex()? & 0xfc00 {
            0xd800 => {
                let pair = self.slice(self.at + 1, self.at + 3) == "\\u";
                self.at += 2;
                if pair && self.hex()? & 0xfc00 == 0xdc00 {
                    Ok(())
                } else {
                    Err(DecodeError::new(Reason::Surrogate, from))
                }
            }
            0xdc00 => Err(DecodeError::new(Reason::Surrogate, from)),
            _ => Ok(()),
        }
    }

    /// Passes the four digits behind a `u`.
    fn hex(&mut self) -> Result<u32, DecodeError> {
        let mut unit = 0;
        for _ in 0..4 {
            self.at += 1;
            let digit = self.byte().and_then(|byte| char::from(byte).to_digit(16));
            unit = unit << 4 | digit.ok_or_else(|| self.unexpected(Reason::Escape))?;
        }
        Ok(unit)
    }
}
