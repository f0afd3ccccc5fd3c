//! `/v1/sse`, `/v1/poll` and `/v1/sessions/{session}/messages`: the protocol for clients that can't
//! use WebSocket.
//!
//! `GET` is for clients that can only send an address (`EventSource`, `curl`), `POST` for clients
//! that can send `connect`.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Path, Request, State, rejection::PathRejection},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, Method, header, request::Parts};
use tidings_protocol::{Channels, ClientMessage, ErrorCode, client::Cursor};
use tidings_server_core::{
    Refused,
    session::{self, Wanted},
};
use tokio::{sync::oneshot, time::Instant};

use super::{Api, Caller, body};
use crate::{
    driver::connection::{self, FirstMessage, Opening, PostRequest},
    error::ApiError,
    listen::Peer,
    metrics,
    transport::{
        Transport,
        address::Address,
        cursor_tracker::CursorTracker,
        poll::{Bounds, LongPoll, Next, Wait},
        post::Post,
        refusal::{self, Asker},
        sse::{Sse, random_below},
    },
};

/// The shortest heartbeat that a client may request. A shorter one would cost more than a new
/// connection.
const HEARTBEAT_LEAST_MS: u64 = 1_000;

pub(super) async fn stream(State(api): State<Api>, request: Request) -> Response {
    let asker = match *request.method() {
        Method::GET => Asker::EventSource,
        _ => Asker::Fetch,
    };
    let retry = &api.node.settings.streams.retry_ms;
    let retry_ms = retry + random_below(*retry);
    let (parts, asked) = match ask(&api, request).await {
        Ok(asked) => asked,
        Err(refused) => return refuse::<Sse>(asker, &refused, retry_ms),
    };
    let Asked { address, text } = asked;
    let heartbeat = api.limits().heartbeat_ms;
    let idle_ms = address.heartbeat_ms.unwrap_or(heartbeat);
    let idle_ms = Some(idle_ms.min(heartbeat).max(HEARTBEAT_LEAST_MS.min(heartbeat)));
    let wanted = address.wanted();
    let (tracker, stream) = match asker {
        Asker::EventSource => {
            (Some(CursorTracker::new(wanted.pair, &wanted.channels)), session::Stream::Plain)
        }
        Asker::Fetch => (None, session::Stream::Told),
    };
    let wanted = Wanted { stream: Some(stream), ..wanted };
    let (answer, answered) = oneshot::channel();
    let peer = parts.extensions.get::<Peer>().cloned();
    let transport = Sse::new(asker, tracker, retry_ms, peer, answer);
    let opening = Opening {
        first_message: Some(FirstMessage::Connect(text)),
        wanted,
        idle_ms,
        ..Opening::default()
    };
    match serve(&api, &parts, transport, opening) {
        Ok(()) => answered.await.unwrap_or_else(|_| broken::<Sse>(asker, retry_ms)),
        Err(refused) => refuse::<Sse>(asker, &refused, retry_ms),
    }
}

pub(super) async fn poll(State(api): State<Api>, request: Request) -> Response {
    let asker = Asker::Fetch;
    let next = match *request.method() {
        Method::GET => Next::Address,
        _ => Next::Connect,
    };
    let (parts, asked) = match ask(&api, request).await {
        Ok(asked) => asked,
        Err(refused) => return refuse::<LongPoll>(asker, &refused, 0),
    };
    let Asked { address, text } = asked;
    let streams = &api.node.settings.streams;
    let wait_ms = match (address.wait_ms, address.goes_on()) {
        (Some(wait), _) => wait.min(streams.poll_ms),
        (None, true) => streams.poll_ms,
        (None, false) => 0,
    };
    let (wait, within) = match wait_ms {
        0 => (Wait::All, api.limits().timeout_ms),
        _ => (Wait::News, wait_ms),
    };
    let until = Instant::now() + Duration::from_millis(within);
    let wanted = Wanted { again: true, ..address.wanted() };
    let tracker = CursorTracker::new(wanted.pair, &wanted.channels).with(&cursors(&text));
    let (answer, answered) = oneshot::channel();
    let bounds = Bounds { until, bytes: streams.poll_bytes };
    let peer = parts.extensions.get::<Peer>().cloned();
    let transport = LongPoll::new(next, wait, bounds, tracker, peer, answer);
    let opening = Opening {
        first_message: Some(FirstMessage::Connect(text)),
        wanted,
        idle_ms: None,
        answer_bytes: Some(bounds.bytes),
    };
    match serve(&api, &parts, transport, opening) {
        Ok(()) => answered.await.unwrap_or_else(|_| broken::<LongPoll>(asker, 0)),
        Err(refused) => refuse::<LongPoll>(asker, &refused, 0),
    }
}

