//! Ending credentials before their time.

use tidings_protocol::rest::{RevocationRequest, Revoked};

use crate::{
    Identity, Limits,
    refused::Refused,
    store::{Op, Revocation, Subject, Write},
};

/// A revocation is kept for this much longer than any credential may live: clocks of those who issue them differ.
const MARGIN_MS: u64 = 3_600_000;

/// Voids what was issued before now; kept as long as such a credential could live. For backends only.
///
/// # Errors
/// `bad_request`, naming the field at fault.
pub fn revoke(body: RevocationRequest, wall: u64, limits: &Limits) -> Result<Write, Refused> {
    let subject = match body.check()? {
        Revoked::User(user) => Subject::User(user),
        Revoked::Session(session) => Subject::Session(session),
        Revoked::Jti(jti) => Subject::Jti(jti),
    };
    let until = wall.saturating_add(limits.credential_ms);
    Ok(void(subject, wall, until))
}

/// A session ends itself. Its end is kept as long as its token would have lived.
#[must_use]
pub fn end_session(identity: &Identity, wall: u64, limits: &Limits) -> Write {
    let longest = wall.saturating_add(limits.credential_ms);
    let until = identity.expires_at.map_or(longest, |end| end.min(longest));
    void(Subject::Session(identity.session.clone()), wall, until)
}

fn void(subject: Subject, wall: u64, until: u64) -> Write {
    let until = until.saturating_add(MARGIN_MS);
    let revocation = Revocation { subject, at: wall, until };
    Write { key: None, lane: None, op: Op::Revoke(revocation) }
}
