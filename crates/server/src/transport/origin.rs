//! Which pages may open sockets and call the users' part of the REST API, and the host names of a
//! development server.

use http::{HeaderMap, Method, Version, header, request::Parts};
use tidings_protocol::ErrorCode;
use tidings_server_core::Refused;

use super::site::{Host, Site};

/// Allowed origins, compared exactly (scheme, host and port).
#[derive(Clone, Debug, Default)]
pub struct Origins {
    listed: Box<[Site]>,
    any: bool,
    /// Development: pages of this machine, on any port.
    loopback: bool,
}

impl Origins {
    /// From the setting: origins such as `https://app.example.com`, or only `*` for all.
    #[must_use]
    pub fn new(listed: &[String], loopback: bool) -> Self {
        let any = listed.iter().any(|origin| origin == "*");
        let listed = listed.iter().filter_map(|origin| Site::parse(origin)).collect();
        Self { listed, any, loopback }
    }

    /// Whether a page of this origin is allowed. `own` is the request's `Host`: pages served under
    /// it are always allowed.
    #[must_use]
    pub fn allow(&self, origin: &str, own: Option<&str>) -> bool {
        self.any || self.name(origin, own)
    }

    /// Whether a page of this origin is allowed by name, not only by `*`.
    #[must_use]
    pub fn name(&self, origin: &str, own: Option<&str>) -> bool {
        let Some(site) = Site::parse(origin) else { return false };
        self.listed.contains(&site)
            || own.and_then(Host::parse).is_some_and(|own| site.is_at(&own))
            || (self.loopback && site.is_loopback())
    }

    /// Whether a request is allowed. One without `Origin` does not come from another site's page,
    /// because browsers always send it there. `null` is no origin.
    #[must_use]
    pub fn admit(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else { return true };
        origin.to_str().is_ok_and(|origin| self.allow(origin, own_host(headers)))
    }

    /// Whether a page of this origin may send the user's cookie: the origin is allowed by name, and
    /// only its owner can make its pages.
    #[must_use]
    pub fn may_hold_cookies(&self, origin: &str, own: Option<&str>) -> bool {
        self.name(origin, own) && Site::parse(origin).is_some_and(|site| !site.is_anybodys())
    }
}

/// The request's host, if a page of that host could have sent the request. A page on plain `http`
/// does not belong to a host that is requested by `https`, as stated by the proxy in front. A
/// client that forges the header only shuts itself out.
#[must_use]
pub fn own_host(headers: &HeaderMap) -> Option<&str> {
    let is_plain = headers.get(header::ORIGIN).is_some_and(|origin| {
        origin.as_bytes().get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"http:"))
    });
    let is_secure = headers
        .get_all("x-forwarded-proto")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|scheme| scheme.trim().eq_ignore_ascii_case("https"));
    if is_plain && is_secure {
        return None;
    }
    headers.get(header::HOST)?.to_str().ok()
}

/// Host names of this server.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    /// In development, the names besides those of this machine. `None`: any name; a proxy in front
    /// checks it.
    listed: Option<Box<[Box<str>]>>,
}

impl Hosts {
    /// Any name.
    #[must_use]
    pub const fn any() -> Self {
        Self { listed: None }
    }

    /// This machine's names, and the listed ones: `box.example`, or `.example` for all names below
    /// it; `*` for any.
    #[must_use]
    pub fn of_this_machine_and(listed: &[String]) -> Self {
        if listed.iter().any(|name| name == "*") {
            return Self::any();
        }
        let lower = |name: &String| name.to_ascii_lowercase().into();
        Self { listed: Some(listed.iter().map(lower).collect()) }
    }

