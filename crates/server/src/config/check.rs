//! Settings that can never work are refused. Settings that work but may cause trouble are reported
//! at start.

use std::collections::HashSet;

use tidings_protocol::address::check_text;

use super::{ApiKeySetting, AuthSettings, Config, ConfigError, JwtSetting};
use crate::transport::site::{Host, Site};

/// A shorter API key can be guessed: 128 bits are 22 characters of base64.
const KEY_CHARS: usize = 22;
/// A larger difference means that a clock is wrong.
const LEEWAY_MOST_MS: u64 = 600_000;
/// Longest prefix of users' ids, in bytes: half of an id's maximum.
const PREFIX_BYTES: usize = 64;
/// SHA-256 of an empty text: the output of `printf %s "$KEY"` if `KEY` is not set.
const HASH_OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

impl Config {
    /// Refuses values that can never match.
    pub(super) fn check_matches(&self) -> Result<(), ConfigError> {
        let refused = |key, why: String| Err(ConfigError::Value(key, why));
        for origin in self.origins.iter().filter(|origin| *origin != "*") {
            if let Some(why) = no_origin(origin) {
                return refused("origins", format!("holds {origin:?}, {why}"));
            }
        }
        for name in self.dev_hosts.iter().filter(|name| *name != "*") {
            let host = Host::parse(name.strip_prefix('.').unwrap_or(name));
            if host.is_none_or(|host| host.has_port()) {
                let why =
                    "which is no name such as \"box.example\", or \".example\" for all below it";
                return refused("dev_hosts", format!("holds {name:?}, {why}"));
            }
        }
        let auth = &self.auth;
        let own = [("auth.issuer", &auth.issuer), ("auth.audience", &auth.audience)];
        let others = auth.providers.iter().flat_map(|one| {
            [("auth.providers.issuer", &one.issuer), ("auth.providers.audience", &one.audience)]
        });
        for (key, texts) in own.into_iter().chain(others) {
            if let Some(text) = texts.iter().find(|text| text.is_empty() || text.trim() != **text) {
                let why = format!("holds {text:?}: it is compared exactly, so no token can match");
                return refused(key, why);
            }
        }
        // RFC 6265, 4.1.1: a token of RFC 9110.
        let is_token =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if !auth.cookie.bytes().all(is_token) {
            return refused(
                "auth.cookie",
                format!("is {:?}, which is not a valid cookie name", auth.cookie),
            );
        }
        if !auth.cookie.is_empty() {
            let anybodys = |origin: &&String| {
                *origin == "*" || Site::parse(origin).is_some_and(|site| site.is_anybodys())
            };
            if let Some(origin) = self.origins.iter().find(anybodys) {
                let why = format!(
                    "needs `origins` by name: with {origin:?} every page could act as the user"
                );
                return refused("auth.cookie", why);
            }
        }
        check_api_keys(&auth.api_keys)?;
        check_jwt(&auth.jwt)?;
        check_providers(auth)?;
        if auth.leeway_ms > LEEWAY_MOST_MS {
            let why = format!("must be at most {LEEWAY_MOST_MS}: set the clocks instead");
            return refused("auth.leeway_ms", why);
        }
        Ok(())
    }

