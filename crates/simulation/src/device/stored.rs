//! The caches of a device, as its browser stores them.

use tidings_client_core::{ChannelStatus, Event, InboxStatus};
use tidings_protocol::Channel;

use super::Device;
use crate::{
    env::Env,
    observation::{Observation, Page},
    storage::Save,
    tally::Count,
};

impl Device {
    /// Storage answers a load, or fails.
    pub fn loaded(&mut self, env: &mut Env, key: String) {
        if env.rng.hits(env.faults.load) {
            if env.rng.hits(5_000) {
                env.tally.count(Count::LoadHung);
                return;
            }
            env.tally.count(Count::LoadFailed);
            let reason = "UnknownError".to_owned();
            return self.feed(env, Event::StorageFailed { reason });
        }
        let mut saved = self.storage.borrow().load(&key).cloned();
        if let Some(saved) = &mut saved
            && env.strikes(env.faults.corrupt, Count::Corrupt)
        {
            let cut = env.rng.index(saved.text.len());
            saved.text = saved.text.chars().take(cut).collect();
            self.storage.borrow_mut().forget(&key);
            let saved = Some(saved.text.clone());
            return self.feed(env, Event::StorageLoaded { user: key, saved });
        }
        env.tally.more(Count::Cached, u64::from(saved.is_some()));
        let page = self.page;
        // If the server was faster, a cache that comes later is not used.
        let channel = key.split_once('\t').map(|(_, name)| Channel::parse(name));
        let is_waiting = |device: &mut Self| match &channel {
            Some(Ok(channel)) => device.room(channel).status == ChannelStatus::Joining,
            Some(Err(_)) => false,
            None => device.view().status == InboxStatus::Loading,
        };
        let waits = is_waiting(self);
        let text = saved.as_ref().map(|saved| saved.text.clone());
        self.feed(env, Event::StorageLoaded { user: key.clone(), saved: text });
        if waits && !is_waiting(self) {
            env.observe(Observation::Loaded { page, key, saved });
        }
    }

    /// Storage commits a save, or fails.
    pub fn saves(&mut self, env: &mut Env, page: Page, save: Box<Save>) {
        let gone = page != self.page;
        if gone && (save.life != self.storage.borrow().life() || env.rng.hits(5_000)) {
            // The tab, or the whole browser, crashed with the transaction open.
            return;
        }
        let quota = env.rng.hits(5_000);
        let what = if quota { Count::Quota } else { Count::SaveAborted };
        if env.strikes(env.faults.save, what) {
            let reason = if quota { "QuotaExceededError" } else { "AbortError" }.to_owned();
            if !gone {
                self.feed(env, Event::StorageFailed { reason });
            }
        } else if self.storage.borrow_mut().save(&save) {
            env.tally.count(Count::Saves);
            let Save { key, saved, .. } = *save;
            env.observe(Observation::Saved { page, key, saved });
        }
    }
}
