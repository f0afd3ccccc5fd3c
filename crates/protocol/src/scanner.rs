//! The scanner: a cursor over JSON text that checks all text it passes.

use std::borrow::Cow;

use crate::{
    Json,
    codec::{DecodeError, Reason},
    json::unescaped,
    limits::{DEPTH, MAX_OFFSET},
};

/// A cursor over one JSON text.
///
/// It does not recurse, borrows from the text, and accepts exactly the JSON grammar (RFC 8259),
/// except that it limits the depth and refuses lone surrogates. After an error it stands where the
/// error is.
#[derive(Clone, Debug)]
pub struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Whether white space was passed since this was last cleared; tells [`Json`] whether there is
    /// any to drop.
    spaced: bool,
}

/// The result of passing a value. One byte, unlike a [`DecodeError`], because browsers download
/// this code.
type Passed<T = ()> = Result<T, Reason>;

impl<'a> Scanner<'a> {
    /// Starts before the first byte of a text.
    pub fn new(text: &'a str) -> Self {
        Self::at(text, 0)
    }

    /// Starts at a byte of a text.
    pub(crate) fn at(text: &'a str, at: usize) -> Self {
        Self { text, at, spaced: false }
    }

    /// Number of bytes passed so far.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Whether white space was passed.
    pub(crate) fn spaced(&self) -> bool {
        self.spaced
    }

    /// Passes white space and returns the first byte of the next token.
    #[inline(never)]
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

