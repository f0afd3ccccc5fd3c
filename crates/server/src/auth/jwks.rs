//! A JSON Web Key Set (RFC 7517), fetched and cached.
//!
//! One task fetches the set: at start, regularly, and when a token names an unknown key. The task
//! does not depend on the request that asked for it, and tokens with a known key never wait for it.
//! A key may be unknown only because the next set is not fetched yet; that is not the token's
//! fault. It is a different error if a set that was fetched after the token arrived does not
//! contain the key.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tidings_protocol::{ErrorCode, Json};
use tidings_server_core::Refused;
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
    time::{Instant, sleep_until},
};

use super::jwt::{Header, JwtKey, KeyError};

/// Wait after a failed fetch; it doubles with each failure, up to the maximum.
const RETRY: Duration = Duration::from_secs(1);
const RETRY_MOST: Duration = Duration::from_secs(30);
/// Largest set, in bytes.
const LARGEST: usize = 256 * 1024;
/// Missing keys that are remembered; beyond this all are forgotten, and searched again.
const ABSENT: usize = 1_000;

/// The address of a key set, and how often it is fetched.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) url: String,
    /// How long a set is cached before it is fetched again.
    pub(crate) refresh: Duration,
    /// Minimum time between two fetches for unknown keys. Otherwise any client could make the
    /// server fetch constantly.
    pub(crate) pause: Duration,
    /// How long the other server may take.
    pub(crate) timeout: Duration,
}

/// Keys from a key set.
#[derive(Debug)]
pub(super) struct Jwks {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    source: Source,
    url: reqwest::Url,
    http: reqwest::Client,
    /// Never locked across an `await`.
    known: Mutex<Known>,
    /// Notified when a new set is wanted.
    asked: Notify,
    /// Counts completed fetches, successful or not.
    turns: watch::Sender<u64>,
}

#[derive(Debug)]
struct Known {
    /// `None` until the first set arrives.
    keys: Option<Arc<[JwtKey]>>,
    /// When the last fetch began.
    began: Instant,
    fetching: bool,
    failures: u32,
    /// When the next fetch begins.
    due: Instant,
    /// A token needs a new set as soon as one may be fetched.
    wanted: bool,
    absent: HashSet<[u8; 32]>,
}

/// How to treat a token with an unknown key.
enum Search {
    /// A set that was fetched since then does not contain the key.
    Over,
    /// A set is being fetched.
    Wait,
    /// The next fetch is not before this time.
    Later(Instant),
}

impl Jwks {
    /// Starts fetching. Needs a tokio runtime.
    pub(super) fn start(source: Source) -> Result<Self, KeyError> {
        let url =
            reqwest::Url::parse(&source.url).map_err(|error| KeyError::Url(error.to_string()))?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(KeyError::Url("it must begin with https://".to_owned()));
        }
        let http = reqwest::Client::builder()
            .timeout(source.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| KeyError::Url(error.to_string()))?;
        let now = Instant::now();
        let known = Known {
            keys: None,
            began: now,
            fetching: true,
            failures: 0,
            due: now,
            wanted: false,
            absent: HashSet::new(),
        };
        let shared = Arc::new(Shared {
            source,
            url,
            http,
            known: Mutex::new(known),
            asked: Notify::new(),
            turns: watch::Sender::new(0),
        });
        let task = tokio::spawn(Arc::clone(&shared).run());
        Ok(Self { shared, task })
    }

    /// Whether one of the keys may belong to a token with this header.
    pub(super) fn fits(&self, header: &Header) -> bool {
        let known = self.shared.known();
        known.keys.iter().flat_map(|keys| keys.iter()).any(|key| key.fits(header))
    }

    /// Returns the result of `signer` on the keys, once the current keys are known. `signed` is the
    /// token's text; it identifies a token that names no key.
    ///
    /// # Errors
    /// `storage_unavailable` (try again) while the key may come with the next set.
    pub(super) async fn find<T>(
        &self,
        header: &Header,
        signed: &str,
        signer: impl Fn(&[JwtKey]) -> Option<T>,
    ) -> Result<Option<T>, Refused> {
        let came = Instant::now();
        let name = name(header, signed);
        let mut turns = self.shared.turns.subscribe();
        loop {
            turns.mark_unchanged();
            let keys = self.shared.known().keys.clone();
            if let Some(keys) = keys {
                if let Some(found) = signer(&keys) {
                    return Ok(Some(found));
                }
                if keys.iter().any(|key| key.is_named(header)) {
                    return Ok(None);
                }
            }
            match self.shared.search(&name, came) {
                Search::Over => return Ok(None),
                Search::Later(due) => return Err(unknown_yet(due)),
                Search::Wait => {
                    if turns.changed().await.is_err() {
                        return Err(unknown_yet(Instant::now()));
                    }
                }
            }
        }
    }
}

