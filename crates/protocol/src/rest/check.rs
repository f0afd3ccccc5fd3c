//! Rules of request bodies beyond their shape.

use std::fmt::{self, Display, Formatter};

use super::{MarkRequest, PublishMessage, RevocationRequest, Revoked, TicketRequest};
use crate::{
    MarkSet, Offsets, UpTo,
    address::{check_text, check_user},
    limits::{
        ID_BYTES, INFO_BYTES, JTI_BYTES, MARK_OFFSETS, MAX_OFFSET, PAYLOAD_DEPTH, SESSION_TTL_MS,
    },
};

/// A field of a body breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyError {
    /// The field's path, such as `to.users`.
    pub field: &'static str,
    /// The rule it breaks.
    pub must: &'static str,
}

impl BodyError {
    pub(super) const fn new(field: &'static str, must: &'static str) -> Self {
        Self { field, must }
    }
}

impl Display for BodyError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.field, self.must)
    }
}

impl std::error::Error for BodyError {}

/// The rule for a payload's depth: readers must be able to take it out of a page.
pub(super) const DEEP: &str = "nests arrays and objects in at most 28 levels";

impl PublishMessage {
    /// `client_id` and `seq` come together.
    pub fn check(&self) -> Result<(), BodyError> {
        match (&self.client_id, self.seq) {
            (None, None) => Ok(()),
            (Some(id), Some(1..=MAX_OFFSET)) => check_id("client_id", id),
            (Some(_), Some(0)) => Err(BodyError::new("seq", "counts from 1")),
            (Some(_), Some(_)) => Err(BodyError::new("seq", "is above 2^53 - 1")),
            (Some(_), None) => Err(BodyError::new("seq", "must come with `client_id`")),
            (None, Some(_)) => Err(BodyError::new("client_id", "must come with `seq`")),
        }
    }
}

impl TicketRequest {
    /// The user id and the origin are valid, the session lasts 10 s to 30 days, and `info` has at
    /// most 1 KiB.
    pub fn check(&self) -> Result<(), BodyError> {
        if self.user.as_deref().is_some_and(|user| check_user(user).is_err()) {
            return Err(BodyError::new("user", USER));
        }
        if self.origin.as_deref().is_some_and(|origin| !is_origin(origin)) {
            return Err(BodyError::new(
                "origin",
                "must be a scheme, host and port, such as `https://app.example`",
            ));
        }
        if self.session_ttl_ms.is_some_and(|ttl| !SESSION_TTL_MS.contains(&ttl)) {
            return Err(BodyError::new(
                "session_ttl_ms",
                "must be 10,000 to 2,592,000,000 milliseconds",
            ));
        }
        if self.info.as_ref().is_some_and(|info| info.len() > INFO_BYTES) {
            return Err(BodyError::new("info", "has at most 1,024 bytes of JSON"));
        }
        if self.info.as_ref().is_some_and(|info| info.is_deeper_than(PAYLOAD_DEPTH)) {
            return Err(BodyError::new("info", DEEP));
        }
        Ok(())
    }
}

impl MarkRequest {
    /// It has either `offsets` or `up_to`, at most 1,000 offsets, and at least one state to set.
    pub fn check(&self) -> Result<(), BodyError> {
        match (&self.offsets, &self.up_to) {
            (Some(offsets), None) => check_offsets(offsets)?,
            (None, Some(UpTo { inbox: None, system: None })) => {
                return Err(BodyError::new("up_to", "needs `inbox` or `system`"));
            }
            (None, Some(UpTo { inbox, system })) => {
                check_offset("up_to", [inbox, system].into_iter().flatten())?;
            }
            _ => return Err(BodyError::new("offsets", "or `up_to` must be given, not both")),
        }
        if self.set == MarkSet::default() {
            return Err(BodyError::new("set", "needs `seen`, `read` or `archived`"));
        }
        Ok(())
    }
}

impl RevocationRequest {
    /// Exactly one of the three fields is given.
    pub fn check(self) -> Result<Revoked, BodyError> {
        match (self.user, self.session, self.jti) {
            (Some(user), None, None) => match check_user(&user) {
                Ok(()) => Ok(Revoked::User(user)),
                Err(_) => Err(BodyError::new("user", USER)),
            },
            (None, Some(session), None) => {
                check_id("session", &session).map(|()| Revoked::Session(session))
            }
            (None, None, Some(jti)) if !jti.is_empty() && jti.len() <= JTI_BYTES => {
                Ok(Revoked::Jti(jti))
            }
            (None, None, Some(_)) => Err(BodyError::new("jti", "has 1 to 256 bytes")),
            _ => Err(BodyError::new("user", "or `session` or `jti` must be given, one of them")),
        }
    }
}

fn check_offsets(offsets: &Offsets) -> Result<(), BodyError> {
    check_offset("offsets", [&offsets.inbox, &offsets.system].into_iter().flatten().flatten())?;
    match [&offsets.inbox, &offsets.system].into_iter().flatten().map(Vec::len).sum() {
        0 => Err(BodyError::new("offsets", "needs an offset in `inbox` or `system`")),
        1..=MARK_OFFSETS => Ok(()),
        _ => Err(BodyError::new("offsets", "holds at most 1,000 offsets: use `up_to` for more")),
    }
}

fn check_offset<'a>(
    field: &'static str,
    mut offsets: impl Iterator<Item = &'a u64>,
) -> Result<(), BodyError> {
    match offsets.any(|offset| *offset > MAX_OFFSET) {
        true => Err(BodyError::new(field, "hold an offset above 2^53 - 1")),
        false => Ok(()),
    }
}

