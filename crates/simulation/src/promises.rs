//! What is promised, held against a world: by every save, and when all has settled.
#![allow(clippy::panic, reason = "a world in which a promise is broken ends")]

use std::collections::BTreeMap;

use tidings_client_core::{InboxStatus, Status};
use tidings_protocol::{Channel, Decode, Epoch, server::Snapshot};
use tidings_server_core::store::{Answer, Query, Store};

use crate::{
    device::Saved,
    model::{Model, State, is_whole, log},
    world::World,
};

impl World {
    /// I12 at every save: list and counts at offset n equal the fold of the log up to n.
    pub(crate) fn check_saves(&mut self) {
        for device in 0..self.devices.len() {
            if let Some(saved) = self.devices[device].unchecked.take() {
                self.check_saved(device, &saved);
            }
        }
    }

    fn check_saved(&self, device: usize, saved: &Saved) {
        let user = &self.devices[device].user;
        let Ok(snapshot) = Snapshot::from_json(saved.text.get(1..).unwrap_or_default()) else {
            panic!("device {device} saved what is no snapshot: {}", saved.text)
        };
        let [(epoch, inbox), (_, system)] = saved.cursors;
        if self.epoch_of(&snapshot.channel) != Some(epoch) || !is_whole(&self.node.store, user) {
            // Another log by now, or not all of it.
            return;
        }
        let at = snapshot.counts.system.at.max(system);
        let model = Model::of(&self.node.store, user, inbox, at);
        let newer = log(&self.node.store, &Channel::system())
            .iter()
            .filter(|record| record.offset > snapshot.counts.system.at && record.offset <= system)
            .count() as u64;
        let what = format!("device {device} of {user} at offsets {inbox} and {system}");
        assert_eq!(snapshot.counts.inbox, model.tally(false), "counts of {what}");
        let shown = snapshot.counts.system;
        let shown = (shown.unread + newer, shown.unseen + newer);
        let counted = model.tally(true);
        assert_eq!(
            shown,
            (counted.unread, counted.unseen),
            "counts of everyone-messages of {what}"
        );
        for item in &snapshot.items {
            let expected = model.items.get(&(item.channel.is_system(), item.offset));
            let found = State { seen: item.seen, read: item.read, archived: item.archived };
            assert_eq!(expected, Some(&(item.id.clone(), found)), "item {} of {what}", item.offset);
        }
    }

    fn epoch_of(&self, channel: &Channel) -> Option<Epoch> {
        match self.node.store.read(&[Query::Heads(vec![channel.clone()])]).ok()?.pop()?.ok()? {
            Answer::Heads(heads) => heads.first().copied().flatten().map(|head| head.epoch),
            _ => None,
        }
    }

    /// All devices are connected, show what the log says and have nothing under way.
    pub fn is_settled(&mut self) -> bool {
        let publishes = self.publishes.iter().all(|publish| publish.acknowledged.is_some());
        publishes && (0..self.devices.len()).all(|device| self.difference(device).is_none())
    }

    /// In words, what a device shows differently from the fold of the whole log; `None`: nothing.
    pub fn difference(&mut self, device: usize) -> Option<String> {
        let device = &mut self.devices[device];
        let model = Model::now(&self.node.store, &device.user);
        if device.status() != Status::Connected {
            return Some(format!("it is {:?}: {:?}", device.status(), device.error()));
        }
        if device.pending() > 0 {
            return Some(format!("{} intents are pending", device.pending()));
        }
        let view = device.view();
        if view.status != InboxStatus::Live {
            return Some(format!("its list is {:?}", view.status));
        }
        let mut shown: Vec<_> = view
            .items
            .iter()
            .map(|item| {
                let state = State { seen: item.seen, read: item.read, archived: item.archived };
                ((item.key.channel.is_system(), item.key.offset), (item.id.to_string(), state))
            })
            .collect();
        shown.sort_by_key(|(key, _)| *key);
        let expected: Vec<_> = model.items.iter().map(|(key, item)| (*key, item.clone())).collect();
        if shown != expected {
            return Some(format!("it shows {shown:?}\nthe log says {expected:?}"));
        }
        let (own, system) = (model.tally(false), model.tally(true));
        let counts = (own.unread + system.unread, own.unseen + system.unseen);
        if (view.unread, view.unseen) != counts {
            return Some(format!(
                "it counts {:?}, the log says {counts:?}",
                (view.unread, view.unseen)
            ));
        }
        None
    }

    /// Lets time pass until everything is settled.
    ///
    /// # Panics
    /// When it is not within `ms`, or when something acknowledged is not in the log.
    pub fn settle(&mut self, ms: u64) {
        if !self.run_until(ms, Self::is_settled) {
            let differences: Vec<_> =
                (0..self.devices.len()).map(|device| self.difference(device)).collect();
            panic!("not settled after {ms} ms: {differences:#?}");
        }
        self.check_acknowledged();
        self.check_arrivals();
    }

    /// I1 and I2: what was acknowledged is in the log once, at its offset, and the log is dense.
    fn check_acknowledged(&self) {
        let places =
            self.publishes.iter().filter_map(|publish| publish.acknowledged.as_ref()).flatten();
        let mut logs = BTreeMap::new();
        for place in places {
            let log = logs
                .entry(place.channel.clone())
                .or_insert_with(|| log(&self.node.store, &place.channel));
            if log.first().is_some_and(|record| record.offset > place.offset) {
                // Retention took it.
                continue;
            }
            let found: Vec<u64> = log
                .iter()
                .filter(|record| record.id == place.id)
                .map(|record| record.offset)
                .collect();
            assert_eq!(found, [place.offset], "{} of {} was acknowledged", place.id, place.channel);
        }
        for (channel, log) in logs {
            assert!(
                log.windows(2).all(|pair| pair[0].offset + 1 == pair[1].offset),
                "{channel} is dense"
            );
        }
    }

    /// I3 and I4: no notification arrives twice, and those of a channel arrive in order.
    fn check_arrivals(&self) {
        for device in &self.devices {
            let mut last = BTreeMap::new();
            for key in &device.seen.arrived {
                let before = last.insert((key.channel.clone(), key.epoch), key.offset);
                assert!(
                    before.is_none_or(|before| before < key.offset),
                    "device {}: {key:?} arrived after {before:?}",
                    device.index
                );
            }
        }
    }
}
