//! Observations at the borders of the product while it runs; checkers judge by them.

use std::{
    fmt::{self, Display, Formatter},
    rc::Rc,
    sync::Arc,
};

use tidings_client_core::{Change, ChannelView, Error, ItemKey, MarkTargets, MessageView, Stored};
use tidings_protocol::{Channel, MarkSet, ServerMessage, rights::RightSet, server::GapReason};
use tidings_server_core::{
    Limits,
    store::{RecordRef, Subject},
};

use crate::{
    env::Conn,
    storage::{RowKey, Saved},
};

/// The user and session of a connection, as the node admitted it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// User id.
    pub user: String,
    /// Session id.
    pub session: String,
    /// The page's random instance name.
    pub instance: Option<String>,
    /// When the credential was issued, by the clock of the issuing node.
    pub issued_at: u64,
}

/// A page: a device and the number of its earlier pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Page {
    /// Index of the device.
    pub device: usize,
    /// Counts the pages of the device.
    pub life: u32,
}

impl Display for Page {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "device {} page {}", self.device, self.life)
    }
}

/// A message that leaves a node, with its text.
#[derive(Clone, Debug)]
pub struct OutboundMessage {
    /// The message.
    pub message: ServerMessage,
    /// The text that is sent.
    pub text: String,
}

/// A call of the app.
#[derive(Clone, Debug)]
pub enum AppRequest {
    /// Marks these items.
    Mark {
        /// The items.
        targets: MarkTargets,
        /// The states to set.
        set: MarkSet,
    },
    /// Publishes a message in a room.
    Say {
        /// The room.
        channel: Channel,
        /// The message's number among all messages.
        message: u64,
    },
    /// Retries a refused intent; a message is given by its number.
    Again {
        /// The message's number.
        message: Option<u64>,
    },
    /// Loads older items.
    Older,
}

/// Rights of a credential, by room.
pub type Allowed = Vec<(Channel, RightSet)>;

/// An observation.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "each variant's sentence names its fields")]
pub enum Observation {
    /// A backend sends a publish for the first time.
    Sent { publish: usize },
    /// A backend gets the answer that a publish is stored.
    Acknowledged { publish: usize, refs: Vec<RecordRef> },
    /// The app's backend made a ticket for a session.
    Granted { user: String, session: String, allowed: Allowed },
    /// A ticket opened or renewed a session.
    TicketSpent { ticket: String },
    /// A node admitted a connection; `most` is the user's limit.
    Admitted { node: usize, conn: Conn, guest: Rc<Guest>, most: usize },
    /// A POST of messages was admitted.
    PostAdmitted { conn: Conn, guest: Rc<Guest> },
    /// A node's connection ended.
    Ended { conn: Conn },
    /// Messages leave a node.
    Left { conn: Conn, guest: Rc<Guest>, messages: Vec<OutboundMessage> },
    /// Bytes that wait for a connection: more than ever before at its node.
    Queued { conn: Conn, bytes: usize, limits: Arc<Limits> },
    /// A page begins.
    Began { page: Page, user: String },
    /// A cache was read; its key is a user, or a user, tab and channel.
    Loaded { page: Page, key: String, saved: Option<Saved> },
    /// A cache was written.
    Saved { page: Page, key: String, saved: Saved },
    /// Rows of a user's outbox are on disk.
    Persisted { user: String, changes: Vec<Change> },
    /// A row can't be read any more.
    Damaged { key: RowKey },
    /// The app got a notification.
    Arrived { page: Page, key: ItemKey },
    /// The app got a message in a room.
    Told { page: Page, channel: Channel, message: Arc<MessageView> },
    /// An app of a user got the event that records are missing.
    Missing { user: String, channel: Channel, from: u64, to: u64, why: GapReason },
    /// The app shows a room; `most` is the limit of messages it may hold.
    Shown { page: Page, channel: Channel, view: Box<ChannelView>, most: usize },
    /// The app made a call.
    Intended { page: Page, intent: u64, request: AppRequest },
    /// The app's call ended.
    Answered { page: Page, intent: u64, result: Result<Option<Stored>, Error> },
    /// An app of a user shows that an intent was refused for good.
    Failed { user: String },
    /// The number of intents in a page and its limit; the same for items.
    Held { page: Page, intents: usize, intents_max: usize, items: usize, items_max: usize },
    /// A revocation is durable. Credentials issued before `at` are void.
    Revoked { subject: Subject, at: u64 },
    /// The store could not do something, or a node was not running to learn of it.
    StoreFailed,
    /// The operator restored the store: every log has another epoch now.
    Restored,
}
