//! Users' JWTs. The key determines the algorithm; the token can't choose it.

use std::fmt::{self, Debug, Formatter};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto};
use serde::{Deserialize, Serialize};
use tidings_protocol::{
    ErrorCode, Json, address::check_user, limits::CREDENTIAL_BYTES, rights::Rights,
};
use tidings_server_core::{Identity, Refused};

use super::{
    claims::{Claims, Rules, missing, refused},
    jwks::{Jwks, Source},
    secrets::Secret,
};

/// Keys that are tried for one token if its header fits several. Bounds the work that one token can
/// cause.
const TRIED: usize = 8;
/// Issuer and key id of a development server's tokens.
const DEV: &str = "tidings-dev";
/// Life of those tokens, in milliseconds.
const DEV_LIFE: u64 = 24 * 3_600_000;

/// A key and its only algorithm.
#[derive(Clone)]
pub struct JwtKey {
    kid: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

impl Debug for JwtKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtKey")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// A configured key is unusable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The algorithm is not accepted.
    #[error("{0} is no accepted JWT algorithm: use HS256, RS256, ES256 or EdDSA")]
    Algorithm(String),
    /// The secret is too short to resist guessing.
    #[error("an HS256 secret needs at least 32 bytes, this one has {0}")]
    ShortSecret(usize),
    /// The text is not a public key in PEM form for this algorithm.
    #[error("not a public key for {algorithm}: {cause}")]
    Pem {
        /// The expected algorithm.
        algorithm: String,
        /// The parser's error.
        cause: jsonwebtoken::errors::Error,
    },
    /// The address of a key set can't be used.
    #[error("`auth.jwks_url` can't be used: {0}")]
    Url(String),
}

impl JwtKey {
    /// A key for `HS256` (the secret's bytes), or `RS256`, `ES256` or `EdDSA` (a public key as
    /// PEM).
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn new(kid: Option<String>, algorithm: &str, key: &[u8]) -> Result<Self, KeyError> {
        let pem = |cause| KeyError::Pem { algorithm: algorithm.to_owned(), cause };
        let (algorithm, key) = match algorithm {
            "HS256" if key.len() < 32 => return Err(KeyError::ShortSecret(key.len())),
            "HS256" => (Algorithm::HS256, DecodingKey::from_secret(key)),
            "RS256" => (Algorithm::RS256, DecodingKey::from_rsa_pem(key).map_err(pem)?),
            "ES256" => (Algorithm::ES256, DecodingKey::from_ec_pem(key).map_err(pem)?),
            "EdDSA" => (Algorithm::EdDSA, DecodingKey::from_ed_pem(key).map_err(pem)?),
            other => return Err(KeyError::Algorithm(other.to_owned())),
        };
        Ok(Self { kid, algorithm, key })
    }

    pub(super) const fn of_set(
        kid: Option<String>,
        algorithm: Algorithm,
        key: DecodingKey,
    ) -> Self {
        Self { kid, algorithm, key }
    }

    fn of_dev(secret: &Secret) -> Self {
        Self {
            kid: Some(DEV.to_owned()),
            algorithm: Algorithm::HS256,
            key: DecodingKey::from_secret(secret.bytes()),
        }
    }

    /// Whether the key may have signed a token with this header. An id is optional on both sides
    /// (RFC 7515, 4.1.4; RFC 7517, 4.5): a key without an id fits any token, and a token without an
    /// id fits any key.
    pub(super) fn fits(&self, header: &Header) -> bool {
        let same = |kid: &String| header.kid.as_ref().is_none_or(|other| other == kid);
        self.algorithm == header.algorithm && self.kid.as_ref().is_none_or(same)
    }

    /// Whether the header names exactly this key.
    pub(super) fn is_named(&self, header: &Header) -> bool {
        header.kid.is_some() && self.kid == header.kid && self.algorithm == header.algorithm
    }

    fn signed(&self, token: &Parts<'_>) -> bool {
        crypto::verify(token.signature, token.signed.as_bytes(), &self.key, self.algorithm)
            .unwrap_or(false)
    }
}

/// The part of a token's header that selects its key.
#[derive(Clone, Debug)]
pub(super) struct Header {
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<String>,
}

/// A token's raw header. `jwk`, `jku`, `x5u` and `x5c` are never read.
#[derive(Deserialize)]
struct RawHeader {
    alg: Option<Json>,
    kid: Option<Json>,
    crit: Option<Json>,
}

