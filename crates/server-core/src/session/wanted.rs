//! What a connection wants to hear from the start.

use tidings_protocol::{
    Channel, Channels,
    client::{Cursor, Since},
};

use super::{open::Open, turn::Turn};
use crate::Identity;

/// How a stream is kept: its client can't answer on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// It reads messages: it is told the time and the tops, as `pong`s tell them on a socket.
    Told,
    /// It has nothing but an address: what it does not expect would be in its way.
    Plain,
}

/// Channels a connection is subscribed to from the start, besides what its `connect` says: transports whose clients can't say
/// `subscribe` name them in their address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Where to go on in the user's inbox and in `system:all`; either may be given before the user is known.
    pub pair: [Option<Cursor>; 2],
    /// Further channels, and where to go on; without a cursor, from now on.
    pub channels: Vec<(Channel, Option<Cursor>)>,
    /// It goes one way only.
    pub stream: Option<Stream>,
    /// It is a call of a client that comes again for each answer, and was paced already: no session begins with it.
    pub again: bool,
}

impl Wanted {
    /// Adds what `connect` says. It wins: a client that names a place twice means the one it wrote itself. It comes first: where not
    /// all may be followed, those stay that were.
    pub(super) fn with(mut self: Box<Self>, cursors: Channels<Cursor>) -> Box<Self> {
        let named = std::mem::take(&mut self.channels);
        self.channels.extend(cursors.into_iter().map(|(channel, cursor)| (channel, Some(cursor))));
        for (channel, cursor) in named {
            if !self.channels.iter().any(|(other, _)| *other == channel) {
                self.channels.push((channel, cursor));
            }
        }
        self
    }
}

impl Open {
    /// Starts the inbox pair, then everything else.
    pub(super) fn want(&mut self, wanted: Wanted, turn: &mut Turn<'_>) {
        let Wanted { mut pair, channels, .. } = wanted;
        let mut others = Vec::with_capacity(channels.len());
        for (channel, cursor) in channels {
            match place(&channel, &self.who) {
                Some(place) => pair[place] = cursor.or(pair[place]),
                None => others.push((channel, cursor)),
            }
        }
        self.start(None, pair, turn);
        for (channel, cursor) in others {
            self.subscribe(None, channel, cursor.map(Since::Cursor), turn);
        }
    }
}

/// Its place in the pair, if it is one of it.
fn place(channel: &Channel, who: &Identity) -> Option<usize> {
    if channel.is_system() {
        Some(1)
    } else {
        (channel.inbox_user() == Some(&who.user)).then_some(0)
    }
}
