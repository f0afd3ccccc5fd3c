//! One-time tickets by the hash of their secret. The monotonic clock counts their lifetimes,
//! because no ticket outlasts the process.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tidings_server_core::store::{Share, StoreError, TICKETS, Ticket, USERS_TICKETS};

/// Longer than any process.
const FAR: Duration = Duration::from_secs(100 * 366 * 86_400);

#[derive(Debug, Default)]
pub(super) struct Tickets {
    waiting: HashMap<[u8; 32], Waiting>,
    /// The same tickets by end, so that the oldest are removed first.
    ends: BTreeSet<(Instant, [u8; 32])>,
    /// Number of unused tickets, by credential and by user.
    of: HashMap<Box<str>, u64>,
    of_user: HashMap<Box<str>, u64>,
}

#[derive(Debug)]
struct Waiting {
    ends: Instant,
    grant: Bytes,
    of: Box<str>,
    user: Option<Box<str>>,
}

impl Tickets {
    pub(super) fn put(&mut self, ticket: &Ticket) -> Result<(), StoreError> {
        let Ticket { hash, ttl_ms, grant, share: Share { of, most, user } } = ticket;
        self.trim();
        if count(&self.of, of) >= *most {
            return Err(StoreError::TooMany(TICKETS));
        }
        if let Some((user, most)) = user
            && count(&self.of_user, user) >= *most
        {
            return Err(StoreError::TooMany(USERS_TICKETS));
        }
        let ends = Instant::now() + Duration::from_millis(*ttl_ms).min(FAR);
        let user = user.as_ref().map(|(user, _)| Box::from(&**user));
        *self.of.entry(Box::from(&**of)).or_default() += 1;
        if let Some(user) = &user {
            *self.of_user.entry(Box::clone(user)).or_default() += 1;
        }
        let waiting = Waiting { ends, grant: grant.clone(), of: Box::from(&**of), user };
        self.waiting.insert(*hash, waiting);
        self.ends.insert((ends, *hash));
        Ok(())
    }

    pub(super) fn take(&mut self, hash: [u8; 32]) -> Option<Bytes> {
        let Waiting { ends, grant, .. } = self.remove(hash)?;
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
            self.remove(hash);
        }
    }

    fn remove(&mut self, hash: [u8; 32]) -> Option<Waiting> {
        let waiting = self.waiting.remove(&hash)?;
        forget(&mut self.of, &waiting.of);
        if let Some(user) = &waiting.user {
            forget(&mut self.of_user, user);
        }
        Some(waiting)
    }
}

fn count(counts: &HashMap<Box<str>, u64>, name: &str) -> u64 {
    counts.get(name).copied().unwrap_or_default()
}

/// Subtracts one, and removes a name that has none left.
fn forget(counts: &mut HashMap<Box<str>, u64>, name: &str) {
    if let Some(count) = counts.get_mut(name) {
        *count -= 1;
        if *count == 0 {
            counts.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(number: u64, ttl_ms: u64) -> Ticket {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&number.to_le_bytes());
        let share = Share { of: "users".into(), most: 10, user: Some(("mina".into(), 10)) };
        Ticket { hash, ttl_ms, grant: Bytes::new(), share }
    }

    #[test]
    fn nothing_is_kept_of_tickets_that_are_gone() {
        let mut tickets = Tickets::default();
        for number in 0..1_000 {
            tickets.put(&ticket(number, 0)).unwrap();
        }
        for number in 0..9 {
            tickets.put(&ticket(number, u64::MAX)).unwrap();
            assert_eq!(tickets.take(ticket(number, 0).hash), Some(Bytes::new()));
        }
        tickets.trim();
        assert!(tickets.waiting.is_empty() && tickets.ends.is_empty());
        assert!(tickets.of.is_empty() && tickets.of_user.is_empty());
    }
}
