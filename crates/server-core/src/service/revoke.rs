//! Ending credentials early.

use tidings_protocol::rest::{RevocationRequest, Revoked};

use crate::{
    Identity, Limits,
    refused::Refused,
    store::{Op, Revocation, Subject, Write},
};

/// A revocation is stored for this much longer than any credential may live, because the issuers'
/// clocks differ.
const MARGIN_MS: u64 = 3_600_000;

/// Revokes the credentials issued before now. Stored as long as such a credential could live. For
/// backends only.
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

/// Ends the caller's own session. Stored until its token would have ended.
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
