//! The client's address behind trusted proxies.

use std::{
    fmt::{self, Display, Formatter},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use http::HeaderMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A network such as `172.16.0.0/12`, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// The bits after the prefix are zero.
    address: IpAddr,
    prefix: u32,
}

/// The text is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address such as \"10.0.0.1\" and no network such as \"172.16.0.0/12\"")]
pub struct NoNetwork(String);

impl Network {
    /// Whether the network contains an address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        masked(address.to_canonical(), self.prefix) == Some(self.address)
    }

    /// Whether the network contains every address.
    #[must_use]
    pub const fn is_everybody(&self) -> bool {
        self.prefix == 0
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self { address, prefix: bits(address) }
    }
}

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let wrong = || NoNetwork(text.to_owned());
        let Some((address, digits)) = text.split_once('/') else {
            return text.parse::<IpAddr>().map(Self::from).map_err(|_| wrong());
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let prefix: u32 = digits.parse().map_err(|_| wrong())?;
        let canonical = address.to_canonical();
        // `::ffff:10.0.0.0/104` is 10.0.0.0/8.
        let prefix = match (address, canonical) {
            (IpAddr::V6(_), IpAddr::V4(_)) => prefix.checked_sub(96).ok_or_else(wrong)?,
            _ => prefix,
        };
        let address = masked(canonical, prefix).ok_or_else(wrong)?;
        Ok(Self { address, prefix })
    }
}

impl Display for Network {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.prefix == bits(self.address) {
            true => write!(f, "{}", self.address),
            false => write!(f, "{}/{}", self.address, self.prefix),
        }
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.trim().parse().map_err(serde::de::Error::custom)
    }
}

/// Trusted proxies.
#[derive(Clone, Debug, Default)]
pub struct Proxies(Box<[Network]>);

impl Proxies {
    /// The proxies at these addresses or networks.
    #[must_use]
    pub fn new(trusted: Vec<Network>) -> Self {
        Self(trusted.into())
    }

    /// The client behind `peer`: the right-most address of `X-Forwarded-For` that is no trusted
    /// proxy. Any client could have written the addresses left of it. If the peer is not trusted,
    /// the peer.
    #[must_use]
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            return peer;
        }
        let values: Vec<&str> = headers
            .get_all("x-forwarded-for")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .collect();
        let mut nearest = peer;
        for hop in values.into_iter().rev() {
            let Some(address) = address(hop) else { break };
            nearest = address;
            if !self.trusts(nearest) {
                break;
            }
        }
        nearest
    }

    /// Whether a request seems to come from a proxy that is missing in the settings: it is from a
    /// nearby address and has a forwarded address.
    #[must_use]
    pub fn misses(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        headers.contains_key("x-forwarded-for") && is_near(peer) && !self.trusts(peer)
    }

    /// Whether an address belongs to a trusted proxy.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

/// Whether the address is of this machine or of a private network (RFC 1918, 4193, 6598).
fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(four) => {
            let [first, second, ..] = four.octets();
            let is_shared = first == 100 && (64..128).contains(&second);
            four.is_loopback() || four.is_private() || four.is_link_local() || is_shared
        }
        IpAddr::V6(six) => {
            six.is_loopback() || six.is_unique_local() || six.is_unicast_link_local()
        }
    }
}

/// Parses a hop in the forms that proxies write: an address, with a port (Azure), in brackets, or
/// quoted as in RFC 7239 (6).
fn address(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let hop = hop.strip_prefix('"').and_then(|hop| hop.strip_suffix('"')).unwrap_or(hop);
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(rest) = hop.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let good = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return six(address).filter(|_| good);
    }
    if let Ok(address) = hop.parse::<Ipv4Addr>() {
        return Some(address.into());
    }
    match hop.split_once(':') {
        Some((address, port)) if is_port(port) && !address.is_empty() => {
            address.parse::<Ipv4Addr>().ok().map(IpAddr::from).or_else(|| six(hop))
        }
        _ => six(hop),
    }
}

/// Parses an IPv6 address without its zone, which means nothing on another machine.
fn six(text: &str) -> Option<IpAddr> {
    let address = text.split_once('%').map_or(text, |(address, _)| address);
    address.parse::<Ipv6Addr>().ok().map(|address| IpAddr::from(address).to_canonical())
}

