//! Messages from client to server. Each may carry an `id`, which its answer repeats.

use crate::{
    Channel, Channels, Epoch, Json, MarkSet, Offsets, Proof, UpTo,
    codec::{messages, wire},
};

wire! {
    /// A position in a channel's log: the last record that the client has.
    #[derive(Copy, Eq)]
    pub struct Cursor {
        /// Identity of the log.
        pub epoch: Epoch,
        /// Last offset the client has folded; 0 before the first.
        pub offset: u64,
        /// The proof of the last `subscribed`, if it had one.
        pub proof: Option<Proof>,
    }
}

impl Cursor {
    /// A position without a proof.
    pub const fn new(epoch: Epoch, offset: u64) -> Self {
        Self { epoch, offset, proof: None }
    }
}

/// Where a subscription starts: `"now"`, `"first"`, or a [`Cursor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// Records after this one.
    Cursor(Cursor),
    /// Every record that is still stored.
    First,
    /// Only records published from now on.
    Now,
}

wire! {
    /// The client library; shown in metrics and logs, never trusted.
    #[derive(Default, Eq)]
    pub struct ClientInfo {
        /// Such as `tidings-js`.
        pub name: Option<String>,
        /// Such as `0.1.0`.
        pub version: Option<String>,
    }
}

wire! {
    /// Epochs that a mark's offsets belong to. A mark with another epoch is refused for good.
    #[derive(Copy, Default, Eq)]
    pub struct Epochs {
        /// Epoch of the user's inbox channel.
        pub inbox: Option<Epoch>,
        /// Epoch of `system:all`.
        pub system: Option<Epoch>,
    }
}

messages! {
    /// A message from client to server.
    pub enum ClientMessage {
        /// The first message of a connection: credential, and cursors to resume from. At most 64
        /// KiB.
        "connect" Connect {
            pub id: Option<u64>,
            /// Protocol version, [`crate::VERSION`].
            pub version: u32,
            /// A one-time ticket. At most one of `ticket`, `token` and `session_token`; none of
            /// them if a cookie or a header carries the credential.
            pub ticket: Option<String>,
            /// A JWT.
            pub token: Option<String>,
            /// The session token of `connected` or `refreshed`.
            pub session_token: Option<String>,
            /// Random for each page: a new connection of the same instance replaces the older one.
            /// 1–64 characters.
            pub instance: Option<String>,
            /// Whether several messages may share a frame, separated by `\n`.
            pub batch: Option<bool>,
            /// Library name and version.
            pub client: Option<ClientInfo>,
            /// Channels to resume. The inbox and `system:all` are subscribed in any case.
            #[cfg_attr(feature = "ts", ts(as = "Option<std::collections::BTreeMap<Channel, Cursor>>"))]
            pub cursors: Option<Channels<Cursor>>,
        }
        /// Asks for a `pong`.
        "ping" Ping {
            pub id: Option<u64>,
        }
        /// Subscribes to a channel.
        "subscribe" Subscribe {
            pub id: Option<u64>,
            pub channel: Channel,
            /// Absent: a snapshot for the inbox and `system:all`, `now` for other channels.
            pub since: Option<Since>,
        }
        /// Ends a subscription.
        "unsubscribe" Unsubscribe {
            pub id: Option<u64>,
            pub channel: Channel,
        }
        /// Appends a message to a channel.
        "publish" Publish {
            pub id: Option<u64>,
            pub channel: Channel,
            /// The outbox lane, 1–64 characters. With `seq`, a repeated message gets the answer of
            /// the first one.
            pub client_id: Option<String>,
            /// Position in the lane, counted from 1 without gaps.
            pub seq: Option<u64>,
            pub data: Json,
        }
        /// Sends a short event, such as typing, to the current subscribers; never logged.
        "signal" Signal {
            pub id: Option<u64>,
            pub channel: Channel,
            pub name: String,
            pub data: Option<Json>,
        }
        /// Sets the state of inbox items. Either `offsets` or `up_to`.
        "mark" Mark {
            pub id: Option<u64>,
            pub client_id: Option<String>,
            pub seq: Option<u64>,
            pub epochs: Epochs,
            pub offsets: Option<Offsets>,
            pub up_to: Option<UpTo>,
            pub set: MarkSet,
        }
        /// Sets a value of a room's state.
        "set" Set {
            pub id: Option<u64>,
            pub channel: Channel,
            pub client_id: Option<String>,
            pub seq: Option<u64>,
            pub key: String,
            /// Expected version; refused if another version was set meanwhile.
            pub version: Option<u64>,
            pub data: Json,
        }
        /// Asks for a page of a channel's log, or of the inbox's items with their states.
        "history" History {
            pub id: Option<u64>,
            pub channel: Channel,
            /// Offsets below this one, newest first. At most one of `before` and `after`; with
            /// neither, the newest.
            pub before: Option<u64>,
            /// Offsets above this one, oldest first.
            pub after: Option<u64>,
            /// 1–100, default 50.
            pub limit: Option<u32>,
        }
        /// Asks for the members that are in a channel now.
        "presence" Presence {
            pub id: Option<u64>,
            pub channel: Channel,
        }
        /// Extends the connection with a new credential of the same user.
        "refresh" Refresh {
            pub id: Option<u64>,
            pub ticket: Option<String>,
            pub token: Option<String>,
        }
        /// Uses up a `seq` whose intent can't be sent.
        "void" Void {
            pub id: Option<u64>,
            pub client_id: String,
            pub seq: u64,
        }
    }
}
