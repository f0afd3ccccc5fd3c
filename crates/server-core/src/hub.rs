//! The subscribers of each channel. A record is delivered only to the subscribers that have exactly
//! the record before it.

use std::collections::BTreeMap;

use bytes::Bytes;
use tidings_protocol::{
    Channel, Epoch,
    planted::{self, Planted},
};

use crate::store::{Head, NO_LOG, Record};

/// The receiver of a subscriber's messages: a handle of a connection, cheap to clone.
///
/// Called under the hub's lock: a sink only queues and wakes, and must not call back.
pub trait Sink {
    /// Queues a record's frame and wakes the connection. `false` if the connection's queue is full.
    fn push(&self, frame: &Bytes) -> bool;

    /// The subscription is back to reading the log: pass [`crate::session::Event::Lagged`] to the
    /// session. `sent` is the last offset that was pushed.
    fn lagged(&self, channel: &Channel, slot: Slot, sent: u64);
}

/// A subscriber's slot in a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    index: u32,
    /// Distinguishes a slot from an earlier use of the same index.
    generation: u32,
}

/// The answer to [`Hub::go_live`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoLive {
    /// Every record from now on is pushed.
    Live,
    /// The log holds more than was sent: read on, then ask again.
    Behind,
}

/// A report of how far a channel's log goes. It may be lost, doubled, late or out of order: it is a
/// reason to read the log, never a fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The log's channel.
    pub channel: Channel,
    /// The log's identity.
    pub epoch: Epoch,
    /// The log's newest offset.
    pub top: u64,
}

/// All subscriptions of a node, in one hub or in several shards.
pub trait Hubs {
    /// [`Hub::hint`] of the channel's hub.
    fn hint(&mut self, hint: &Hint) -> Delivery;
    /// [`Hub::head`] of the channel's hub.
    fn head(&mut self, channel: &Channel, head: Head) -> Delivery;
    /// [`Hub::committed`] of the channel's hub.
    fn committed(&mut self, record: &Record) -> Delivery;
    /// [`Hub::send_back`] of the channel's hub.
    fn send_back(&mut self, channel: &Channel);
    /// Channels that have subscribers.
    fn listened(&self) -> Vec<Channel>;
}

/// The answer to [`Hub::committed`], [`Hub::hint`] and [`Hub::head`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Pushed to this many subscribers.
    Pushed(usize),
    /// The channel has no subscribers here, or the record was delivered before.
    Nothing,
    /// Records after this offset are missing here: read them from the log and commit them in order.
    Hole {
        /// The last offset delivered.
        after: u64,
    },
    /// A hint names another log than the one delivered here. Ask the log for its head, which says
    /// which is right.
    OtherLog,
}

/// One shard of subscriptions. The driver makes one for each core, picks one by the channel's hash,
/// and puts each behind a lock. All calls are short and none blocks.
#[derive(Debug)]
pub struct Hub<S> {
    fan_outs: BTreeMap<Channel, ChannelFanOut<S>>,
    generation: u32,
}

impl<S> Default for Hub<S> {
    fn default() -> Self {
        Self { fan_outs: BTreeMap::new(), generation: 0 }
    }
}

/// The state of a channel that has subscribers.
#[derive(Debug)]
struct ChannelFanOut<S> {
    /// Epoch and newest offset that this hub delivered; unknown until the first record or live
    /// subscriber.
    top: Option<(Epoch, u64)>,
    /// The last hint that came without a live subscriber. The next subscriber that goes live must
    /// read once more because of it.
    hinted: Option<(Epoch, u64)>,
    /// A slab: slots keep their index, so that a detach is cheap however many subscribers there
    /// are.
    entries: Vec<Entry<S>>,
    /// Indices of free places.
    free: Vec<u32>,
}

#[derive(Debug)]
struct Entry<S> {
    sink: Option<S>,
    generation: u32,
    /// Last offset pushed or read; [`CATCHING_UP`] while the session reads the log.
    sent: u64,
}

/// Above every offset.
const CATCHING_UP: u64 = u64::MAX;