pub(super) async fn messages(
    State(api): State<Api>,
    Caller(who): Caller,
    session: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let identity = who.session(&named(session)?)?.clone();
    let session = identity.session.clone();
    let (parts, stream) = request.into_parts();
    let text = body::text(&parts.headers, stream, &api, api.limits().connect_bytes).await?;
    let here = api.node.budgets.account(&identity.user).begin_request(api.limits())?;
    let mut turn = api.node.posts.enter(&session, api.node.clock.now().mono)?;
    let (answer, answered) = oneshot::channel();
    let (node, context) = (Arc::clone(&api.node), api.policy.context(&parts));
    let transport = Post::new(&text, answer);
    // In its own task: if the caller disconnects, the request is still carried out completely.
    tokio::spawn(async move {
        let mut guard = turn.guard().await;
        let request = PostRequest { who: identity, guard: *guard, here };
        *guard = connection::serve_post(node, transport, context, request).await;
    });
    let answers = answered.await.map_err(|_| ApiError::new(ErrorCode::Internal, ""))?;
    let kind = HeaderValue::from_static("application/x-ndjson");
    Ok(([(header::CONTENT_TYPE, kind)], answers).into_response())
}

/// The cursors of a `connect`. An invalid one is left to the session, which answers with the error.
fn cursors(connect: &str) -> Channels<Cursor> {
    match ClientMessage::decode(connect) {
        Ok(ClientMessage::Connect(connect)) => connect.cursors.unwrap_or_default(),
        _ => Channels::default(),
    }
}

/// The session that the address names.
pub(super) fn named(session: Result<Path<String>, PathRejection>) -> Result<String, ApiError> {
    let Path(session) = session
        .map_err(|rejection| ApiError::new(ErrorCode::InvalidUtf8, rejection.body_text()))?;
    Ok(session)
}

/// The parts of a request that opens a stream or poll.
struct Asked {
    address: Address,
    /// The `connect`.
    text: String,
}

async fn ask(api: &Api, request: Request) -> Result<(Parts, Asked), Refused> {
    let (parts, stream) = request.into_parts();
    if !api.policy.admits(&parts) {
        return Err(ErrorCode::OriginRefused.into());
    }
    let address = Address::parse(parts.uri.query().unwrap_or_default(), &parts.headers)?;
    let text = match parts.method {
        Method::GET => address.connect(),
        _ => {
            let most = api.limits().connect_bytes;
            body::text(&parts.headers, stream, api, most).await.map_err(|ApiError(error)| error)?
        }
    };
    Ok((parts, Asked { address, text }))
}

fn serve<T: Transport>(
    api: &Api,
    parts: &Parts,
    transport: T,
    opening: Opening,
) -> Result<(), Refused> {
    let context = api.policy.context(parts);
    let permit = api.node.registry.enter(T::NAME, context.address)?;
    let node = Arc::clone(&api.node);
    tokio::spawn(connection::serve(node, transport, context, opening, permit));
    Ok(())
}

/// Refuses a stream or poll.
fn refuse<T: Transport>(asker: Asker, refused: &Refused, retry_ms: u64) -> Response {
    metrics::refused(T::NAME, refused.code);
    refusal::refuse(asker, refused, retry_ms)
}

/// The connection's task was stopped before it answered.
fn broken<T: Transport>(asker: Asker, retry_ms: u64) -> Response {
    refuse::<T>(asker, &ErrorCode::Internal.into(), retry_ms)
}
