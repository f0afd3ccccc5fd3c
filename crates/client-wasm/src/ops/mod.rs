//! All that crosses the border, in one table: each operation's number, fields and meaning.
//!
//! `cargo xtask types` generates npm/src/generated/ops.ts from it; suite `types` fails if that file
//! is stale.
//!
//! An operation of the page ([`startup_ops`], [`deferred_ops`], [`intents`]) has up to two numbers,
//! then texts. The texts cross as one, joined by line breaks; only the last one may contain line
//! breaks. An operation for the host ([`host_ops`], [`app_ops`], [`world_ops`]) has a number and a
//! text. A text with structure is JSON of a shape in `payload`.
//!
//! Bits of an operation's number name its receiver. The order of the numbers means nothing.

mod fields;
mod payload;
mod table;

use std::marker::PhantomData;

use tidings_client_core::{Client, Credential, Event, Filter, Now, User};

pub(crate) use fields::Fields;
use fields::{
    ChannelLine, ChannelName, Digits, Field, Flag, Given, Line, Mark, Number, Payload, Rows,
    ShowIndex, Targets, Text, Transport, Types,
};
pub use fields::{GIVEN, MARKS, SHOWS, TRANSPORTS};
pub use payload::{
    Crossing, Declaration, JsonText, LaneRows, OutboxChanges, RawArrival, RawCache, RawChannel,
    RawConnection, RawError, RawFailedIntent, RawGap, RawInbox, RawItem, RawMessage, RawOutbox,
    RawRequest, RawStored, RawTime, SHAPES, Shape,
};
pub use table::Op;
use table::{read_ops, said_ops};

use crate::{
    deferred::{self, Seen},
    driver::Driver,
};

/// Set in the operations of the page that only the deferred part of the module reads.
pub const DEFERRED: u8 = 64;
/// Set in those of them whose first field is the number of an intent. Each is answered, by
/// [`INTENT_DONE`] or [`INTENT_REFUSED`].
pub const INTENT: u8 = 32;
/// Set in the operations for the host that report something to the app.
pub const TO_APP: u8 = 32;
/// Set in the operations for the host whose code is deferred, too.
pub const TO_WORLD: u8 = 64;

read_ops! {
    /// What the page tells its core, as far as the first part of the module understands it.
    startup_ops: 0;
    /// What an operation means to the client. An unknown number means nothing.
    fn startup_event() -> Event;

    /// `connect()`, or somebody looks.
    CONNECT = 0 () { Event::ConnectRequested }
    /// Names the user; where there is no name, nobody, or whoever the ticket names.
    SET_USER = 1 (nobody: Flag, user: Text) {
        Event::UserChanged(if !user.is_empty() {
            User::Named(user)
        } else if nobody {
            User::Nobody
        } else {
            User::Unknown
        })
    }
    /// Answers `FETCH_CREDENTIAL`: a ticket, a token, nothing, or a failure in words.
    CREDENTIAL = 2 (attempt: Number, given: Given, text: Text) {
        Event::CredentialFetched {
            attempt,
            result: match given {
                0 => Ok(Credential::Ticket(text)),
                1 => Ok(Credential::Token(text)),
                2 => Ok(Credential::SignedOut),
                _ => Err(text),
            },
        }
    }
    /// Answers `LOAD_CACHE`: what was saved, empty where nothing was.
    CACHE_LOADED = 3 (user: Line, saved: Text) {
        Event::StorageLoaded { user, saved: (!saved.is_empty()).then_some(saved) }
    }
    /// The socket is open.
    TRANSPORT_OPENED = 4 (transport: Transport) { Event::TransportOpened { transport } }
    /// The socket brought a frame.
    TRANSPORT_RECEIVED = 5 (transport: Transport, text: Text) {
        Event::TransportReceived { transport, text }
    }
    /// The page is back: shown, focused, restored or resumed.
    WOKE = 6 () { Event::Woke }
    /// Answers `LOAD_DEFERRED`.
    DEFERRED_LOADED = 7 () { Event::DeferredLoaded }
}

