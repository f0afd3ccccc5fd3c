//! `GET /openapi.json`: the REST API as OpenAPI. A test holds it against the routes.

use axum::response::{IntoResponse, Response};
use http::header;

/// The committed description.
pub(super) const OPENAPI: &str = include_str!("../../openapi.json");

pub(super) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}
