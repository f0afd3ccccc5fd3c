//! Who listens to what. Delivers a record to those who have exactly the one before it, and to nobody else.

use std::collections::BTreeMap;

use bytes::Bytes;
use tidings_protocol::{
    Channel, Epoch,
    planted::{self, Planted},
};

use crate::store::{Head, NO_LOG, Record};

/// Where a subscriber's messages go: a handle of a connection, cheap to clone.
///
/// Called under the hub's lock: a sink queues and wakes, it does not call back.
pub trait Sink {
    /// Queues a record's frame and wakes the connection; `false` when it holds too much already.
    fn push(&self, frame: &Bytes) -> bool;

    /// The subscription is back to reading the log: tell the session [`crate::session::Event::Lagged`]. `sent` is the
    /// last offset that was pushed.
    fn lagged(&self, channel: &Channel, slot: Slot, sent: u64);
}

/// A subscriber's place in a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    index: u32,
    /// Tells a place from the same place used before.
    generation: u32,
}

/// The answer to [`Hub::go_live`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoLive {
    /// Every record from now on is pushed.
    Live,
    /// More is in the log than was sent: read on, then ask again.
    Behind,
}

/// What somebody says of how far a channel's log goes. May be lost, doubled, late or out of order: it is a reason to read
/// the log, never a fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// Which log.
    pub channel: Channel,
    /// Its identity.
    pub epoch: Epoch,
    /// Its newest offset.
    pub top: u64,
}

/// Every subscription of a node, in one hub or in shards of it.
pub trait Hubs {
    /// [`Hub::hint`] of the channel's hub.
    fn hint(&mut self, hint: &Hint) -> Delivery;
    /// [`Hub::head`] of the channel's hub.
    fn head(&mut self, channel: &Channel, head: Head) -> Delivery;
    /// [`Hub::committed`] of the channel's hub.
    fn committed(&mut self, record: &Record) -> Delivery;
    /// [`Hub::send_back`] of the channel's hub.
    fn send_back(&mut self, channel: &Channel);
    /// Channels somebody listens to.
    fn listened(&self) -> Vec<Channel>;
}

/// The answer to [`Hub::committed`], [`Hub::hint`] and [`Hub::head`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Pushed to this many.
    Pushed(usize),
    /// Nobody here listens, or it was delivered before.
    Nothing,
    /// Records after this offset are missing here: read them from the log and commit them in order.
    Hole {
        /// The last offset delivered.
        after: u64,
    },
    /// A hint names another log than the one delivered here: ask the log for its head, which says which is right.
    OtherLog,
}

/// One shard of subscriptions. The driver makes as many as it has cores, picks one by channel hash and puts each
/// behind a lock; all calls are short and none blocks.
#[derive(Debug)]
pub struct Hub<S> {
    topics: BTreeMap<Channel, Topic<S>>,
    generation: u32,
}

impl<S> Default for Hub<S> {
    fn default() -> Self {
        Self { topics: BTreeMap::new(), generation: 0 }
    }
}

/// What is known of a channel while somebody listens.
#[derive(Debug)]
struct Topic<S> {
    /// Epoch and newest offset handed to this hub; unknown until the first record or live subscriber.
    top: Option<(Epoch, u64)>,
    /// The last hint that came while nobody was live: a reason for whoever goes live to read once more.
    hinted: Option<(Epoch, u64)>,
    /// A slab: places keep their index, so that leaving costs nothing however many listen.
    places: Vec<Place<S>>,
    /// Indices of free places.
    free: Vec<u32>,
}

#[derive(Debug)]
struct Place<S> {
    sink: Option<S>,
    generation: u32,
    /// Last offset pushed or read; [`CATCHING_UP`] while the session reads the log.
    sent: u64,
}

/// Above every offset.
const CATCHING_UP: u64 = u64::MAX;

impl<S: Sink> Hub<S> {
    /// Adds a subscriber that reads the log first: nothing is pushed to it yet, but from now on the hub knows the
    /// channel's top. Attach *before* reading, or a record between the two is missed.
    pub fn attach(&mut self, channel: &Channel, sink: S) -> Slot {
        self.generation = self.generation.wrapping_add(1);
        let topic = self.topics.entry(channel.clone()).or_insert_with(Topic::empty);
        topic.insert(sink, self.generation)
    }

