//! Forgetting what retention no longer keeps.

use tidings_protocol::{Channel, server::Trimmed};

use super::Tables;
use crate::store::Retention;

impl Tables {
    pub(super) fn trim(&mut self, wall: u64, retention: &Retention) {
        self.dedupe
            .trim(wall.saturating_sub(retention.keys_ms), wall.saturating_sub(retention.lanes_ms));
        self.revocations.retain(|_, revocation| wall < revocation.until);
        self.kept.retain(|_, (until, _)| wall < *until);
        self.trim_items(wall, retention.items);
        for log in self.logs.values_mut() {
            log.trim(retention.records, wall.saturating_sub(retention.age_ms));
        }
    }

    /// Removed items are a record too: clients and counts follow.
    fn trim_items(&mut self, wall: u64, keep: u64) {
        let users: Vec<String> = self.inboxes.keys().cloned().collect();
        for user in users {
            let (Some(inbox), Ok(channel)) = (self.inboxes.get_mut(&user), Channel::inbox(&user))
            else {
                continue;
            };
            let excess = (inbox.items.len() as u64).saturating_sub(keep);
            let gone: Vec<u64> = inbox.items.keys().copied().take(excess as usize).collect();
            let Some(up_to) = gone.last().copied() else { continue };
            for offset in gone {
                inbox.remove(offset);
            }
            let counts = self.counts(&user);
            // Counted up per inbox, so that it is unique without chance.
            let id = format!("trimmed-{user}-{up_to}");
            if let Some(log) = self.logs.get_mut(&channel) {
                log.append(&channel, &id, wall, |offset, at| Trimmed {
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
