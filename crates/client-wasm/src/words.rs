//! The numbers that cross the border. npm/src/words.ts has the same; a test there compares the two.

/// What TypeScript tells, in [`Core::tell`](crate::Core::tell): `n` is its number, `m` the other, `text` its text. Up to
/// [`REST_THERE`](tell::REST_THERE) the first part of the module understands it.
pub mod tell {
    /// `connect()`, or somebody looks.
    pub const CONNECT: u8 = 0;
    /// `text` names the user; empty: whoever the ticket names, or with `n` 1 nobody.
    pub const USER: u8 = 1;
    /// Answers [`say::TICKET`](super::say::TICKET) `n`: `m` is 0 a ticket, 1 a JWT, 2 signed out, 3 a failure in words.
    pub const TICKETED: u8 = 2;
    /// Answers [`say::LOAD`](super::say::LOAD): the user, `\n`, and what was saved, if anything.
    pub const LOADED: u8 = 3;
    /// Socket `n` is open.
    pub const OPENED: u8 = 4;
    /// Socket `n` brought a frame.
    pub const RECEIVED: u8 = 5;
    /// The page is back: shown, focused, restored or resumed.
    pub const WOKE: u8 = 6;
    /// The rest of the module is there: answers [`say::REST`](super::say::REST).
    pub const REST_THERE: u8 = 7;
    /// `disconnect()`.
    pub const DISCONNECT: u8 = 8;
    /// `retryNow()`.
    pub const RETRY: u8 = 9;
    /// `close()`: final.
    pub const CLOSE: u8 = 10;
    /// `signOut()`, with `n` 1 discarding; ends with [`say::SIGNED_OUT`](super::say::SIGNED_OUT).
    pub const SIGN_OUT: u8 = 11;
    /// Intent `n` marks as `m` (one of [`mark`](super::mark)) the items whose ids are a JSON list in `text`; empty: all that is
    /// shown; `*`: all there is, for whom nothing was shown yet.
    pub const MARK: u8 = 12;
    /// `loadMore()` as intent `n`, of the view with `show` `m` and the types in `text`, each on a line.
    pub const MORE: u8 = 13;
    /// `outbox.retry()` of the failed intent `n`, as intent `m`.
    pub const RETRY_FAILED: u8 = 14;
    /// `outbox.discard()` of the failed intent `n`.
    pub const DISCARD_FAILED: u8 = 15;
    /// Storage failed, loading or saving.
    pub const STORAGE_FAILED: u8 = 16;
    /// Socket `n` ended by itself, with code `m` and the reason in `text`.
    pub const CLOSED: u8 = 17;
    /// The browser says there is a network.
    pub const ONLINE: u8 = 18;
    /// The browser says there is none.
    pub const OFFLINE: u8 = 19;
    /// The page was hidden.
    pub const HIDDEN: u8 = 20;
    /// The channel in `text` is read.
    pub const FOLLOW: u8 = 21;
    /// It is read no more.
    pub const UNFOLLOW: u8 = 22;
    /// Intent `n` publishes: the channel, `\n`, and the message as JSON.
    pub const PUBLISH: u8 = 23;
    /// `loadMore()` of the channel in `text`, as intent `n`.
    pub const OLDER: u8 = 24;
    /// Everything up to [`say::KEEP`](super::say::KEEP) `n` is on disk.
    pub const KEPT: u8 = 25;
    /// Answers [`say::CLAIM`](super::say::CLAIM): a JSON list of strings, the user and for each row lane, `seq` and text.
    pub const LANES: u8 = 26;
    /// Intents can't be kept.
    pub const LANES_FAILED: u8 = 27;
    /// Request `n` is answered with status `m`; `text`: milliseconds until the server wants to be asked again, if it says so.
    pub const ANSWERED: u8 = 28;
    /// A piece of the answer to request `n`.
    pub const PIECE: u8 = 29;
    /// There is no more of the answer to request `n`; `text`: why it is not complete, empty where it is.
    pub const ENDED: u8 = 30;
    /// Another page signed the user in `text` out.
    pub const SIGNED_OUT_ELSEWHERE: u8 = 31;
}

