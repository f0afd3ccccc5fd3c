//! Ending credentials early, with their connections: `POST /v1/revocations` by a backend for a
//! user, a session or a JWT, `DELETE /v1/sessions/{session}` by a session for itself.

use axum::extract::{Path, State, rejection::PathRejection};
use http::StatusCode;
use tidings_protocol::{ErrorCode, rest::RevocationRequest};
use tidings_server_core::{
    Principal, service,
    store::{Op, Write},
};

use super::{Api, Backend, Caller, body::Body, streams::named};
use crate::{auth, error::ApiError};

pub(super) async fn revoke(
    State(api): State<Api>,
    Backend(_): Backend,
    Body { value, .. }: Body<RevocationRequest>,
) -> Result<StatusCode, ApiError> {
    let write = service::revoke(value, api.wall(), api.limits())?;
    // A revocation must not wait behind other writes of its backend.
    apply(&api, Principal::Server, write).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Only a session's own credential may end it.
pub(super) async fn end(
    State(api): State<Api>,
    Caller(who): Caller,
    session: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, ApiError> {
    let identity = who.session(&named(session)?)?;
    let write = service::end_session(identity, api.wall(), api.limits());
    apply(&api, who.principal(), write).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn apply(api: &Api, whose: Principal, write: Write) -> Result<(), ApiError> {
    let Op::Revoke(revocation) = &write.op else {
        return Err(ApiError::new(ErrorCode::Internal, ""));
    };
    // A JWT's id is an arbitrary text of its issuer. The family name of its sessions fits into
    // every store.
    let revocation = auth::by_session(revocation);
    let write = Write { op: Op::Revoke(revocation.clone()), ..write };
    api.commit(whose, write).await?;
    api.node.revoke(&revocation);
    Ok(())
}
