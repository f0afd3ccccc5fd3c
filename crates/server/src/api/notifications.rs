//! `POST /v1/notifications`: to users, a topic or everyone.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode};
use tidings_protocol::rest::{PublishNotification, PublishResults, Stored};
use tidings_server_core::{
    service::{self, Outcome},
    store::RecordRef,
};

use super::{Api, Backend, IDEMPOTENCY_REPLAYED, body::Body};
use crate::error::ApiError;

pub(super) async fn publish(
    State(api): State<Api>,
    Backend(who): Backend,
    headers: HeaderMap,
    Body { value, bytes }: Body<PublishNotification>,
) -> Result<Response, ApiError> {
    let running = api.in_flight.take(&headers, who.credential(), "/v1/notifications", &bytes)?;
    let (key, _running) = running.unzip();
    let write = api.with_ids(|ids| service::notify(&value, key, api.wall(), ids))?;
    let outcome = service::outcome(&api.commit(who.principal(), write).await?)?;
    Ok(created(&results(&outcome), outcome.replayed))
}

/// One entry for each record.
pub(crate) fn results(outcome: &Outcome) -> PublishResults {
    let stored = |record_ref: &RecordRef| Stored {
        channel: record_ref.channel.clone(),
        epoch: record_ref.epoch,
        offset: record_ref.offset,
        notification_id: record_ref.id.clone(),
    };
    PublishResults { results: outcome.refs.iter().map(stored).collect() }
}

/// Status 201, with a header if the answer belongs to an earlier request.
pub(super) fn created(body: &impl serde::Serialize, replayed: bool) -> Response {
    let mut response = (StatusCode::CREATED, Json(body)).into_response();
    if replayed {
        response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    response
}
