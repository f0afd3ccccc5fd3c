//! `POST /dev/tokens`: a JWT for any user. Only with `--dev`, which serves loopback only.

use axum::{extract::State, response::Response};
use serde::{Deserialize, Serialize};
use tidings_protocol::ErrorCode;

use super::{Api, body::Body, notifications::created};
use crate::error::ApiError;

#[derive(Debug, Deserialize)]
pub(super) struct Ask {
    user: String,
}

#[derive(Debug, Serialize)]
struct Token {
    token: String,
}

pub(super) async fn token(
    State(api): State<Api>,
    Body { value: Ask { user }, .. }: Body<Ask>,
) -> Result<Response, ApiError> {
    let token =
        api.auth.dev_token(&user).ok_or_else(|| ApiError::new(ErrorCode::NotFound, ""))??;
    Ok(created(&Token { token }, false))
}
