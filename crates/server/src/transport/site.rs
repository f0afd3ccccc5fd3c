//! Origins (RFC 6454) and hosts (RFC 9110, 7.2), parsed strictly: an invalid one matches nothing.

use std::{
    fmt::{self, Display, Formatter},
    net::{Ipv4Addr, Ipv6Addr},
};

/// A host in the form of `Host` and of origins: `name[:port]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// In lower case; an IPv6 address in brackets, in its shortest form.
    name: Box<str>,
    port: Option<u16>,
}

impl Host {
    /// `None`: this is no host, or its port is no number.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']')?;
                (format!("[{}]", address.parse::<Ipv6Addr>().ok()?), port)
            }
            None => {
                let end = text.find(':').unwrap_or(text.len());
                let (name, port) = text.split_at(end);
                let is_label =
                    |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
                let named =
                    name.split('.').all(|part| !part.is_empty() && part.bytes().all(is_label));
                if !named {
                    return None;
                }
                (name.to_ascii_lowercase(), port)
            }
        };
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().ok()?)
            }
            _ => return None,
        };
        Some(Self { name: name.into(), port })
    }

    /// The name without the port.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it has a port.
    #[must_use]
    pub const fn has_port(&self) -> bool {
        self.port.is_some()
    }

    /// Whether it always means this machine, independent of name servers.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let name = &*self.name;
        name == "localhost"
            || name.ends_with(".localhost")
            || name == "[::1]"
            || name.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback())
    }
}

/// An origin in the form of browsers: scheme, host and port, without a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Site {
    /// An origin of the web. The port is always set, even if it is the scheme's default.
    Web {
        /// `https`, or `http`.
        secure: bool,
        /// The host with its port.
        host: Host,
    },
    /// An origin with an app's or extension's scheme, such as `tauri://localhost`. Compared
    /// unchanged.
    App(Box<str>),
    /// `null`: a page without an origin, such as a sandboxed frame or a file. Any site can make
    /// such pages.
    Opaque,
}

impl Site {
    /// `None`: this is no origin.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text == "null" {
            return Some(Self::Opaque);
        }
        let (scheme, rest) = text.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        match &*scheme {
            "http" | "https" => {
                let secure = scheme == "https";
                let host = Host::parse(rest)?;
                let port = host.port.unwrap_or_else(|| default_port(secure));
                Some(Self::Web { secure, host: Host { port: Some(port), ..host } })
            }
            // These schemes address connections and documents, never pages.
            "ws" | "wss" | "ftp" | "data" | "blob" | "javascript" | "about" => None,
            _ => {
                let named = scheme.starts_with(|first: char| first.is_ascii_lowercase())
                    && scheme.bytes().all(|byte| {
                        byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
                    });
                let is_host = (!rest.is_empty() || scheme == "file")
                    && rest.bytes().all(|byte| {
                        byte.is_ascii_graphic() && !matches!(byte, b'/' | b'?' | b'#' | b'@' | b'*')
                    });
                (named && is_host).then(|| Self::App(format!("{scheme}://{rest}").into()))
            }
        }
    }

    /// Whether its pages are served under this `Host`, which has no scheme.
    #[must_use]
    pub fn is_at(&self, asked: &Host) -> bool {
        let Self::Web { secure, host } = self else { return false };
        host.name == asked.name
            && host.port == Some(asked.port.unwrap_or_else(|| default_port(*secure)))
    }

    /// Whether it is a page of this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        matches!(self, Self::Web { host, .. } if host.is_loopback())
    }

    /// Whether not only its owner can make pages of it.
    #[must_use]
    pub fn is_anybodys(&self) -> bool {
        matches!(self, Self::Opaque) || matches!(self, Self::App(text) if &**text == "file://")
    }
}

impl Display for Site {
    /// The form of browsers.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opaque => f.write_str("null"),
            Self::App(text) => f.write_str(text),
            Self::Web { secure, host } => {
                let scheme = if *secure { "https" } else { "http" };
                write!(f, "{scheme}://{}", host.name)?;
                match host.port {
                    Some(port) if port != default_port(*secure) => write!(f, ":{port}"),
                    _ => Ok(()),
                }
            }
        }
    }
}

const fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_and_a_port_of_digits() {
        for (text, name, port) in [
            ("localhost", "localhost", None),
            ("App.Example:8443", "app.example", Some(8443)),
            ("127.0.0.1:80", "127.0.0.1", Some(80)),
            ("[0:0::1]:80", "[::1]", Some(80)),
            ("[::1]", "[::1]", None),
            ("my_box-1", "my_box-1", None),
        ] {
            let host = Host::parse(text).unwrap();
            assert_eq!((host.name(), host.port), (name, port), "{text}");
        }
        for text in [
            "",
            ":80",
            "a:",
            "a:b",
            "a:80:80",
            "a:99999",
            "a:+80",
            "127.0.0.1:8787.evil.test",
            "a b",
            "a..b",
            "a.",
            "a/b",
            "u@a",
            "[::1",
            "[::1]80",
            "[::1]:80x",
            "[evil.example]",
            "::1",
            "ä.example",
        ] {
            assert_eq!(Host::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn this_machine_has_few_names() {
        for own in ["localhost:5173", "app.localhost", "127.0.0.1", "127.9.9.9:1", "[::1]:80"] {
            assert!(Host::parse(own).unwrap().is_loopback(), "{own}");
        }
        for other in ["evil.example", "localhost.evil.net", "127.0.0.1.nip.io", "10.0.0.1", "[::2]"]
        {
            assert!(!Host::parse(other).unwrap().is_loopback(), "{other}");
        }
    }

    #[test]
    fn origins_that_mean_the_same_are_the_same() {
        let same = |left, right| Site::parse(left).unwrap() == Site::parse(right).unwrap();
        assert!(same("https://App.example:443", "HTTPS://app.example"));
        assert!(same("http://[0::1]:80", "http://[::1]"));
        assert!(!same("https://app.example", "http://app.example"));
        assert!(!same("https://app.example:80", "http://app.example"));
        for written in ["https://app.example", "http://[::1]:8787", "tauri://localhost", "null"] {
            assert_eq!(Site::parse(written).unwrap().to_string(), written);
        }
    }

    #[test]
    fn apps_and_extensions_have_origins_of_their_own() {
        for app in [
            "tauri://localhost",
            "capacitor://localhost",
            "ionic://localhost",
            "app://.",
            "chrome-extension://nkbihfbeogaeaoehlefnkodbefgpgknn",
            "moz-extension://6e9a1f4b-6e0b-4a6e-8b39-2f0c0f7f6b53",
            "safari-web-extension://E2D4A7B0-0000-4000-8000-000000000000",
            "file://",
        ] {
            assert!(matches!(Site::parse(app), Some(Site::App(_))), "{app}");
            assert!(!Site::parse(app).unwrap().is_at(&Host::parse("localhost").unwrap()), "{app}");
        }
        for none in [
            "",
            "*",
            "tauri://",
            "tauri://localhost/",
            "wss://app.example",
            "ws://app.example",
            "file:///home/x",
            "://x",
            "1a://x",
            "data://x",
            "tauri:localhost",
            "https://*.app.example",
            "https://u@app.example",
        ] {
            assert_eq!(Site::parse(none), None, "{none:?}");
        }
    }
}
