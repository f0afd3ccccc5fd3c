//! Which pages may open sockets and call the user's side of the REST surface.

use http::{HeaderMap, Method, header};

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

/// The page behind a request, as far as its browser tells. Other programs may claim what they like: this is about what pages of other
/// origins can do with somebody else's browser.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Page {
    /// None, or a browser that says nothing.
    #[default]
    Unknown,
    /// By its `Origin`.
    Named(Box<str>),
    /// One of the very origin that was asked, whose `Host` this is: browsers send no `Origin` with a GET to their page's own.
    Own(Box<str>),
}

impl Page {
    /// What a request's headers say.
    #[must_use]
    pub fn of(method: &Method, headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name)?.to_str().ok().map(Box::from);
        match headers.contains_key(header::ORIGIN) {
            true => text(header::ORIGIN).map_or(Self::Unknown, Self::Named),
            false if is_own(method, headers) => text(header::HOST).map_or(Self::Unknown, Self::Own),
            false => Self::Unknown,
        }
    }

    /// Whether it is a page of this origin. `Host` does not tell the scheme, but that browsers send `Sec-Fetch-Site` does: only to
    /// trustworthy addresses, which are those of https and those of the browser's own machine.
    #[must_use]
    pub fn is_of(&self, origin: &str) -> bool {
        match self {
            Self::Unknown => false,
            Self::Named(named) => **named == *origin,
            Self::Own(own) => match origin.split_once("://") {
                Some(("https", host)) => **own == *host,
                Some(("http", host)) => **own == *host && is_loopback(host),
                _ => false,
            },
        }
    }
}

/// Whether a browser says that a page of the very origin that is asked sends this, where it sends no `Origin`. Scripts can't set or
/// change the header, and a redirect by another origin takes the word back.
#[must_use]
pub fn is_own(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::GET && headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin")
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

    fn page(method: &Method, pairs: &[(&'static str, &'static str)]) -> Page {
        let pairs =
            pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        Page::of(method, &pairs.collect())
    }

    #[test]
    fn a_page_without_origin_is_the_sites_own_where_its_browser_says_so() {
        let own = ("sec-fetch-site", "same-origin");
        let host = ("host", "rt.example.com");
        let origin = "https://rt.example.com";
        let cases: [(Method, &[_], bool); 12] = [
            (Method::GET, &[own, host], true),
            // Those send an `Origin`.
            (Method::POST, &[own, host], false),
            (Method::GET, &[("sec-fetch-site", "same-site"), host], false),
            (Method::GET, &[("sec-fetch-site", "cross-site"), host], false),
            // Typed into the address bar.
            (Method::GET, &[("sec-fetch-site", "none"), host], false),
            (Method::GET, &[("sec-fetch-site", "same-origin, same-origin"), host], false),
            // No browser, or an address that is not trustworthy.
            (Method::GET, &[host], false),
            (Method::GET, &[own], false),
            (Method::GET, &[own, ("host", "rt.example.com:8443")], false),
            (Method::GET, &[own, ("host", "evil.example")], false),
            // An `Origin` speaks before it, whatever it says.
            (Method::GET, &[own, host, ("origin", "null")], false),
            (Method::GET, &[own, ("host", "evil.example"), ("origin", origin)], true),
        ];
        for (method, headers, is_of) in cases {
            assert_eq!(page(&method, headers).is_of(origin), is_of, "{headers:?}");
        }
    }

    #[test]
    fn only_https_and_this_machine_are_told_by_a_host() {
        let own = |host| page(&Method::GET, &[("sec-fetch-site", "same-origin"), ("host", host)]);
        for (origin, host) in [
            ("https://rt.example.com", "rt.example.com"),
            ("https://rt.example.com:8443", "rt.example.com:8443"),
            ("http://localhost:8787", "localhost:8787"),
            ("https://localhost", "localhost"),
            ("http://[::1]:80", "[::1]:80"),
        ] {
            assert!(own(host).is_of(origin), "{origin}");
        }
        for (origin, host) in [
            ("http://rt.example.com", "rt.example.com"),
            ("http://localhost.evil.net", "localhost.evil.net"),
            ("http://localhost:5173", "localhost:8787"),
            ("ftp://localhost", "localhost"),
            ("rt.example.com", "rt.example.com"),
            ("", ""),
        ] {
            assert!(!own(host).is_of(origin), "{origin}");
        }
    }

    #[test]
    fn a_star_takes_all_but_is_no_pattern() {
        assert!(listed(&["*"]).allow("https://anything.example", None));
        assert!(!listed(&["https://*.example.com"]).allow("https://a.example.com", None));
    }
}
