//! The hub over the machine's cores: a shard each, chosen by the channel's hash.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tidings_protocol::Channel;
use tidings_server_core::{
    Hub,
    hub::Delivery,
    store::{Answer, Query, Record, Store},
};

use super::line::Outlet;

/// Records read at once to fill a hole, and their bytes.
const HOLE_RECORDS: u32 = 500;
const HOLE_BYTES: u32 = 1 << 20;

/// All shards.
#[derive(Debug)]
pub struct Shards {
    shards: Box<[Mutex<Hub<Outlet>>]>,
    hasher: RandomState,
}

impl Shards {
    /// As many as there are cores.
    #[must_use]
    pub fn new(count: usize) -> Self {
        let shards = (0..count.max(1)).map(|_| Mutex::new(Hub::default())).collect();
        Self { shards, hasher: RandomState::new() }
    }

    /// The hub that serves a channel, locked. Hold it shortly.
    pub fn of(&self, channel: &Channel) -> MutexGuard<'_, Hub<Outlet>> {
        let index = self.hasher.hash_one(channel) as usize % self.shards.len();
        // A hub is consistent between its calls, so a panic elsewhere does not spoil it.
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a committed record to those who listen; answers to how many. Reads the log where a record before it is missing here.
    pub fn deliver(&self, store: &dyn Store, record: &Record) -> usize {
        let after = match self.of(&record.channel).committed(record) {
            Delivery::Pushed(count) => return count,
            Delivery::Nothing | Delivery::OtherLog => return 0,
            Delivery::Hole { after } => after,
        };
        self.fill(store, &record.channel, after)
    }

    /// Reads on from `after` until the log's end.
    fn fill(&self, store: &dyn Store, channel: &Channel, mut after: u64) -> usize {
        let mut pushed = 0;
        loop {
            let channel = channel.clone();
            let query = Query::Records { channel, after, limit: HOLE_RECORDS, bytes: HOLE_BYTES };
            let answer = store.read(&[query]).map(|answers| answers.into_iter().next());
            let Ok(Some(Ok(Answer::Records { records, more, .. }))) = answer else {
                // Subscribers find it by the tops their next pong tells.
                tracing::warn!("a hole in the fan-out could not be read from the log");
                return pushed;
            };
            let Some(last) = records.last() else { return pushed };
            after = last.offset;
            for record in &records {
                if let Delivery::Pushed(count) = self.of(&record.channel).committed(record) {
                    pushed += count;
                }
            }
            if !more {
                return pushed;
            }
        }
    }
}