    /// Refuses a request for another host. With DNS rebinding, another site's name points to this
    /// server for a moment. For the browser, that site's page then has this server's own origin,
    /// and only the host name reveals it.
    ///
    /// # Errors
    /// `bad_request` if there is not exactly one `Host` (RFC 9112, 3.2), `origin_refused` for
    /// another host's name.
    pub fn check(&self, parts: &Parts) -> Result<(), Refused> {
        let mut hosts = parts.headers.get_all(header::HOST).iter();
        let host = hosts.next();
        let is_missing = host.is_none() && parts.version == Version::HTTP_11;
        if is_missing || hosts.next().is_some() {
            return Err(Refused::new(ErrorCode::BadRequest, "a request has one `Host` header"));
        }
        let Some(listed) = &self.listed else { return Ok(()) };
        // HTTP/1.0 may have no `Host`; HTTP/2 has it in its address.
        let host = match host {
            Some(host) => host.to_str().ok(),
            None => match parts.uri.authority() {
                Some(authority) => Some(authority.as_str()),
                None => return Ok(()),
            },
        };
        let is_own = host.and_then(Host::parse).is_some_and(|host| {
            let name = host.name();
            host.is_loopback()
                || listed.iter().any(|listed| match listed.strip_prefix('.') {
                    Some(parent) => name == parent || name.ends_with(&**listed),
                    None => name == &**listed,
                })
        });
        if is_own {
            return Ok(());
        }
        let asked: String = host.unwrap_or_default().chars().take(100).collect();
        Err(Refused::new(
            ErrorCode::OriginRefused,
            format!(
                "with --dev this server answers to names of this machine only, and `Host` is {asked:?}; add the name to `dev_hosts` if it is one of yours."
            ),
        ))
    }
}

/// The page behind a request, as its browser states it. Other programs may claim anything: this
/// only limits pages of other origins in a user's browser.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Page {
    /// No page, or a browser that states none.
    #[default]
    Unknown,
    /// Stated by its `Origin`.
    Named(Box<str>),
    /// A page of the requested origin, with this `Host`. Browsers send no `Origin` with a GET to
    /// the page's own origin.
    Own(Box<str>),
}

impl Page {
    /// Reads a request's headers.
    #[must_use]
    pub fn of(method: &Method, headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name)?.to_str().ok().map(Box::from);
        match headers.contains_key(header::ORIGIN) {
            true => text(header::ORIGIN).map_or(Self::Unknown, Self::Named),
            false if is_own(method, headers) => text(header::HOST).map_or(Self::Unknown, Self::Own),
            false => Self::Unknown,
        }
    }

    /// Whether it is a page of this origin. `Host` does not include the scheme. But browsers send
    /// `Sec-Fetch-Site` only to trustworthy addresses, which are those of https and of the
    /// browser's own machine.
    #[must_use]
    pub fn is_of(&self, origin: &str) -> bool {
        let Some(site) = Site::parse(origin) else { return false };
        match self {
            Self::Unknown => false,
            Self::Named(named) => Site::parse(named).is_some_and(|named| named == site),
            Self::Own(own) => Host::parse(own).is_some_and(|own| {
                let trustworthy =
                    own.is_loopback() || matches!(site, Site::Web { secure: true, .. });
                trustworthy && site.is_at(&own)
            }),
        }
    }
}

