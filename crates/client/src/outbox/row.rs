//! An intent as storage holds it: its message, and its end if it was refused.
//!
//! ```text
//! 1<when it was made>\n<message>[\n<when it was refused>\n<error>]
//! ```
//!
//! Messages hold no raw newline. The first digit is the version; a row of another version is left
//! to the library that wrote it.

use tidings_protocol::{
    Channel, Decode, Encode, Retry,
    client::{Mark as MarkMessage, Publish},
    codec::{DecodeError, Reader},
    server,
};

use super::{Body, Intent, Operation, unresolved_mark};
use crate::{Error, inbox::Mark};

/// Version of the text.
const VERSION: &str = "1";

/// The content of a row.
#[derive(Debug, PartialEq)]
pub(super) struct Row {
    pub(super) at: u64,
    pub(super) body: Body,
    /// When and why it was refused for good.
    pub(super) refused: Option<(u64, Error)>,
}

/// The text of an intent's row.
pub(super) fn text(intent: &Intent, refused: Option<(u64, &Error)>) -> String {
    let mut text = String::from(VERSION);
    intent.at.encode(&mut text);
    text.push('\n');
    match &intent.body.operation {
        Operation::UnresolvedMark { targets, set } => {
            unresolved_mark::encode(targets, *set, &mut text)
        }
        _ => text.push_str(&intent.body.message(None, &intent.lane, intent.seq, false)),
    }
    if let Some((at, error)) = refused {
        text.push('\n');
        at.encode(&mut text);
        text.push('\n');
        let retry = if error.retry { Retry::Backoff } else { Retry::Never };
        let (code, message) = (error.code.clone(), error.message.clone());
        server::Error {
            id: None,
            client_id: None,
            seq: None,
            channel: None,
            code,
            message,
            retry,
            retry_after_ms: None,
            expected: None,
        }
        .encode(&mut text);
    }
    text
}

/// Rows of intents that were stored before a client could take them:
/// [`Event::LanesClaimed`](crate::Event::LanesClaimed) brings them from a page that ended while it
/// loaded.
pub mod written {
    use tidings_protocol::{Channel, Encode, Json, MarkSet, client::Publish};

    use super::{VERSION, unresolved_mark};
    use crate::MarkTargets;

    /// A mark, made at `at` milliseconds since 1970.
    #[must_use]
    pub fn mark(at: u64, targets: &MarkTargets, set: MarkSet) -> String {
        let mut text = begin(at);
        unresolved_mark::encode(targets, set, &mut text);
        text
    }

    /// A message, made at `at` milliseconds since 1970.
    #[must_use]
    pub fn message(at: u64, channel: Channel, data: Json) -> String {
        let mut text = begin(at);
        Publish { id: None, channel, client_id: None, seq: None, data }.encode(&mut text);
        text
    }

    fn begin(at: u64) -> String {
        let mut text = String::from(VERSION);
        at.encode(&mut text);
        text.push('\n');
        text
    }
}

/// Whether a newer library wrote it, which alone can handle it.
pub(super) fn is_foreign(text: &str) -> bool {
    !text.starts_with(VERSION)
}

/// Reads a row of the user with this inbox. `None`: it is broken.
pub(super) fn read(text: &str, inbox: &Channel) -> Option<Row> {
    let mut lines = text.strip_prefix(VERSION)?.splitn(4, '\n');
    let at = lines.next()?.parse().ok()?;
    let body = body(lines.next()?, inbox).ok()??;
    let refused = match (lines.next(), lines.next()) {
        (Some(at), Some(error)) => {
            let error = server::Error::from_json(error).ok()?;
            Some((at.parse().ok()?, Error::of_server(&error)))
        }
        _ => None,
    };
    Some(Row { at, body, refused })
}

fn body(message: &str, inbox: &Channel) -> Result<Option<Body>, DecodeError> {
    let mut reader = Reader::check(message)?;
    let body = match &*reader.kind() {
        "publish" => {
            let Publish { channel, data, .. } = Publish::read(&mut reader);
            Some(Body { channel, operation: Operation::Publish(data) })
        }
        "mark" => {
            let MarkMessage { epochs, offsets, up_to, set, .. } = MarkMessage::read(&mut reader);
            let mark = Mark::of_wire(offsets.as_ref(), up_to, set);
            // The mark may lack the epoch of a log it does not touch; any epoch does for that log.
            let either = epochs.inbox.or(epochs.system);
            let pair = (epochs.inbox.or(either), epochs.system.or(either));
            let (Some(own), Some(system)) = pair else { return reader.finish(None) };
            let operation = Operation::Mark { mark, epochs: [own, system] };
            Some(Body { channel: inbox.clone(), operation })
        }
        unresolved_mark::TYPE => {
            let operation = unresolved_mark::read(&mut reader);
            Some(Body { channel: inbox.clone(), operation })
        }
        _ => None,
    };
    reader.finish(body)
}