impl<S: Sink> Hub<S> {
    /// Adds a subscriber that first reads the log. The hub pushes nothing to it yet, but knows the
    /// channel's top from now on. Attach *before* reading: a record between the two would be
    /// missed.
    pub fn attach(&mut self, channel: &Channel, sink: S) -> Slot {
        self.generation = self.generation.wrapping_add(1);
        let fan_out = self.fan_outs.entry(channel.clone()).or_insert_with(ChannelFanOut::empty);
        fan_out.insert(sink, self.generation)
    }

    /// Everything up to `sent` was queued for this subscriber. Switches it to live if the log holds
    /// no more.
    ///
    /// `sent` may be above this hub's top: a reader of the log can be ahead of the fan-out.
    pub fn go_live(&mut self, channel: &Channel, slot: Slot, epoch: Epoch, sent: u64) -> GoLive {
        let Some(fan_out) = self.fan_outs.get_mut(channel) else { return GoLive::Behind };
        if let Some(entry) = fan_out.entry(slot) {
            entry.sent = CATCHING_UP;
        }
        // A hint counts only once: if the log does not have the hinted record, the subscriber must
        // not read for ever.
        if fan_out.hinted.take().is_some_and(|(named, top)| named != epoch || top > sent) {
            return GoLive::Behind;
        }
        let sent = match fan_out.top {
            Some((known, top)) if planted::on(Planted::LiveWithoutLock) && known == epoch => {
                top.max(sent)
            }
            _ => sent,
        };
        match fan_out.top {
            // Two readers saw different logs. All subscribers read again, which shows the current
            // log.
            Some((known, _)) if known != epoch && epoch != NO_LOG => {
                fan_out.start_over(channel);
                return GoLive::Behind;
            }
            Some((known, top)) if known != epoch || top > sent => return GoLive::Behind,
            Some(_) => {}
            None => fan_out.top = Some((epoch, sent)),
        }
        match fan_out.entry(slot) {
            Some(entry) => {
                entry.sent = sent;
                GoLive::Live
            }
            None => GoLive::Behind,
        }
    }

    /// Removes a subscriber; an unknown slot is no error. The channel is removed with its last
    /// subscriber.
    pub fn detach(&mut self, channel: &Channel, slot: Slot) {
        if let Some(fan_out) = self.fan_outs.get_mut(channel) {
            fan_out.remove(slot);
            if fan_out.free.len() == fan_out.entries.len() {
                self.fan_outs.remove(channel);
            }
        }
    }

    /// A record became durable. Call it once for each record, in the order of commits. Doubled and
    /// early calls are harmless.
    pub fn committed(&mut self, record: &Record) -> Delivery {
        let Some(fan_out) = self.fan_outs.get_mut(&record.channel) else {
            return Delivery::Nothing;
        };
        match fan_out.top {
            Some((epoch, top)) if epoch == record.epoch => {
                if record.offset <= top {
                    return Delivery::Nothing;
                }
                // Without live subscribers a hole is harmless: all will read the log before they go
                // live.
                if record.offset > top + 1 && fan_out.has_live() {
                    return Delivery::Hole { after: top };
                }
            }
            // Another log: no subscriber has the record before this one.
            Some(_) => fan_out.send_back(&record.channel),
            None => {}
        }
        fan_out.top = Some((record.epoch, record.offset));
        match fan_out.deliver(record) {
            0 => Delivery::Nothing,
            pushed => Delivery::Pushed(pushed),
        }
    }

    /// Takes a hint of how far a channel's log goes. `Hole` if this hub should read the log.
    pub fn hint(&mut self, hint: &Hint) -> Delivery {
        let Some(fan_out) = self.fan_outs.get_mut(&hint.channel) else { return Delivery::Nothing };
        match fan_out.top {
            Some((known, top)) if known == hint.epoch && hint.top <= top => Delivery::Nothing,
            Some((known, top)) if fan_out.has_live() => match known == hint.epoch {
                true => Delivery::Hole { after: top },
                false => Delivery::OtherLog,
            },
            _ => {
                fan_out.hinted = Some((hint.epoch, hint.top));
                Delivery::Nothing
            }
        }
    }

