//! The claims of a JWT (RFC 7519). Each is read by name, so that an error can name it.

use serde::Deserialize;
use tidings_protocol::{
    ErrorCode, Json,
    address::check_user,
    limits::{INFO_BYTES, JTI_BYTES},
    rights::Rights,
};
use tidings_server_core::{Identity, Refused};

use super::{jwt::random_id, revoked::session_of_jwt};

/// Requirements for a provider's tokens.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    /// Accepted issuers. Empty: any issuer, or none.
    pub(super) issuer: Vec<String>,
    /// Accepted audiences. Empty: any audience, or none.
    pub(super) audience: Vec<String>,
    /// Precedes `sub` in the user's id.
    pub(super) user_prefix: String,
    /// The largest accepted difference of the provider's clock, in milliseconds.
    pub(super) leeway_ms: u64,
}

impl Rules {
    /// Whether a token with this `iss` may belong to this provider.
    pub(super) fn accept(&self, issuer: Option<&str>) -> bool {
        let is = |one: &String| issuer == Some(one);
        self.issuer.is_empty() || self.issuer.iter().any(is)
    }
}

/// The claims that are read, in their raw form.
#[derive(Debug, Deserialize)]
pub(super) struct Claims {
    sub: Option<Json>,
    exp: Option<Json>,
    nbf: Option<Json>,
    iat: Option<Json>,
    jti: Option<Json>,
    iss: Option<Json>,
    aud: Option<Json>,
    channels: Option<Json>,
    info: Option<Json>,
}

impl Claims {
    /// The claimed issuer.
    pub(super) fn issuer(&self) -> Result<Option<String>, Refused> {
        text("iss", self.iss.as_ref())
    }

    /// Refuses tokens for another audience.
    pub(super) fn check_audience(&self, rules: &Rules) -> Result<(), Refused> {
        if rules.audience.is_empty() {
            return Ok(());
        }
        let audience = self.aud.as_ref().ok_or_else(|| missing("aud"))?;
        // One audience, or several of which one must match (4.1.3).
        let audience = match audience.to::<String>() {
            Ok(one) => vec![one],
            Err(_) => audience
                .to::<Vec<String>>()
                .map_err(|_| refused("the token's `aud` must be a string or a list of strings"))?,
        };
        if !audience.iter().any(|one| rules.audience.contains(one)) {
            return Err(refused("the token is for another audience (`aud`)"));
        }
        Ok(())
    }

    /// The user, with the start and end of the token.
    pub(super) fn identity(self, rules: &Rules, wall: u64) -> Result<Identity, Refused> {
        let expires_at = date("exp", self.exp.as_ref())?.ok_or_else(|| missing("exp"))?;
        let begins_at = date("nbf", self.nbf.as_ref())?;
        let issued_at = date("iat", self.iat.as_ref())?;
        let sub = text("sub", self.sub.as_ref())?.ok_or_else(|| missing("sub"))?;
        let user = format!("{}{sub}", rules.user_prefix);
        if sub.is_empty() || check_user(&user).is_err() {
            return Err(refused(
                "`sub`, with its provider's `user_prefix`, must be a user id of 1 to 128 bytes",
            ));
        }
        if self.info.as_ref().is_some_and(|info| info.len() > INFO_BYTES) {
            return Err(refused("`info` has at most 1,024 bytes of JSON"));
        }
        let issuer = self.issuer()?;
        let rights: Rights = match self.channels {
            None => Rights::default(),
            Some(channels) => channels.to().map_err(|error| {
                refused(format!("the token's `channels` are no list of rights: {error}"))
            })?,
        };
        if begins_at.is_some_and(|begin| begin > wall.saturating_add(rules.leeway_ms)) {
            return Err(refused("the token is not valid yet (`nbf`)"));
        }
        let session = match text("jti", self.jti.as_ref())? {
            // No revocation could name such a `jti`.
            Some(jti) if jti.is_empty() || jti.len() > JTI_BYTES => {
                return Err(refused("the token's `jti` must have 1 to 256 bytes"));
            }
            Some(jti) => session_of_jwt(issuer.as_deref(), &user, &jti),
            None => random_id("s-")?,
        };
        Ok(Identity {
            user,
            info: self.info,
            rights,
            session,
            session_token: String::new(),
            // A token without `iat` counts as older than any revocation.
            issued_at: issued_at.unwrap_or(0),
            expires_at: Some(expires_at),
        })
    }
}

fn text(name: &str, claim: Option<&Json>) -> Result<Option<String>, Refused> {
    claim
        .map(Json::to)
        .transpose()
        .map_err(|_| refused(format!("the token's `{name}` must be a string")))
}

/// A NumericDate in milliseconds: seconds since 1970, with a fraction (section 2). Earlier dates
/// become 1970.
fn date(name: &str, claim: Option<&Json>) -> Result<Option<u64>, Refused> {
    let Some(claim) = claim else { return Ok(None) };
    let number = claim.to::<f64>().map_err(|_| {
        refused(format!("the token's `{name}` must be a number: seconds since 1970"))
    })?;
    // The conversion saturates, and JSON has no NaN.
    Ok(Some((number * 1_000.0) as u64))
}

pub(super) fn missing(name: &str) -> Refused {
    refused(format!("the token has no `{name}`"))
}

pub(super) fn refused(detail: impl Into<String>) -> Refused {
    Refused::new(ErrorCode::Unauthorized, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn milliseconds(json: &str) -> Option<u64> {
        date("exp", Some(&Json::parse(json).unwrap())).ok().flatten()
    }

    #[test]
    fn a_date_is_a_number_of_seconds_and_may_have_a_fraction() {
        for (json, is) in [
            ("1764547200", 1_764_547_200_000),
            ("1764547200.123456", 1_764_547_200_123),
            ("1.7645472e9", 1_764_547_200_000),
            ("0", 0),
            ("-5", 0),
            ("1e300", u64::MAX),
            ("18446744073709551616", u64::MAX),
        ] {
            assert_eq!(milliseconds(json), Some(is), "{json}");
        }
        for json in ["\"1764547200\"", "true", "[]", "{}"] {
            assert_eq!(milliseconds(json), None, "{json}");
        }
    }
}