impl Header {
    /// Accepts no algorithm `none`.
    fn parse(text: &str) -> Result<Self, Refused> {
        let bytes = BASE64.decode(text).ok();
        let raw = bytes.and_then(|bytes| serde_json::from_slice::<RawHeader>(&bytes).ok());
        let raw = raw.ok_or_else(no_jwt)?;
        if raw.crit.is_some() {
            return Err(refused("the token's `crit` asks for something this server does not know"));
        }
        let algorithm = match raw.alg.as_ref().and_then(|alg| alg.to::<String>().ok()).as_deref() {
            Some("HS256") => Algorithm::HS256,
            Some("RS256") => Algorithm::RS256,
            Some("ES256") => Algorithm::ES256,
            Some("EdDSA") => Algorithm::EdDSA,
            Some(_) => {
                return Err(refused("the token's `alg` is none of HS256, RS256, ES256 and EdDSA"));
            }
            None => return Err(no_jwt()),
        };
        let kid = raw.kid.map(|kid| kid.to()).transpose();
        Ok(Self { algorithm, kid: kid.map_err(|_| refused("the token's `kid` must be a string"))? })
    }
}

/// The parts of a token.
struct Parts<'a> {
    header: &'a str,
    claims: &'a str,
    /// Header and claims in their signed form.
    signed: &'a str,
    signature: &'a str,
}

impl<'a> Parts<'a> {
    fn of(token: &'a str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        Some(Self { header, claims, signed, signature })
    }
}

/// An identity provider's keys, and the requirements for its tokens.
#[derive(Clone, Debug, Default)]
pub(crate) struct Provider {
    pub(crate) keys: Vec<JwtKey>,
    /// A set with further keys.
    pub(crate) jwks: Option<Source>,
    /// Accepted issuers. Empty: any issuer, or none.
    pub(crate) issuer: Vec<String>,
    /// Accepted audiences. Empty: any audience, or none.
    pub(crate) audience: Vec<String>,
    /// Precedes `sub` in the ids of this provider's users.
    pub(crate) user_prefix: String,
}

/// A provider with its keys and rules, ready to verify.
#[derive(Debug)]
struct Trusted {
    keys: Vec<JwtKey>,
    set: Option<Jwks>,
    rules: Rules,
}

/// Verifies JWTs, and makes them in development. A provider's keys verify only tokens of its own
/// issuers, so that no provider can name another's users.
#[derive(Debug)]
pub(super) struct Jwt {
    providers: Vec<Trusted>,
    dev: Option<Secret>,
}

/// The claims of a development server's tokens.
#[derive(Serialize)]
struct Own<'a> {
    sub: &'a str,
    exp: u64,
    iat: u64,
    jti: String,
    iss: &'a str,
    channels: Rights,
}

impl Jwt {
    pub(super) fn new(
        providers: Vec<Provider>,
        dev: Option<Secret>,
        leeway_ms: u64,
    ) -> Result<Self, KeyError> {
        let own = dev.as_ref().map(|secret| Provider {
            keys: vec![JwtKey::of_dev(secret)],
            issuer: vec![DEV.to_owned()],
            ..Provider::default()
        });
        let trusted = |provider: Provider| {
            let Provider { keys, jwks, issuer, audience, user_prefix } = provider;
            let rules = Rules { issuer, audience, user_prefix, leeway_ms };
            Ok(Trusted { keys, set: jwks.map(Jwks::start).transpose()?, rules })
        };
        let providers =
            providers.into_iter().chain(own).map(trusted).collect::<Result<_, KeyError>>()?;
        Ok(Self { providers, dev })
    }

    /// The user that a token names. `expires_at` is set, but its distance is not checked yet.
    pub(super) async fn verify(&self, token: &str, wall: u64) -> Result<Identity, Refused> {
        if token.len() > CREDENTIAL_BYTES {
            return Err(refused("the token is too long"));
        }
        let token = Parts::of(token).ok_or_else(no_jwt)?;
        let header = Header::parse(token.header)?;
        let claims = BASE64.decode(token.claims).map_err(|_| no_jwt())?;
        let claims: Claims = serde_json::from_slice(&claims).map_err(|error| {
            refused(format!("the token's claims are not a valid JSON object: {error}"))
        })?;
        let rules = self.signer(&token, &header, claims.issuer()?.as_deref()).await?;
        claims.check_audience(rules)?;
        let identity = claims.identity(rules, wall)?;
        match self.is_anothers(&identity.user, rules) {
            true => {
                Err(refused("the token's `sub` begins with the `user_prefix` of another provider"))
            }
            false => Ok(identity),
        }
    }

