//! Settings for credentials.

use std::{
    fmt::{self, Debug, Formatter},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tidings_protocol::{address::check_text, limits::NAME_BYTES};

use super::{Config, ConfigError, check};
use crate::{
    auth::{ApiKeys, JwtKey, Provider, Secret, Settings, jwks::Source, secret},
    log::Postgres,
};

/// File of the key that signs session tokens, in the data folder.
const SESSION_KEY: &str = "session.key";
/// File of the key that signs development tokens, in the data folder.
pub(crate) const DEV_KEY: &str = "dev-jwt.key";
/// The API key of development servers.
pub(crate) const DEV_API_KEY: &str = "dev";

/// The location of signing keys. Missing keys are made; existing ones survive a restart.
#[derive(Debug)]
pub(crate) enum Keys<'a> {
    /// Files in a folder.
    Folder(&'a Path),
    /// Rows in the database that all nodes share.
    Shared(&'a Postgres),
}

impl Keys<'_> {
    pub(crate) fn key(&self, name: &str) -> Result<Secret, ConfigError> {
        match self {
            Self::Folder(folder) => secret(folder, name).map_err(|error| {
                ConfigError::Value("data", format!("holds no signing key: {error}"))
            }),
            Self::Shared(store) => {
                let lacks = |why: String| ConfigError::Value("store.url", why);
                let mut fresh = [0; 32];
                getrandom::fill(&mut fresh).map_err(|error| lacks(error.to_string()))?;
                let key = store.secret(name, fresh).map_err(|error| lacks(error.to_string()))?;
                Ok(Secret::new(key))
            }
        }
    }
}

/// Settings for authentication.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthSettings {
    /// Backends' keys.
    pub api_keys: Vec<ApiKeySetting>,
    /// Keys of users' JWTs.
    pub jwt: Vec<JwtSetting>,
    /// Further identity providers.
    pub providers: Vec<ProviderSetting>,
    /// Address of a JSON Web Key Set. Empty: none.
    pub jwks_url: String,
    /// How long the set is cached before it is fetched again, in milliseconds.
    pub jwks_refresh_ms: u64,
    /// Minimum time between two fetches for tokens with an unknown key, in milliseconds.
    pub jwks_pause_ms: u64,
    /// How long the key set's server may take, in milliseconds.
    pub jwks_timeout_ms: u64,
    /// Accepted issuers.
    pub issuer: Vec<String>,
    /// Accepted audiences.
    pub audience: Vec<String>,
    /// The largest accepted difference of an issuer's clock, in milliseconds.
    pub leeway_ms: u64,
    /// Name of the session cookie. Empty: no cookie.
    pub cookie: String,
    /// Failures of one address in a minute.
    pub failures_per_minute: u32,
}

impl Default for AuthSettings {
    fn default() -> Self {
        Self {
            api_keys: Vec::new(),
            jwt: Vec::new(),
            providers: Vec::new(),
            jwks_url: String::new(),
            jwks_refresh_ms: 600_000,
            jwks_pause_ms: 10_000,
            jwks_timeout_ms: 5_000,
            issuer: Vec::new(),
            audience: Vec::new(),
            leeway_ms: 5_000,
            cookie: String::new(),
            failures_per_minute: 100,
        }
    }
}

/// A backend's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKeySetting {
    /// The name for logs.
    pub name: String,
    /// SHA-256 of the key's text, 64 hexadecimal digits.
    pub sha256: String,
}

/// An identity provider besides the one of `jwt`, `jwks_url`, `issuer` and `audience`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderSetting {
    /// The provider's `iss`. Its keys verify no tokens of other issuers.
    pub issuer: Vec<String>,
    /// Accepted audiences.
    #[serde(default)]
    pub audience: Vec<String>,
    /// Precedes `sub` in the ids of the provider's users. Empty: their ids are their `sub`.
    pub user_prefix: String,
    /// The provider's keys.
    #[serde(default)]
    pub jwt: Vec<JwtSetting>,
    /// Address of the provider's JSON Web Key Set. Empty: none.
    #[serde(default)]
    pub jwks_url: String,
}

/// A key of users' JWTs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtSetting {
    /// `HS256`, `RS256`, `ES256` or `EdDSA`.
    pub algorithm: String,
    /// The `kid` of the tokens. Without it, tokens with any `kid`.
    #[serde(default)]
    pub kid: Option<String>,
    /// An `HS256` secret.
    #[serde(default)]
    pub secret: Option<String>,
    /// The file of a public key in PEM form, or of the secret.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
}