impl Drop for Jwks {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    async fn run(self: Arc<Self>) {
        loop {
            let set = self.fetch().await;
            let due = self.take_in(set);
            self.turns.send_modify(|turn| *turn += 1);
            self.until(due).await;
            let mut known = self.known();
            known.began = Instant::now();
            known.fetching = true;
            known.wanted = false;
        }
    }

    /// Takes in the fetched set, and returns when the next fetch is due.
    fn take_in(&self, set: Result<Vec<JwtKey>, String>) -> Instant {
        let mut known = self.known();
        known.fetching = false;
        let now = Instant::now();
        let wait = match set {
            Ok(keys) => {
                if known.failures > 0 {
                    tracing::info!("the JSON Web Key Set is there again");
                }
                known.failures = 0;
                known.absent.clear();
                known.keys = Some(keys.into());
                self.source.refresh
            }
            Err(why) => {
                let has_keys = known.keys.is_some();
                tracing::warn!(%why, has_keys, "the JSON Web Key Set can't be fetched");
                let wait = RETRY.saturating_mul(1 << known.failures.min(10));
                known.failures = known.failures.saturating_add(1);
                wait.min(RETRY_MOST)
            }
        };
        known.due = now + wait;
        known.due
    }

    /// Waits until the next fetch is due, or wanted and allowed.
    async fn until(&self, due: Instant) {
        let wanted = async {
            loop {
                self.asked.notified().await;
                let at = {
                    let known = self.known();
                    known.wanted.then_some(known.due)
                };
                if let Some(at) = at {
                    return sleep_until(at).await;
                }
            }
        };
        tokio::select! {
            () = sleep_until(due) => {}
            () = wanted => {}
        }
    }

    /// Decides whether to fetch the set for a key that it did not contain.
    fn search(&self, name: &[u8; 32], came: Instant) -> Search {
        let now = Instant::now();
        let mut known = self.known();
        if known.fetching {
            return Search::Wait;
        }
        let answered = known.failures == 0 && known.keys.is_some();
        // A set that was fetched after the token came does not contain the key.
        if answered && known.began >= came {
            if known.absent.len() >= ABSENT {
                known.absent.clear();
            }
            known.absent.insert(*name);
        }
        let free = known.began + self.source.pause;
        // The same holds for a key that is known to be missing, until the next fetch is allowed.
        if answered && (known.began >= came || (now < free && known.absent.contains(name))) {
            return Search::Over;
        }
        if !answered {
            // The last fetch failed, and the next one is scheduled soon anyway.
            return Search::Later(known.due);
        }
        // Fetch as early as the pause between fetches allows.
        known.wanted = true;
        known.due = known.due.min(free.max(now));
        self.asked.notify_one();
        if now < free { Search::Later(known.due) } else { Search::Wait }
    }

