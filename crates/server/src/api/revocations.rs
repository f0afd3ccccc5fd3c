//! `POST /v1/revocations`: ends a user's, a session's or a token's credentials, and their connections.

use axum::extract::State;
use http::StatusCode;
use tidings_protocol::{ErrorCode, rest::RevocationRequest};
use tidings_server_core::{
    service,
    store::{Op, Write},
};

use super::{Api, Backend, body::Body};
use crate::{auth, error::ApiError};

pub(super) async fn revoke(
    State(api): State<Api>,
    Backend(_): Backend,
    Body { value, .. }: Body<RevocationRequest>,
) -> Result<StatusCode, ApiError> {
    let write = service::revoke(value, api.wall(), api.limits())?;
    let Op::Revoke(revocation) = &write.op else {
        return Err(ApiError::new(ErrorCode::Internal, ""));
    };
    // A JWT's id is whatever its issuer likes; the name of the sessions it opens can be kept by every store.
    let revocation = auth::by_session(revocation);
    api.commit(Write { op: Op::Revoke(revocation.clone()), ..write }).await?;
    api.node.revoke(&revocation);
    Ok(StatusCode::ACCEPTED)
}
