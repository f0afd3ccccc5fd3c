//! Refusals by HTTP. A refused stream or poll gets the protocol's `error`; status and form depend
//! on the client.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use tidings_protocol::{Encode, ErrorCode, Retry, ServerMessage};
use tidings_server_core::{Refused, service};

use super::sse;

/// The kind of client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// A browser's `EventSource`, or a similar client. It can read a body only with status 200,
    /// reconnects after one, and gives up after any other status.
    EventSource,
    /// A client that reads status and body.
    Fetch,
}

/// The answer to a refused client.
#[must_use]
pub fn refuse(asker: Asker, refused: &Refused, retry_ms: u64) -> Response {
    let error = Bytes::from(Encode::to_json(&service::error(refused)));
    answer(asker, refused.code, &error, retry_ms)
}

/// The answer if the session has already encoded its `error`.
#[must_use]
pub fn answer(asker: Asker, code: ErrorCode, error: &[u8], retry_ms: u64) -> Response {
    let after = retry_after(error);
    match (asker, code.retry()) {
        (Asker::EventSource, Retry::Backoff) => {
            let mut event = Vec::with_capacity(error.len() + 32);
            sse::push_retry(&mut event, after.unwrap_or(0).max(retry_ms));
            sse::push_data(&mut event, error);
            sse::response(Body::from(event))
        }
        // `EventSource` takes this status as the end, which is right; it allows no body.
        (Asker::EventSource, Retry::Never) => StatusCode::NO_CONTENT.into_response(),
        (Asker::EventSource, Retry::Ticket) => plain(StatusCode::UNAUTHORIZED, error, None),
        (Asker::Fetch, _) => {
            let status = StatusCode::from_u16(code.http()).unwrap_or(StatusCode::BAD_REQUEST);
            plain(status, error, after)
        }
    }
}

fn plain(status: StatusCode, error: &[u8], retry_after_ms: Option<u64>) -> Response {
    let mut response = (status, Bytes::copy_from_slice(error)).into_response();
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    if let Some(after) = retry_after_ms {
        let seconds = HeaderValue::from(after.div_ceil(1_000).max(1));
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    if status == StatusCode::UNAUTHORIZED {
        let bearer = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
    }
    response
}

fn retry_after(error: &[u8]) -> Option<u64> {
    match ServerMessage::decode(str::from_utf8(error).ok()?).ok()? {
        ServerMessage::Error(error) => error.retry_after_ms,
        _ => None,
    }
}

/// Whether a message is the `error` that ends a connection. It is not the answer to a message, so
/// it has no `id`.
pub(super) fn is_last_word(frame: &[u8]) -> bool {
    frame.starts_with(br#"{"type":"error","code":"#)
}
