//! Removes data that retention no longer keeps.

use tidings_protocol::{Channel, server::Trimmed};

use super::Tables;
use crate::{
    retention_clock::Moment,
    store::{Retention, may_go},
};

impl Tables {
    pub(super) fn trim(&mut self, now: Moment, retention: &Retention) {
        let since = |age: u64| now.steady.saturating_sub(age);
        let (lanes, empty_lanes) = (since(retention.lanes_ms), since(retention.empty_lanes_ms));
        self.dedupe.trim(since(retention.keys_ms), lanes, empty_lanes);
        self.revocations.retain(|_, revocation| now.over() < revocation.until);
        self.claims.retain(|_, (until, _)| now.over() < *until);
        self.trim_items(now, retention.items);
        for log in self.logs.values_mut() {
            log.trim(retention.records, since(retention.age_ms), now.steady);
        }
        let (gone, forgotten) = (since(retention.channels_ms), since(retention.forgotten_ms()));
        let Self { logs, epochs, .. } = self;
        for (_, log) in logs.iter_mut().filter(|(channel, _)| may_go(channel)) {
            if log.is_empty_since(gone) && !log.has_gone() {
                log.go(epochs.next(), now.steady);
            }
        }
        logs.retain(|_, log| !(log.has_gone() && log.is_empty_since(forgotten)));
    }

    /// Removes the oldest items. The removal is a record of its own, so that clients and counts
    /// follow.
    fn trim_items(&mut self, now: Moment, most: u64) {
        let users: Vec<String> = self.inboxes.keys().cloned().collect();
        for user in users {
            let (Some(inbox), Ok(channel)) = (self.inboxes.get_mut(&user), Channel::inbox(&user))
            else {
                continue;
            };
            let excess = (inbox.items.len() as u64).saturating_sub(most);
            let gone: Vec<u64> = inbox.items.keys().copied().take(excess as usize).collect();
            let Some(up_to) = gone.last().copied() else { continue };
            for offset in gone {
                inbox.remove(offset);
            }
            let counts = self.counts(&user);
            // Unique without random numbers: an inbox trims each offset once.
            let id = format!("trimmed-{user}-{up_to}");
            if let Some(log) = self.logs.get_mut(&channel) {
                log.append(&channel, &id, now.wall, now.steady, |offset, at| Trimmed {
                    channel: channel.clone(),
                    offset,
                    id: id.clone(),
                    at,
                    up_to,
                    counts,
                });
            }
        }
    }
}
