//! What can be seen at the borders of the product while it runs: what checkers judge by.

use std::{
    fmt::{self, Display, Formatter},
    rc::Rc,
    sync::Arc,
};

use tidings_client_core::{Error, ItemKey, MarkTargets, Stored};
use tidings_protocol::{MarkSet, ServerMessage};
use tidings_server_core::{
    Limits,
    store::{Place, Subject},
};

use crate::{env::Conn, storage::Saved};

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

/// Something seen.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "each variant's sentence names its fields")]
pub enum Sight {
    /// A backend sends a publish for the first time.
    Sent { publish: usize },
    /// A backend hears that a publish is stored.
    Acknowledged { publish: usize, places: Vec<Place> },
    /// A ticket opened or renewed a session.
    TicketSpent { ticket: String },
    /// A node counted a connection in; so many of its user may be there.
    Admitted { node: usize, conn: Conn, guest: Rc<Guest>, most: usize },
    /// A connection is no longer a node's.
    Ended { conn: Conn },
    /// Messages leave a node.
    Left { conn: Conn, guest: Rc<Guest>, said: Vec<Said> },
    /// So many bytes wait for a connection: more than ever before at its node.
    Queued { conn: Conn, bytes: usize, limits: Arc<Limits> },
    /// A page begins.
    Began { page: Page, user: String },
    /// Its cache was read.
    Loaded { page: Page, saved: Option<Saved> },
    /// A cache was written.
    Saved { page: Page, user: String, saved: Saved },
    /// The app hears of a notification.
    Arrived { page: Page, key: ItemKey },
    /// The app marks.
    Intended { page: Page, intent: u64, targets: MarkTargets, set: MarkSet },
    /// The app's call ends.
    Answered { page: Page, intent: u64, result: Result<Option<Stored>, Error> },
    /// So many intents wait in a page, and so many may; the same for items.
    Held { page: Page, intents: usize, intents_max: usize, items: usize, items_max: usize },
    /// A revocation is durable. Credentials issued before `at` are void.
    Revoked { subject: Subject, at: u64 },
    /// The store could not do something, or a node was not there to hear of it.
    StoreFailed,
    /// The operator restored the store: every log has another name now.
    Restored,
}
