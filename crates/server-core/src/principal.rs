//! The user, key or address that a piece of work is counted for.

use std::{net::IpAddr, sync::Arc};

use crate::fair::Share;

/// Shares of a backend or a proxy, which act for many users.
const WEIGHT_OF_MANY: u32 = 16;

/// The party that work is counted for: the user or key of a valid credential; the address before
/// there is one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Principal {
    /// The server itself, the app that embeds it, or a trusted proxy.
    Server,
    /// A backend, by the name of its key.
    ApiKey(Arc<str>),
    /// A user.
    User(Arc<str>),
    /// An address without a known credential, as [`network`] counts it. `None` if the transport
    /// knows no address.
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

    /// The kind, for metrics and log lines; never the name.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::ApiKey(_) => "key",
            Self::User(_) => "user",
            Self::Address(_) => "address",
        }
    }

    /// The share of its reads on this many threads. A user or an address never gets all threads, so
    /// that other callers do not wait for its reads.
    #[must_use]
    pub fn reads(&self, each: usize, threads: usize) -> Share {
        let at_once = if self.speaks_for_many() { usize::MAX } else { threads.div_ceil(2) };
        Share { waiting: Some(self.times(each)), weight: 1, at_once }
    }

    /// The share of its writes. One thread does them and commits many at once.
    #[must_use]
    pub const fn writes(&self, each: usize) -> Share {
        let weight = if self.speaks_for_many() { WEIGHT_OF_MANY } else { 1 };
        Share { waiting: Some(self.times(each)), weight, at_once: usize::MAX }
    }

    /// The share of its new connections. Those of a trusted proxy have no bound of their own, only
    /// the total bound.
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
    /// An unknown caller at an unknown address.
    fn default() -> Self {
        Self::Address(None)
    }
}

/// The unit that counts as one address: an IPv4 address, or an IPv6 network of 64 bits. That is the
/// smallest network a customer is given (RFC 6177), and it holds more addresses than any table.
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