read_ops! {
    /// What the page tells its core, as far as only the deferred part of the module understands it.
    deferred_ops: DEFERRED;
    /// What an operation means to the client. An unknown number means nothing.
    fn deferred_event() -> Event;

    /// `disconnect()`.
    DISCONNECT = 0 () { Event::DisconnectRequested }
    /// `retryNow()`.
    RETRY = 1 () { Event::RetryRequested }
    /// `close()`: final.
    CLOSE = 2 () { Event::CloseRequested }
    /// `signOut()`; ends with `SIGNED_OUT`.
    SIGN_OUT = 3 (discard: Flag) { Event::SignOutRequested { discard } }
    /// `outbox.discard()` of a failed intent.
    DISCARD_FAILED = 4 (id: Number) { Event::FailedDiscarded { id } }
    /// Storage failed, loading or saving.
    STORAGE_FAILED = 5 (reason: Text) { Event::StorageFailed { reason } }
    /// The socket ended by itself.
    TRANSPORT_CLOSED = 6 (transport: Transport, code: Number, reason: Text) {
        Event::TransportClosed { transport, code: code as u16, reason }
    }
    /// The browser says there is a network.
    ONLINE = 7 () { Event::WentOnline }
    /// The browser says there is none.
    OFFLINE = 8 () { Event::WentOffline }
    /// The page was hidden.
    HIDDEN = 9 () { Event::Hidden }
    /// The channel is read.
    SUBSCRIBE = 10 (channel: ChannelName) { Event::ChannelWanted { channel } }
    /// It is read no more.
    UNSUBSCRIBE = 11 (channel: ChannelName) { Event::ChannelUnwanted { channel } }
    /// Everything up to this `PERSIST_OUTBOX` is on disk.
    OUTBOX_PERSISTED = 12 (number: Number) { Event::Persisted { number } }
    /// Answers `CLAIM_LANES`, and comes unasked where the page that held a lane is dead.
    LANES_CLAIMED = 13 (user: Line, rows: Rows) {
        Event::LanesClaimed { user, lanes: deferred::lanes(rows)?.into() }
    }
    /// Intents can't be kept.
    LANES_FAILED = 14 (reason: Text) { Event::LanesFailed { reason } }
    /// Another page signed the user out.
    SIGNED_OUT_ELSEWHERE = 15 (user: Text) { Event::SignedOutElsewhere { user } }
    /// A request has its answer's head; `retry_after`: milliseconds until the server wants to be
    /// asked again, if it says so.
    RESPONSE_STARTED = 16 (request: Number, status: Number, retry_after: Digits) {
        Event::RequestAnswered { request, status: status as u16, retry_after_ms: retry_after }
    }
    /// A piece of the answer.
    RESPONSE_CHUNK = 17 (request: Number, text: Text) { Event::RequestReceived { request, text } }
    /// There is no more of the answer; `reason`: why it is not complete, empty where it is.
    RESPONSE_ENDED = 18 (request: Number, reason: Text) {
        Event::RequestEnded { request, reason: (!reason.is_empty()).then_some(reason) }
    }
}

read_ops! {
    /// What the app asks for with a promise.
    intents: DEFERRED | INTENT;
    /// What an operation means to the client, once the number of its intent was read.
    fn intent_event(intent: u64) -> Event;

    /// Marks items. On disk by this number, of pages that ended before their core was there: no
    /// other operation gets it.
    MARK = 0 (set: Mark, targets: Targets) { Event::MarkRequested { intent, targets, set } }
    /// Publishes a message. On disk by this number, as `MARK` is.
    PUBLISH = 1 (channel: ChannelLine, data: Payload) {
        Event::PublishRequested { intent, channel, data }
    }
    /// `loadMore()` of a view of the inbox.
    LOAD_OLDER_ITEMS = 2 (show: ShowIndex, types: Types) {
        Event::MoreRequested { filter: Filter { show, kinds: types }, intent }
    }
    /// `loadMore()` of a channel.
    LOAD_OLDER_MESSAGES = 3 (channel: ChannelName) { Event::OlderRequested { channel, intent } }
    /// `outbox.retry()` of a failed intent.
    RETRY_FAILED = 4 (id: Number) { Event::FailedRetried { id, intent } }
}

