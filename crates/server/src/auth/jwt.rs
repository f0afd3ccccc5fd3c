//! Users' JWTs. The key decides the algorithm; nothing in the token does.

use std::{
    collections::HashSet,
    fmt::{self, Debug, Formatter},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, errors::ErrorKind};
use serde::{Deserialize, Serialize};
use tidings_protocol::{
    ErrorCode, Json,
    address::check_user,
    limits::{CREDENTIAL_BYTES, INFO_BYTES},
    rights::Rights,
};
use tidings_server_core::{Identity, Refused};

use super::{jwks::Jwks, revoked::session_of_jti, secrets::Secret};

/// Clocks of two machines may differ by this many seconds.
const LEEWAY: u64 = 5;
/// Issuer and key id of tokens that a development server makes.
const DEV: &str = "tidings-dev";
/// Life of those, in milliseconds.
const DEV_LIFE: u64 = 24 * 3_600_000;

/// A key with the one algorithm it is good for.
#[derive(Clone)]
pub struct JwtKey {
    kid: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
    /// Accepted instead of the configured issuers.
    issuer: Option<&'static str>,
}

impl Debug for JwtKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtKey")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// A configured key is no key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not one of the accepted algorithms.
    #[error("{0} is no accepted JWT algorithm: use HS256, RS256, ES256 or EdDSA")]
    Algorithm(String),
    /// Too short to resist guessing.
    #[error("an HS256 secret needs at least 32 bytes, this one has {0}")]
    ShortSecret(usize),
    /// Not a public key in PEM form of the algorithm's kind.
    #[error("not a public key for {algorithm}: {cause}")]
    Pem {
        /// What it should be good for.
        algorithm: String,
        /// What the parser says.
        cause: jsonwebtoken::errors::Error,
    },
    /// The address of a key set can't be used.
    #[error("`auth.jwks_url` can't be used: {0}")]
    Url(String),
}

impl JwtKey {
    /// A key for `HS256` (the secret's bytes), or `RS256`, `ES256` or `EdDSA` (a public key as PEM).
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
        Ok(Self { kid, algorithm, key, issuer: None })
    }

    pub(super) const fn of_set(
        kid: Option<String>,
        algorithm: Algorithm,
        key: DecodingKey,
    ) -> Self {
        Self { kid, algorithm, key, issuer: None }
    }

    fn of_dev(secret: &Secret) -> Self {
        Self {
            kid: Some(DEV.to_owned()),
            algorithm: Algorithm::HS256,
            key: DecodingKey::from_secret(secret.bytes()),
            issuer: Some(DEV),
        }
    }

    /// Whether a token with this header may be meant for it. A key without an id takes tokens of any.
    pub(super) fn fits(&self, header: &Header) -> bool {
        self.algorithm == header.alg && (self.kid.is_none() || self.kid == header.kid)
    }
}

/// Who may have issued a token, and for whom.
#[derive(Debug, Default)]
pub(super) struct Rules {
    /// Empty: any, and none is needed.
    pub(super) issuer: Vec<String>,
    /// Empty: any, and none is needed.
    pub(super) audience: Vec<String>,
}

/// Verifies JWTs, and makes them in development.
#[derive(Debug)]
pub(super) struct Jwt {
    keys: Vec<JwtKey>,
    set: Option<Jwks>,
    rules: Rules,
    dev: Option<Secret>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    sub: String,
    exp: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iat: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iss: Option<Json>,
    #[serde(default)]
    channels: Rights,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    info: Option<Json>,
}

impl Jwt {
    pub(super) fn new(
        mut keys: Vec<JwtKey>,
        dev: Option<Secret>,
        jwks_url: &str,
        rules: Rules,
    ) -> Result<Self, KeyError> {
        keys.extend(dev.as_ref().map(JwtKey::of_dev));
        let set = match jwks_url {
            "" => None,
            url => Some(Jwks::new(url)?),
        };
        Ok(Self { keys, set, rules, dev })
    }