    /// The rules of the provider that signed a token. The claimed `issuer` is not verified yet; it
    /// only selects the keys to try.
    async fn signer(
        &self,
        token: &Parts<'_>,
        header: &Header,
        issuer: Option<&str>,
    ) -> Result<&Rules, Refused> {
        let signer = |keys: &[JwtKey]| {
            let mut fitting = keys.iter().filter(|key| key.fits(header)).take(TRIED);
            fitting.any(|key| key.signed(token)).then_some(())
        };
        let (mut later, mut accepts, mut fits) = (None, false, false);
        for Trusted { keys, set, rules } in &self.providers {
            if !rules.accept(issuer) {
                continue;
            }
            accepts = true;
            if signer(keys).is_some() {
                return Ok(rules);
            }
            fits |= keys.iter().any(|key| key.fits(header));
            let Some(set) = set else { continue };
            match set.find(header, token.signed, signer).await {
                Ok(Some(())) => return Ok(rules),
                Ok(None) => fits |= set.fits(header),
                Err(unknown_yet) => later = Some(unknown_yet),
            }
        }
        Err(match (later, accepts, issuer) {
            (Some(later), ..) => later,
            (None, false, None) if !self.providers.is_empty() => missing("iss"),
            (None, false, Some(_)) if !self.providers.is_empty() => {
                refused("the token's issuer (`iss`) is not accepted")
            }
            _ if fits => refused("the token's signature is not valid"),
            _ => refused("no key of this server fits the token's `alg` and `kid`"),
        })
    }

    /// Whether a user's id, by its prefix, belongs to another provider: the longest `user_prefix`
    /// decides.
    fn is_anothers(&self, user: &str, rules: &Rules) -> bool {
        let own = &rules.user_prefix;
        self.providers
            .iter()
            .map(|other| &other.rules.user_prefix)
            .any(|prefix| prefix.len() > own.len() && user.starts_with(prefix.as_str()))
    }

    /// A token signed with the development key. `None` without this key.
    pub(super) fn dev_token(&self, user: &str, wall: u64) -> Option<Result<String, Refused>> {
        self.dev.as_ref().map(|secret| dev_token(secret, user, wall))
    }
}

/// A JWT signed with a development server's key. It is valid for a day and has every right on
/// rooms, chats and topics.
///
/// # Errors
/// `bad_request` if this is no user id.
pub(super) fn dev_token(secret: &Secret, user: &str, wall: u64) -> Result<String, Refused> {
    check_user(user).map_err(|error| {
        Refused::new(ErrorCode::BadRequest, format!("`user` is no user id: {}", error.as_str()))
    })?;
    let internal = |error: String| Refused::new(ErrorCode::Internal, error);
    let everything = r#"["subscribe","publish","signal","presence","history"]"#;
    let channels = ["room", "chat", "topic"]
        .map(|namespace| format!(r#"{{"pattern":"{namespace}:*","allow":{everything}}}"#))
        .join(",");
    let channels = serde_json::from_str(&format!("[{channels}]"))
        .map_err(|error| internal(error.to_string()))?;
    let claims = Own {
        sub: user,
        exp: wall.saturating_add(DEV_LIFE) / 1_000,
        iat: wall / 1_000,
        jti: random_id("")?,
        iss: DEV,
        channels,
    };
    let header = jsonwebtoken::Header {
        kid: Some(DEV.to_owned()),
        ..jsonwebtoken::Header::new(Algorithm::HS256)
    };
    jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(secret.bytes()))
        .map_err(|error| internal(error.to_string()))
}

/// An id with 128 random bits.
pub(crate) fn random_id(prefix: &str) -> Result<String, Refused> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Refused::new(ErrorCode::Internal, error.to_string()))?;
    Ok(format!("{prefix}{}", BASE64.encode(bytes)))
}

fn no_jwt() -> Refused {
    refused("this is no JWT, API key or session token of this server")
}

#[cfg(test)]
mod tests;
