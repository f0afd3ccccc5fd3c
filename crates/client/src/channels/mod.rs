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
    /// Whether an own message that came from this place of the outbox is shown as the log has it.
    pub(crate) fn show(&self, channel: &Channel, lane: &str, seq: u64) -> bool {
        let room = self.find(channel).and_then(|place| self.rooms.get(place));
        room.is_some_and(|room| room.shows(lane, seq))
    }

    fn find(&self, channel: &Channel) -> Option<usize> {
        self.rooms.iter().position(|room| room.channel == *channel)
    }
}