/// What a mark sets.
pub mod mark {
    /// Seen.
    pub const SEEN: u8 = 0;
    /// Read.
    pub const READ: u8 = 1;
    /// Not read.
    pub const UNREAD: u8 = 2;
    /// Archived.
    pub const ARCHIVED: u8 = 3;
    /// Not archived.
    pub const UNARCHIVED: u8 = 4;
}

/// What [`Core::read`](crate::Core::read) reads; the first three and channels are also what
/// [`say::CHANGED`] names.
pub mod read {
    /// The connection, as JSON.
    pub const CONNECTION: u8 = 0;
    /// A view of the inbox, as JSON.
    pub const INBOX: u8 = 1;
    /// The outbox, as JSON.
    pub const OUTBOX: u8 = 2;
    /// Server time in milliseconds since 1970 as JSON; `null` before it is known.
    pub const TIME: u8 = 3;
    /// In words: why it is not connected, and what happens next.
    pub const WHY: u8 = 4;
    /// The channel named where views name their types, as JSON; with `show` 1 every message in full.
    pub const CHANNEL: u8 = 5;
}

/// What is said to the host, with a number `n` and a `text`.
pub mod say {
    /// Call the app's ticket function for the user in `text` (empty: any); answer with `tell::TICKETED` `n`.
    pub const TICKET: u8 = 0;
    /// The answer to ticket `n` is not wanted any more.
    pub const ABORT: u8 = 1;
    /// Read the cache of the user in `text`; answer with `tell::LOADED` or `tell::STORAGE_FAILED`.
    pub const LOAD: u8 = 2;
    /// Write a cache: `{user, cursors: [[epoch, offset], …], over: [epoch, …], text}`.
    pub const SAVE: u8 = 3;
    /// Delete all caches and all rows of the user in `text`; `n` 1: they signed out, in all pages.
    pub const WIPE: u8 = 4;
    /// Read snapshot `n` of [`read`](super::read) again; `text` names the channel, if it is one.
    pub const CHANGED: u8 = 5;
    /// A notification arrived: its entry.
    pub const ARRIVED: u8 = 6;
    /// Records are missing for good: `{channel, from, to, why}`.
    pub const GAP: u8 = 7;
    /// An intent was refused for good: `{id, kind, channel, at, error}`.
    pub const FAILED: u8 = 8;
    /// Something went wrong that no call can answer: `{code, fault, retry, message}`.
    pub const ERROR: u8 = 9;
    /// Intent `n` was done: `{channel, epoch, offset, id}`, or empty.
    pub const DONE: u8 = 10;
    /// Intent `n` was refused: `{code, fault, retry, message}`.
    pub const REFUSED: u8 = 11;
    /// Signing out is done, and `n` unsent intents were thrown away.
    pub const SIGNED_OUT: u8 = 12;
    /// Load the rest of the module; answer with `tell::REST_THERE`.
    pub const REST: u8 = 13;
    /// A message came: `{channel, message}`.
    pub const MESSAGE: u8 = 14;
    /// Keep, as request `n`: `{user, changes: [[lane, seq, text] or [lane, seq] to drop it, …]}`; answer with `tell::KEPT` or
    /// `tell::LANES_FAILED`.
    pub const KEEP: u8 = 15;
    /// Take the lanes that dead pages of the user in `text` left; answer with `tell::LANES` or `tell::LANES_FAILED`.
    pub const CLAIM: u8 = 16;
    /// Hold the lane in `text` no longer.
    pub const RELEASE: u8 = 17;
    /// Make request `n`: the path behind `/v1/`, `\n`, the bearer if there is one, `\n`, and the body. Answer with
    /// `tell::ANSWERED`, `tell::PIECE` for each piece, and `tell::ENDED`.
    pub const REQUEST: u8 = 18;
    /// The answer to request `n` is not wanted any more.
    pub const ABORT_REQUEST: u8 = 19;
    /// Open a socket and tell what it does as transport `n`: `tell::OPENED`, `tell::RECEIVED` and `tell::CLOSED`, the last also
    /// where it can't even begin to open.
    pub const OPEN: u8 = 20;
    /// Send `text` over the socket of transport `n`. One that can't tells by its end.
    pub const SEND: u8 = 21;
    /// Close the socket with code `n`; what it does is not told any more.
    pub const SHUT: u8 = 22;
    /// Have a turn once the clock that never goes back shows `n` milliseconds, or earlier; none by itself where `n` is 0.
    pub const TIMER: u8 = 23;
}
