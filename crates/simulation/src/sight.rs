//! What can be seen at the borders of the product while it runs: what checkers judge by.

use std::{
    fmt::{self, Display, Formatter},
    rc::Rc,
    sync::Arc,
};

use tidings_client_core::{Change, ChannelView, Error, ItemKey, MarkTargets, MessageView, Stored};
use tidings_protocol::{Channel, MarkSet, ServerMessage, rights::RightSet, server::GapReason};
use tidings_server_core::{
    Limits,
    store::{Place, Subject},
};

use crate::{
    env::Conn,
    storage::{Place as Row, Saved},
};

/// Who holds a connection, as the node let them in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// User id.
    pub user: String,
    /// Session id.
    pub session: String,
    /// The page's random name.
    pub instance: Option<String>,
    /// When the credential was issued, by the node that issued it.
    pub issued_at: u64,
}

/// A page: a device and how often it was loaded before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Page {
    /// Index of the device.
    pub device: usize,
    /// Counts its lives.
    pub life: u32,
}

impl Display for Page {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "device {} page {}", self.device, self.life)
    }
}

/// A message on its way out, with its text.
#[derive(Clone, Debug)]
pub struct Said {
    /// What it says.
    pub message: ServerMessage,
    /// As it is sent.
    pub text: String,
}

/// What the app asks for.
#[derive(Clone, Debug)]
pub enum Wish {
    /// To mark these items so.
    Mark {
        /// Which.
        targets: MarkTargets,
        /// How.
        set: MarkSet,
    },
    /// To say something in a room.
    Say {
        /// Where.
        channel: Channel,
        /// By its number among all messages.
        message: u64,
    },
    /// To try again what was refused; a message by its number.
    Again {
        /// Which.
        message: Option<u64>,
    },
    /// To see what is older.
    Older,
}

/// What a credential lets its holder do, by room.
pub type Allowed = Vec<(Channel, RightSet)>;

/// Something seen.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "each variant's sentence names its fields")]
pub enum Sight {
    /// A backend sends a publish for the first time.
    Sent { publish: usize },
    /// A backend hears that a publish is stored.
    Acknowledged { publish: usize, places: Vec<Place> },
    /// The app's backend made a ticket for a session.
    Granted { user: String, session: String, allowed: Allowed },
    /// A ticket opened or renewed a session.
    TicketSpent { ticket: String },
    /// A node counted a connection in; so many of its user may be there.
    Admitted { node: usize, conn: Conn, guest: Rc<Guest>, most: usize },
    /// A request that brings messages was let in.
    Visited { conn: Conn, guest: Rc<Guest> },
    /// A connection is no longer a node's.
    Ended { conn: Conn },
    /// Messages leave a node.
    Left { conn: Conn, guest: Rc<Guest>, said: Vec<Said> },
    /// So many bytes wait for a connection: more than ever before at its node.
    Queued { conn: Conn, bytes: usize, limits: Arc<Limits> },
    /// A page begins.
    Began { page: Page, user: String },
    /// A cache was read, under a user or a user, tab and channel.
    Loaded { page: Page, key: String, saved: Option<Saved> },
    /// A cache was written.
    Saved { page: Page, key: String, saved: Saved },
    /// Rows of a user's outbox are on the disk.
    Kept { user: String, changes: Vec<Change> },
    /// A row can't be read any more.
    Damaged { place: Row },
    /// The app hears of a notification.
    Arrived { page: Page, key: ItemKey },
    /// The app hears of a message in a room.
    Told { page: Page, channel: Channel, message: Arc<MessageView> },
    /// An app of a user hears that records are missing.
    Missing { user: String, channel: Channel, from: u64, to: u64, why: GapReason },
    /// The app shows a room, of which it may hold so many messages at most.
    Shown { page: Page, channel: Channel, view: Box<ChannelView>, most: usize },
    /// The app wants something.
    Intended { page: Page, intent: u64, wish: Wish },
    /// The app's call ends.
    Answered { page: Page, intent: u64, result: Result<Option<Stored>, Error> },
    /// An app of a user is shown that an intent was refused for good.
    Failed { user: String },
    /// So many intents wait in a page, and so many may; the same for items.
    Held { page: Page, intents: usize, intents_max: usize, items: usize, items_max: usize },
    /// A revocation is durable. Credentials issued before `at` are void.
    Revoked { subject: Subject, at: u64 },
    /// The store could not do something, or a node was not there to hear of it.
    StoreFailed,
    /// The operator restored the store: every log has another name now.
    Restored,
}