    /// Passes a string and unescapes it; borrows it if it holds no escape.
    pub fn string(&mut self) -> Result<Cow<'a, str>, DecodeError> {
        self.text().map_err(|reason| self.error(reason))
    }

    /// Passes an integer of 0 to 2^53 − 1, written with digits only.
    pub fn integer(&mut self) -> Result<u64, DecodeError> {
        self.peek();
        let from = self.at;
        let passed = self.pass();
        let number = passed.and_then(|()| integer(self.slice(from, self.at)));
        number.map_err(|reason| DecodeError::new(reason, from))
    }

    /// Passes any value and returns it.
    pub fn json(&mut self) -> Result<Json, DecodeError> {
        self.peek();
        let from = self.at;
        self.spaced = false;
        self.skip()?;
        Ok(Json::scanned(self.slice(from, self.at), self.spaced))
    }

    /// Passes any value.
    pub fn skip(&mut self) -> Result<(), DecodeError> {
        self.pass().map_err(|reason| self.error(reason))
    }

    /// Fails if anything but white space follows.
    pub fn end(&mut self) -> Result<(), DecodeError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.error(Reason::Trailing)),
        }
    }

    /// The same as [`Self::string`], but the error has no position.
    pub(crate) fn text(&mut self) -> Passed<Cow<'a, str>> {
        self.peek();
        let from = self.at + 1;
        self.pass_string()?;
        unescaped(self.slice(from, self.at - 1))
    }

    /// Passes any value. One bit for each open container tells objects from arrays.
    pub(crate) fn pass(&mut self) -> Passed {
        let mut objects = 0_u64;
        let mut depth = 0;
        loop {
            // After an opening bracket, the first element has no comma before it.
            let mut fresh = false;
            match self.peek() {
                Some(b'"') => self.pass_string()?,
                Some(bracket @ (b'{' | b'[')) => {
                    if depth == DEPTH {
                        return Err(Reason::Depth);
                    }
                    depth += 1;
                    objects = objects << 1 | u64::from(bracket == b'{');
                    self.at += 1;
                    fresh = true;
                }
                Some(b't') => self.pass_word("true")?,
                Some(b'f') => self.pass_word("false")?,
                Some(b'n') => self.pass_word("null")?,
                Some(b'-' | b'0'..=b'9') => self.pass_number()?,
                _ => return Err(self.unless_ended(Reason::Unexpected)),
            }
            loop {
                if depth == 0 {
                    return Ok(());
                }
                let in_object = objects & 1 == 1;
                if self.element(if in_object { b'}' } else { b']' }, &mut fresh)? {
                    if in_object {
                        self.key()?;
                    }
                    break;
                }
                depth -= 1;
                objects >>= 1;
            }
        }
    }

    /// Passes the comma before an element, unless the container is `fresh`. `false`: it passed the
    /// closing bracket instead.
    pub(crate) fn element(&mut self, bracket: u8, fresh: &mut bool) -> Passed<bool> {
        let next = self.peek();
        let first = std::mem::take(fresh);
        if next == Some(bracket) {
            self.at += 1;
            return Ok(false);
        }
        if !first {
            if next != Some(b',') {
                return Err(self.unless_ended(Reason::Unexpected));
            }
            self.at += 1;
        }
        Ok(true)
    }

    /// Passes a key, its colon, and the white space after it.
    pub(crate) fn key(&mut self) -> Passed<Cow<'a, str>> {
        let key = self.text()?;
        if self.peek() != Some(b':') {
            return Err(self.unless_ended(Reason::Unexpected));
        }
        self.at += 1;
        self.peek();
        Ok(key)
    }

    pub(crate) fn error(&self, reason: Reason) -> DecodeError {
        DecodeError::new(reason, self.at)
    }

    pub(crate) fn slice(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }

    /// The text that is not passed yet.
    pub(crate) fn rest(&self) -> &'a str {
        self.slice(self.at, self.text.len())
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn unless_ended(&self, otherwise: Reason) -> Reason {
        if self.at < self.text.len() { otherwise } else { Reason::Ended }
    }

    fn pass_word(&mut self, word: &str) -> Passed {
        if self.slice(self.at, self.at + word.len()) != word {
            return Err(Reason::Unexpected);
        }
        self.at += word.len();
        Ok(())
    }

    /// `-? (0 | [1-9][0-9]*) (\. [0-9]+)? ([eE] [+-]? [0-9]+)?`
    fn pass_number(&mut self) -> Passed {
        let from = self.at;
        self.pass_if(b'-', b'-');
        let zero = self.byte() == Some(b'0');
        let digits = self.pass_digits();
        let mut fits = digits == 1 || digits > 0 && !zero;
        if self.pass_if(b'.', b'.') {
            fits &= self.pass_digits() > 0;
        }
        if self.pass_if(b'e', b'E') {
            self.pass_if(b'+', b'-');
            fits &= self.pass_digits() > 0;
        }
        if fits {
            return Ok(());
        }
        self.at = from;
        Err(Reason::Number)
    }

    fn pass_if(&mut self, this: u8, or_this: u8) -> bool {
        let found = self.byte().is_some_and(|byte| byte == this || byte == or_this);
        self.at += usize::from(found);
        found
    }

    fn pass_digits(&mut self) -> usize {
        let from = self.at;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - from
    }

    /// Passes a string from its opening quote to its closing quote.
    fn pass_string(&mut self) -> Passed {
        if self.byte() != Some(b'"') {
            return Err(self.unless_ended(Reason::NotString));
        }
        loop {
            self.at += 1;
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.pass_escape()?,
                Some(0..0x20) => return Err(Reason::Control),
                Some(_) => {}
                None => return Err(Reason::Ended),
            }
        }
    }

    /// Passes an escape up to its last byte. Surrogates must come in pairs.
    fn pass_escape(&mut self) -> Passed {
        let from = self.at;
        self.at += 1;
        match self.byte() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => return Ok(()),
            Some(b'u') => {}
            _ => return Err(self.unless_ended(Reason::Escape)),
        }
        let half = self.pass_unit()? & 0xfc00;
        if half & 0xf800 != 0xd800 {
            return Ok(());
        }
        if half == 0xd800 && self.slice(self.at + 1, self.at + 3) == "\\u" {
            self.at += 2;
            if self.pass_unit()? & 0xfc00 == 0xdc00 {
                return Ok(());
            }
        }
        self.at = from;
        Err(Reason::Surrogate)
    }

    /// Passes the four digits after a `u`.
    fn pass_unit(&mut self) -> Passed<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            self.at += 1;
            let digit = self.byte().and_then(|byte| char::from(byte).to_digit(16));
            unit = unit << 4 | digit.ok_or_else(|| self.unless_ended(Reason::Escape))?;
        }
        Ok(unit)
    }
}

/// Reads an integer that consists of digits only.
pub(crate) fn integer(text: &str) -> Result<u64, Reason> {
    let mut number = 0_u64;
    for byte in text.bytes() {
        if !byte.is_ascii_digit() {
            return Err(Reason::NotInteger);
        }
        number = number * 10 + u64::from(byte - b'0');
        if number > MAX_OFFSET {
            return Err(Reason::TooLarge);
        }
    }
    if text.is_empty() { Err(Reason::NotInteger) } else { Ok(number) }
}