read_ops! {
    /// What the page reads, as far as the first part of the module knows of it.
    startup_reads: 0;
    /// The text that answers.
    fn startup_read(driver: &Driver) -> String;

    /// The connection.
    READ_CONNECTION = 0 () -> JsonText<RawConnection> { driver.connection() }
    /// A view of the inbox.
    READ_INBOX = 1 (show: ShowIndex, types: Types) -> JsonText<RawInbox> {
        driver.inbox(&Filter { show, kinds: types })
    }
}

read_ops! {
    /// What the page reads, as far as only the deferred part of the module knows of it.
    deferred_reads: DEFERRED;
    /// The text that answers.
    fn deferred_read(client: &Client, now: Now, seen: &mut Vec<Seen>) -> String;

    /// The outbox.
    READ_OUTBOX = 0 () -> JsonText<RawOutbox> { deferred::outbox(client) }
    /// The server's time.
    READ_TIME = 1 () -> JsonText<RawTime> { deferred::time(client, now) }
    /// In words: why it is not connected, and what happens next.
    READ_EXPLANATION = 2 () -> String { client.explain(now) }
    /// A channel; with `whole` every message in full.
    READ_CHANNEL = 3 (whole: Flag, channel: ChannelName) -> JsonText<RawChannel> {
        deferred::channel(client, channel, whole, seen)
    }
}

said_ops! {
    /// What the host does.
    host_ops: 0;

    /// Call the app's ticket function for this user (empty: any); answer with `CREDENTIAL`.
    FETCH_CREDENTIAL = 0 (attempt; user: String)
    /// The answer is not wanted any more.
    ABORT_CREDENTIAL = 1 (attempt;)
    /// Read the cache of this user; answer with `CACHE_LOADED` or `STORAGE_FAILED`.
    LOAD_CACHE = 2 (; user: String)
    /// Load the deferred part of the module; answer with `DEFERRED_LOADED`.
    LOAD_DEFERRED = 3 (;)
    /// Open a socket and tell what it does: `TRANSPORT_OPENED`, `TRANSPORT_RECEIVED` and
    /// `TRANSPORT_CLOSED`, the last also where it can't even begin to open.
    OPEN_TRANSPORT = 4 (transport;)
    /// Send this over the socket. One that can't tells by its end.
    SEND = 5 (transport; text: String)
    /// Close the socket with this code; what it does is not told any more.
    CLOSE_TRANSPORT = 6 (code;)
    /// Have a turn once the clock that never goes back shows so many milliseconds, or earlier; none
    /// by itself where it is 0.
    SET_TIMER = 7 (at;)
}

said_ops! {
    /// What the app hears.
    app_ops: TO_APP;

    /// Read this again; `channel` names the channel, if it is one.
    CHANGED = 0 (readable; channel: String)
    /// A notification arrived.
    ARRIVED = 1 (; item: JsonText<RawItem>)
    /// A message came.
    MESSAGE = 2 (; arrival: JsonText<RawArrival>)
    /// Records are missing for good.
    GAP = 3 (; gap: JsonText<RawGap>)
    /// An intent was refused for good.
    INTENT_FAILED = 4 (; failed: JsonText<RawFailedIntent>)
    /// Something went wrong that no call can answer.
    ERROR = 5 (; error: JsonText<RawError>)
    /// The intent was done; nothing is stored where it loaded something.
    INTENT_DONE = 6 (intent; stored: Option<JsonText<RawStored>>)
    /// The intent was refused.
    INTENT_REFUSED = 7 (intent; error: JsonText<RawError>)
    /// Signing out is done, and so many unsent intents were discarded.
    SIGNED_OUT = 8 (discarded;)
}

