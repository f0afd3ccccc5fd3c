//! Items, marks and counts: the parts of an inbox that travel in both directions.

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
    /// Everyone-messages a user has not read or seen, as far as the log had come at `at`.
    ///
    /// A client shows these plus one for each record of `system:all` above `at`.
    #[derive(Copy, Default, Eq)]
    pub struct SystemCounts {
        /// Unread everyone-messages up to `at`.
        pub unread: u64,
        /// Unseen everyone-messages up to `at`.
        pub unseen: u64,
        /// Offset in `system:all` these numbers are true at.
        pub at: u64,
    }
}

wire! {
    /// Counts right after an inbox record, computed in that record's transaction.
    #[derive(Copy, Default, Eq)]
    pub struct Counts {
        /// Of the user's own inbox channel.
        pub inbox: Tally,
        /// Of `system:all`, as this user's marks leave it.
        pub system: SystemCounts,
    }
}

wire! {
    /// One item with its state: what a `snapshot` and a `page` hold.
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
        /// It was on screen.
        pub seen: bool,
        /// The user read it.
        pub read: bool,
        /// The user put it away.
        pub archived: bool,
        /// The notification's body: `{notification_id, type, title, message?, url?, data?,
        /// created_at}`.
        pub data: Json,
    }
}

wire! {
    /// What a mark sets. A field that is absent stays as it is; `false` undoes.
    #[derive(Copy, Default, Eq)]
    pub struct MarkSet {
        /// On screen.
        pub seen: Option<bool>,
        /// Read; reading implies having seen.
        pub read: Option<bool>,
        /// Put away.
        pub archived: Option<bool>,
    }
}

impl MarkSet {
    /// The rule both ends fold by: each given field is set, then `read: true` sets `seen` too. The
    /// later mark wins.
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
    /// Single items a mark covers, by offset.
    #[derive(Default, Eq)]
    pub struct Offsets {
        /// Offsets in the user's inbox channel.
        pub inbox: Option<Vec<u64>>,
        /// Offsets in `system:all`.
        pub system: Option<Vec<u64>>,
    }
}

wire! {
    /// Everything up to and including these offsets; the server clips them to the tops.
    #[derive(Copy, Default, Eq)]
    pub struct UpTo {
        /// In the user's inbox channel.
        pub inbox: Option<u64>,
        /// In `system:all`.
        pub system: Option<u64>,
    }
}