    /// Takes a channel's head, read from the log. `Hole` if this hub should read on.
    pub fn head(&mut self, channel: &Channel, head: Head) -> Delivery {
        let Some(fan_out) = self.fan_outs.get_mut(channel) else { return Delivery::Nothing };
        match fan_out.top {
            Some((known, _)) if known != head.epoch => fan_out.start_over(channel),
            // The missing records are trimmed: each session tells its own client of the gap.
            Some((_, top)) if head.first > top + 1 => fan_out.start_over(channel),
            Some(_) | None => {
                let Head { epoch, top, .. } = head;
                return self.hint(&Hint { channel: channel.clone(), epoch, top });
            }
        }
        Delivery::Nothing
    }

    /// This hub can't fill the hole by itself: all subscribers read the log again.
    pub fn send_back(&mut self, channel: &Channel) {
        if let Some(fan_out) = self.fan_outs.get_mut(channel) {
            fan_out.start_over(channel);
        }
    }

    /// The newest offset delivered in the channel of a live subscriber, for `pong.tops`. `None`
    /// while the subscriber catches up.
    #[must_use]
    pub fn live_top(&self, channel: &Channel, slot: Slot) -> Option<u64> {
        let fan_out = self.fan_outs.get(channel)?;
        let entry = fan_out.entries.get(slot.index as usize)?;
        let live = entry.generation == slot.generation
            && entry.sink.is_some()
            && entry.sent != CATCHING_UP;
        fan_out.top.filter(|_| live).map(|(_, top)| top)
    }

    /// The number of channels that have subscribers.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.fan_outs.len()
    }

    /// Channels that have subscribers, for the regular poll of the log.
    pub fn listened(&self) -> impl Iterator<Item = &Channel> {
        self.fan_outs.keys()
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

impl<S: Sink> ChannelFanOut<S> {
    const fn empty() -> Self {
        Self { top: None, hinted: None, entries: Vec::new(), free: Vec::new() }
    }

    fn insert(&mut self, sink: S, generation: u32) -> Slot {
        let entry = Entry { sink: Some(sink), generation, sent: CATCHING_UP };
        if let Some(index) = self.free.pop()
            && let Some(free) = self.entries.get_mut(index as usize)
        {
            *free = entry;
            return Slot { index, generation };
        }
        // Most channels are inboxes with one or two subscribers: `Vec` would reserve room for four.
        if self.entries.is_empty() {
            self.entries.reserve_exact(1);
        }
        self.entries.push(entry);
        Slot { index: (self.entries.len() - 1) as u32, generation }
    }

    fn entry(&mut self, slot: Slot) -> Option<&mut Entry<S>> {
        let entry = self.entries.get_mut(slot.index as usize)?;
        (entry.generation == slot.generation && entry.sink.is_some()).then_some(entry)
    }

    fn remove(&mut self, slot: Slot) {
        if let Some(entry) = self.entry(slot) {
            entry.sink = None;
            self.free.push(slot.index);
        }
    }

    fn has_live(&self) -> bool {
        self.entries.iter().any(|entry| entry.sink.is_some() && entry.sent != CATCHING_UP)
    }

    fn deliver(&mut self, record: &Record) -> usize {
        let mut pushed = 0;
        for (index, entry) in self.entries.iter_mut().enumerate() {
            let Some(sink) = &entry.sink else { continue };
            // A subscriber that has read the log may be ahead of this record.
            if entry.sent == CATCHING_UP || entry.sent >= record.offset {
                continue;
            }
            if entry.sent + 1 == record.offset && sink.push(&record.frame) {
                entry.sent = record.offset;
                pushed += 1;
            } else {
                // The connection's queue is full, or this subscriber has a hole: it must read the
                // log.
                let slot = Slot { index: index as u32, generation: entry.generation };
                sink.lagged(&record.channel, slot, entry.sent);
                entry.sent = CATCHING_UP;
            }
        }
        pushed
    }

    /// All subscribers read the log again. The first to go live sets the channel's top.
    fn start_over(&mut self, channel: &Channel) {
        self.send_back(channel);
        self.top = None;
    }

    /// All subscribers read the log again.
    fn send_back(&mut self, channel: &Channel) {
        for (index, entry) in self.entries.iter_mut().enumerate() {
            if let Some(sink) = &entry.sink
                && entry.sent != CATCHING_UP
            {
                sink.lagged(
                    channel,
                    Slot { index: index as u32, generation: entry.generation },
                    entry.sent,
                );
                entry.sent = CATCHING_UP;
            }
        }
    }
}

#[cfg(test)]
mod tests;
