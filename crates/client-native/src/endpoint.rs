//! Makes the server's URLs from the app's `url`.

use http::Uri;

/// Why a client can't connect to this URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// It is not a URL with a host.
    #[error("`{0}` is not a URL with a scheme and a host, such as https://rt.example.com")]
    Malformed(String),
    /// Its scheme is not supported.
    #[error("the scheme of `{0}` is not http, https, ws or wss")]
    Scheme(String),
    /// It has a query.
    #[error("`{0}` has a query; the url is only the server's address, with a path if it is nested")]
    Query(String),
    /// This build has no encryption.
    #[error("`{0}` needs encryption: build tidings-client with its feature `tls`")]
    TlsMissing(String),
}

/// The URLs of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// URL of the WebSocket.
    pub(crate) websocket: Uri,
    /// The common beginning of all request URLs: `…/v1/`.
    pub(crate) requests: String,
}

impl Endpoint {
    /// The URLs of the server at `url`, which may have a path that the server is nested under.
    pub(crate) fn of(url: &str) -> Result<Self, EndpointError> {
        let malformed = || EndpointError::Malformed(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| malformed())?;
        let [socket, request] = match uri.scheme_str() {
            Some("http" | "ws") => ["ws", "http"],
            Some("https" | "wss") if cfg!(feature = "tls") => ["wss", "https"],
            Some("https" | "wss") => return Err(EndpointError::TlsMissing(url.to_owned())),
            Some(_) => return Err(EndpointError::Scheme(url.to_owned())),
            None => return Err(malformed()),
        };
        if uri.query().is_some() {
            return Err(EndpointError::Query(url.to_owned()));
        }
        let authority = uri.authority().ok_or_else(malformed)?;
        let path = uri.path().trim_end_matches('/');
        let websocket =
            format!("{socket}://{authority}{path}/v1/ws").parse().map_err(|_| malformed())?;
        Ok(Self { websocket, requests: format!("{request}://{authority}{path}/v1/") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(url: &str) -> Result<(String, String), EndpointError> {
        Endpoint::of(url).map(|found| (found.websocket.to_string(), found.requests))
    }

    #[test]
    fn keeps_host_port_and_the_path_it_is_nested_under() {
        let cases = [
            ("http://127.0.0.1:8787", "127.0.0.1:8787/v1/"),
            ("http://127.0.0.1:8787/", "127.0.0.1:8787/v1/"),
            ("ws://rt.example.com", "rt.example.com/v1/"),
            ("http://example.com/rt/", "example.com/rt/v1/"),
            ("http://[::1]:80/rt", "[::1]:80/rt/v1/"),
        ];
        for (url, index) in cases {
            let expected = (format!("ws://{index}ws"), format!("http://{index}"));
            assert_eq!(addresses(url).unwrap(), expected);
        }
    }

    #[test]
    fn encrypts_where_the_page_would() {
        let found = addresses("https://rt.example.com");
        if cfg!(feature = "tls") {
            let [socket, requests] = ["wss://rt.example.com/v1/ws", "https://rt.example.com/v1/"];
            assert_eq!(found.unwrap(), (socket.to_owned(), requests.to_owned()));
        } else {
            assert!(matches!(found, Err(EndpointError::TlsMissing(_))));
        }
    }

    #[test]
    fn refuses_what_is_not_an_address() {
        assert!(matches!(addresses(""), Err(EndpointError::Malformed(_))));
        assert!(matches!(addresses("rt.example.com"), Err(EndpointError::Malformed(_))));
        assert!(matches!(addresses("ftp://x"), Err(EndpointError::Scheme(_))));
        assert!(matches!(addresses("http://x/?ticket=1"), Err(EndpointError::Query(_))));
    }
}
