//! Credentials.

use std::{
    fmt::{self, Debug, Formatter},
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{Config, ConfigError};
use crate::{
    auth::{ApiKeys, JwtKey, Secret, Settings, secret},
    log::Postgres,
};

/// File of the key that signs session tokens, in the data folder.
const SESSION_KEY: &str = "session.key";
/// File of the key that signs development tokens, in the data folder.
pub(crate) const DEV_KEY: &str = "dev-jwt.key";
/// The API key of development servers.
pub(crate) const DEV_API_KEY: &str = "dev";

/// Where signing keys are: made where they are missing, and the same after a restart.
#[derive(Debug)]
pub(crate) enum Keys<'a> {
    /// Files of a folder.
    Folder(&'a Path),
    /// Rows that all nodes share.
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

/// Who is let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthSettings {
    /// Backends' keys.
    pub api_keys: Vec<ApiKeySetting>,
    /// Keys of users' JWTs.
    pub jwt: Vec<JwtSetting>,
    /// A JSON Web Key Set; empty: none.
    pub jwks_url: String,
    /// Accepted issuers.
    pub issuer: Vec<String>,
    /// Accepted audiences.
    pub audience: Vec<String>,
    /// Name of the session cookie; empty: none.
    pub cookie: String,
    /// Failures of one address within a minute.
    pub failures_per_minute: u32,
}

impl Default for AuthSettings {
    fn default() -> Self {
        Self {
            api_keys: Vec::new(),
            jwt: Vec::new(),
            jwks_url: String::new(),
            issuer: Vec::new(),
            audience: Vec::new(),
            cookie: String::new(),
            failures_per_minute: 100,
        }
    }
}

/// A backend's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKeySetting {
    /// Shows in logs.
    pub name: String,
    /// SHA-256 of its text, 64 hexadecimal digits.
    pub sha256: String,
}

/// A key of users' JWTs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtSetting {
    /// `HS256`, `RS256`, `ES256` or `EdDSA`.
    pub algorithm: String,
    /// The tokens' `kid`; without one, tokens of any.
    #[serde(default)]
    pub kid: Option<String>,
    /// An `HS256` secret.
    #[serde(default)]
    pub secret: Option<String>,
    /// A public key as PEM, or a file with the secret.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
}

impl Debug for JwtSetting {
    /// The secret stays out of logs.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtSetting")
            .field("algorithm", &self.algorithm)
            .field("kid", &self.kid)
            .field("key_file", &self.key_file)
            .finish_non_exhaustive()
    }
}

impl Config {
    /// What [`crate::auth::Auth`] takes: keys read, signing keys made where they are missing.
    pub(crate) fn auth(&self, keys: &Keys<'_>) -> Result<Settings, ConfigError> {
        let auth = &self.auth;
        let mut api_keys = ApiKeys::default();
        for key in &auth.api_keys {
            let hash = hex(&key.sha256).ok_or_else(|| {
                ConfigError::Value("auth.api_keys.sha256", "needs 64 hexadecimal digits".to_owned())
            })?;
            api_keys.add_hash(&key.name, hash);
        }
        if let Ok(key) = std::env::var("TIDINGS_API_KEY")
            && !key.is_empty()
        {
            api_keys.add("environment", &key);
        }
        if self.dev {
            api_keys.add("dev", DEV_API_KEY);
        }
        if !auth.cookie.is_empty() && self.origins.iter().any(|origin| origin == "*") {
            return Err(ConfigError::Value(
                "auth.cookie",
                "needs `origins` by name: with \"*\" every page could speak for the user"
                    .to_owned(),
            ));
        }
        Ok(Settings {
            api_keys,
            jwt_keys: auth.jwt.iter().map(JwtSetting::key).collect::<Result<_, _>>()?,
            jwks_url: auth.jwks_url.clone(),
            issuer: auth.issuer.clone(),
            audience: auth.audience.clone(),
            session_key: keys.key(SESSION_KEY)?,
            dev_key: self.dev.then(|| keys.key(DEV_KEY)).transpose()?,
            cookie: auth.cookie.clone(),
            failures_per_minute: auth.failures_per_minute,
        })
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
                // Editors end files with a line feed, which is no part of a secret.
                if self.algorithm == "HS256" && bytes.last() == Some(&b'\n') {
                    bytes.pop();
                }
                bytes
            }
            _ => return Err(value("needs `secret` or `key_file`, one of them".to_owned())),
        };
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
