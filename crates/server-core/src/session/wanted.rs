//! The channels that a connection is subscribed to from the start.

use tidings_protocol::{
    Channel, Channels,
    client::{Cursor, Since},
};

use super::{open::Open, turn::Turn};
use crate::Identity;

/// How a stream is kept alive. Its client can't answer on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Its client reads messages: it gets unsolicited `pong`s with the time and the tops.
    Told,
    /// Its client has only an address, and may not expect `pong`s: it gets pings of the transport
    /// instead.
    Plain,
}

/// Channels to subscribe to from the start, besides the cursors of `connect`. Transports whose
/// clients can't send `subscribe` name the channels in their address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Cursors for the user's inbox and for `system:all`; they may be given before the user is
    /// known.
    pub pair: [Option<Cursor>; 2],
    /// Further channels with their cursors. Without a cursor, from now on.
    pub channels: Vec<(Channel, Option<Cursor>)>,
    /// Set for a stream, which goes only one way.
    pub stream: Option<Stream>,
    /// The request of a polling client that comes again for each answer, and whose rate was limited
    /// already: it counts as no new session.
    pub again: bool,
}

impl Wanted {
    /// Adds the cursors of `connect`. They win over those of the address, because the client wrote
    /// them itself. They come first: if there are too many channels, earlier subscriptions stay.
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
    /// Starts the inbox and `system:all`, then all other channels.
    pub(super) fn want(&mut self, wanted: Wanted, turn: &mut Turn<'_>) {
        let Wanted { mut pair, channels, .. } = wanted;
        let mut others = Vec::with_capacity(channels.len());
        for (channel, cursor) in channels {
            match index(&channel, &self.who) {
                Some(index) => pair[index] = cursor.or(pair[index]),
                None => others.push((channel, cursor)),
            }
        }
        self.start(None, pair, turn);
        for (channel, cursor) in others {
            self.subscribe(None, channel, cursor.map(Since::Cursor), turn);
        }
    }
}

/// The channel's index in the pair of inbox and `system:all`.
fn index(channel: &Channel, who: &Identity) -> Option<usize> {
    if channel.is_system() {
        Some(1)
    } else {
        (channel.inbox_user() == Some(&who.user)).then_some(0)
    }
}
