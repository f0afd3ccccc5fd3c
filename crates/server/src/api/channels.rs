//! `/v1/channels/{channel}/messages`: publishing to rooms, chats and topics, and their history.

use axum::{
    extract::{
        Path, Query as Params, State,
        rejection::{PathRejection, QueryRejection},
    },
    response::{IntoResponse, Response},
};
use http::{HeaderMap, header};
use serde::Deserialize;
use tidings_protocol::{
    Channel, ErrorCode, limits,
    rest::{PublishMessage, PublishedMessage},
    rights::Right,
};
use tidings_server_core::{
    budget::Cost,
    service,
    store::{Answer, Head, NO_LOG, Query},
};

use super::{Api, Caller, body::Body, notifications::created};
use crate::{auth::RestCaller, error::ApiError};

pub(super) async fn publish(
    State(api): State<Api>,
    Caller(who): Caller,
    channel: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    Body { value, bytes }: Body<PublishMessage>,
) -> Result<Response, ApiError> {
    let channel = parse(channel)?;
    let most = api.limits().user_publish_bytes;
    if !matches!(who, RestCaller::Backend(_)) && bytes.len() > most {
        let detail = format!("a user's publish has at most {most} bytes");
        return Err(ApiError::new(ErrorCode::TooLarge, detail));
    }
    api.spend(&who, Cost::message(bytes.len()))?;
    let PublishMessage { data, client_id, seq } = value;
    let lane = match &who {
        RestCaller::User(identity) | RestCaller::Session(identity) => {
            service::lane(&identity.user, client_id, seq, api.limits().user_lanes)?
        }
        RestCaller::Backend(_) if client_id.is_none() && seq.is_none() => None,
        RestCaller::Backend(_) => {
            let detail =
                "`client_id` and `seq` are for users: a backend sends an `Idempotency-Key`";
            return Err(ApiError::new(ErrorCode::BadRequest, detail));
        }
    };
    let running = api.in_flight.take(&headers, who.credential(), channel.as_str(), &bytes)?;
    let (key, _running) = running.unzip();
    let write = api.with_ids(|ids| {
        service::message(who.caller(), channel, data, lane, key, api.wall(), ids)
    })?;
    let outcome = service::outcome(&api.commit(who.principal(), write).await?)?;
    let record_ref = outcome.refs.first().ok_or_else(|| {
        // The repeat is so late that its first answer is no longer stored.
        ApiError::new(ErrorCode::Conflict, "this `seq` was answered before; its answer is gone")
    })?;
    let body = PublishedMessage {
        epoch: record_ref.epoch,
        offset: record_ref.offset,
        id: record_ref.id.clone(),
    };
    Ok(created(&body, outcome.replayed))
}

/// The query parameters of a page.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    before: Option<u64>,
    after: Option<u64>,
    limit: Option<u32>,
}

pub(super) async fn history(
    State(api): State<Api>,
    Caller(who): Caller,
    channel: Result<Path<String>, PathRejection>,
    page: Result<Params<Page>, QueryRejection>,
) -> Result<Response, ApiError> {
    let channel = parse(channel)?;
    let Params(page) =
        page.map_err(|rejection| ApiError::new(ErrorCode::BadRequest, rejection.body_text()))?;
    who.caller().check(&channel, Right::History)?;
    let limit = page.limit.unwrap_or_else(|| limits::PAGE_DEFAULT.min(api.limits().page));
    if !(1..=api.limits().page).contains(&limit) {
        let detail = format!("`limit` is 1 to {}", api.limits().page);
        return Err(ApiError::new(ErrorCode::BadRequest, detail));
    }
    for (name, offset) in [("before", page.before), ("after", page.after)] {
        if offset.is_some_and(|offset| offset > limits::MAX_OFFSET) {
            let detail = format!("`{name}` is above every offset");
            return Err(ApiError::new(ErrorCode::BadRequest, detail));
        }
    }
    let from = theirs(&api, &who, &channel).await?;
    let bytes = api.limits().page_bytes;
    api.spend(&who, Cost::READ)?;
    let query = match (page.before, page.after.map(|after| after.max(from - 1))) {
        (before, None) => Query::RecordsBefore { channel, before, limit, bytes },
        (_, Some(after)) => Query::Records { channel, after, limit, bytes },
    };
    let Answer::Records { head, mut records, mut more } = api.read(who.principal(), query).await?
    else {
        return Err(ApiError::new(ErrorCode::Internal, ""));
    };
    let read = records.len();
    records.retain(|record| record.offset >= from);
    more &= records.len() == read;
    if let (Some(before), Some(_)) = (page.before, page.after) {
        records.retain(|record| record.offset < before);
        more &= records.last().is_some_and(|last| last.offset + 1 < before);
    }
    let Head { epoch, first, top } = head.unwrap_or(Head { epoch: NO_LOG, first: 1, top: 0 });
    let first = first.max(from.min(top + 1));
    // Records are stored in their wire form, so they are joined without parsing.
    let mut body = format!(
        "{{\"epoch\":\"{epoch}\",\"first\":{first},\"top\":{top},\"more\":{more},\"messages\":["
    );
    for (index, record) in records.iter().enumerate() {
        if index > 0 {
            body.push(',');
        }
        body.push_str(&String::from_utf8_lossy(&record.frame));
    }
    body.push_str("]}");
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// The first offset that the caller may read. In `system:all`, a user has the messages that came
/// after their inbox was made; none without an inbox.
async fn theirs(api: &Api, who: &RestCaller, channel: &Channel) -> Result<u64, ApiError> {
    let user = match who {
        RestCaller::User(identity) | RestCaller::Session(identity) if channel.is_system() => {
            &identity.user
        }
        _ => return Ok(1),
    };
    match api.read(who.principal(), Query::Inbox { user: user.clone() }).await? {
        Answer::Inbox(Some([_, system])) => Ok(system.first.max(1)),
        _ => Ok(limits::MAX_OFFSET),
    }
}

fn parse(segment: Result<Path<String>, PathRejection>) -> Result<Channel, ApiError> {
    let Path(channel) = segment
        .map_err(|rejection| ApiError::new(ErrorCode::InvalidUtf8, rejection.body_text()))?;
    Channel::parse(&channel)
        .map_err(|error| ApiError::new(ErrorCode::UnknownChannel, error.to_string()))
}
