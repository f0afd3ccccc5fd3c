//! Ending credentials before their time.

use tidings_protocol::rest::{RevocationRequest, Revoked};

use crate::{
    Limits,
    refused::Refused,
    store::{Op, Revocation, Subject, Write},
};

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
    let revocation =
        Revocation { subject, at: wall, until: wall.saturating_add(limits.credential_ms) };
    Ok(Write { key: None, lane: None, op: Op::Revoke(revocation) })
}