said_ops! {
    /// What code does that pages load with the deferred part.
    world_ops: TO_WORLD;

    /// Write a cache.
    SAVE_CACHE = 0 (; cache: JsonText<RawCache>)
    /// Delete all caches and all rows of the user; `all` 1: they signed out, in all pages.
    WIPE = 1 (all; user: String)
    /// Write and drop rows; answer with `OUTBOX_PERSISTED` or `LANES_FAILED`.
    PERSIST_OUTBOX = 2 (number; changes: JsonText<OutboxChanges>)
    /// Take the lanes that dead pages of the user left; answer with `LANES_CLAIMED` or
    /// `LANES_FAILED`.
    CLAIM_LANES = 3 (; user: String)
    /// Hold the lane no longer.
    RELEASE_LANE = 4 (; lane: String)
    /// Make a request; answer with `RESPONSE_STARTED`, `RESPONSE_CHUNK` for each piece, and
    /// `RESPONSE_ENDED`.
    REQUEST = 5 (request; facts: JsonText<RawRequest>)
    /// The answer is not wanted any more.
    ABORT_REQUEST = 6 (request;)
}

/// An operation for the host, whose text is a `T`.
#[derive(Debug)]
pub struct Said<T> {
    op: u8,
    text: PhantomData<fn(T)>,
}

impl<T> Said<T> {
    const fn new(op: u8) -> Self {
        Self { op, text: PhantomData }
    }

    /// Its number.
    #[must_use]
    pub const fn number(&self) -> u8 {
        self.op
    }
}

impl<T: Crossing> Said<T> {
    /// With what goes with it.
    #[inline(always)]
    pub(crate) fn with(self, number: u64, text: T) -> OutboundOp {
        OutboundOp { op: self.op, number, text: text.into_text() }
    }
}

/// What the host is asked, or told.
pub(crate) struct OutboundOp {
    pub(crate) op: u8,
    pub(crate) number: u64,
    pub(crate) text: String,
}

#[cfg(test)]
mod tests {
    use tidings_client_core::Show;

    use super::*;

    #[test]
    fn fields_fit_into_two_numbers_and_a_text_and_numbers_come_first() {
        let is_number = |kind: &String| ["number", "boolean", "Given"].contains(&&**kind);
        for (intent, ops) in [
            (0, startup_ops()),
            (0, deferred_ops()),
            (1, intents()),
            (0, startup_reads()),
            (0, deferred_reads()),
        ] {
            for Op { name, fields, .. } in ops {
                let numbers = fields.iter().take_while(|(_, kind)| is_number(kind)).count();
                assert!(numbers + intent <= 2, "{name}");
                assert!(fields.iter().skip(numbers).all(|(_, kind)| !is_number(kind)), "{name}");
            }
        }
    }

    #[test]
    fn places_in_the_lists_are_those_that_are_read() {
        let given = |index: usize| {
            let fields = Fields::new("x", [1.0, index as f64], None);
            match startup_event(CREDENTIAL, fields) {
                Some(Event::CredentialFetched { attempt: 1, result }) => match result {
                    Ok(Credential::Ticket(_)) => "TICKET",
                    Ok(Credential::Token(_)) => "TOKEN",
                    Ok(Credential::SignedOut) => "NOBODY",
                    Err(_) => "FAILURE",
                },
                other => panic!("{other:?}"),
            }
        };
        for (index, (name, _)) in GIVEN.iter().enumerate() {
            assert_eq!(given(index), *name);
        }
        let show = |index: usize| {
            let fields = Fields::new("", [index as f64, 0.0], None);
            match intent_event(LOAD_OLDER_ITEMS, fields, 1) {
                Some(Event::MoreRequested { filter, .. }) => match filter.show {
                    Show::Inbox => "inbox",
                    Show::Unread => "unread",
                    Show::Archived => "archived",
                    Show::All => "all",
                },
                other => panic!("{other:?}"),
            }
        };
        for (index, name) in SHOWS.iter().enumerate() {
            assert_eq!(show(index), *name);
        }
    }

    #[test]
    fn no_number_is_given_twice_and_those_on_disk_stay() {
        let said = [host_ops(), app_ops(), world_ops()].concat();
        let told = [startup_ops(), deferred_ops(), intents()].concat();
        let reads = [startup_reads(), deferred_reads()].concat();
        for ops in [said, told, reads] {
            let mut numbers: Vec<_> = ops.iter().map(|op| op.number).collect();
            numbers.sort_unstable();
            numbers.dedup();
            assert_eq!(numbers.len(), ops.len());
        }
        assert_eq!((MARK, PUBLISH), (96, 97));
    }
}