    /// Who the token names. `expires_at` is set.
    pub(super) async fn verify(&self, token: &str) -> Result<Identity, Refused> {
        if token.len() > CREDENTIAL_BYTES {
            return Err(refused("the token is too long"));
        }
        // Knows no algorithm `none`. The header's `jwk`, `jku`, `x5u` and `x5c` are never looked at.
        let header = jsonwebtoken::decode_header(token)
            .map_err(|_| refused("this is no JWT of a known algorithm"))?;
        if header.crit.is_some() {
            return Err(refused("the token's `crit` asks for something this server does not know"));
        }
        let mut last = None;
        for key in self.keys.iter().filter(|key| key.fits(&header)) {
            match self.decode(token, key) {
                Ok(claims) => return identity(claims),
                Err(error) => last = Some(error),
            }
        }
        if last.is_none()
            && let Some(set) = &self.set
        {
            for key in set.keys_for(&header).await? {
                match self.decode(token, &key) {
                    Ok(claims) => return identity(claims),
                    Err(error) => last = Some(error),
                }
            }
        }
        Err(last
            .map_or_else(|| refused("no key of this server fits the token"), |why| explained(&why)))
    }

    fn decode(&self, token: &str, key: &JwtKey) -> Result<Claims, jsonwebtoken::errors::Error> {
        let mut rules = Validation::new(key.algorithm);
        rules.leeway = LEEWAY;
        rules.validate_nbf = true;
        let mut required = HashSet::from(["exp".to_owned(), "sub".to_owned()]);
        match key.issuer {
            Some(issuer) => rules.set_issuer(&[issuer]),
            None if self.rules.issuer.is_empty() => {}
            None => rules.set_issuer(&self.rules.issuer),
        }
        if rules.iss.is_some() {
            required.insert("iss".to_owned());
        }
        if key.issuer.is_some() || self.rules.audience.is_empty() {
            rules.validate_aud = false;
        } else {
            rules.set_audience(&self.rules.audience);
            required.insert("aud".to_owned());
        }
        rules.required_spec_claims = required;
        Ok(jsonwebtoken::decode::<Claims>(token, &key.key, &rules)?.claims)
    }

    /// A token of the development key; `None` without one.
    pub(super) fn dev_token(&self, user: &str, wall: u64) -> Option<Result<String, Refused>> {
        self.dev.as_ref().map(|secret| dev_token(secret, user, wall))
    }
}

/// A JWT of a development server's key, good for a day, with every right on rooms, chats and topics.
///
/// # Errors
/// `bad_request` when it is no user id.
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
    let claims = Claims {
        sub: user.to_owned(),
        exp: wall.saturating_add(DEV_LIFE) / 1_000,
        iat: Some(wall / 1_000),
        jti: Some(random_id("")?),
        iss: Some(Json::string(DEV)),
        channels,
        info: None,
    };
    let header = Header { kid: Some(DEV.to_owned()), ..Header::new(Algorithm::HS256) };
    jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(secret.bytes()))
        .map_err(|error| internal(error.to_string()))
}

fn identity(claims: Claims) -> Result<Identity, Refused> {
    let Claims { sub, exp, iat, jti, channels, info, .. } = claims;
    check_user(&sub).map_err(|_| refused("`sub` must be a user id of 1 to 128 bytes"))?;
    if info.as_ref().is_some_and(|info| info.len() > INFO_BYTES) {
        return Err(refused("`info` has at most 1,024 bytes of JSON"));
    }
    let session = match jti {
        Some(jti) => session_of_jti(&jti),
        None => random_id("s-")?,
    };
    Ok(Identity {
        user: sub,
        info,
        rights: channels,
        session,
        session_token: String::new(),
        // A token that does not say is older than any revocation.
        issued_at: iat.unwrap_or(0).saturating_mul(1_000),
        expires_at: Some(exp.saturating_mul(1_000)),
    })
}

/// 128 random bits.
pub(super) fn random_id(prefix: &str) -> Result<String, Refused> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Refused::new(ErrorCode::Internal, error.to_string()))?;
    Ok(format!("{prefix}{}", BASE64.encode(bytes)))
}

fn explained(error: &jsonwebtoken::errors::Error) -> Refused {
    match error.kind() {
        ErrorKind::ExpiredSignature => ErrorCode::Expired.into(),
        ErrorKind::ImmatureSignature => refused("the token is not valid yet (`nbf`)"),
        ErrorKind::InvalidIssuer => refused("the token's issuer is not accepted"),
        ErrorKind::InvalidAudience => refused("the token is for another audience"),
        ErrorKind::MissingRequiredClaim(claim) => {
            refused(format!("the token has no valid `{claim}`"))
        }
        ErrorKind::Json(_) => refused("a claim of the token has the wrong type"),
        _ => refused("the token's signature is not valid"),
    }
}

fn refused(detail: impl Into<String>) -> Refused {
    Refused::new(ErrorCode::Unauthorized, detail)
}

#[cfg(test)]
mod tests;
