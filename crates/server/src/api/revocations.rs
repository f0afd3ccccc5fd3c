//! Credentials that end before their time, with their connections: `POST /v1/revocations` by a backend for a user, a session or
//! a JWT, `DELETE /v1/sessions/{session}` by a session for itself.

use axum::extract::{Path, State, rejection::PathRejection};
use http::StatusCode;
use tidings_protocol::{ErrorCode, rest::RevocationRequest};
use tidings_server_core::{
    Identity, Principal, service,
    store::{Op, Write},
};

use super::{Api, Backend, Caller, body::Body};
use crate::{
    auth::{self, Who},
    error::ApiError,
};

pub(super) async fn revoke(
    State(api): State<Api>,
    Backend(_): Backend,
    Body { value, .. }: Body<RevocationRequest>,
) -> Result<StatusCode, ApiError> {
    let write = service::revoke(value, api.wall(), api.limits())?;
    // It waits for nothing its backend has queued before.
    apply(&api, Principal::Server, write).await?;
    Ok(StatusCode::ACCEPTED)
}

/// By a session for itself: nothing else shows which session is meant.
pub(super) async fn end(
    State(api): State<Api>,
    Caller(who): Caller,
    session: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, ApiError> {
    let identity = own_session(&who, session)?;
    let write = service::end_session(identity, api.wall(), api.limits());
    apply(&api, who.principal(), write).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The session in the path, where its own token is shown.
pub(super) fn own_session(
    who: &Who,
    session: Result<Path<String>, PathRejection>,
) -> Result<&Identity, ApiError> {
    let Path(session) = session
        .map_err(|rejection| ApiError::new(ErrorCode::InvalidUtf8, rejection.body_text()))?;
    let Who::Session(identity) = who else {
        let detail = "show the session token that `connected` or the poll's head gave, not another credential.";
        return Err(ApiError::new(ErrorCode::Forbidden, detail));
    };
    if identity.session != session {
        let detail = "the session token is another session's than the one in the path.";
        return Err(ApiError::new(ErrorCode::Forbidden, detail));
    }
    Ok(identity)
}

async fn apply(api: &Api, whose: Principal, write: Write) -> Result<(), ApiError> {
    let Op::Revoke(revocation) = &write.op else {
        return Err(ApiError::new(ErrorCode::Internal, ""));
    };
    // A JWT's id is whatever its issuer likes; the name of the sessions it opens can be kept by every store.
    let revocation = auth::by_session(revocation);
    let write = Write { op: Op::Revoke(revocation.clone()), ..write };
    api.commit(whose, write).await?;
    api.node.revoke(&revocation);
    Ok(())
}