impl Debug for JwtSetting {
    /// Leaves the secret out.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtSetting")
            .field("algorithm", &self.algorithm)
            .field("kid", &self.kid)
            .field("key_file", &self.key_file)
            .finish_non_exhaustive()
    }
}

impl Config {
    /// The settings for [`crate::auth::Auth`]. Reads keys, and makes missing signing keys.
    pub(crate) fn auth(&self, keys: &Keys<'_>) -> Result<Settings, ConfigError> {
        let auth = &self.auth;
        let mut api_keys = ApiKeys::default();
        for key in &auth.api_keys {
            let hash = hex(&key.sha256).ok_or_else(|| {
                ConfigError::Value("auth.api_keys.sha256", "needs 64 hexadecimal digits".to_owned())
            })?;
            check_text(&key.name, NAME_BYTES).map_err(|_| {
                let must = "has 1 to 128 bytes and no control characters".to_owned();
                ConfigError::Value("auth.api_keys.name", must)
            })?;
            api_keys.add_hash(&key.name, hash);
        }
        if let Ok(key) = std::env::var("TIDINGS_API_KEY")
            && !key.is_empty()
        {
            check::check_environments_key(&key)?;
            api_keys.add("environment", &key);
        }
        if self.dev {
            api_keys.add("dev", DEV_API_KEY);
        }
        Ok(Settings {
            api_keys,
            providers: auth
                .all_providers()
                .map(|one| auth.provider(&one))
                .collect::<Result<_, _>>()?,
            leeway_ms: auth.leeway_ms,
            session_key: keys.key(SESSION_KEY)?,
            dev_key: self.dev.then(|| keys.key(DEV_KEY)).transpose()?,
            cookie: auth.cookie.clone(),
            failures_per_minute: auth.failures_per_minute,
        })
    }
}

impl AuthSettings {
    /// All providers that have keys. The first is the one of the settings outside the list.
    pub(super) fn all_providers(&self) -> impl Iterator<Item = ProviderSetting> {
        let first = ProviderSetting {
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            user_prefix: String::new(),
            jwt: self.jwt.clone(),
            jwks_url: self.jwks_url.clone(),
        };
        let others = self.providers.iter().cloned();
        Some(first).filter(ProviderSetting::has_keys).into_iter().chain(others)
    }

    fn provider(&self, setting: &ProviderSetting) -> Result<Provider, ConfigError> {
        let source = Source {
            url: setting.jwks_url.clone(),
            refresh: Duration::from_millis(self.jwks_refresh_ms),
            pause: Duration::from_millis(self.jwks_pause_ms),
            timeout: Duration::from_millis(self.jwks_timeout_ms),
        };
        Ok(Provider {
            keys: setting.jwt.iter().map(JwtSetting::key).collect::<Result<_, _>>()?,
            jwks: Some(source).filter(|source| !source.url.is_empty()),
            issuer: setting.issuer.clone(),
            audience: setting.audience.clone(),
            user_prefix: setting.user_prefix.clone(),
        })
    }
}

impl ProviderSetting {
    pub(super) fn has_keys(&self) -> bool {
        !self.jwt.is_empty() || !self.jwks_url.is_empty()
    }
}

impl JwtSetting {
    fn key(&self) -> Result<JwtKey, ConfigError> {
        let value = |why: String| ConfigError::Value("auth.jwt", why);
        let bytes = match (&self.secret, &self.key_file) {
            (Some(secret), None) => secret.clone().into_bytes(),
            (None, Some(path)) => {
                let mut bytes = fs::read(path)
                    .map_err(|error| value(format!("can't read {}: {error}", path.display())))?;
                // Editors end files with a line feed, which is not part of the secret.
                if self.algorithm == "HS256" && bytes.last() == Some(&b'\n') {
                    bytes.pop();
                }
                bytes
            }
            _ => return Err(value("needs `secret` or `key_file`, one of them".to_owned())),
        };
        if self.algorithm == "HS256" && bytes.trim_ascii_start().starts_with(b"-----BEGIN") {
            let why = "has a key in PEM form as an HS256 secret: a public key signs nothing; say its own algorithm";
            return Err(value(why.to_owned()));
        }
        JwtKey::new(self.kid.clone(), &self.algorithm, &bytes)
            .map_err(|error| value(error.to_string()))
    }
}

fn hex(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text
        .chars()
        .map(|digit| digit.to_digit(16).map(|digit| digit as u8))
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    if digits.len() == 64 { bytes.try_into().ok() } else { None }
}
