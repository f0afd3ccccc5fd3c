//! Session tokens: signed bearer tokens with user, rights, session and end. Any server with the key
//! can check one.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use tidings_protocol::{ErrorCode, Json, limits::CREDENTIAL_BYTES, rights::Rights};
use tidings_server_core::{Identity, Limits, Refused};

use super::{secrets::Secret, stored_claims::StoredClaims};

const PREFIX: &str = "st_";

/// Whether a bearer token looks like a session token.
pub(super) fn is_one(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// A token, and the text that must be stored before the token works.
#[derive(Debug)]
pub(super) struct Sealed {
    pub(super) token: String,
    pub(super) to_store: Option<StoredClaims>,
}

/// The content of a token.
#[derive(Debug, PartialEq)]
pub(super) enum Opened {
    /// The complete identity.
    Whole(Identity),
    /// An identity without rights and info, which are stored under this hash.
    Elsewhere(Identity, [u8; 32]),
}

/// Signs and verifies tokens.
#[derive(Debug)]
pub(super) struct SessionKey(Secret);

/// The signed content. The names are short because the token travels in headers.
#[derive(Serialize, Deserialize)]
struct Claims {
    #[serde(rename = "u")]
    user: String,
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    info: Option<Json>,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    rights: Option<Rights>,
    /// Replaces both: the hash under which they are stored.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    kept: Option<String>,
    #[serde(rename = "s")]
    session: String,
    #[serde(rename = "t")]
    issued_at: u64,
    #[serde(rename = "e")]
    expires_at: u64,
}

impl SessionKey {
    pub(super) const fn new(secret: Secret) -> Self {
        Self(secret)
    }

    /// The token of an identity. A reconnect does not extend the session's end. The token must fit
    /// into a stream's `id`: long rights are replaced by their hash, and returned with the token to
    /// be stored.
    pub(super) fn seal(&self, identity: &Identity, wall: u64, limits: &Limits) -> Sealed {
        let expires_at =
            identity.expires_at.unwrap_or_else(|| wall.saturating_add(limits.session_ms));
        let to_store = StoredClaims::of(identity, expires_at);
        let inline = to_store.is_none();
        let claims = Claims {
            user: identity.user.clone(),
            info: identity.info.clone().filter(|_| inline),
            rights: inline.then(|| identity.rights.clone()),
            kept: to_store.as_ref().map(|to_store| BASE64.encode(to_store.hash)),
            session: identity.session.clone(),
            issued_at: identity.issued_at,
            expires_at,
        };
        Sealed { token: self.sign(&claims).unwrap_or_default(), to_store }
    }

    fn sign(&self, claims: &Claims) -> Option<String> {
        let claims = serde_json::to_vec(claims).ok()?;
        let tag = self.mac(&claims)?.finalize().into_bytes();
        Some(format!("{PREFIX}{}.{}", BASE64.encode(&claims), BASE64.encode(tag)))
    }

    /// The user of a token. With [`Opened::Elsewhere`], rights and info must still be read from the
    /// store.
    ///
    /// # Errors
    /// `unauthorized` if it was not signed with this key, `expired` after its end.
    pub(super) fn open(&self, token: &str, wall: u64) -> Result<Opened, Refused> {
        let claims = self.verified(token).ok_or_else(invalid)?;
        if wall >= claims.expires_at {
            return Err(ErrorCode::Expired.into());
        }
        let identity = Identity {
            user: claims.user,
            info: claims.info,
            rights: claims.rights.unwrap_or_default(),
            session: claims.session,
            session_token: String::new(),
            issued_at: claims.issued_at,
            expires_at: Some(claims.expires_at),
        };
        let Some(kept) = claims.kept else { return Ok(Opened::Whole(identity)) };
        let hash = BASE64.decode(kept).ok().and_then(|hash| hash.try_into().ok());
        Ok(Opened::Elsewhere(identity, hash.ok_or_else(invalid)?))
    }

    fn verified(&self, token: &str) -> Option<Claims> {
        if token.len() > CREDENTIAL_BYTES {
            return None;
        }
        let (claims, tag) = token.strip_prefix(PREFIX)?.split_once('.')?;
        let claims = BASE64.decode(claims).ok()?;
        let tag = BASE64.decode(tag).ok()?;
        // Compared in constant time.
        self.mac(&claims)?.verify_slice(&tag).ok()?;
        serde_json::from_slice(&claims).ok()
    }

    fn mac(&self, claims: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.bytes()).ok()?;
        // Separates these signatures from others made with the same key.
        mac.update(b"tidings session token 1\0");
        mac.update(claims);
        Some(mac)
    }
}

fn invalid() -> Refused {
    Refused::new(
        ErrorCode::Unauthorized,
        "the session token is not one of this server's: get a new ticket.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SessionKey {
        SessionKey::new(Secret::new([byte; 32]))
    }

    fn identity() -> Identity {
        Identity {
            user: "ü1".into(),
            info: Some(Json::parse(r#"{"name":"Mina"}"#).unwrap()),
            rights: serde_json::from_str(r#"[{"pattern":"room:*","allow":["subscribe"]}]"#)
                .unwrap(),
            session: "s-1".into(),
            session_token: String::new(),
            issued_at: 5,
            expires_at: Some(1_000),
        }
    }

    #[test]
    fn a_token_re_enters_with_the_same_rights_and_end() {
        let Sealed { token, to_store } = key(1).seal(&identity(), 10, &Limits::default());
        assert!(is_one(&token) && to_store.is_none());
        assert_eq!(key(1).open(&token, 999).unwrap(), Opened::Whole(identity()));
        assert_eq!(key(1).open(&token, 1_000).unwrap_err().code, ErrorCode::Expired);
    }

    #[test]
    fn a_foreign_or_changed_token_is_refused() {
        let token = key(1).seal(&identity(), 10, &Limits::default()).token;
        assert_eq!(key(2).open(&token, 10).unwrap_err().code, ErrorCode::Unauthorized);
        for place in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            // The last character of a base64 part may have unused bits; strict decoding refuses
            // changed ones.
            assert!(key(1).open(&changed, 10).is_err(), "{place}");
        }
        for text in ["", "st_", "st_.", "st_a.b", "st_é.é"] {
            assert!(key(1).open(text, 10).is_err(), "{text:?}");
        }
    }
}
