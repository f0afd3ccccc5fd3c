//! Compares acknowledged publishes with the log and with the clients' callbacks.

use std::collections::{BTreeMap, BTreeSet};

use tidings_protocol::{Channel, Epoch, Item};

use crate::{publisher::Acknowledged, subscriber::Received};

/// All acknowledged publishes, by channel and offset.
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
    /// Fails if two publishes got the same offset.
    pub(crate) fn new(
        acknowledged: impl IntoIterator<Item = Acknowledged>,
    ) -> Result<Self, String> {
        let mut channels = BTreeMap::<Channel, BTreeMap<u64, Entry>>::new();
        for Acknowledged { key, stored } in acknowledged {
            let entry = Entry { epoch: stored.epoch, id: stored.notification_id, key };
            let channel = channels.entry(stored.channel).or_default();
            if let Some(other) = channel.insert(stored.offset, entry.clone()) {
                let offset = stored.offset;
                return Err(format!("{} and {} were both told {offset}", other.key, entry.key));
            }
        }
        Ok(Self { channels })
    }

    /// Every publish was repeated until it was acknowledged, so each log must hold exactly these:
    /// one epoch, dense from 1.
    pub(crate) fn check_dense(&self) -> Result<(), String> {
        for (channel, entries) in &self.channels {
            let epochs: BTreeSet<_> = entries.values().map(|entry| entry.epoch).collect();
            if epochs.len() != 1 {
                return Err(format!("{channel} changed its epoch: {epochs:?}"));
            }
            if let Some((offset, _)) = entries.keys().zip(1..).find(|(found, due)| **found != *due)
            {
                return Err(format!("{channel} has a hole before {offset}"));
            }
        }
        Ok(())
    }

    /// A publisher waits for each answer before its next publish, so the log must have its order.
    pub(crate) fn check_publishers(&self) -> Result<(), String> {
        for (channel, entries) in &self.channels {
            let mut last = BTreeMap::new();
            for (offset, entry) in entries {
                let Some((publisher, number)) = entry.key.split_once('-') else { continue };
                let number: u64 = number.parse().unwrap();
                let before = last.insert(publisher, number).unwrap_or(0);
                if number <= before {
                    return Err(format!("{channel} {offset}: {} after {before}", entry.key));
                }
            }
        }
        Ok(())
    }

    /// The number of callbacks that `user`'s client must have got.
    pub(crate) fn records_of(&self, user: &str) -> u64 {
        self.of(user).map(|(_, entries)| entries.len() as u64).sum()
    }

    /// 0 lost, 0 doubled, 0 out of order, each with the published body.
    pub(crate) fn check_received(&self, user: &str, received: &[Received]) -> Result<(), String> {
        for (channel, entries) in self.of(user) {
            let expected = entries.iter().map(|(offset, entry)| entry.received(channel, *offset));
            let expected: Vec<_> = expected.collect();
            let found = received.iter().filter(|received| received.channel == *channel).cloned();
            let found: Vec<_> = found.collect();
            if found != expected {
                return Err(format!("{channel}: {}", difference(&found, &expected)));
            }
        }
        let channels: BTreeSet<_> = self.of(user).map(|(channel, _)| channel).collect();
        match received.iter().find(|received| !channels.contains(&received.channel)) {
            Some(foreign) => Err(format!("heard another's: {foreign:?}")),
            None => Ok(()),
        }
    }

    /// The stored list of `user` is the same set of records.
    pub(crate) fn check_stored(&self, user: &str, items: &[Item]) -> Result<(), String> {
        let stored = items.iter().map(|item| (&item.channel, item.offset, item.id.as_str()));
        let stored: BTreeSet<_> = stored.collect();
        if stored.len() != items.len() {
            return Err(String::from("the list names a record twice"));
        }
        let expected = self.of(user).flat_map(|(channel, entries)| {
            entries.iter().map(move |(offset, entry)| (channel, *offset, entry.id.as_str()))
        });
        let expected: BTreeSet<_> = expected.collect();
        if stored != expected {
            let (lost, more) = (expected.difference(&stored), stored.difference(&expected));
            let (lost, more): (Vec<_>, Vec<_>) = (lost.take(3).collect(), more.take(3).collect());
            return Err(format!("the list lacks {lost:?} and has {more:?} that no event reported"));
        }
        Ok(())
    }

    /// The channels that a client of `user` subscribes to.
    fn of(&self, user: &str) -> impl Iterator<Item = (&Channel, &BTreeMap<u64, Entry>)> {
        let own = Channel::inbox(user).unwrap();
        self.channels.iter().filter(move |(channel, _)| **channel == own || channel.is_system())
    }
}

