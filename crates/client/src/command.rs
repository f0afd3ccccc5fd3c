//! Commands of the client to its driver, as imperatives.

use std::sync::Arc;

use tidings_protocol::{Channel, Epoch, server::GapReason};

use crate::{DeferredValue, Error, FailedIntent, ItemView, MessageView, Stored, TransportKind};

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

/// A change of one outbox row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Write the row, over an existing one.
    Put {
        /// Its lane.
        lane: String,
        /// Its `seq` in the lane.
        seq: u64,
        /// The text that `LanesClaimed` gives back.
        text: String,
    },
    /// Delete the row, if it exists.
    Drop {
        /// Its lane.
        lane: String,
        /// Its `seq` in the lane.
        seq: u64,
    },
}

/// A command to the driver.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    // ---- transports ----
    /// Open a transport. Answer with `TransportOpened`, or with `TransportClosed` if it can't be
    /// opened. Only for WebSocket: the client builds SSE and long poll from `Request`s.
    OpenTransport {
        /// Number of this transport; later events carry it.
        transport: u64,
        /// The kind of transport.
        kind: TransportKind,
    },
    /// Send one message.
    Send {
        /// The transport; ignore the command if it is closed.
        transport: u64,
        /// UTF-8 JSON text. Secrets may be in it: never log.
        text: String,
    },
    /// Close the transport and drop its later events.
    CloseTransport {
        /// The transport.
        transport: u64,
        /// 1000, or 3000–4999.
        code: u16,
    },

    // ---- requests, from which all transports but WebSocket are built ----
    /// Make an HTTP request, `POST` with `Content-Type: application/json`. Answer with
    /// `RequestAnswered`, with `RequestReceived` for each piece of the body as soon as it arrives,
    /// and with `RequestEnded`. Several may be under way. Redirects are failures, and no cache may
    /// store the response.
    Request {
        /// Number of this request; later events carry it.
        request: u64,
        /// Path after the server's `/v1/`, with its query: `sse?heartbeat=25000`.
        path: String,
        /// For `Authorization: Bearer`. A secret: never log.
        bearer: Option<String>,
        /// UTF-8 text. Secrets may be in it: never log.
        body: String,
    },
    /// Abort the request, and drop its later events.
    AbortRequest {
        /// The request.
        request: u64,
    },

    // ---- the app's ticket function ----
    /// Call the function with a deadline of 10 s; answer with `CredentialFetched`.
    FetchCredential {
        /// Comes back in the answer; the app gets it, too.
        attempt: u64,
        /// The user the credential is for, if known.
        user: Option<String>,
    },
    /// The answer is not needed any more: abort the call.
    AbortCredential {
        /// The call.
        attempt: u64,
    },

    // ---- time ----
    /// Set the one timer: send `TimerFired` at this monotonic time (replaces the earlier one).
    /// `None`: no timer.
    SetTimer {
        /// Milliseconds as `Now::mono`.
        at: Option<u64>,
    },

    // ---- code ----
    /// Load the deferred part of the client's code, and answer with `DeferredLoaded`. Only for
    /// drivers that set [`Config::whole`](crate::Config::whole) to false; the client holds all
    /// events meanwhile.
    LoadDeferred,

    // ---- storage ----
    /// Read the value under a key; answer with `StorageLoaded` or `StorageFailed`.
    Load {
        /// The user, for the inbox; user, tab and channel for another channel. A user id has no
        /// control characters.
        user: String,
    },
    /// Write the cache in one transaction, but only over no value, over a lower offset of the same
    /// epoch in *each* of both channels' cursors (equal allowed), or over an epoch listed in
    /// `over`.
    Save {
        /// Key of the cache.
        user: String,
        /// (epoch, offset) of the inbox and of `system:all`; another channel has the same pair
        /// twice.
        cursors: [(Epoch, u64); 2],
        /// Epochs that this client itself left.
        over: Vec<Epoch>,
        /// The text that `StorageLoaded` gives back.
        text: String,
    },
    /// Delete all data of `user`: all caches, and all rows of the outbox.
    Wipe {
        /// The user; keys of the caches of channels begin with it and a tab.
        user: String,
        /// The user signed out. Other clients that share the storage must not save older data of
        /// the user again. The driver sends them
        /// [`Event::SignedOutElsewhere`](crate::Event::SignedOutElsewhere), if it can.
        all: bool,
    },

    // ---- the outbox, if `Config::lanes` says that the driver stores it ----
    /// Apply all changes in one transaction and make it durable; answer with `Kept` or
    /// `LanesFailed`.
    ///
    /// Before the first row of a lane is written, this client holds the lane: no other client gets
    /// it by `Claim` until `Release`, or until this client has ended. The transaction comes after
    /// all earlier saves, because a dropped row belongs to a record that a cache shows. No command
    /// before a `Wipe` may take effect after it.
    Persist {
        /// The user.
        user: String,
        /// Comes back in the answer.
        number: u64,
        /// The changes, in order.
        changes: DeferredValue<Vec<Change>>,
    },
    /// Lock the lanes of `user` that have rows and no living holder; answer with `LanesClaimed` or
    /// `LanesFailed`.
    Claim {
        /// The user.
        user: String,
    },
    /// Release this lane, after all earlier commands are done.
    Release {
        /// The lane.
        lane: String,
    },

    // ---- events for the app ----
    /// Read this snapshot again.
    Changed(Readable),
    /// Read the snapshot of this channel again ([`crate::Client::channel`]).
    ChannelChanged(Channel),
    /// A notification arrived, live or by resume but not in a snapshot, and not older than
    /// `Config::arrived_max_age`.
    Arrived(Box<ItemView>),
    /// A message arrived in a channel with readers, live or by resume but not from history:
    /// `on('message')`.
    Message {
        /// The channel.
        channel: Channel,
        /// The message, as in the snapshot.
        message: DeferredValue<Arc<MessageView>>,
    },
    /// Records are lost for good.
    Gap {
        /// The channel.
        channel: Channel,
        /// First missing offset.
        from: u64,
        /// Last missing offset.
        to: u64,
        /// The reason.
        why: GapReason,
    },
    /// An intent has its final answer. `Ok(None)` for `MoreRequested` and `OlderRequested`.
    Settled {
        /// The driver's number.
        intent: u64,
        /// The stored record, or the error.
        result: Result<Option<Stored>, Error>,
    },
    /// An intent was refused for good: `on('failed')`.
    Failed(FailedIntent),
    /// An error that belongs to no call: `on('error')`.
    Report(Error),
    /// `SignOutRequested` is done.
    SignedOut {
        /// Number of unsent intents that were discarded.
        discarded: u32,
    },
}