    async fn fetch(&self) -> Result<Vec<JwtKey>, String> {
        let mut answer = self
            .http
            .get(self.url.clone())
            .header(http::header::ACCEPT, "application/jwk-set+json, application/json")
            .send()
            .await
            .map_err(|error| words(&error))?;
        if !answer.status().is_success() {
            return Err(format!("{} answers {}", self.url.path(), answer.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| words(&error))? {
            if body.len() + chunk.len() > LARGEST {
                return Err(format!("it has more than {LARGEST} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        let keys = usable(&body)?;
        if keys.is_empty() {
            return Err("it holds no key that verifies RS256, ES256 or EdDSA".to_owned());
        }
        Ok(keys)
    }

    /// The data is consistent between calls, so a panic elsewhere does no harm.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A set in its raw form. Unreadable keys are ignored, as section 5 demands.
#[derive(Deserialize)]
struct Set {
    keys: Vec<Json>,
}

fn usable(body: &[u8]) -> Result<Vec<JwtKey>, String> {
    let set: Set =
        serde_json::from_slice(body).map_err(|error| format!("it is no set: {error}"))?;
    Ok(set.keys.iter().filter_map(|key| verifier(&key.to().ok()?)).collect())
}

/// A public key for signatures with an accepted algorithm. `alg`, `use` and `key_ops` are optional
/// (section 4): without `alg`, the type of the key determines it.
fn verifier(jwk: &Jwk) -> Option<JwtKey> {
    let common = &jwk.common;
    if common.public_key_use.as_ref().is_some_and(|other| *other != PublicKeyUse::Signature) {
        return None;
    }
    if common
        .key_operations
        .as_ref()
        .is_some_and(|operations| !operations.contains(&KeyOperations::Verify))
    {
        return None;
    }
    let (algorithm, name) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        // A symmetric key in a public set is a mistake.
        _ => return None,
    };
    if common.key_algorithm.as_ref().is_some_and(|other| *other != name) {
        return None;
    }
    let key = DecodingKey::from_jwk(jwk).ok()?;
    Some(JwtKey::of_set(common.key_id.clone(), algorithm, key))
}

/// Identifies the key that a token needs: by its id, or by the token itself if it names no key.
fn name(header: &Header, signed: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(format!("{:?}", header.algorithm));
    hash.update([0]);
    match &header.kid {
        Some(kid) => hash.update(kid),
        None => hash.update(signed),
    }
    hash.finalize().into()
}

fn unknown_yet(due: Instant) -> Refused {
    let wait = due.saturating_duration_since(Instant::now());
    let wait = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    Refused {
        retry_after_ms: Some(wait.max(1_000)),
        ..Refused::new(
            ErrorCode::StorageUnavailable,
            "the key that verifies this token is not known yet: the set of keys (`auth.jwks_url`) is asked for",
        )
    }
}

/// An error with its causes: "error sending request" alone does not help.
fn words(error: &reqwest::Error) -> String {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        words.push_str(": ");
        words.push_str(&inner.to_string());
        cause = inner.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINT: &str = r#""kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM""#;

    fn keys(keys: &[&str]) -> Vec<JwtKey> {
        usable(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes()).unwrap()
    }

    fn header(kid: Option<&str>) -> Header {
        Header { algorithm: Algorithm::ES256, kid: kid.map(str::to_owned) }
    }

    #[test]
    fn only_public_keys_for_signatures_are_taken() {
        let key = |more: &str| format!("{{{POINT}{more}}}");
        for taken in [
            "",
            r#","alg":"ES256""#,
            r#","use":"sig""#,
            r#","key_ops":["verify"]"#,
            // Unknown members are ignored.
            r#","x5t#S256":"x","issuer":"https://login.example/{tenantid}/v2.0","ext":true"#,
        ] {
            assert_eq!(keys(&[&key(taken)]).len(), 1, "{taken}");
        }
        for left in [
            r#","use":"enc""#,
            r#","key_ops":["sign"]"#,
            r#","alg":"ES384""#,
            r#","alg":"ECDH-ES""#,
            r#","alg":7"#,
        ] {
            assert_eq!(keys(&[&key(left)]).len(), 0, "{left}");
        }
    }

    #[test]
    fn a_key_that_cannot_be_read_spoils_no_other() {
        let good = format!("{{{POINT},\"kid\":\"a\"}}");
        for odd in [
            r#"{"kty":"AKP","alg":"ML-DSA-44","pub":"x"}"#,
            r#"{"kty":"oct","k":"AAAA","alg":"HS256"}"#,
            r#"{"kty":"RSA","e":"AQAB"}"#,
            r#"{"kty":"OKP","crv":"X25519","x":"AAAA"}"#,
            r#"{}"#,
            "7",
        ] {
            assert_eq!(keys(&[odd, &good]).len(), 1, "{odd}");
        }
        assert!(usable(b"<html>").is_err() && usable(b"[]").is_err() && usable(b"{}").is_err());
    }

    #[test]
    fn an_id_is_optional_on_both_sides() {
        let [named, nameless] =
            &keys(&[&format!("{{{POINT},\"kid\":\"a\"}}"), &format!("{{{POINT}}}")])[..]
        else {
            panic!("two keys")
        };
        assert!(named.fits(&header(Some("a"))) && named.fits(&header(None)));
        assert!(!named.fits(&header(Some("b"))));
        assert!(nameless.fits(&header(Some("b"))) && nameless.fits(&header(None)));
        assert!(!named.fits(&Header { algorithm: Algorithm::RS256, kid: Some("a".into()) }));
    }

    #[test]
    fn an_address_must_be_one() {
        for url in ["keys", "file:///etc/passwd"] {
            let source = Source {
                url: url.to_owned(),
                refresh: Duration::MAX,
                pause: Duration::MAX,
                timeout: Duration::MAX,
            };
            assert!(matches!(Jwks::start(source), Err(KeyError::Url(_))), "{url}");
        }
    }
}