    /// Settings that work but may cause trouble, in sentences. `api_key` is the one from the
    /// environment.
    #[must_use]
    pub fn warnings(&self, api_key: Option<&str>) -> Vec<String> {
        let mut warnings = Vec::new();
        let mut warn = |text: &str| warnings.push(text.to_owned());
        if !self.dev {
            if self.origins.iter().any(|origin| origin == "*") {
                warn("`origins` accepts pages of every site: name your own");
                if self.origins.len() > 1 {
                    warn("`origins` names pages besides \"*\": they have no effect");
                }
            }
            if self.auth.api_keys.is_empty() && api_key.is_none_or(str::is_empty) {
                warn("no API key is set: no backend can publish");
            }
            if api_key.is_some_and(|key| !key.is_empty() && key.len() < KEY_CHARS) {
                warn(
                    "the key in TIDINGS_API_KEY is short enough to be guessed: make one with `openssl rand -base64 32`",
                );
            }
            let verifies = !self.auth.jwt.is_empty() || !self.auth.jwks_url.is_empty();
            let mut providers = self.auth.all_providers();
            if providers.any(|one| one.issuer.is_empty() || one.audience.is_empty()) {
                warn(
                    "`issuer` and `audience` are not both set in `auth` or in one of `auth.providers`: tokens made for other services are accepted",
                );
            }
            if !verifies && (!self.auth.issuer.is_empty() || !self.auth.audience.is_empty()) {
                warn(
                    "`auth.issuer` and `auth.audience` apply to JWTs only, and neither `auth.jwt` nor `auth.jwks_url` is set",
                );
            }
            if !self.dev_hosts.is_empty() {
                warn("`dev_hosts` has an effect with --dev only");
            }
        }
        let sites: Vec<_> = self.origins.iter().filter_map(|origin| Site::parse(origin)).collect();
        if sites.iter().any(Site::is_anybodys) {
            warn(
                "`origins` names \"null\" or \"file://\": any site can make pages with that origin",
            );
        }
        if (1..sites.len()).any(|at| sites[..at].contains(&sites[at])) {
            warn("`origins` names one page twice");
        }
        if self.trusted_proxies.iter().any(|network| network.is_everybody()) {
            warn("`trusted_proxies` trusts every address: any client can claim any address");
        }
        let plain = |url: &str| {
            reqwest::Url::parse(url).is_ok_and(|url| {
                let host = url.host_str().and_then(Host::parse);
                url.scheme() == "http" && !host.is_some_and(|host| host.is_loopback())
            })
        };
        if self.auth.all_providers().any(|one| plain(&one.jwks_url)) {
            warn(
                "a `jwks_url` is plain HTTP: an attacker on the network can replace its keys. Use https://",
            );
        }
        let prefixes: Vec<_> = self.auth.all_providers().map(|one| one.user_prefix).collect();
        if (1..prefixes.len()).any(|at| prefixes[..at].contains(&prefixes[at])) {
            warn(
                "two of `auth.providers` have one `user_prefix`: each can issue tokens for the users of the other",
            );
        }
        if !self.store.ca_file.as_os_str().is_empty() && !self.store.url.0.contains("sslmode=") {
            warn(
                "`store.ca_file` has an effect only if `store.url` asks for TLS (sslmode=require)",
            );
        }
        warnings.extend(self.shares_that_are_all());
        warnings
    }

    /// Shares that leave nothing to other callers.
    fn shares_that_are_all(&self) -> impl Iterator<Item = String> {
        let (limits, store) = (&self.limits, &self.store);
        let shares = [
            (
                ("limits.accept_queue_per_address", limits.accept_queue_per_address),
                ("limits.accept_queue", limits.accept_queue),
            ),
            (
                ("limits.unauthenticated_per_address", limits.unauthenticated_per_address),
                ("limits.unauthenticated", limits.unauthenticated),
            ),
            (
                ("limits.connections_per_user", limits.connections_per_user),
                ("limits.connections", limits.connections),
            ),
            (
                ("store.read_queue_each", store.read_queue_each),
                ("store.read_queue", store.read_queue),
            ),
            (
                ("store.write_queue_each", store.write_queue_each),
                ("store.write_queue", store.write_queue),
            ),
        ];
        let all = shares.into_iter().filter(|((_, each), (_, total))| each >= total);
        all.map(|((share, _), (total, _))| {
            format!("`{share}` is not below `{total}`: a single caller can use it up")
        })
    }
}

