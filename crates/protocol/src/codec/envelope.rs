//! The frame and the common fields of a message: its type, and the ids its answer repeats.

use super::Reason;
use crate::{json::Scanner, scanner::integer};

/// The messages of a frame: one, or several separated by newlines. Skips empty lines.
pub fn messages_of(frame: &str) -> impl Iterator<Item = &str> {
    // Not `str::split`: its searcher alone is larger than this function.
    let mut rest = Some(frame);
    let lines = std::iter::from_fn(move || {
        let text = rest?;
        let end = text.bytes().position(|byte| byte == b'\n');
        rest = end.and_then(|end| text.get(end + 1..));
        text.get(..end.unwrap_or(text.len()))
    });
    lines.filter(|line| !line.bytes().all(|byte| byte.is_ascii_whitespace()))
}

/// The common fields of a message, as far as they can be read: an error answer to a broken message
/// needs them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// The message type.
    pub kind: Option<String>,
    /// The answer repeats it.
    pub id: Option<u64>,
    /// Outbox lane.
    pub client_id: Option<String>,
    /// Position in the lane.
    pub seq: Option<u64>,
}

impl Envelope {
    /// Reads the fields up to the point where the text is broken.
    pub fn peek(text: &str) -> Self {
        let mut found = Self::default();
        let _broken = found.gather(&mut Scanner::new(text));
        found
    }

    fn gather<'a>(&mut self, scanner: &mut Scanner<'a>) -> Result<(), Reason> {
        if scanner.peek() != Some(b'{') {
            return Err(Reason::NotObject);
        }
        *scanner = Scanner::at(scanner.rest(), 1);
        let mut fresh = true;
        while scanner.element(b'}', &mut fresh)? {
            let key = scanner.key()?;
            let from = scanner.position();
            scanner.pass()?;
            let raw: &'a str = scanner.slice(from, scanner.position());
            match &*key {
                "type" => self.kind = Some(Scanner::new(raw).text()?.into_owned()),
                "id" => self.id = Some(integer(raw)?),
                "client_id" => self.client_id = Some(Scanner::new(raw).text()?.into_owned()),
                "seq" => self.seq = Some(integer(raw)?),
                _ => {}
            }
        }
        Ok(())
    }
}
