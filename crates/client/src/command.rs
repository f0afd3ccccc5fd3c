//! Everything a client can ask its driver for, as imperatives.

use tidings_protocol::{Channel, Epoch, server::GapReason};

use crate::{Error, FailedIntent, ItemView, Stored, TransportKind};

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

/// Do this.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    // ---- transports ----
    /// Open a transport. Answer with `TransportOpened`, or `TransportClosed` when it can't be opened.
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
    /// Read what was saved for `user`; answer with `StorageLoaded` or `StorageFailed`.
    Load {
        /// Key of the cache.
        user: String,
    },
    /// Write the cache in one transaction, but only over nothing, over a lower offset of the same
    /// epoch in *each* of both channels' cursors (equal allowed), or over an epoch listed in `over`.
    Save {
        /// Key of the cache.
        user: String,
        /// (epoch, offset) of the inbox and of `system:all`.
        cursors: [(Epoch, u64); 2],
        /// Epochs this client itself left.
        over: Vec<Epoch>,
        /// What `StorageLoaded` gives back.
        text: String,
    },
    /// Delete everything saved for `user`.
    Wipe {
        /// Key of the cache.
        user: String,
    },

    // ---- what the app hears ----
    /// Read that snapshot again.
    Changed(Readable),
    /// A notification arrived (live or by resume, not by snapshot), not older than `Config::arrived_max_age`.
    Arrived(Box<ItemView>),
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
    /// An intent has its final answer. `Ok(None)` for `MoreRequested`.
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
