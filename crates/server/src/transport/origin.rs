//! Which pages may open sockets and call the user's side of the REST surface.

use http::{HeaderMap, header};

/// Origins that are allowed, compared exactly (scheme, host and port).
#[derive(Clone, Debug, Default)]
pub struct Origins {
    listed: Box<[Box<str>]>,
    any: bool,
    /// Development: pages of this machine, on any port.
    loopback: bool,
}

impl Origins {
    /// From the setting: origins such as `https://app.example.com`, or `*` alone for all.
    #[must_use]
    pub fn new(listed: &[String], loopback: bool) -> Self {
        let any = listed.iter().any(|origin| origin == "*");
        let listed = listed.iter().map(|origin| origin.trim_end_matches('/').into()).collect();
        Self { listed, any, loopback }
    }

    /// Whether a page of this origin may come in. `own` is the request's `Host`: pages served under it always may.
    #[must_use]
    pub fn allow(&self, origin: &str, own: Option<&str>) -> bool {
        if self.any || self.listed.iter().any(|listed| **listed == *origin) {
            return true;
        }
        let Some((scheme, host)) = origin.split_once("://") else { return false };
        if !matches!(scheme, "http" | "https") {
            return false;
        }
        own == Some(host) || (self.loopback && is_loopback(host))
    }

    /// Whether a request may go on: one without `Origin` does not come from a page of another site (browsers always
    /// send it there), `null` is nobody.
    #[must_use]
    pub fn admit(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else { return true };
        let own = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        origin.to_str().is_ok_and(|origin| self.allow(origin, own))
    }
}

/// `host[:port]` of this very machine.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name == "localhost" || name.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(origins: &[&str]) -> Origins {
        Origins::new(&origins.iter().map(|&origin| origin.to_owned()).collect::<Vec<_>>(), false)
    }

    #[test]
    fn an_origin_is_compared_whole() {
        let origins = listed(&["https://app.example.com"]);
        assert!(origins.allow("https://app.example.com", None));
        for other in [
            "http://app.example.com",
            "https://app.example.com:444",
            "https://app.example.com.evil.net",
            "https://evil.net/https://app.example.com",
            "null",
            "",
        ] {
            assert!(!origins.allow(other, Some("rt.example.com")), "{other}");
        }
    }

    #[test]
    fn pages_of_the_servers_own_host_come_in() {
        assert!(listed(&[]).allow("https://rt.example.com", Some("rt.example.com")));
        assert!(!listed(&[]).allow("https://rt.example.com:8443", Some("rt.example.com")));
    }

    #[test]
    fn development_takes_pages_of_this_machine_only() {
        let origins = Origins::new(&[], true);
        for own in ["http://localhost:5173", "http://127.0.0.1", "http://[::1]:80"] {
            assert!(origins.allow(own, None), "{own}");
        }
        for other in ["http://localhost.evil.net", "http://127.0.0.1.nip.io", "http://10.0.0.1"] {
            assert!(!origins.allow(other, None), "{other}");
        }
    }

    #[test]
    fn a_star_takes_all_but_is_no_pattern() {
        assert!(listed(&["*"]).allow("https://anything.example", None));
        assert!(!listed(&["https://*.example.com"]).allow("https://a.example.com", None));
    }
}
