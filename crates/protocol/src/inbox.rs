//! Items, marks and counts: the parts of an inbox that both directions use.

use crate::{Channel, Json, codec::wire};

wire! {
    /// Unread and unseen items of one channel.
    #[derive(Copy, Default, Eq)]
    pub struct Tally {
        /// Items whose `read` is false and that are not archived.
        pub unread: u64,
        /// Items whose `seen` is false and that are not archived.
        pub unseen: u64,
    }
}

wire! {
    /// Messages to everyone that a user has not read or seen, counted up to offset `at`.
    ///
    /// A client shows these counts plus one for each record of `system:all` above `at`.
    #[derive(Copy, Default, Eq)]
    pub struct SystemCounts {
        /// Unread messages to everyone, up to `at`.
        pub unread: u64,
        /// Unseen messages to everyone, up to `at`.
        pub unseen: u64,
        /// The offset in `system:all` up to which the counts hold.
        pub at: u64,
    }
}

wire! {
    /// Counts right after an inbox record, computed in that record's transaction.
    #[derive(Copy, Default, Eq)]
    pub struct Counts {
        /// Counts of the user's own inbox channel.
        pub inbox: Tally,
        /// Counts of `system:all`, after this user's marks.
        pub system: SystemCounts,
    }
}

wire! {
    /// One item with its state, as a `snapshot` and a `page` hold it.
    pub struct Item {
        /// `inbox:{user}` or `system:all`.
        pub channel: Channel,
        /// Its offset in that channel.
        pub offset: u64,
        /// Notification id (UUIDv7).
        pub id: String,
        /// Notification type, such as `payment`.
        pub kind: String,
        /// When it was stored, in milliseconds since 1970.
        pub at: u64,
        /// Whether it was on screen.
        pub seen: bool,
        /// Whether the user has read it.
        pub read: bool,
        /// Whether the user has archived it.
        pub archived: bool,
        /// The notification's body: `{notification_id, type, title, message?, url?, data?,
        /// created_at}`.
        pub data: Json,
    }
}

wire! {
    /// The states a mark sets. An absent field stays as it is; `false` takes the state back.
    #[derive(Copy, Default, Eq)]
    pub struct MarkSet {
        /// On screen.
        pub seen: Option<bool>,
        /// Read; this also sets `seen`.
        pub read: Option<bool>,
        /// Archived.
        pub archived: Option<bool>,
    }
}

impl MarkSet {
    /// The rule by which client and server both fold a mark: set each given field, then let
    /// `read: true` set `seen` too. The later mark wins.
    pub fn apply(self, seen: &mut bool, read: &mut bool, archived: &mut bool) {
        if let Some(value) = self.seen {
            *seen = value;
        }
        if let Some(value) = self.read {
            *read = value;
            *seen |= value;
        }
        if let Some(value) = self.archived {
            *archived = value;
        }
    }
}

wire! {
    /// Single items that a mark covers, by offset.
    #[derive(Default, Eq)]
    pub struct Offsets {
        /// Offsets in the user's inbox channel.
        pub inbox: Option<Vec<u64>>,
        /// Offsets in `system:all`.
        pub system: Option<Vec<u64>>,
    }
}

wire! {
    /// All items up to and including these offsets; the server limits them to the tops.
    #[derive(Copy, Default, Eq)]
    pub struct UpTo {
        /// In the user's inbox channel.
        pub inbox: Option<u64>,
        /// In `system:all`.
        pub system: Option<u64>,
    }
}
