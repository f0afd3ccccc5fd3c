//! The hub divided over the machine's cores: the channel's hash selects a shard.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tidings_protocol::Channel;
use tidings_server_core::{
    Hub,
    hub::{Delivery, Hint, Hubs},
    store::{Head, Record},
};

use super::connection_handle::HubSink;

/// All shards.
#[derive(Debug)]
pub struct Shards {
    shards: Box<[Mutex<Hub<HubSink>>]>,
    hasher: RandomState,
}

impl Shards {
    /// `count` shards, at least one.
    #[must_use]
    pub fn new(count: usize) -> Self {
        let shards = (0..count.max(1)).map(|_| Mutex::new(Hub::default())).collect();
        Self { shards, hasher: RandomState::new() }
    }

    /// The hub that serves a channel, locked. Hold it only briefly.
    pub fn of(&self, channel: &Channel) -> MutexGuard<'_, Hub<HubSink>> {
        let index = self.hasher.hash_one(channel) as usize % self.shards.len();
        lock(&self.shards[index])
    }
}

impl Hubs for &Shards {
    fn hint(&mut self, hint: &Hint) -> Delivery {
        self.of(&hint.channel).hint(hint)
    }

    fn head(&mut self, channel: &Channel, head: Head) -> Delivery {
        self.of(channel).head(channel, head)
    }

    fn committed(&mut self, record: &Record) -> Delivery {
        let delivery = self.of(&record.channel).committed(record);
        if let Delivery::Pushed(count) = delivery {
            metrics::counter!("tidings_deliveries_total").increment(count as u64);
        }
        delivery
    }

    fn send_back(&mut self, channel: &Channel) {
        self.of(channel).send_back(channel);
    }

    fn listened(&self) -> Vec<Channel> {
        let of = |shard| lock(shard).listened().cloned().collect::<Vec<_>>();
        self.shards.iter().flat_map(of).collect()
    }
}

/// A hub is consistent between its calls, so a panic elsewhere does no harm.
fn lock(shard: &Mutex<Hub<HubSink>>) -> MutexGuard<'_, Hub<HubSink>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
