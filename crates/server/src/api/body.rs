//! Reading JSON bodies: bounded, plain, and with errors that name what is wrong.

use axum::{
    body::to_bytes,
    extract::{FromRequest, Request},
};
use bytes::Bytes;
use http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use tidings_protocol::ErrorCode;

use super::Api;
use crate::error::ApiError;

/// A body as it came, and what it says.
pub(super) struct Body<T> {
    pub(super) value: T,
    /// For fingerprints.
    pub(super) bytes: Bytes,
}

impl<T: DeserializeOwned> FromRequest<Api> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Api) -> Result<Self, ApiError> {
        check(request.headers())?;
        let limit = api.limits().publish_bytes;
        let bytes = to_bytes(request.into_body(), limit).await.map_err(|_| {
            ApiError::new(ErrorCode::TooLarge, format!("a body has at most {limit} bytes"))
        })?;
        let text = str::from_utf8(&bytes).map_err(|_| ApiError::new(ErrorCode::InvalidUtf8, ""))?;
        let value = serde_json::from_str(text)
            .map_err(|error| ApiError::new(ErrorCode::BadRequest, error.to_string()))?;
        Ok(Self { value, bytes })
    }
}

fn check(headers: &HeaderMap) -> Result<(), ApiError> {
    // A small body may inflate to anything.
    if headers.contains_key(header::CONTENT_ENCODING) {
        let detail = "compressed bodies are not taken";
        return Err(ApiError::new(ErrorCode::UnsupportedMediaType, detail));
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    if essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/json")) {
        Ok(())
    } else {
        Err(ApiError::new(ErrorCode::UnsupportedMediaType, ""))
    }
}
