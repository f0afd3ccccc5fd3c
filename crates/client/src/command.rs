//! Everything a client can ask its driver for, as imperatives.

use std::sync::Arc;

use tidings_protocol::{Channel, Epoch, server::GapReason};

use crate::{Error, FailedIntent, ItemView, Later, MessageView, Stored, TransportKind};

/// A snapshot that changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Readable {
    /// [`crate::Client::connection`].
    Connection,
    /// [`crate::Client::inbox`] and every view of it.
    Inbox,
    /// [`crate::Client::outbox`].
    Outbox,
}

/// One thing to do with a row of the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Write it, over what is there.
    Put {
        /// Its lane.
        lane: String,
        /// Its place in the lane.
        seq: u64,
        /// What `LanesClaimed` gives back.
        text: String,
    },
    /// Delete it, if it is there.
    Drop {
        /// Its lane.
        lane: String,
        /// Its place in the lane.
        seq: u64,
    },
}

/// Do this.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    // ---- transports ----
    /// Open a transport. Answer with `TransportOpened`, or `TransportClosed` when it can't be opened. SSE and long poll are
    /// not asked for: the client makes them of `Request`s.
    OpenTransport {
        /// Number of this transport; later events carry it.
        transport: u64,
        /// Which one.
        kind: TransportKind,
    },
    /// Send one message.
    Send {
        /// To this transport; ignored when it is gone.
        transport: u64,
        /// UTF-8 JSON text. Secrets may be in it: never log.
        text: String,
    },
    /// Close it and forget it: no event of it is wanted any more.
    CloseTransport {
        /// This one.
        transport: u64,
        /// 1000, or 3000–4999.
        code: u16,
    },

    // ---- requests: what transports other than WebSocket are made of ----
    /// Make an HTTP request, `POST` with `Content-Type: application/json`, and answer with `RequestAnswered`,
    /// `RequestReceived` for each piece of the body as soon as it is there, and `RequestEnded`. Several may be under way; redirects
    /// are failures, and nothing may keep the answer.
    Request {
        /// Number of this request; later events carry it.
        request: u64,
        /// Behind the server's `/v1/`, with its query: `sse?heartbeat=25000`.
        path: String,
        /// For `Authorization: Bearer`. A secret: never log.
        bearer: Option<String>,
        /// UTF-8 text. Secrets may be in it: never log.
        body: String,
    },
    /// Its answer is not wanted any more: no event of it, either.
    AbortRequest {
        /// This one.
        request: u64,
    },

    // ---- the app's ticket function ----
    /// Call it with a 10 s deadline; answer with `CredentialFetched`.
    FetchCredential {
        /// Comes back in the answer; also what the app is told.
        attempt: u64,
        /// The user it should be for, if known.
        user: Option<String>,
    },
    /// The answer is not wanted any more: abort.
    AbortCredential {
        /// This one.
        attempt: u64,
    },

    // ---- time ----
    /// The one timer: send `TimerFired` at this monotonic time (replaces the earlier one). `None`: no timer.
    SetTimer {
        /// Milliseconds as `Now::mono`.
        at: Option<u64>,
    },

    // ---- code ----
    /// Load what is left of the client's code, and answer with `RestLoaded`. Only asked of drivers that said
    /// [`Config::whole`](crate::Config::whole) is not so; all that happens meanwhile is held.
    LoadRest,

    // ---- storage ----
    /// Read what was saved under a key; answer with `StorageLoaded` or `StorageFailed`.
    Load {
        /// The user for the inbox; user, tab and channel for another channel. A user id has no control characters.
        user: String,
    },
    /// Write the cache in one transaction, but only over nothing, over a lower offset of the same
    /// epoch in *each* of both channels' cursors (equal allowed), or over an epoch listed in `over`.
    Save {
        /// Key of the cache.
        user: String,
        /// (epoch, offset) of the inbox and of `system:all`; of another channel twice the same.
        cursors: [(Epoch, u64); 2],
        /// Epochs this client itself left.
        over: Vec<Epoch>,
        /// What `StorageLoaded` gives back.
        text: String,
    },
    /// Delete everything saved for `user`: all caches, and all rows of the outbox.
    Wipe {
        /// The user; keys of the caches of channels begin with it and a tab.
        user: String,
        /// The user signed out: other clients that share the storage must not save anything of the user again that they
        /// loaded before, and are told [`Event::SignedOutElsewhere`](crate::Event::SignedOutElsewhere) where the driver can.
        all: bool,
    },

    // ---- the outbox, where `Config::lanes` says that the driver keeps it ----
    /// Do all of this in one transaction and make it durable; answer with `Kept`, or with `LanesFailed`. Before the first
    /// row of a lane is written, this client holds the lane: no other gets it by `Claim` until `Release`, or until
    /// this client is dead. Not before what was to be saved before is: a row that is dropped is of a fact that a cache
    /// shows. Nor does anything that was asked before a `Wipe` come after it.
    Keep {
        /// Whose.
        user: String,
        /// Comes back in the answer.
        number: u64,
        /// In order.
        changes: Later<Vec<Change>>,
    },
    /// Take the lanes of `user` that have rows and no living holder; answer with `LanesClaimed` or `LanesFailed`.
    Claim {
        /// Whose.
        user: String,
    },
    /// Hold this lane no longer, after what was asked before is done.
    Release {
        /// Which.
        lane: String,
    },

    // ---- what the app hears ----
    /// Read that snapshot again.
    Changed(Readable),
    /// Read the snapshot of this channel again ([`crate::Client::channel`]).
    ChannelChanged(Channel),
    /// A notification arrived (live or by resume, not by snapshot), not older than `Config::arrived_max_age`.
    Arrived(Box<ItemView>),
    /// A message came to a channel that is read (live or by resume, not by history): `on('message')`.
    Message {
        /// Where.
        channel: Channel,
        /// As in the snapshot.
        message: Later<Arc<MessageView>>,
    },
    /// Records are missing for good.
    Gap {
        /// Where.
        channel: Channel,
        /// First missing offset.
        from: u64,
        /// Last missing offset.
        to: u64,
        /// Why.
        why: GapReason,
    },
    /// An intent has its final answer. `Ok(None)` for `MoreRequested` and `OlderRequested`.
    Settled {
        /// The driver's number.
        intent: u64,
        /// What was stored, or why not.
        result: Result<Option<Stored>, Error>,
    },
    /// An intent was refused for good: `on('failed')`.
    Failed(FailedIntent),
    /// Something went wrong that no call can answer: `on('error')`.
    Report(Error),
    /// `SignOutRequested` is done.
    SignedOut {
        /// How many unsent intents were thrown away.
        discarded: u32,
    },
}