/// Whether the browser states that a page of the requested origin sent this request, although there
/// is no `Origin`. Scripts can't set or change the header, and a redirect by another origin changes
/// it.
#[must_use]
pub fn is_own(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::GET && headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin")
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
        let own =
            ["http://localhost:5173", "http://127.0.0.1", "http://[::1]:80", "http://a.localhost"];
        for own in own {
            assert!(origins.allow(own, None), "{own}");
        }
        for other in [
            "http://localhost.evil.net",
            "http://127.0.0.1.nip.io",
            "http://127.0.0.1:8787.evil.test",
            "http://localhost:5173.evil.test",
            "http://[::1].evil.test",
            "http://[::1]:80.evil.test",
            "http://localhost:",
            "http://localhost@evil.test",
            "http://10.0.0.1",
            "tauri://localhost",
            "null",
        ] {
            assert!(!origins.allow(other, None), "{other}");
        }
    }

    #[test]
    fn an_apps_own_scheme_is_allowed_by_name() {
        let origins =
            listed(&["tauri://localhost", "chrome-extension://abc", "https://App.example:443"]);
        for own in ["tauri://localhost", "chrome-extension://abc", "https://app.example"] {
            assert!(origins.allow(own, None), "{own}");
        }
        for other in ["tauri://localhost.evil", "capacitor://localhost", "chrome-extension://abd"] {
            assert!(!origins.allow(other, Some("localhost")), "{other}");
        }
        let all = listed(&["null", "file://"]);
        assert!(all.allow("null", None) && all.allow("file://", None));
        assert!(!all.may_hold_cookies("null", None) && !all.may_hold_cookies("file://", None));
    }

    #[test]
    fn a_plain_page_is_not_of_a_host_that_is_asked_by_https() {
        let admitted = |origin, proto: &'static str| {
            let pairs = [("origin", origin), ("host", "rt.example"), ("x-forwarded-proto", proto)];
            let pairs = pairs
                .into_iter()
                .filter(|(_, value)| !value.is_empty())
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            listed(&[]).admit(&pairs.collect())
        };
        for proto in ["https", "HTTPS", "https, http", "http,https", "http", ""] {
            assert!(admitted("https://rt.example", proto), "{proto}");
        }
        assert!(admitted("http://rt.example", "http") && admitted("http://rt.example", ""));
        for proto in ["https", "HTTPS", "https, http"] {
            assert!(!admitted("http://rt.example", proto), "{proto}");
        }
    }

    #[test]
    fn a_cookie_is_never_any_pages() {
        assert!(!listed(&["*"]).may_hold_cookies("https://app.example", None));
        assert!(listed(&["https://app.example"]).may_hold_cookies("https://app.example", None));
        assert!(listed(&[]).may_hold_cookies("https://rt.example", Some("rt.example")));
    }

    fn asked(hosts: &Hosts, named: &[&'static str]) -> Result<(), ErrorCode> {
        let mut request = http::Request::new(());
        for host in named {
            request.headers_mut().append("host", http::HeaderValue::from_static(host));
        }
        hosts.check(&request.into_parts().0).map_err(|refused| refused.code)
    }

    #[test]
    fn a_development_server_answers_to_its_own_names() {
        let listed = ["box.example".to_owned(), ".Tunnel.example".to_owned()];
        let hosts = Hosts::of_this_machine_and(&listed);
        for own in [
            "localhost:8787",
            "127.0.0.1:1",
            "[::1]:8787",
            "a.localhost",
            "Box.example",
            "x.tunnel.example:443",
            "tunnel.example",
        ] {
            assert_eq!(asked(&hosts, &[own]), Ok(()), "{own}");
        }
        for other in [
            "evil.example",
            "evil.example:8787",
            "a.box.example",
            "eviltunnel.example",
            "127.0.0.1.evil.example",
            "localhost:8787.evil.example",
            "10.0.0.1",
            "",
        ] {
            assert_eq!(asked(&hosts, &[other]), Err(ErrorCode::OriginRefused), "{other}");
        }
        assert_eq!(
            asked(&Hosts::of_this_machine_and(&["*".to_owned()]), &["evil.example"]),
            Ok(())
        );
    }

    #[test]
    fn a_request_has_one_host() {
        for hosts in [Hosts::any(), Hosts::of_this_machine_and(&[])] {
            assert_eq!(asked(&hosts, &["localhost"]), Ok(()));
            for named in [&[][..], &["localhost", "localhost"]] {
                assert_eq!(asked(&hosts, named), Err(ErrorCode::BadRequest), "{named:?}");
            }
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
            // These send an `Origin`.
            (Method::POST, &[own, host], false),
            (Method::GET, &[("sec-fetch-site", "same-site"), host], false),
            (Method::GET, &[("sec-fetch-site", "cross-site"), host], false),
            // Typed into the address bar.
            (Method::GET, &[("sec-fetch-site", "none"), host], false),
            (Method::GET, &[("sec-fetch-site", "same-origin, same-origin"), host], false),
            // Not a browser, or an address that is not trustworthy.
            (Method::GET, &[host], false),
            (Method::GET, &[own], false),
            (Method::GET, &[own, ("host", "rt.example.com:8443")], false),
            (Method::GET, &[own, ("host", "evil.example")], false),
            // `Origin` counts first, whatever its value.
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
