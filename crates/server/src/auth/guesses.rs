//! Addresses with too many failed credentials: their further wrong credentials are told to wait. A
//! valid credential is still accepted, so that other users of the same address do not suffer.

use std::{collections::HashMap, net::IpAddr};

use tidings_server_core::principal;

/// Addresses remembered. An attacker with more addresses can't be stopped by address anyway.
pub(crate) const MOST: usize = 10_000;

const MINUTE: u64 = 60_000;
/// Longest wait: the next credential of such a client may be valid.
const LONGEST: u64 = 10_000;

/// An address has too many failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slowed {
    pub(super) wait_ms: u64,
    pub(super) is_first: bool,
}

/// Failures by address, in windows of a minute.
#[derive(Debug)]
pub(super) struct Guesses {
    per_minute: u32,
    failures: HashMap<IpAddr, (u64, u32)>,
}

impl Guesses {
    pub(super) fn new(per_minute: u32) -> Self {
        Self { per_minute, failures: HashMap::new() }
    }

    /// Counts a failure. If there are too many, returns how long the next attempt must wait, and
    /// whether this is the first one over the limit.
    pub(super) fn failed(&mut self, address: IpAddr, wall: u64) -> Option<Slowed> {
        let address = principal::network(address);
        if self.failures.len() >= MOST && !self.failures.contains_key(&address) {
            self.failures.retain(|_, (since, _)| wall < *since + MINUTE);
            if self.failures.len() >= MOST {
                self.failures.clear();
            }
        }
        let entry = self.failures.entry(address).or_insert((wall, 0));
        if wall >= entry.0 + MINUTE || wall < entry.0 {
            *entry = (wall, 0);
        }
        entry.1 = entry.1.saturating_add(1);
        let over = entry.1.checked_sub(self.per_minute).filter(|over| *over > 0)?;
        let left = (entry.0 + MINUTE).saturating_sub(wall);
        Some(Slowed { wait_ms: left.min(LONGEST), is_first: over == 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_beyond_the_limit_wait_until_the_minute_ends() {
        let mut guesses = Guesses::new(2);
        let address: IpAddr = "10.0.0.1".parse().unwrap();
        let other: IpAddr = "10.0.0.2".parse().unwrap();
        let slowed = |wait_ms, is_first| Some(Slowed { wait_ms, is_first });
        assert_eq!(guesses.failed(address, 1_000), None);
        assert_eq!(guesses.failed(address, 2_000), None);
        assert_eq!(guesses.failed(address, 11_000), slowed(10_000, true));
        assert_eq!(guesses.failed(address, 59_000), slowed(2_000, false));
        assert_eq!(guesses.failed(other, 59_000), None);
        assert_eq!(guesses.failed(address, 61_000), None, "a new minute begins");
    }

    #[test]
    fn one_ipv6_network_is_one_address() {
        let mut guesses = Guesses::new(1);
        assert_eq!(guesses.failed("2001:db8::1".parse().unwrap(), 1_000), None);
        assert!(guesses.failed("2001:db8::ffff:1".parse().unwrap(), 1_000).is_some());
        assert_eq!(guesses.failed("2001:db8:0:1::1".parse().unwrap(), 1_000), None);
    }

    #[test]
    fn memory_stays_bounded() {
        let mut guesses = Guesses::new(1);
        for number in 0..=MOST as u32 {
            guesses.failed(IpAddr::from(number.to_be_bytes()), 1);
        }
        assert!(guesses.failures.len() <= MOST);
    }
}
