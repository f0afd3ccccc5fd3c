//! Addresses that fail too often wait.

use std::{collections::HashMap, net::IpAddr};

/// Addresses remembered; an attacker with more than these is not stopped by address anyway.
const MOST: usize = 10_000;

const MINUTE: u64 = 60_000;

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

    /// How many milliseconds an address has to wait before it may try again; `None`: not at all.
    pub(super) fn wait(&mut self, address: IpAddr, wall: u64) -> Option<u64> {
        let (since, count) = *self.failures.get(&group(address))?;
        let left = (since + MINUTE).saturating_sub(wall);
        (count >= self.per_minute && left > 0).then_some(left)
    }

    pub(super) fn failed(&mut self, address: IpAddr, wall: u64) {
        if self.failures.len() >= MOST {
            self.failures.retain(|_, (since, _)| wall < *since + MINUTE);
            if self.failures.len() >= MOST {
                self.failures.clear();
            }
        }
        let entry = self.failures.entry(group(address)).or_insert((wall, 0));
        if wall >= entry.0 + MINUTE || wall < entry.0 {
            *entry = (wall, 0);
        }
        entry.1 += 1;
    }
}

/// One customer's network of IPv6 counts as one address.
fn group(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => match six.to_ipv4_mapped() {
            Some(four) => four.into(),
            None => IpAddr::V6((u128::from(six) & (u128::MAX << 64)).into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_fails_too_often_waits_for_the_minute_to_end() {
        let mut guesses = Guesses::new(2);
        let address: IpAddr = "10.0.0.1".parse().unwrap();
        let other: IpAddr = "10.0.0.2".parse().unwrap();
        guesses.failed(address, 1_000);
        assert_eq!(guesses.wait(address, 1_000), None);
        guesses.failed(address, 2_000);
        assert_eq!(guesses.wait(address, 11_000), Some(50_000));
        assert_eq!(guesses.wait(other, 11_000), None);
        assert_eq!(guesses.wait(address, 61_000), None);
        guesses.failed(address, 61_000);
        assert_eq!(guesses.wait(address, 61_000), None, "a new minute begins");
    }

    #[test]
    fn one_ipv6_network_is_one_address() {
        let parse = |text: &str| group(text.parse().unwrap());
        assert_eq!(parse("2001:db8::1"), parse("2001:db8::ffff:1"));
        assert_ne!(parse("2001:db8::1"), parse("2001:db8:0:1::1"));
        assert_eq!(parse("::ffff:10.0.0.1"), parse("10.0.0.1"));
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
