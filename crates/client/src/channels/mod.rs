//! Channels beside the inbox: rooms, chats, topics.
//!
//! A channel is followed from the moment somebody reads it until a while after nobody does. It begins with the newest
//! page of its history and goes on with what comes; over cuts and restarts it resumes from its cursor.
//!
//! | file | what |
//! |---|---|
//! | `room` | one channel: cursor, messages, how it is followed |
//! | `older` | `loadMore`: one page at a time |
//! | `reading` | who reads what: joining, leaving, the cache |
//! | `follow` | what a connection brings: records, gaps, pages, refusals |
//! | `show` | snapshots, with own messages that have no answer yet |

mod follow;
mod older;
mod reading;
mod room;
mod show;

use tidings_protocol::{Channel, Json};

use room::Room;

/// Most epochs remembered as left: each is the loss of a log.
const LEFT_MAX: usize = 8;

/// All channels that are read.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    rooms: Vec<Room>,
    /// The connection they are followed on, and the messages of one page.
    link: Option<(u64, u32)>,
    /// What the user's credential says of them, as their own messages showed it.
    me: Option<Json>,
    /// The outbox's changes that are shown.
    shown: u64,
    /// Channels that are read no more, to be told as changed.
    left: Vec<Channel>,
    /// Keys of messages so far.
    keys: u64,
}

impl Channels {
    pub(crate) fn room_mut(&mut self, index: usize) -> Option<&mut Room> {
        self.rooms.get_mut(index)
    }

    /// The requests for pages that are under way have no answer.
    pub(crate) fn cut_pages(&mut self) {
        for room in &mut self.rooms {
            room.older.cut();
        }
    }

    fn find(&self, channel: &Channel) -> Option<usize> {
        self.rooms.iter().position(|room| room.channel == *channel)
    }
}