/// Why no page can have this origin.
fn no_origin(text: &str) -> Option<String> {
    if Site::parse(text).is_some() {
        return None;
    }
    if text.contains('*') {
        return Some(
            "and there are no patterns: name each origin, or \"*\" alone for all".to_owned(),
        );
    }
    let web = match text.split_once("://") {
        Some(("ws", rest)) => format!("http://{rest}"),
        Some(("wss", rest)) => format!("https://{rest}"),
        Some(_) => text.to_owned(),
        None => format!("https://{text}"),
    };
    // The intended origin: without a path, in the form that browsers send.
    let meant = reqwest::Url::parse(web.trim())
        .ok()
        .map(|url| url.origin().ascii_serialization())
        .filter(|origin| matches!(Site::parse(origin), Some(Site::Web { .. })));
    Some(match meant {
        Some(meant) => format!("which is no origin: write {meant:?}"),
        None => "which is no origin such as \"https://app.example.com\"".to_owned(),
    })
}

fn check_api_keys(keys: &[ApiKeySetting]) -> Result<(), ConfigError> {
    let refused = |key, why: String| Err(ConfigError::Value(key, why));
    let (mut names, mut hashes) = (HashSet::new(), HashSet::new());
    for ApiKeySetting { name, sha256 } in keys {
        if name.is_empty() {
            return refused("auth.api_keys.name", "must not be empty".to_owned());
        }
        // Idempotency keys are stored under this name.
        if !names.insert(name) {
            return refused("auth.api_keys.name", format!("{name:?} is used twice"));
        }
        let hash = sha256.to_ascii_lowercase();
        if hash == HASH_OF_NOTHING {
            let why = format!("of {name:?} is the hash of an empty text: hash the key itself");
            return refused("auth.api_keys.sha256", why);
        }
        if !hashes.insert(hash) {
            return refused(
                "auth.api_keys.sha256",
                format!("of {name:?} is the hash of another key, too"),
            );
        }
    }
    Ok(())
}

fn check_jwt(keys: &[JwtSetting]) -> Result<(), ConfigError> {
    for key in keys {
        if key.kid.as_ref().is_some_and(String::is_empty) {
            let why =
                "holds an empty `kid`: leave it out to accept tokens with any `kid`".to_owned();
            return Err(ConfigError::Value("auth.jwt", why));
        }
    }
    Ok(())
}

/// Of several providers, each must have its own issuers, so that no provider's keys verify
/// another's tokens. Each must also state the prefix of its users.
fn check_providers(auth: &AuthSettings) -> Result<(), ConfigError> {
    let refused = |key, why: String| Err(ConfigError::Value(key, why));
    for one in &auth.providers {
        check_jwt(&one.jwt)?;
        if !one.has_keys() {
            let why = "needs keys: `jwks_url` or `jwt`".to_owned();
            return refused("auth.providers", why);
        }
        let prefix = &one.user_prefix;
        if !prefix.is_empty() && check_text(prefix, PREFIX_BYTES).is_err() {
            let why = format!("has at most {PREFIX_BYTES} bytes and no control characters");
            return refused("auth.providers.user_prefix", why);
        }
    }
    if auth.providers.is_empty() {
        return Ok(());
    }
    let mut issuers = HashSet::new();
    for one in auth.all_providers() {
        if one.issuer.is_empty() {
            let why = "must be set for each of `auth.providers` and for the keys beside them: \
                       else one provider could issue tokens in the name of another";
            return refused("auth.issuer", why.to_owned());
        }
        for issuer in one.issuer {
            if !issuers.insert(issuer.clone()) {
                return refused("auth.issuer", format!("{issuer:?} is named by two providers"));
            }
        }
    }
    Ok(())
}

/// Checks the API key from the environment: an `Authorization` header must be able to carry it.
pub(super) fn check_environments_key(key: &str) -> Result<(), ConfigError> {
    if key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    let why = "holds white space or other characters than visible ASCII, which no `Authorization` header carries: \
               was it read from a file with a line feed?";
    Err(ConfigError::Value("TIDINGS_API_KEY", why.to_owned()))
}