impl Entry {
    fn received(&self, channel: &Channel, offset: u64) -> Received {
        Received {
            channel: channel.clone(),
            epoch: self.epoch,
            offset,
            id: self.id.clone(),
            title: self.key.clone(),
        }
    }
}

fn difference(found: &[Received], expected: &[Received]) -> String {
    let as_set = |received: &[Received]| received.iter().cloned().collect::<BTreeSet<_>>();
    let (found_set, expected_set) = (as_set(found), as_set(expected));
    let lost: Vec<_> = expected_set.difference(&found_set).take(3).collect();
    let foreign: Vec<_> = found_set.difference(&expected_set).take(3).collect();
    let doubled = found.len() - found_set.len();
    match (lost.is_empty(), foreign.is_empty(), doubled) {
        (true, true, 0) => String::from("out of order"),
        _ => format!("lost {lost:?}, never published {foreign:?}, doubled {doubled}"),
    }
}

#[cfg(test)]
mod tests {
    use tidings_protocol::rest::Stored;

    use super::*;

    fn acknowledged(user: &str, offset: u64, key: &str) -> Acknowledged {
        let stored = Stored {
            channel: Channel::inbox(user).unwrap(),
            epoch: Epoch::parse("aaaaaaaa").unwrap(),
            offset,
            notification_id: format!("id-{key}"),
        };
        Acknowledged { key: key.to_owned(), stored }
    }

    fn ledger() -> Ledger {
        let three = [(1, "0-1"), (2, "1-1"), (3, "0-2")];
        Ledger::new(three.map(|(offset, key)| acknowledged("u", offset, key))).unwrap()
    }

    fn received(offset: u64, key: &str) -> Received {
        let Acknowledged { key, stored } = acknowledged("u", offset, key);
        Entry { epoch: stored.epoch, id: stored.notification_id, key }
            .received(&stored.channel, offset)
    }

    #[test]
    fn sees_what_is_lost_doubled_reordered_or_foreign() {
        let [one, two, three] = [received(1, "0-1"), received(2, "1-1"), received(3, "0-2")];
        let say = |received: &[&Received]| {
            let received: Vec<_> = received.iter().copied().cloned().collect();
            ledger().check_received("u", &received)
        };
        assert_eq!(say(&[&one, &two, &three]), Ok(()));
        assert!(say(&[&one, &three]).unwrap_err().contains("lost [Received"));
        assert!(say(&[&one, &two, &two, &three]).unwrap_err().contains("doubled 1"));
        assert!(say(&[&two, &one, &three]).unwrap_err().contains("out of order"));
        let altered = Received { title: String::from("other"), ..two.clone() };
        assert!(say(&[&one, &altered, &three]).unwrap_err().contains("never published [Received"));
        let foreign = Received { channel: Channel::inbox("v").unwrap(), ..two.clone() };
        assert!(say(&[&one, &two, &three, &foreign]).unwrap_err().contains("another's"));
    }

    #[test]
    fn sees_holes_shared_places_and_publishers_out_of_order() {
        let of = |entries: &[(u64, &str)]| {
            Ledger::new(entries.iter().map(|(offset, key)| acknowledged("u", *offset, key)))
        };
        assert_eq!(ledger().check_dense(), Ok(()));
        assert_eq!(ledger().check_publishers(), Ok(()));
        assert!(of(&[(1, "0-1"), (3, "0-2")]).unwrap().check_dense().is_err());
        assert!(of(&[(1, "0-2"), (2, "0-1")]).unwrap().check_publishers().is_err());
        assert!(of(&[(1, "0-1"), (1, "1-1")]).is_err());
    }
}