    /// Everything up to `sent` was queued for this subscriber: switches it to live if that is all there is.
    ///
    /// `sent` may be above what this hub was handed: a reader of the log can be ahead of the fan-out.
    pub fn go_live(&mut self, channel: &Channel, slot: Slot, epoch: Epoch, sent: u64) -> GoLive {
        let Some(topic) = self.topics.get_mut(channel) else { return GoLive::Behind };
        if let Some(place) = topic.place(slot) {
            place.sent = CATCHING_UP;
        }
        // Heeded once: what a hint claims and the log does not have must not keep anybody reading.
        if topic.hinted.take().is_some_and(|(named, top)| named != epoch || top > sent) {
            return GoLive::Behind;
        }
        let sent = match topic.top {
            Some((known, top)) if planted::on(Planted::LiveWithoutLock) && known == epoch => {
                top.max(sent)
            }
            _ => sent,
        };
        match topic.top {
            // Which of the two is the log's name now? Whoever reads it again knows.
            Some((known, _)) if known != epoch && epoch != NO_LOG => {
                topic.start_over(channel);
                return GoLive::Behind;
            }
            Some((known, top)) if known != epoch || top > sent => return GoLive::Behind,
            Some(_) => {}
            None => topic.top = Some((epoch, sent)),
        }
        match topic.place(slot) {
            Some(place) => {
                place.sent = sent;
                GoLive::Live
            }
            None => GoLive::Behind,
        }
    }

    /// Removes a subscriber; a slot that is gone already is no error. The channel goes with its last one.
    pub fn detach(&mut self, channel: &Channel, slot: Slot) {
        if let Some(topic) = self.topics.get_mut(channel) {
            topic.remove(slot);
            if topic.free.len() == topic.places.len() {
                self.topics.remove(channel);
            }
        }
    }

    /// A record became durable. Call it in the order of commits, for each record once; doubled and early ones do no
    /// harm.
    pub fn committed(&mut self, record: &Record) -> Delivery {
        let Some(topic) = self.topics.get_mut(&record.channel) else { return Delivery::Nothing };
        match topic.top {
            Some((epoch, top)) if epoch == record.epoch => {
                if record.offset <= top {
                    return Delivery::Nothing;
                }
                if record.offset > top + 1 && topic.has_live() {
                    return Delivery::Hole { after: top };
                }
            }
            // Another log: nobody has the record before this one.
            Some(_) => topic.send_back(&record.channel),
            None => {}
        }
        topic.top = Some((record.epoch, record.offset));
        match topic.deliver(record) {
            0 => Delivery::Nothing,
            pushed => Delivery::Pushed(pushed),
        }
    }

    /// Somebody says how far a channel's log goes. `Hole` when this hub should read it.
    pub fn hint(&mut self, hint: &Hint) -> Delivery {
        let Some(topic) = self.topics.get_mut(&hint.channel) else { return Delivery::Nothing };
        match topic.top {
            Some((known, top)) if known == hint.epoch && hint.top <= top => Delivery::Nothing,
            Some((known, top)) if topic.has_live() => match known == hint.epoch {
                true => Delivery::Hole { after: top },
                false => Delivery::OtherLog,
            },
            _ => {
                topic.hinted = Some((hint.epoch, hint.top));
                Delivery::Nothing
            }
        }
    }

    /// The log itself says where it stands. `Hole` when this hub should read on.
    pub fn head(&mut self, channel: &Channel, head: Head) -> Delivery {
        let Some(topic) = self.topics.get_mut(channel) else { return Delivery::Nothing };
        match topic.top {
            Some((known, _)) if known != head.epoch => topic.start_over(channel),
            // What is missing is gone: each reader is told so by its own session.
            Some((_, top)) if head.first > top + 1 => topic.start_over(channel),
            Some(_) | None => {
                let Head { epoch, top, .. } = head;
                return self.hint(&Hint { channel: channel.clone(), epoch, top });
            }
        }
        Delivery::Nothing
    }

