//! A JSON Web Key Set that is fetched and kept.

use std::time::Duration;

use jsonwebtoken::{
    Algorithm, DecodingKey, Header,
    jwk::{Jwk, JwkSet, KeyAlgorithm, PublicKeyUse},
};
use tidings_protocol::ErrorCode;
use tidings_server_core::Refused;
use tokio::{sync::Mutex, time::Instant};

use super::jwt::{JwtKey, KeyError};

/// Kept this long before it is asked for again.
const FRESH: Duration = Duration::from_secs(600);
/// A token with an unknown key asks for a new set at most this often: else anybody could make the server ask all the time.
const PAUSE: Duration = Duration::from_secs(30);
/// How long the other server may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// Largest set, in bytes.
const LARGEST: usize = 256 * 1024;

/// Keys from an address.
#[derive(Debug)]
pub(super) struct Jwks {
    url: reqwest::Url,
    http: reqwest::Client,
    /// Locked while it is fetched: one request for all who wait.
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    keys: Vec<JwtKey>,
    /// When it was last fetched, well or not.
    tried: Option<Instant>,
}

impl Jwks {
    pub(super) fn new(url: &str) -> Result<Self, KeyError> {
        let url = reqwest::Url::parse(url).map_err(|error| KeyError::Url(error.to_string()))?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(KeyError::Url("it must begin with https://".to_owned()));
        }
        let http = reqwest::Client::builder()
            .timeout(DEADLINE)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| KeyError::Url(error.to_string()))?;
        Ok(Self { url, http, kept: Mutex::default() })
    }

    /// Keys a token with this header may be signed with.
    ///
    /// # Errors
    /// `storage_unavailable` (try again) when no set could ever be fetched.
    pub(super) async fn keys_for(&self, header: &Header) -> Result<Vec<JwtKey>, Refused> {
        let mut kept = self.kept.lock().await;
        let fitting = |kept: &Kept| -> Vec<JwtKey> {
            kept.keys.iter().filter(|key| key.fits(header)).cloned().collect()
        };
        let found = fitting(&kept);
        let wanted = if found.is_empty() { PAUSE } else { FRESH };
        if kept.tried.is_some_and(|tried| tried.elapsed() < wanted) {
            return Ok(found);
        }
        kept.tried = Some(Instant::now());
        match self.fetch().await {
            Ok(keys) => kept.keys = keys,
            Err(why) => {
                tracing::warn!(%why, "the JSON Web Key Set can't be fetched");
                if kept.keys.is_empty() {
                    return Err(Refused {
                        retry_after_ms: Some(PAUSE.as_millis() as u64),
                        ..Refused::new(
                            ErrorCode::StorageUnavailable,
                            "the keys that verify tokens can't be fetched",
                        )
                    });
                }
            }
        }
        Ok(fitting(&kept))
    }

    async fn fetch(&self) -> Result<Vec<JwtKey>, String> {
        let mut answer = self
            .http
            .get(self.url.clone())
            .send()
            .await
            .and_then(reqwest::Response::error_for_status)
            .map_err(|error| error.to_string())?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| error.to_string())? {
            if body.len() + chunk.len() > LARGEST {
                return Err(format!("it has more than {LARGEST} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        let set: JwkSet = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        Ok(set.keys.iter().filter_map(usable).collect())
    }
}

/// Public keys for signatures with an algorithm that is accepted; all others are left out.
fn usable(jwk: &Jwk) -> Option<JwtKey> {
    if matches!(&jwk.common.public_key_use, Some(other) if *other != PublicKeyUse::Signature) {
        return None;
    }
    let algorithm = match jwk.common.key_algorithm? {
        KeyAlgorithm::RS256 => Algorithm::RS256,
        KeyAlgorithm::ES256 => Algorithm::ES256,
        KeyAlgorithm::EdDSA => Algorithm::EdDSA,
        // A symmetric key in a public set is a mistake.
        _ => return None,
    };
    let key = DecodingKey::from_jwk(jwk).ok()?;
    Some(JwtKey::of_set(jwk.common.key_id.clone(), algorithm, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(json: &str) -> Vec<JwtKey> {
        let set: JwkSet = serde_json::from_str(json).unwrap();
        set.keys.iter().filter_map(usable).collect()
    }

    #[test]
    fn only_public_signature_keys_with_an_algorithm_are_taken() {
        let point = r#""kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM""#;
        let keys = set(&format!(
            r#"{{"keys":[{{{point},"alg":"ES256","kid":"a"}},{{{point},"alg":"ES256","use":"enc"}},{{{point}}},{{"kty":"oct","k":"AAAA","alg":"HS256"}}]}}"#
        ));
        assert_eq!(keys.len(), 1);
        let header = Header { kid: Some("a".into()), ..Header::new(Algorithm::ES256) };
        assert!(keys[0].fits(&header));
        assert!(!keys[0].fits(&Header { kid: Some("b".into()), ..header }));
    }

    #[test]
    fn an_address_must_be_one() {
        assert!(matches!(Jwks::new("keys"), Err(KeyError::Url(_))));
        assert!(matches!(Jwks::new("file:///etc/passwd"), Err(KeyError::Url(_))));
    }
}