const fn bits(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The first bits of an address. `None`: the address has fewer.
fn masked(address: IpAddr, prefix: u32) -> Option<IpAddr> {
    let behind = bits(address).checked_sub(prefix)?;
    Some(match address {
        IpAddr::V4(four) => {
            Ipv4Addr::from(u32::from(four) & u32::MAX.checked_shl(behind).unwrap_or(0)).into()
        }
        IpAddr::V6(six) => {
            Ipv6Addr::from(u128::from(six) & u128::MAX.checked_shl(behind).unwrap_or(0)).into()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str]) -> String {
        let proxies = Proxies::new(
            ["10.0.0.1", "10.0.0.2", "172.16.0.0/12", "fd00::/8"]
                .map(|text| text.parse().unwrap())
                .to_vec(),
        );
        let headers = forwarded
            .iter()
            .map(|value| ("x-forwarded-for".parse().unwrap(), value.parse().unwrap()))
            .collect();
        proxies.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn a_near_proxy_that_is_not_named_is_missed() {
        let proxies = Proxies::new(vec!["10.0.0.1".parse().unwrap()]);
        let forwarded = [("x-forwarded-for".parse().unwrap(), "1.2.3.4".parse().unwrap())];
        let (with, without) = (HeaderMap::from_iter(forwarded), HeaderMap::new());
        let misses = |peer: &str, headers| proxies.misses(peer.parse().unwrap(), headers);
        for near in ["10.0.0.2", "127.0.0.1", "::ffff:192.168.1.1", "100.64.0.1", "fd00::1", "::1"]
        {
            assert!(misses(near, &with), "{near}");
            assert!(!misses(near, &without), "{near}");
        }
        for other in ["10.0.0.1", "1.2.3.4", "100.128.0.1", "2001:db8::1"] {
            assert!(!misses(other, &with), "{other}");
        }
    }

    #[test]
    fn strangers_are_not_believed() {
        assert_eq!(client("1.2.3.4", &["9.9.9.9"]), "1.2.3.4");
    }

    #[test]
    fn the_right_most_stranger_counts() {
        assert_eq!(client("10.0.0.1", &["9.9.9.9, 1.2.3.4"]), "1.2.3.4");
        assert_eq!(client("10.0.0.1", &["9.9.9.9", "1.2.3.4, 10.0.0.2"]), "1.2.3.4");
        assert_eq!(client("::ffff:10.0.0.1", &["1.2.3.4"]), "1.2.3.4");
        assert_eq!(client("172.31.87.10", &["9.9.9.9, 1.2.3.4, 172.16.5.5"]), "1.2.3.4");
        assert_eq!(client("fd12::1", &["2001:db8::1, fdff::7"]), "2001:db8::1");
        assert_eq!(client("172.32.0.1", &["9.9.9.9"]), "172.32.0.1", "beyond the network");
    }

    #[test]
    fn a_hop_is_read_as_proxies_write_it() {
        for (hop, is) in [
            ("9.9.9.9:4711", "9.9.9.9"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("\"[2001:db8::1]:443\"", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("::1:443", "::1:443"),
            ("fe80::1%eth0", "fe80::1"),
            ("::ffff:9.9.9.9", "9.9.9.9"),
            ("[::ffff:9.9.9.9]:1", "9.9.9.9"),
        ] {
            assert_eq!(client("10.0.0.1", &[hop]), is, "{hop}");
        }
    }

    #[test]
    fn nonsense_ends_the_chain() {
        for nonsense in [
            "nonsense",
            "unknown",
            "_hidden",
            "",
            "9.9.9.9:",
            "9.9.9.9:port",
            "9.9.9",
            "[9.9.9.9]",
            "[::1",
            "[::1]x",
            "1.2.3.4:5:6",
        ] {
            let chain = format!("9.9.9.9, {nonsense}");
            assert_eq!(client("10.0.0.1", &[&chain]), "10.0.0.1", "{nonsense}");
        }
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn a_network_is_an_address_and_how_much_of_it_counts() {
        for (text, shown) in [
            ("10.0.0.1", "10.0.0.1"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("10.0.0.1/32", "10.0.0.1"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::/0", "::/0"),
            ("2001:DB8::/32", "2001:db8::/32"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::1", "::1"),
        ] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), shown, "{text}");
        }
        for text in
            ["", "localhost", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/+8", "/8", "10/8"]
        {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
        assert!(!"0.0.0.0/0".parse::<Network>().unwrap().contains("::1".parse().unwrap()));
    }
}
