//! From the app's `url` to the address of the WebSocket.

use http::Uri;

/// The address is not one a client can connect to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not a URL with a host.
    #[error("`{0}` is not a URL with a scheme and a host, such as https://rt.example.com")]
    Malformed(String),
    /// Another scheme.
    #[error("the scheme of `{0}` is not http, https, ws or wss")]
    Scheme(String),
    /// Something behind the path.
    #[error("`{0}` has a query; the url is only the server's address, with a path if it is nested")]
    Query(String),
    /// This build can't encrypt.
    #[error("`{0}` needs encryption: build tidings-client with its feature `tls`")]
    TlsMissing(String),
}

/// The WebSocket address of a server at `url`, which may have a path the server is nested under.
pub(crate) fn websocket(url: &str) -> Result<Uri, EndpointError> {
    let malformed = || EndpointError::Malformed(url.to_owned());
    let uri: Uri = url.parse().map_err(|_| malformed())?;
    let scheme = match uri.scheme_str() {
        Some("http" | "ws") => "ws",
        Some("https" | "wss") if cfg!(feature = "tls") => "wss",
        Some("https" | "wss") => return Err(EndpointError::TlsMissing(url.to_owned())),
        Some(_) => return Err(EndpointError::Scheme(url.to_owned())),
        None => return Err(malformed()),
    };
    if uri.query().is_some() {
        return Err(EndpointError::Query(url.to_owned()));
    }
    let authority = uri.authority().ok_or_else(malformed)?;
    let path = uri.path().trim_end_matches('/');
    format!("{scheme}://{authority}{path}/v1/ws").parse().map_err(|_| malformed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_host_port_and_the_path_it_is_nested_under() {
        let cases = [
            ("http://127.0.0.1:8787", "ws://127.0.0.1:8787/v1/ws"),
            ("http://127.0.0.1:8787/", "ws://127.0.0.1:8787/v1/ws"),
            ("ws://rt.example.com", "ws://rt.example.com/v1/ws"),
            ("http://example.com/rt/", "ws://example.com/rt/v1/ws"),
            ("http://[::1]:80/rt", "ws://[::1]:80/rt/v1/ws"),
        ];
        for (url, expected) in cases {
            assert_eq!(websocket(url).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn encrypts_where_the_page_would() {
        let found = websocket("https://rt.example.com");
        if cfg!(feature = "tls") {
            assert_eq!(found.unwrap().to_string(), "wss://rt.example.com/v1/ws");
        } else {
            assert!(matches!(found, Err(EndpointError::TlsMissing(_))));
        }
    }

    #[test]
    fn refuses_what_is_not_an_address() {
        assert!(matches!(websocket(""), Err(EndpointError::Malformed(_))));
        assert!(matches!(websocket("rt.example.com"), Err(EndpointError::Malformed(_))));
        assert!(matches!(websocket("ftp://x"), Err(EndpointError::Scheme(_))));
        assert!(matches!(websocket("http://x/?ticket=1"), Err(EndpointError::Query(_))));
    }
}