    /// This hub can't go on by itself: everybody reads the log again.
    pub fn send_back(&mut self, channel: &Channel) {
        if let Some(topic) = self.topics.get_mut(channel) {
            topic.start_over(channel);
        }
    }

    /// The newest offset handed to a live subscriber's channel: what `pong.tops` tells. `None` while it catches up.
    #[must_use]
    pub fn live_top(&self, channel: &Channel, slot: Slot) -> Option<u64> {
        let topic = self.topics.get(channel)?;
        let place = topic.places.get(slot.index as usize)?;
        let live = place.generation == slot.generation
            && place.sink.is_some()
            && place.sent != CATCHING_UP;
        topic.top.filter(|_| live).map(|(_, top)| top)
    }

    /// Channels somebody listens to.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.topics.len()
    }

    /// Channels somebody listens to, for whoever asks the log each second.
    pub fn listened(&self) -> impl Iterator<Item = &Channel> {
        self.topics.keys()
    }
}

impl<S: Sink> Hubs for Hub<S> {
    fn hint(&mut self, hint: &Hint) -> Delivery {
        Self::hint(self, hint)
    }

    fn head(&mut self, channel: &Channel, head: Head) -> Delivery {
        Self::head(self, channel, head)
    }

    fn committed(&mut self, record: &Record) -> Delivery {
        Self::committed(self, record)
    }

    fn send_back(&mut self, channel: &Channel) {
        Self::send_back(self, channel);
    }

    fn listened(&self) -> Vec<Channel> {
        Self::listened(self).cloned().collect()
    }
}

impl<S: Sink> Topic<S> {
    const fn empty() -> Self {
        Self { top: None, hinted: None, places: Vec::new(), free: Vec::new() }
    }

    fn insert(&mut self, sink: S, generation: u32) -> Slot {
        let place = Place { sink: Some(sink), generation, sent: CATCHING_UP };
        if let Some(index) = self.free.pop()
            && let Some(free) = self.places.get_mut(index as usize)
        {
            *free = place;
            return Slot { index, generation };
        }
        // Most channels are inboxes with one or two listeners: no room for four.
        if self.places.is_empty() {
            self.places.reserve_exact(1);
        }
        self.places.push(place);
        Slot { index: (self.places.len() - 1) as u32, generation }
    }

    fn place(&mut self, slot: Slot) -> Option<&mut Place<S>> {
        let place = self.places.get_mut(slot.index as usize)?;
        (place.generation == slot.generation && place.sink.is_some()).then_some(place)
    }

    fn remove(&mut self, slot: Slot) {
        if let Some(place) = self.place(slot) {
            place.sink = None;
            self.free.push(slot.index);
        }
    }

    fn has_live(&self) -> bool {
        self.places.iter().any(|place| place.sink.is_some() && place.sent != CATCHING_UP)
    }

    fn deliver(&mut self, record: &Record) -> usize {
        let mut pushed = 0;
        for (index, place) in self.places.iter_mut().enumerate() {
            let Some(sink) = &place.sink else { continue };
            // Those who read the log may be ahead of this record.
            if place.sent == CATCHING_UP || place.sent >= record.offset {
                continue;
            }
            if place.sent + 1 == record.offset && sink.push(&record.frame) {
                place.sent = record.offset;
                pushed += 1;
            } else {
                let slot = Slot { index: index as u32, generation: place.generation };
                sink.lagged(&record.channel, slot, place.sent);
                place.sent = CATCHING_UP;
            }
        }
        pushed
    }

    /// Everybody reads the log again, and the first to go live says where it stands.
    fn start_over(&mut self, channel: &Channel) {
        self.send_back(channel);
        self.top = None;
    }

    /// Everybody reads the log again.
    fn send_back(&mut self, channel: &Channel) {
        for (index, place) in self.places.iter_mut().enumerate() {
            if let Some(sink) = &place.sink
                && place.sent != CATCHING_UP
            {
                sink.lagged(
                    channel,
                    Slot { index: index as u32, generation: place.generation },
                    place.sent,
                );
                place.sent = CATCHING_UP;
            }
        }
    }
}

#[cfg(test)]
mod tests;
