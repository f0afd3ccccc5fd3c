//! One-time tickets by the hash of their secret.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use tidings_server_core::store::StoreError;

/// Most tickets that wait to be spent: what 3,000 new connections a second need for 30 s each.
const MOST: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct Tickets {
    grants: HashMap<[u8; 32], (u64, Bytes)>,
    /// The same by end, so that the oldest go first.
    ends: BTreeSet<(u64, [u8; 32])>,
}

impl Tickets {
    pub(super) fn put(
        &mut self,
        hash: [u8; 32],
        expires_at: u64,
        grant: Bytes,
    ) -> Result<(), StoreError> {
        if self.grants.len() >= MOST {
            return Err(StoreError::Full("tickets"));
        }
        self.grants.insert(hash, (expires_at, grant));
        self.ends.insert((expires_at, hash));
        Ok(())
    }

    pub(super) fn take(&mut self, wall: u64, hash: [u8; 32]) -> Option<Bytes> {
        let (expires_at, grant) = self.grants.remove(&hash)?;
        self.ends.remove(&(expires_at, hash));
        (wall < expires_at).then_some(grant)
    }

    pub(super) fn trim(&mut self, wall: u64) {
        while let Some((expires_at, hash)) = self.ends.first().copied() {
            if wall < expires_at {
                break;
            }
            self.ends.pop_first();
            self.grants.remove(&hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ended_tickets_make_room() {
        let mut tickets = Tickets::default();
        for n in 0..MOST {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&n.to_le_bytes());
            tickets.put(hash, if n == 0 { 10 } else { 20 }, Bytes::new()).unwrap();
        }
        assert!(matches!(tickets.put([1; 32], 30, Bytes::new()), Err(StoreError::Full(_))));
        tickets.trim(10);
        tickets.put([1; 32], 30, Bytes::new()).unwrap();
        assert_eq!(tickets.take(29, [1; 32]), Some(Bytes::new()));
    }
}
