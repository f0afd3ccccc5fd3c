//! Actions of users and operators, and faults of machines and links.

use tidings_client_core::{Event, MarkTargets};
use tidings_protocol::{Channel, MarkSet};
use tidings_server_core::{
    follow,
    store::{Retention, Store},
};

use super::{World, words};
use crate::{
    env::{Due, Way},
    faults::Faults,
    observation::Observation,
    tally::Count,
};

impl World {
    /// Marks items by id on a device.
    pub fn mark(&mut self, device: usize, ids: &[String], set: MarkSet) -> u64 {
        self.devices[device].mark(&mut self.env, MarkTargets::Items(ids.to_vec()), set)
    }

    /// Marks all items on a device.
    pub fn mark_all(&mut self, device: usize, set: MarkSet) -> u64 {
        self.devices[device].mark(&mut self.env, MarkTargets::All, set)
    }

    /// Publishes a message of a device's app in a room, with `more` filler characters; returns its
    /// number.
    pub fn say(&mut self, device: usize, channel: &Channel, more: usize) -> u64 {
        self.history.room(&self.disk.memory, channel);
        self.messages += 1;
        let (message, data) = (self.messages, words(self.messages, more));
        self.devices[device].say(&mut self.env, channel.clone(), message, data);
        message
    }

    /// Shows a room on a device.
    pub fn read(&mut self, device: usize, channel: &Channel) {
        self.history.room(&self.disk.memory, channel);
        self.devices[device].read(&mut self.env, channel.clone());
    }

    /// Gives a device's core an event.
    pub fn feed(&mut self, device: usize, event: Event) {
        self.devices[device].feed(&mut self.env, event);
    }

    /// Reloads the page of a device.
    pub fn reload(&mut self, device: usize) {
        self.devices[device].reload(&mut self.env);
    }

    /// Crashes the browser of a device with all its tabs, or cuts the machine's power: writes that
    /// were not on disk are lost. The tabs are opened again.
    pub fn crash_browser(&mut self, device: usize) {
        self.env.tally.count(Count::BrowserCrash);
        let profile = self.devices[device].storage.clone();
        let mut tabs: Vec<usize> = (0..self.devices.len()).collect();
        tabs.retain(|tab| std::rc::Rc::ptr_eq(&self.devices[*tab].storage, &profile));
        for tab in &tabs {
            self.devices[*tab].die(&mut self.env);
        }
        let unsynced = profile.borrow().unsynced();
        let kept = self.env.rng.index(unsynced + 1);
        self.env.tally.more(Count::Unsaved, (unsynced - kept) as u64);
        profile.borrow_mut().lose_power(kept);
        for tab in tabs {
            self.devices[tab].crash(&mut self.env);
        }
    }

    /// Kills the first server.
    pub fn crash(&mut self) {
        self.kill(0);
    }

    /// Starts the first server.
    pub fn restart(&mut self) {
        self.start(0);
    }

    /// Kills a server, as kill -9 does.
    pub fn kill(&mut self, node: usize) {
        self.history.refresh(&self.disk.memory);
        self.nodes[node].crash(&mut self.env);
    }

    /// Starts a server.
    pub fn start(&mut self, node: usize) {
        self.nodes[node].start(&mut self.env);
    }

    /// Drains a server: it admits no connection and sends all clients elsewhere. It stops after
    /// this long and starts again.
    pub fn roll(&mut self, node: usize, within_ms: u64) {
        if self.nodes[node].takes() {
            self.nodes[node].drain(&mut self.env, within_ms);
            let of = self.nodes[node].process;
            self.env.after(within_ms + 2_000, Due::Stops { of });
        }
    }

    /// Crashes and restarts the store.
    pub fn crash_store(&mut self) {
        self.history.refresh(&self.disk.memory);
        self.disk.crash(&mut self.env);
    }

    /// Restores the store, with every server down.
    pub fn restore(&mut self) {
        for node in 0..self.nodes.len() {
            self.kill(node);
        }
        self.env.tally.count(Count::Restores);
        self.disk.memory.new_epochs();
        self.env.observe(Observation::Restored);
    }

    /// Runs retention.
    pub fn trim(&mut self, retention: &Retention) {
        self.env.tally.count(Count::Trims);
        self.history.refresh(&self.disk.memory);
        let _again = self.disk.memory.trim(self.env.now.wall.into(), retention);
        // Trimming writes records without hints, so a node must look at the logs again.
        if let Some(node) = self.some_node() {
            self.nodes[node].follow(&mut self.env, follow::Event::HintsLost);
        }
    }

    /// Cuts a device's connection, if it has one.
    pub fn cut(&mut self, device: usize) {
        for conn in self.devices[device].conns() {
            self.env.cut(conn);
        }
    }

    /// Makes a device's connection half-open: nothing gets through, and neither end notices.
    pub fn freeze(&mut self, device: usize) {
        for conn in self.devices[device].conns() {
            self.env.freeze(conn);
        }
    }

    /// Drops all frames in one direction of a device's connection; neither end notices.
    pub fn mute(&mut self, device: usize, way: Way) {
        for conn in self.devices[device].conns() {
            self.env.mute(conn, way);
        }
    }

    /// The bus loses its messages; `noticed`: nodes notice it, because their connection to the bus
    /// broke.
    pub fn flush_bus(&mut self, noticed: bool) {
        self.bus.flush(&mut self.env);
        for node in self.nodes.iter_mut().filter(|node| noticed && node.is_up()) {
            node.follow(&mut self.env, follow::Event::HintsLost);
        }
    }

    /// Ends all faults. The product must recover by itself.
    pub fn calm(&mut self) {
        self.env.faults = Faults::NONE;
        self.tickets_fail = false;
        self.disk.come_back();
        for node in &mut self.nodes {
            node.clock.step(0);
            node.start(&mut self.env);
        }
        for device in &mut self.devices {
            device.clock.step(0);
            device.feed(&mut self.env, Event::WentOnline);
            device.feed(&mut self.env, Event::Woke);
            // Retries have ended for good, so a user clicks "connect".
            device.feed(&mut self.env, Event::ConnectRequested);
        }
    }
}
