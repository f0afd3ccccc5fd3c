//! Refusals of the REST API: problem+json (RFC 9457) with a request id.

use axum::{
    body::Body,
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use tidings_protocol::{ErrorCode, rest::Problem};
use tidings_server_core::{Refused, store::StoreError};

/// Name of the header that carries the request id, both ways.
const REQUEST_ID: header::HeaderName = header::HeaderName::from_static("x-request-id");
/// Longest request id taken over from a proxy in front.
const REQUEST_ID_BYTES: usize = 64;

/// The error of a handler.
#[derive(Clone, Debug)]
pub struct ApiError(pub Refused);

impl ApiError {
    /// A code with its particular reason.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self(Refused::new(code, detail))
    }
}

impl<E: Into<Refused>> From<E> for ApiError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for ApiError {
    /// Sets only the status: [`finish`] knows the request id and writes the body.
    fn into_response(self) -> Response {
        let mut response = status(self.0.code).into_response();
        response.extensions_mut().insert(self.0);
        response
    }
}

/// Turns a store's error into a refusal. The reason goes to the log, not into the answer.
pub fn unavailable(error: StoreError) -> ApiError {
    // A used-up share is logged elsewhere, once a minute.
    if !matches!(error, StoreError::Busy(_)) {
        tracing::error!(%error, "the store did not answer");
    }
    ApiError::from(error)
}

/// Gives each request an id and each refusal its body.
pub async fn finish(mut request: Request, next: Next) -> Response {
    let id = request
        .headers()
        .get(&REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .filter(|id| id.len() <= REQUEST_ID_BYTES && id.bytes().all(|byte| byte.is_ascii_graphic()))
        .map_or_else(|| uuid::Uuid::now_v7().to_string(), str::to_owned);
    let Ok(value) = HeaderValue::from_str(&id) else { return next.run(request).await };
    request.headers_mut().insert(REQUEST_ID, value.clone());
    let mut response = next.run(request).await;
    if let Some(refused) = response.extensions_mut().remove::<Refused>() {
        response = problem(response, &refused, &id);
    }
    response.headers_mut().insert(REQUEST_ID, value);
    response
}

fn problem(response: Response, refused: &Refused, id: &str) -> Response {
    if refused.code.http() >= 500 && refused.code != ErrorCode::Busy {
        tracing::warn!(code = refused.code.as_str(), request_id = id, "a request failed");
    }
    let problem = Problem::new(refused.code, refused.detail.clone(), id);
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let (mut parts, _) = response.into_parts();
    let json = HeaderValue::from_static("application/problem+json");
    parts.headers.insert(header::CONTENT_TYPE, json);
    parts.headers.remove(header::CONTENT_LENGTH);
    if let Some(after) = refused.retry_after_ms {
        parts.headers.insert(header::RETRY_AFTER, HeaderValue::from(after.div_ceil(1_000).max(1)));
    }
    if parts.status == StatusCode::UNAUTHORIZED {
        parts.headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    Response::from_parts(parts, Body::from(body))
}

fn status(code: ErrorCode) -> StatusCode {
    StatusCode::from_u16(code.http()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
