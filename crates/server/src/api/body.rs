//! Reading JSON bodies within bounds of size and time. Errors name the fault.

use std::error::Error as _;

use axum::{
    body::to_bytes,
    extract::{FromRequest, Request},
};
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::LengthLimitError;
use serde::de::DeserializeOwned;
use tidings_protocol::ErrorCode;
use tokio::time::timeout;

use super::Api;
use crate::error::ApiError;

/// A body's bytes and its parsed value.
pub(super) struct Body<T> {
    pub(super) value: T,
    /// For fingerprints.
    pub(super) bytes: Bytes,
}

impl<T: DeserializeOwned> FromRequest<Api> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Api) -> Result<Self, ApiError> {
        check(request.headers())?;
        let bytes = read(request.into_body(), api, api.limits().publish_bytes).await?;
        let text = str::from_utf8(&bytes).map_err(|_| ApiError::new(ErrorCode::InvalidUtf8, ""))?;
        let value = serde_json::from_str(text)
            .map_err(|error| ApiError::new(ErrorCode::BadRequest, error.to_string()))?;
        Ok(Self { value, bytes })
    }
}

/// A body as text, at most `limit` bytes.
pub(super) async fn text(
    headers: &HeaderMap,
    body: axum::body::Body,
    api: &Api,
    limit: usize,
) -> Result<String, ApiError> {
    check(headers)?;
    let bytes = read(body, api, limit).await?;
    let text = String::from_utf8(bytes.into());
    text.map_err(|_| ApiError::new(ErrorCode::InvalidUtf8, ""))
}

/// The whole body, within its bounds of size and time.
async fn read(body: axum::body::Body, api: &Api, limit: usize) -> Result<Bytes, ApiError> {
    let patience = api.node.settings.body_timeout;
    match timeout(patience, to_bytes(body, limit)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if is_over(&error) => {
            let detail = format!("a body has at most {limit} bytes");
            api.policy.refusals.record(ErrorCode::TooLarge, &detail, None, api.wall());
            Err(ApiError::new(ErrorCode::TooLarge, detail))
        }
        Ok(Err(_)) => {
            let detail =
                "the body ended before its `Content-Length`, or its chunked encoding is invalid";
            Err(ApiError::new(ErrorCode::BadRequest, detail))
        }
        Err(_) => {
            let detail = format!("the body was not there within {} ms", patience.as_millis());
            Err(ApiError::new(ErrorCode::Timeout, detail))
        }
    }
}

/// Whether the body's size is the only fault.
fn is_over(error: &axum::Error) -> bool {
    error.source().is_some_and(|cause| cause.is::<LengthLimitError>())
}

fn check(headers: &HeaderMap) -> Result<(), ApiError> {
    // A small compressed body may inflate to any size. `identity` means uncompressed.
    let mut codings = headers.get_all(header::CONTENT_ENCODING).iter();
    if !codings.all(|coding| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity")) {
        let detail = "compressed bodies are not taken: send it without `Content-Encoding`.";
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
