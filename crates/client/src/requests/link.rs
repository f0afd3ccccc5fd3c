//! One transport made of requests: what came down, what waits to go up.

use tidings_protocol::{Channel, Decode, ErrorCode, client::Connect, codec::Reader, server::Error};

use super::stream::{Events, Lines, TooLong};
use crate::TransportKind;

/// Most bytes of a refusal that are read: an `error`, or what a proxy says in its place.
const REFUSAL_MAX: usize = 64 << 10;
/// Most bytes of messages in one request, as servers take them.
const BODY_MAX: usize = 60 << 10;

/// A session, and what it may be entered with.
#[derive(Debug, Default)]
pub(super) struct Session {
    pub(super) name: String,
    /// A secret.
    pub(super) token: String,
}

/// A transport.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) transport: u64,
    pub(super) kind: TransportKind,
    /// What the machine said to open it, with the credential it came with until that is spent.
    pub(super) connect: Option<Box<Connect>>,
    /// Under which messages go up.
    pub(super) session: Session,
    /// With which it is opened again: that of the session, or a newer one.
    pub(super) entry: Option<String>,
    /// Longest silence it is opened for, in milliseconds.
    pub(super) interval: u64,
    /// The request whose answer comes down.
    pub(super) down: Option<Down>,
    /// Channels whose `subscribed` that answer owes.
    pub(super) pending_subscriptions: Vec<Channel>,
    /// More channels want to begin than one address may name.
    pub(super) overflows_address: bool,
    /// The inbox starts with a snapshot, whatever there is.
    pub(super) drops_inbox_cursors: bool,
    /// Its channels or credential changed: it is to be opened again.
    pub(super) needs_reopen: bool,
    /// What came down last says why it ends, or that it will.
    pub(super) last_word: bool,
    /// It ended; the machine is yet to hear that.
    pub(super) over: bool,
    /// When it was opened last, on the monotonic clock.
    pub(super) opened: u64,
    /// Messages to go up, one a line.
    up: String,
    /// The request that took the last ones.
    pub(super) post: Option<Answer>,
}

impl Link {
    pub(super) fn new(transport: u64, kind: TransportKind, interval: u64) -> Self {
        Self {
            transport,
            kind,
            connect: None,
            session: Session::default(),
            entry: None,
            interval,
            down: None,
            pending_subscriptions: Vec::new(),
            overflows_address: false,
            drops_inbox_cursors: false,
            needs_reopen: false,
            last_word: false,
            over: false,
            opened: 0,
            up: String::new(),
            post: None,
        }
    }

    /// Queues a message.
    pub(super) fn push(&mut self, text: &str) {
        self.up.push_str(text);
        self.up.push('\n');
    }

    /// Messages for the next request, as many as fit.
    pub(super) fn take_up(&mut self) -> Option<String> {
        if self.up.is_empty() {
            return None;
        }
        let mut bytes = self.up.as_bytes().iter().take(BODY_MAX);
        let fits = bytes.rposition(|byte| *byte == b'\n');
        // One that does not fit goes alone: the server says what it thinks of it.
        let end = fits.or_else(|| self.up.find('\n')).map_or(self.up.len(), |end| end + 1);
        let rest = self.up.split_off(end);
        Some(core::mem::replace(&mut self.up, rest))
    }

    /// What waits is given up: the machine sends it again.
    pub(super) fn forget_up(&mut self) {
        self.up.clear();
    }
}

/// An answer as it comes.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) request: u64,
    /// Its status, once that is known.
    pub(super) status: Option<u16>,
    /// Milliseconds until the server wants to be asked again.
    pub(super) after: Option<u64>,
    /// It is over: there is nothing to abort.
    pub(super) done: bool,
    lines: Lines,
    /// The body of a refusal.
    refusal: String,
}

impl Answer {
    pub(super) fn new(request: u64) -> Self {
        Self {
            request,
            status: None,
            after: None,
            done: false,
            lines: Lines::default(),
            refusal: String::new(),
        }
    }

    pub(super) fn is_good(&self) -> bool {
        self.status == Some(200)
    }

    /// Takes a piece of the body; `each` gets the lines of an answer that is no refusal.
    pub(super) fn take(&mut self, piece: &str, each: &mut dyn FnMut(&str)) -> Result<(), TooLong> {
        if self.is_good() {
            return self.lines.push(piece, each);
        }
        let mut room = (REFUSAL_MAX - self.refusal.len()).min(piece.len());
        while !piece.is_char_boundary(room) {
            room -= 1;
        }
        self.refusal.push_str(piece.get(..room).unwrap_or_default());
        Ok(())
    }

    /// What is left when the body ends without a line break.
    pub(super) fn rest(&self) -> &str {
        self.lines.rest()
    }

