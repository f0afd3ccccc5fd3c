//! For operators: liveness, readiness and metrics.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::header;
use tidings_protocol::ErrorCode;

use super::Api;
use crate::error::{ApiError, unavailable};

/// The process answers, and its log can be written.
pub(super) async fn alive(State(api): State<Api>) -> Result<&'static str, ApiError> {
    api.node.store.health().map_err(unavailable)?;
    Ok("ok\n")
}

/// The server takes new connections.
pub(super) async fn ready(State(api): State<Api>) -> Result<&'static str, ApiError> {
    if api.node.registry.is_draining() {
        return Err(ErrorCode::Restart.into());
    }
    api.node.store.health().map_err(unavailable)?;
    // Without the bus, other nodes' records arrive later, by the poll.
    Ok(match &api.node.bus {
        Some(bus) if !bus.is_up() => "ok\nbus away\n",
        _ => "ok\n",
    })
}

/// Metrics in Prometheus' text format.
pub(super) async fn metrics() -> Response {
    match crate::metrics::render() {
        Some(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        None => ApiError::new(ErrorCode::NotFound, "no recorder is installed").into_response(),
    }
}
