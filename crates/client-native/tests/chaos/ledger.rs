//! Compares what was acknowledged with what the log holds and with what clients were called with.

use std::collections::{BTreeMap, BTreeSet};

use tidings_protocol::{Channel, Epoch};

use crate::{publisher::Acknowledged, subscriber::Heard};

/// Everything acknowledged, by channel and offset.
pub(crate) struct Ledger {
    channels: BTreeMap<Channel, BTreeMap<u64, Entry>>,
}

#[derive(Clone)]
struct Entry {
    epoch: Epoch,
    id: String,
    key: String,
}

impl Ledger {
    /// Fails when two publishes were given the same place, or one channel two epochs.
    pub(crate) fn new(acknowledged: impl IntoIterator<Item = Acknowledged>) -> Self {
        let mut channels = BTreeMap::<Channel, BTreeMap<u64, Entry>>::new();
        for Acknowledged { key, stored } in acknowledged {
            let entry = Entry { epoch: stored.epoch, id: stored.notification_id, key };
            let channel = channels.entry(stored.channel).or_default();
            if let Some(other) = channel.insert(stored.offset, entry.clone()) {
                panic!("{} and {} were both told offset {}", other.key, entry.key, stored.offset);
            }
        }
        for (channel, entries) in &channels {
            let epochs: BTreeSet<_> = entries.values().map(|entry| entry.epoch).collect();
            assert_eq!(epochs.len(), 1, "{channel} changed its epoch: {epochs:?}");
        }
        Self { channels }
    }

    /// Every publish was repeated until acknowledged, so the log must hold these and nothing else:
    /// dense from 1.
    pub(crate) fn assert_dense(&self) {
        for (channel, entries) in &self.channels {
            let offsets: Vec<_> = entries.keys().copied().collect();
            let dense: Vec<_> = (1..=offsets.len() as u64).collect();
            assert_eq!(
                offsets, dense,
                "{channel} has holes: records nobody was told of, or lost ones"
            );
        }
    }

    /// A publisher waits for each answer before the next publish: its order must be the log's.
    pub(crate) fn assert_publishers_in_order(&self) {
        for (channel, entries) in &self.channels {
            let mut last = BTreeMap::new();
            for (offset, entry) in entries {
                let Some((publisher, number)) = entry.key.split_once('-') else { continue };
                let number: u64 = number.parse().unwrap();
                let before = last.insert(publisher, number).unwrap_or(0);
                assert!(before < number, "{channel} {offset}: {} after {before}", entry.key);
            }
        }
    }

    /// What `user`'s client must have been called with.
    pub(crate) fn records_of(&self, user: &str) -> u64 {
        self.of(user).map(|(_, entries)| entries.len() as u64).sum()
    }

    /// 0 lost, 0 doubled, 0 out of order, each with the body that was published.
    pub(crate) fn assert_heard(&self, name: &str, user: &str, heard: &[Heard]) {
        for (channel, entries) in self.of(user) {
            let expected = entries.iter().map(|(offset, entry)| heard_of(channel, *offset, entry));
            let expected: Vec<_> = expected.collect();
            let found: Vec<_> =
                heard.iter().filter(|heard| heard.channel == *channel).cloned().collect();
            if found == expected {
                continue;
            }
            let (found_set, expected_set) = (as_set(&found), as_set(&expected));
            let lost: Vec<_> = expected_set.difference(&found_set).take(5).collect();
            let foreign: Vec<_> = found_set.difference(&expected_set).take(5).collect();
            let doubled = found.len() - found_set.len();
            panic!(
                "{name} on {channel}: lost {lost:?}, foreign {foreign:?}, doubled {doubled}, or out of order"
            );
        }
        let channels: BTreeSet<_> = self.of(user).map(|(channel, _)| channel).collect();
        let foreign = heard.iter().find(|heard| !channels.contains(&heard.channel));
        assert_eq!(foreign, None, "{name} heard another's");
    }

    /// The stored list of `user` is the same set of records.
    pub(crate) fn assert_stored(&self, user: &str, items: &[tidings_protocol::Item]) {
        let stored: BTreeSet<_> =
            items.iter().map(|item| (&item.channel, item.offset, item.id.as_str())).collect();
        assert_eq!(stored.len(), items.len(), "the list of {user} names a record twice");
        let named: BTreeSet<_> = items.iter().map(|item| &item.channel).collect();
        let expected: BTreeSet<_> = self
            .of(user)
            .filter(|(channel, _)| named.contains(channel))
            .flat_map(|(channel, entries)| {
                entries.iter().map(move |(offset, entry)| (channel, *offset, entry.id.as_str()))
            })
            .collect();
        let own = Channel::inbox(user);
        assert!(own.is_ok_and(|own| named.contains(&own)), "the list of {user} lacks their inbox");
        assert!(stored == expected, "the list of {user} is not what was acknowledged");
    }

    fn of(&self, user: &str) -> impl Iterator<Item = (&Channel, &BTreeMap<u64, Entry>)> {
        let names = [format!("inbox:{user}"), String::from("system:all")];
        self.channels
            .iter()
            .filter(move |(channel, _)| names.iter().any(|name| *name == channel.as_str()))
    }
}

fn heard_of(channel: &Channel, offset: u64, entry: &Entry) -> Heard {
    Heard {
        channel: channel.clone(),
        epoch: entry.epoch,
        offset,
        id: entry.id.clone(),
        title: entry.key.clone(),
    }
}

fn as_set(heard: &[Heard]) -> BTreeSet<Heard> {
    heard.iter().cloned().collect()
}