    pub(super) fn refusal(&self) -> &str {
        &self.refusal
    }
}

/// What comes down.
#[derive(Debug)]
pub(super) struct Down {
    pub(super) answer: Answer,
    pub(super) format: Format,
}

/// How messages stand in it.
#[derive(Debug)]
pub(super) enum Format {
    /// An event each.
    Events(Events),
    /// A line each, after the head's.
    Lines {
        /// The head has come.
        begun: bool,
    },
}

/// The first line of a poll's answer: with what the next call goes on, and the server's time, if it says that. Its cursors are the
/// client's own.
pub(super) fn head(line: &str) -> Option<(Session, Option<u64>)> {
    let mut now = None;
    let [name, token] = texts(line, ["session", "session_token"], |key, reader| {
        if key == "now" && !reader.is_absent() {
            now = Some(reader.integer());
        }
    })?;
    Some((Session { name: name?, token: token? }, now))
}

/// Whether a message says why its stream ends, or that it will.
pub(super) fn is_last_word(text: &str) -> bool {
    text.starts_with("{\"type\":\"goaway\"") || last_error(text).is_some()
}

/// Whether a message says that a newer call of the page took over.
pub(super) fn is_replaced(text: &str) -> bool {
    last_error(text).is_some_and(|error| error.code == ErrorCode::Replaced.as_str())
}

/// The error that ends a stream, or is a poll's answer.
fn last_error(text: &str) -> Option<Error> {
    let error = text.starts_with("{\"type\":\"error\"").then(|| Error::from_json(text).ok())??;
    let of_all = error.id.is_none() && error.seq.is_none() && error.channel.is_none();
    of_all.then_some(error)
}

/// The code of a refusal by problem+json.
pub(super) fn problem(body: &str) -> Option<String> {
    let [code] = texts(body, ["code"], |_, _| {})?;
    code
}

/// These members of an object, as far as they are texts; `other` sees all. `None`: it is no object.
fn texts<const N: usize>(
    text: &str,
    names: [&str; N],
    mut other: impl FnMut(&str, &mut Reader<'_>),
) -> Option<[Option<String>; N]> {
    let mut reader = Reader::check(text).ok()?;
    let mut found = [const { None }; N];
    let mut members = reader.object();
    while let Some(key) = reader.member(&mut members) {
        other(&key, &mut reader);
        for (found, name) in found.iter_mut().zip(names) {
            if key == name && reader.is_string() {
                *found = Some(String::from(reader.string()));
            }
        }
    }
    reader.finish(found).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_go_up_as_many_as_fit_and_in_order() {
        let mut link = Link::new(1, TransportKind::Sse, 1);
        assert_eq!(link.take_up(), None);
        link.push("{\"a\":1}");
        link.push("{\"b\":2}");
        assert_eq!(link.take_up().as_deref(), Some("{\"a\":1}\n{\"b\":2}\n"));
        let long = format!("\"{}\"", "ä".repeat(BODY_MAX / 5));
        for _ in 0..3 {
            link.push(&long);
        }
        let sizes: Vec<usize> =
            std::iter::from_fn(|| link.take_up()).map(|body| body.lines().count()).collect();
        assert_eq!(sizes, [2, 1]);
        let huge = "x".repeat(BODY_MAX + 1);
        link.push(&huge);
        link.push("1");
        assert_eq!(link.take_up().map(|body| body.len()), Some(huge.len() + 1));
        assert_eq!(link.take_up().as_deref(), Some("1\n"));
    }

    #[test]
    fn a_refusal_is_read_as_far_as_it_means_something() {
        let mut answer = Answer::new(1);
        answer.status = Some(502);
        for _ in 0..3 {
            answer.take(&"é".repeat(REFUSAL_MAX / 3), &mut |_| panic!("no message")).unwrap();
        }
        assert!(answer.refusal().len() <= REFUSAL_MAX);
        assert_eq!(problem("<html>"), None);
        assert_eq!(problem(r#"{"title":"x"}"#), None);
        assert_eq!(problem(r#"{"title":"x","code":"flood"}"#).as_deref(), Some("flood"));
    }

    #[test]
    fn a_head_names_the_session() {
        let (session, now) =
            head(r#"{"session":"s-1","session_token":"st_x","cursors":{}}"#).unwrap();
        assert_eq!((&*session.name, &*session.token, now), ("s-1", "st_x", None));
        let (_, now) = head(r#"{"session":"s-1","now":7,"session_token":"st_x"}"#).unwrap();
        assert_eq!(now, Some(7));
        assert!(head("<html>").is_none());
        assert!(head(r#"{"session":"s-1"}"#).is_none());
    }
}
