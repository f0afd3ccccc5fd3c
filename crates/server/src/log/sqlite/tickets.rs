//! One-time tickets by the hash of their secret. Their lives are counted by the monotonic clock: they end with the process anyway.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tidings_server_core::store::StoreError;

/// Most tickets that wait to be spent: what 3,000 new connections a second need for 30 s each.
const MOST: usize = 100_000;

/// Longer than any process.
const FAR: Duration = Duration::from_secs(100 * 366 * 86_400);

#[derive(Debug, Default)]
pub(super) struct Tickets {
    grants: HashMap<[u8; 32], (Instant, Bytes)>,
    /// The same by end, so that the oldest go first.
    ends: BTreeSet<(Instant, [u8; 32])>,
}

impl Tickets {
    pub(super) fn put(
        &mut self,
        hash: [u8; 32],
        life: Duration,
        grant: Bytes,
    ) -> Result<(), StoreError> {
        if self.grants.len() >= MOST {
            return Err(StoreError::Full("tickets"));
        }
        let ends = Instant::now() + life.min(FAR);
        self.grants.insert(hash, (ends, grant));
        self.ends.insert((ends, hash));
        Ok(())
    }

    pub(super) fn take(&mut self, hash: [u8; 32]) -> Option<Bytes> {
        let (ends, grant) = self.grants.remove(&hash)?;
        self.ends.remove(&(ends, hash));
        (Instant::now() < ends).then_some(grant)
    }

    pub(super) fn trim(&mut self) {
        let now = Instant::now();
        while let Some((ends, hash)) = self.ends.first().copied() {
            if now < ends {
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
            let life = if n == 0 { Duration::ZERO } else { FAR };
            tickets.put(hash, life, Bytes::new()).unwrap();
        }
        assert!(matches!(tickets.put([1; 32], FAR, Bytes::new()), Err(StoreError::Full(_))));
        tickets.trim();
        tickets.put([1; 32], FAR, Bytes::new()).unwrap();
        assert_eq!(tickets.take([1; 32]), Some(Bytes::new()));
    }
}
