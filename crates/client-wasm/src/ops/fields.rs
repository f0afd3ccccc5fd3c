//! How the fields of the page's operations are read.

use std::mem;

use tidings_client_core::{Kinds, MarkTargets, Show};
use tidings_protocol::{Channel, Decode, Json, MarkSet};

/// How views are filtered by state, each by its place.
pub const SHOWS: &[&str] = &["inbox", "unread", "archived", "all"];
/// Ways to the server, the best first, each by its place counted from 1.
pub const TRANSPORTS: &[&str] = &["ws", "sse", "poll"];
/// What a mark sets.
pub const MARKS: &[&str] = &["seen", "read", "unread", "archived", "unarchived"];
/// What a ticket function gave, by its place, each with its name and documentation.
pub const GIVEN: &[(&str, &str)] = &[
    ("TICKET", "A one-time ticket."),
    ("TOKEN", "A JWT."),
    ("NOBODY", "Nothing: no user is signed in."),
    ("FAILURE", "It failed; the text says why."),
];

/// The fields of one operation: numbers in slots of their own, texts as the lines of one text. The
/// last text may have lines itself.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    /// The texts that are left.
    text: &'a str,
    /// The next number, and the one after it.
    number: f64,
    other: f64,
    /// The transport in use.
    transport: Option<u64>,
}

impl<'a> Fields<'a> {
    #[inline(always)]
    pub(crate) fn new(text: &'a str, [number, other]: [f64; 2], transport: Option<u64>) -> Self {
        Self { text, number, other, transport }
    }

    /// The next number.
    #[inline(always)]
    pub(crate) fn number(&mut self) -> u64 {
        mem::replace(&mut self.number, self.other) as u64
    }

    /// The next text, if another one follows.
    #[inline(always)]
    pub(crate) fn line(&mut self) -> Option<&'a str> {
        let (line, left) = halves(self.text)?;
        self.text = left;
        Some(line)
    }

    /// All texts that are left.
    pub(crate) fn left(&self) -> &'a str {
        self.text
    }
}

/// What is before and after the first line break.
fn halves(text: &str) -> Option<(&str, &str)> {
    let index = text.bytes().position(|byte| byte == b'\n')?;
    Some((text.get(..index)?, text.get(index + 1..)?))
}

/// A kind of field: what Rust reads, and what TypeScript gives.
pub(crate) trait Field {
    /// What is read.
    type Value;
    /// What TypeScript gives.
    const TYPESCRIPT: &'static str;

    /// Reads the next field; `None` where it is not one of these.
    fn read(fields: &mut Fields<'_>) -> Option<Self::Value>;
}

macro_rules! fields {
    ($($(#[$docs:meta])* $name:ident($typescript:literal) -> $value:ty = |$fields:ident| $read:expr;)*) => {$(
        $(#[$docs])*
        pub(crate) struct $name;

        impl Field for $name {
            type Value = $value;
            const TYPESCRIPT: &'static str = $typescript;

            #[inline(always)]
            fn read($fields: &mut Fields<'_>) -> Option<Self::Value> {
                $read
            }
        }
    )*};
}

fields! {
    /// A whole number from 0 on.
    Number("number") -> u64 = |fields| Some(fields.number());
    /// Yes or no.
    Flag("boolean") -> bool = |fields| Some(fields.number() != 0);
    /// A text without line breaks, before another text.
    Line("string") -> String = |fields| fields.line().map(String::from);
    /// The last text.
    Text("string") -> String = |fields| Some(String::from(fields.left()));
    /// The last text, digits or nothing.
    Digits("`${number}` | ''") -> Option<u64> = |fields| Some(fields.left().parse().ok());
    /// The number of the transport in use: an operation of another one is not read.
    Transport("number") -> u64 = |fields| {
        let number = fields.number();
        (fields.transport == Some(number)).then_some(number)
    };
    /// What a ticket function gave.
    Given("Given") -> u64 = |fields| Some(fields.number());
    /// The state of a view's items, by its place in `SHOWS`.
    ShowIndex("number") -> Show = |fields| Some(match fields.number() {
        0 => Show::Inbox,
        1 => Show::Unread,
        2 => Show::Archived,
        _ => Show::All,
    });
    /// Notification types, the last text: each on a line, none for all.
    Types("string") -> Kinds = |fields| Some(Kinds::of_lines(fields.left()));
    /// A channel's name, before another text.
    ChannelLine("string") -> Channel = |fields| Channel::parse(fields.line()?).ok();
    /// A channel's name, the last text.
    ChannelName("string") -> Channel = |fields| Channel::parse(fields.left()).ok();
    /// The last text, in JSON: the app's own.
    Payload("string") -> Json = |fields| Json::from_json(fields.left()).ok();
    /// Rows of lanes, the last text.
    Rows("JsonText<LaneRows>") -> Vec<Vec<String>> = |fields| Vec::from_json(fields.left()).ok();
    /// What a mark sets, before another text.
    Mark("Mark") -> MarkSet = |fields| {
        let (mut seen, mut read, mut archived) = (None, None, None);
        match fields.line()? {
            "seen" => seen = Some(true),
            "read" => read = Some(true),
            "unread" => read = Some(false),
            "archived" => archived = Some(true),
            "unarchived" => archived = Some(false),
            _ => return None,
        }
        Some(MarkSet { seen, read, archived })
    };
    /// The items that a mark covers, the last text: their ids as a list in JSON; empty for all that
    /// is shown; `*` for all there is, where nothing was shown yet.
    Targets("string") -> MarkTargets = |fields| Some(match fields.left() {
        "" => MarkTargets::All,
        "*" => MarkTargets::Everything,
        ids => MarkTargets::Items(Vec::from_json(ids).ok()?),
    });
}
