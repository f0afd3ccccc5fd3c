//! The `Authorization` header as defined by RFC 9110 (11.4) and RFC 6750 (2.1).

use http::{HeaderMap, header};
use tidings_protocol::ErrorCode;
use tidings_server_core::Refused;

/// The credential in a request's `Authorization`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Authorization<'a> {
    /// There is no such header.
    Absent,
    /// A bearer token. A secret.
    Bearer(&'a str),
    /// Another scheme (such as a proxy's), several headers, or no text after the scheme.
    Other,
}

impl<'a> Authorization<'a> {
    /// Reads the header. The scheme may have any case, and any number of spaces may follow.
    pub(crate) fn of(headers: &'a HeaderMap) -> Self {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let Some(value) = values.next() else { return Self::Absent };
        let bearer = value.to_str().ok().and_then(|value| {
            let (scheme, bearer) = value.trim().split_once(' ')?;
            let bearer = bearer.trim();
            (scheme.eq_ignore_ascii_case("bearer") && !bearer.is_empty()).then_some(bearer)
        });
        match (bearer, values.next()) {
            (Some(bearer), None) => Self::Bearer(bearer),
            _ => Self::Other,
        }
    }

    /// The reason why the header alone does not authenticate a request.
    pub(crate) fn refused(self) -> Refused {
        let detail = match self {
            Self::Absent => "there is no `Authorization` header",
            Self::Bearer(_) | Self::Other => {
                "`Authorization` must be `Bearer` and a credential, once"
            }
        };
        Refused::new(ErrorCode::Unauthorized, detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&'static str], is: Authorization<'_>) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, http::HeaderValue::from_static(value));
        }
        assert_eq!(Authorization::of(&headers), is, "{values:?}");
    }

    #[test]
    fn a_bearer_is_read_as_the_standard_writes_it() {
        read(&[], Authorization::Absent);
        for value in ["Bearer k1", "bearer k1", "BEARER k1", "Bearer   k1", "Bearer k1 "] {
            read(&[value], Authorization::Bearer("k1"));
        }
        for value in ["Bearer", "Bearer ", "Basic ZGV2", "k1", "Bearerk1", ""] {
            read(&[value], Authorization::Other);
        }
        read(&["Bearer k1", "Bearer k2"], Authorization::Other);
    }
}
