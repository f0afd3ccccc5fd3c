//! The grant of a ticket.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tidings_protocol::{ErrorCode, Json, rest::TicketRequest, rights::Rights};

use super::Caller;
use crate::{Identity, Limits, refused::Refused, session_id, store::Share};

/// The data that the store keeps under a ticket's hash until the ticket is spent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    /// User id.
    pub user: String,
    /// The user's public `info`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<Json>,
    /// The rights of the session.
    #[serde(default)]
    pub rights: Rights,
    /// Id of the session.
    pub session: String,
    /// The only origin that may spend the ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Issue time, in milliseconds since 1970.
    pub issued_at: u64,
    /// End of the session, in milliseconds since 1970.
    pub expires_at: u64,
}

impl Grant {
    /// The form for the store.
    ///
    /// # Errors
    /// `internal`, if it ever did not fit JSON.
    pub fn encode(&self) -> Result<Bytes, Refused> {
        let json =
            Json::of(self).map_err(|error| Refused::new(ErrorCode::Internal, error.to_string()))?;
        Ok(Bytes::copy_from_slice(json.as_str().as_bytes()))
    }

    /// Reads the form of the store.
    ///
    /// # Errors
    /// `ticket_invalid` if it is not from [`Grant::encode`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Refused> {
        let text = str::from_utf8(bytes).map_err(|_| Refused::from(ErrorCode::TicketInvalid))?;
        Json::parse(text)?.to().map_err(|_| Refused::from(ErrorCode::TicketInvalid))
    }

    /// The identity of the client that spends the ticket. The driver adds the `session_token`.
    #[must_use]
    pub fn identity(self, session_token: String) -> Identity {
        Identity {
            user: self.user,
            info: self.info,
            rights: self.rights,
            session: self.session,
            session_token,
            issued_at: self.issued_at,
            expires_at: Some(self.expires_at),
        }
    }
}

/// The grant for a ticket request. A backend names the user and the rights. A user gets a ticket
/// for themselves, with the rights, info and end of their credential, never more; it is revoked
/// together with that credential. `own` is a new random text of at most 24 bytes, which
/// distinguishes the session from others.
///
/// # Errors
/// `bad_request` naming the field; `user_mismatch` or `forbidden` if a user asks for more than
/// their own.
pub fn grant(
    caller: Caller<'_>,
    body: TicketRequest,
    own: String,
    wall: u64,
    limits: &Limits,
) -> Result<Grant, Refused> {
    body.check()?;
    let TicketRequest { user, origin, channels, session_ttl_ms, info } = body;
    let expires_at =
        wall.saturating_add(session_ttl_ms.unwrap_or(limits.session_ms).min(limits.credential_ms));
    let user = caller.user(user)?;
    let (info, rights, expires_at, session) = match caller {
        Caller::Backend => (info, channels.unwrap_or_default(), expires_at, own),
        Caller::User(identity) => {
            if channels.is_some() || info.is_some() {
                return Err(Refused::new(
                    ErrorCode::Forbidden,
                    "`channels` and `info` come from the backend: a ticket for oneself has those of the credential that asks.",
                ));
            }
            let expires_at = identity.expires_at.map_or(expires_at, |end| end.min(expires_at));
            let session = match session_id::family(&identity.session) {
                Some(family) => session_id::of_family(family, &own),
                None => own,
            };
            (identity.info.clone(), identity.rights.clone(), expires_at, session)
        }
    };
    Ok(Grant { user, info, rights, session, origin, issued_at: wall, expires_at })
}

/// The part of all tickets for users together, where backends need the rest: a tenth.
const USERS_PART: u64 = 10;

/// The bounds that a ticket counts against. Each of `keys` API keys has an equal part of the total,
/// so that none can use up the others' part. Users, who request tickets with JWTs, have a tenth
/// together if there are keys, and each user has a bound of their own.
#[must_use]
pub fn share(caller: Caller<'_>, credential: String, keys: usize, limits: &Limits) -> Share {
    let keys = keys as u64;
    let users = if keys == 0 { limits.tickets } else { limits.tickets.div_ceil(USERS_PART) };
    match caller {
        Caller::Backend => {
            let most = limits.tickets.saturating_sub(users) / keys.max(1);
            Share { of: credential, most: most.max(1), user: None }
        }
        Caller::User(identity) => {
            let user = Some((identity.user.clone(), limits.user_tickets));
            Share { of: "users".to_owned(), most: users, user }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity {
            user: "u1".into(),
            info: None,
            rights: Rights::default(),
            session: "s".into(),
            session_token: String::new(),
            issued_at: 0,
            expires_at: Some(1_500),
        }
    }

    fn asked(caller: Caller<'_>, body: TicketRequest) -> Result<Grant, Refused> {
        grant(caller, body, "s1".into(), 1_000, &Limits::default())
    }

    #[test]
    fn a_grant_survives_the_store() {
        let body = TicketRequest {
            user: Some("ü".into()),
            info: Some(Json::string("x")),
            ..Default::default()
        };
        let made = asked(Caller::Backend, body).unwrap();
        assert_eq!(Grant::decode(&made.encode().unwrap()).unwrap(), made);
        assert_eq!(made.expires_at, 3_601_000);
    }

    #[test]
    fn a_user_gets_no_more_than_they_have() {
        let own = identity();
        let made = asked(Caller::User(&own), TicketRequest::default()).unwrap();
        assert_eq!((made.user.as_str(), made.expires_at), ("u1", 1_500));
        assert_eq!(made.session, "s1");
        let other = TicketRequest { user: Some("u2".into()), ..Default::default() };
        assert_eq!(asked(Caller::User(&own), other).unwrap_err().code, ErrorCode::UserMismatch);
        let more = TicketRequest { channels: Some(Rights::default()), ..Default::default() };
        assert_eq!(asked(Caller::User(&own), more).unwrap_err().code, ErrorCode::Forbidden);
    }

    /// Revoking the JWT must also revoke its tickets and their sessions.
    #[test]
    fn a_ticket_is_of_the_family_of_the_credential_that_asked_for_it() {
        let own = Identity { session: "j-1.mina".into(), ..identity() };
        let made = asked(Caller::User(&own), TicketRequest::default()).unwrap();
        assert_eq!(made.session, "j-1.s1");
    }

    #[test]
    fn a_backend_names_the_user() {
        assert_eq!(
            asked(Caller::Backend, TicketRequest::default()).unwrap_err().code,
            ErrorCode::BadRequest
        );
    }

    #[test]
    fn a_damaged_grant_is_an_invalid_ticket() {
        assert_eq!(Grant::decode(b"\xff").unwrap_err().code, ErrorCode::TicketInvalid);
        assert_eq!(Grant::decode(b"{}").unwrap_err().code, ErrorCode::TicketInvalid);
    }

    #[test]
    fn no_key_takes_the_others_share_and_one_alone_takes_nearly_all() {
        let limits = Limits { tickets: 100, user_tickets: 7, ..Limits::default() };
        let most = |keys| share(Caller::Backend, "key:a".into(), keys, &limits).most;
        assert_eq!((most(1), most(2), most(3), most(1_000)), (90, 45, 30, 1));
        let of_user = |keys| share(Caller::User(&identity()), "user:u1".into(), keys, &limits);
        assert_eq!((of_user(1).most, of_user(0).most), (10, 100));
        assert_eq!(of_user(1).user, Some(("u1".into(), 7)));
        assert_eq!(of_user(1).of, share(Caller::User(&identity()), "x".into(), 3, &limits).of);
    }
}