fn check_id(field: &'static str, id: &str) -> Result<(), BodyError> {
    let must = "has 1 to 64 bytes and no control characters";
    check_text(id, ID_BYTES).map_err(|_| BodyError::new(field, must))
}

/// `scheme://host[:port]`, as browsers send it, and nothing after it. The scheme is http, https or
/// an app's own (`tauri://localhost`).
fn is_origin(origin: &str) -> bool {
    let Some((scheme, host)) = origin.split_once("://") else { return false };
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        && !matches!(scheme, "ws" | "wss" | "file")
        && (1..=255).contains(&host.len())
        && host.bytes().all(|byte| byte.is_ascii_graphic() && !b"/?#@\\*".contains(&byte))
}

pub(super) const USER: &str =
    "must be a user id: 1 to 128 bytes of UTF-8 without control characters";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Json;

    fn field(result: Result<(), BodyError>) -> Option<&'static str> {
        result.err().map(|error| error.field)
    }

    #[test]
    fn a_lane_and_its_place_come_together() {
        let message = |client_id: Option<&str>, seq| PublishMessage {
            data: Json::null(),
            client_id: client_id.map(Into::into),
            seq,
        };
        assert_eq!(field(message(None, None).check()), None);
        assert_eq!(field(message(Some("l"), Some(1)).check()), None);
        assert_eq!(field(message(Some("l"), Some(0)).check()), Some("seq"));
        assert_eq!(field(message(Some("l"), Some(MAX_OFFSET)).check()), None);
        assert_eq!(field(message(Some("l"), Some(MAX_OFFSET + 1)).check()), Some("seq"));
        assert_eq!(field(message(Some("l"), None).check()), Some("seq"));
        assert_eq!(field(message(None, Some(1)).check()), Some("client_id"));
        assert_eq!(field(message(Some(""), Some(1)).check()), Some("client_id"));
    }

    #[test]
    fn a_ticket_request_names_its_bad_field() {
        let good = TicketRequest {
            user: Some("u1".into()),
            origin: Some("https://app.example:8443".into()),
            session_ttl_ms: Some(60_000),
            ..Default::default()
        };
        assert_eq!(field(good.check()), None);
        assert_eq!(
            field(TicketRequest { user: Some(String::new()), ..good.clone() }.check()),
            Some("user")
        );
        for origin in
            ["app.example", "https://", "https://a/b", "https://a b", "null", "wss://a", "1a://b"]
        {
            assert_eq!(
                field(TicketRequest { origin: Some(origin.into()), ..good.clone() }.check()),
                Some("origin"),
                "{origin}"
            );
        }
        assert_eq!(
            field(TicketRequest { session_ttl_ms: Some(1), ..good.clone() }.check()),
            Some("session_ttl_ms")
        );
        let info = Some(Json::string(&"x".repeat(INFO_BYTES)));
        assert_eq!(field(TicketRequest { info, ..good }.check()), Some("info"));
    }

    #[test]
    fn a_mark_covers_something_and_sets_something() {
        let set = MarkSet { read: Some(true), ..Default::default() };
        let offsets = |count| Some(Offsets { inbox: Some(vec![1; count]), system: None });
        let up_to = Some(UpTo { inbox: None, system: Some(3) });
        assert_eq!(
            field(MarkRequest { epoch: None, offsets: offsets(1000), up_to: None, set }.check()),
            None
        );
        assert_eq!(field(MarkRequest { epoch: None, offsets: None, up_to, set }.check()), None);
        assert_eq!(
            field(MarkRequest { epoch: None, offsets: offsets(1001), up_to: None, set }.check()),
            Some("offsets")
        );
        assert_eq!(
            field(MarkRequest { epoch: None, offsets: offsets(0), up_to: None, set }.check()),
            Some("offsets")
        );
        assert_eq!(
            field(MarkRequest { epoch: None, offsets: offsets(1), up_to, set }.check()),
            Some("offsets")
        );
        assert_eq!(
            field(MarkRequest { epoch: None, offsets: None, up_to: None, set }.check()),
            Some("offsets")
        );
        let above = MAX_OFFSET + 1;
        let far = UpTo { inbox: Some(1), system: Some(above) };
        assert_eq!(
            field(MarkRequest { epoch: None, offsets: None, up_to: Some(far), set }.check()),
            Some("up_to")
        );
        let far = Offsets { inbox: None, system: Some(vec![1, above]) };
        assert_eq!(
            field(MarkRequest { epoch: None, offsets: Some(far), up_to: None, set }.check()),
            Some("offsets")
        );
        assert_eq!(
            field(
                MarkRequest { epoch: None, offsets: None, up_to: Some(UpTo::default()), set }
                    .check()
            ),
            Some("up_to")
        );
        assert_eq!(
            field(
                MarkRequest { epoch: None, offsets: None, up_to, set: MarkSet::default() }.check()
            ),
            Some("set")
        );
    }

    #[test]
    fn a_revocation_names_exactly_one_thing() {
        let one = RevocationRequest { jti: Some("j".into()), ..Default::default() };
        assert_eq!(one.check(), Ok(Revoked::Jti("j".into())));
        assert!(RevocationRequest::default().check().is_err());
        let two =
            RevocationRequest { user: Some("u".into()), session: Some("s".into()), jti: None };
        assert!(two.check().is_err());
    }
}
