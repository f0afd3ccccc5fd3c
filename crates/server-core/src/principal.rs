//! On whose behalf something is done, and so for whom it is counted.

use std::{net::IpAddr, sync::Arc};

use crate::fair::Share;

/// How many shares a backend or proxy has: it speaks for many users.
const WEIGHT_OF_MANY: u32 = 16;

/// Who pays: the user or key whose credential was good, the address until there is one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Principal {
    /// The server itself, the app around it, or a proxy it trusts.
    Server,
    /// A backend, by the name of its key.
    ApiKey(Arc<str>),
    /// A user.
    User(Arc<str>),
    /// An address whose credential is not known yet, as [`network`] counts it; `None` where the transport knows none.
    Address(Option<IpAddr>),
}

impl Principal {
    /// A user, by id.
    #[must_use]
    pub fn user(id: &str) -> Self {
        Self::User(id.into())
    }

    /// An address.
    #[must_use]
    pub fn address(address: Option<IpAddr>) -> Self {
        Self::Address(address.map(network))
    }

    /// What it is, for figures and lines: never which one.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::ApiKey(_) => "key",
            Self::User(_) => "user",
            Self::Address(_) => "address",
        }
    }

    /// How its reads are served by so many threads: a user's or an address' never by all of them, so that the next one does not wait
    /// for what another began.
    #[must_use]
    pub fn reads(&self, each: usize, threads: usize) -> Share {
        let at_once = if self.speaks_for_many() { usize::MAX } else { threads.div_ceil(2) };
        Share { waiting: Some(self.times(each)), weight: 1, at_once }
    }

    /// How its writes are served, by one thread that commits many at once.
    #[must_use]
    pub const fn writes(&self, each: usize) -> Share {
        let weight = if self.speaks_for_many() { WEIGHT_OF_MANY } else { 1 };
        Share { waiting: Some(self.times(each)), weight, at_once: usize::MAX }
    }

    /// How its new links are taken. Those of a proxy, which the server itself asked for, have no bound but that of all.
    #[must_use]
    pub const fn links(&self, each: usize) -> Share {
        let (waiting, weight) = match self.speaks_for_many() {
            true => (None, WEIGHT_OF_MANY),
            false => (Some(each), 1),
        };
        Share { waiting, weight, at_once: usize::MAX }
    }

    const fn times(&self, each: usize) -> usize {
        if self.speaks_for_many() { each.saturating_mul(WEIGHT_OF_MANY as usize) } else { each }
    }

    const fn speaks_for_many(&self) -> bool {
        match self {
            Self::Server | Self::ApiKey(_) => true,
            Self::User(_) | Self::Address(_) => false,
        }
    }
}

impl Default for Principal {
    /// Nobody known, from nowhere known.
    fn default() -> Self {
        Self::Address(None)
    }
}

/// What counts as one address: an address of IPv4, or a network of 64 bits of IPv6, which is the least that a customer is given
/// (RFC 6177) and holds more addresses than any table.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        four @ IpAddr::V4(_) => four,
        IpAddr::V6(six) => IpAddr::V6((u128::from(six) & (u128::MAX << 64)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_ipv6_network_is_one_address() {
        let parse = |text: &str| Principal::address(Some(text.parse().unwrap()));
        assert_eq!(parse("2001:db8::1"), parse("2001:db8::ffff:1"));
        assert_ne!(parse("2001:db8::1"), parse("2001:db8:0:1::1"));
        assert_eq!(parse("::ffff:10.0.0.1"), parse("10.0.0.1"));
        assert_ne!(parse("10.0.0.1"), parse("10.0.0.2"));
    }

    #[test]
    fn no_user_is_served_by_all_threads_where_there_are_several() {
        for threads in 2..9 {
            assert!(Principal::user("mina").reads(9, threads).at_once < threads);
            assert!(Principal::ApiKey("shop".into()).reads(9, threads).at_once >= threads);
        }
        assert_eq!(Principal::user("mina").reads(9, 1).at_once, 1);
    }

    #[test]
    fn a_backend_has_shares_for_those_it_speaks_for() {
        let (user, backend) = (Principal::user("mina"), Principal::ApiKey("shop".into()));
        assert_eq!((user.reads(8, 2).waiting, backend.reads(8, 2).waiting), (Some(8), Some(128)));
        assert_eq!((user.writes(8).waiting, backend.writes(8).waiting), (Some(8), Some(128)));
        assert_eq!((user.writes(8).weight, backend.writes(8).weight), (1, 16));
        assert_eq!((user.links(8).waiting, Principal::Server.links(8).waiting), (Some(8), None));
    }
}
