//! The session cookie. Browsers also send it with requests of other sites' pages, so it counts only
//! if the request can't come from one.

use http::{HeaderMap, Method, header};
use tidings_protocol::ErrorCode;
use tidings_server_core::Refused;

use crate::transport::origin::{self, Origins};

/// The cookie's value, quoted or not (RFC 6265, 4.1.1). `None` for an empty name.
pub(crate) fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| !name.is_empty() && *key == name)
        .map(|(_, value)| {
            let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
            inner.unwrap_or(value)
        })
}

/// Accepts the cookie with an allowed `Origin`. A GET without `Origin` must be from the site
/// itself, by `Sec-Fetch-Site`.
pub(crate) fn may_speak(
    method: &Method,
    headers: &HeaderMap,
    origins: &Origins,
) -> Result<(), Refused> {
    let allowed = match headers.get(header::ORIGIN) {
        Some(origin) => origin
            .to_str()
            .is_ok_and(|origin| origins.may_hold_cookies(origin, origin::own_host(headers))),
        None => origin::is_own(method, headers),
    };
    if allowed {
        Ok(())
    } else {
        Err(Refused::new(
            ErrorCode::OriginRefused,
            "a cookie is taken only from pages of allowed origins",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let sent = headers(&[("cookie", "a=1; __Host-t=abc=; b=2")]);
        assert_eq!(find(&sent, "__Host-t"), Some("abc="));
        assert_eq!(find(&sent, "t"), None);
        assert_eq!(find(&headers(&[("cookie", "t=\"abc\"; u=\"")]), "t"), Some("abc"));
        assert_eq!(find(&headers(&[("cookie", "t=\"abc\"; u=\"")]), "u"), Some("\""));
        assert_eq!(find(&headers(&[("cookie", "=x")]), ""), None);
    }

    #[test]
    fn a_cookie_speaks_for_allowed_pages_only() {
        let origins = Origins::new(&["https://app.example".to_owned()], false);
        let speaks =
            |method: Method, pairs: &[_]| may_speak(&method, &headers(pairs), &origins).is_ok();
        assert!(speaks(Method::POST, &[("origin", "https://app.example")]));
        assert!(!speaks(Method::POST, &[("origin", "https://evil.example")]));
        assert!(!speaks(Method::POST, &[("origin", "null")]));
        assert!(!speaks(Method::POST, &[("sec-fetch-site", "same-origin")]));
        assert!(!speaks(Method::POST, &[]));
        assert!(speaks(Method::GET, &[("sec-fetch-site", "same-origin")]));
        assert!(!speaks(Method::GET, &[("sec-fetch-site", "cross-site")]));
        assert!(!speaks(Method::GET, &[]));
    }
}
