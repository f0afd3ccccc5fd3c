//! The REST API, one file for each resource. Errors are problem+json. All changes of state go
//! through the core's service.

mod body;
mod channels;
mod dev;
mod health;
mod idempotency;
mod inbox;
mod notifications;
mod revocations;
mod spec;
mod streams;
mod tickets;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{FromRequestParts, MatchedPath, Request, State},
    middleware::{self, Next},
    response::Response,
    routing::{delete, get, post},
};
use http::{HeaderName, HeaderValue, Method, header, request::Parts};
use tidings_protocol::ErrorCode;
use tidings_server_core::{
    Identity, Ids, Limits, Principal,
    budget::Cost,
    store::{Answer, Query, Write, Written},
};
use tower_http::{
    cors::{AllowCredentials, AllowOrigin, CorsLayer},
    set_header::SetResponseHeaderLayer,
};

use crate::{
    auth::{Auth, RestCaller},
    driver::Node,
    error::{ApiError, finish, unavailable},
    listen::Peer,
    transport::{
        origin::{self, Origins},
        request_policy::RequestPolicy,
    },
};

pub(crate) use self::{idempotency::InFlight, notifications::results};

/// How long browsers may cache the answer to a preflight.
const PREFLIGHT: Duration = Duration::from_secs(600);

/// The state that all handlers share.
#[derive(Clone, Debug)]
pub struct Api {
    pub(crate) node: Arc<Node>,
    pub(crate) auth: Arc<Auth>,
    pub(crate) origins: Arc<Origins>,
    pub(crate) policy: RequestPolicy,
    pub(crate) in_flight: Arc<InFlight>,
    pub(crate) ids: Arc<Mutex<Ids>>,
    /// Development: `POST /dev/tokens` exists.
    pub(crate) dev: bool,
    /// `/metrics` is served here, not on its own listener.
    pub(crate) metrics: bool,
}

impl Api {
    /// All routes, to be served or nested.
    pub fn router(self) -> Router {
        let (origins, policy) = (Arc::clone(&self.origins), self.policy.clone());
        let allowed = AllowOrigin::predicate(move |origin, parts| {
            let own = origin::own_host(&parts.headers);
            let allowed = origin.to_str().is_ok_and(|origin| origins.allow(origin, own));
            if !allowed {
                policy.record_origin(parts);
            }
            allowed
        });
        let (origins, takes_cookies) = (Arc::clone(&self.origins), self.policy.cookie.is_some());
        // Only for origins that are named: with `*`, any page could read data that the user's
        // cookie gives access to.
        let with_cookies = AllowCredentials::predicate(move |origin, parts| {
            let own = origin::own_host(&parts.headers);
            takes_cookies
                && origin.to_str().is_ok_and(|origin| origins.may_hold_cookies(origin, own))
        });
        let cors = CorsLayer::new()
            .allow_origin(allowed)
            .allow_credentials(with_cookies)
            .allow_methods([Method::GET, Method::POST, Method::DELETE])
            .allow_headers([
                header::AUTHORIZATION,
                header::CONTENT_TYPE,
                IDEMPOTENCY_KEY,
                LAST_EVENT_ID,
            ])
            .expose_headers([header::RETRY_AFTER, IDEMPOTENCY_REPLAYED, REQUEST_ID])
            .max_age(PREFLIGHT);
        let secret = |name, value| {
            SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
        };
        let mut routes = Router::new()
            .route("/v1/notifications", post(notifications::publish))
            .route(
                "/v1/channels/{channel}/messages",
                post(channels::publish).get(channels::history),
            )
            .route("/v1/inbox", get(inbox::list))
            .route("/v1/inbox/marks", post(inbox::mark))
            .route("/v1/tickets", post(tickets::issue))
            .route("/v1/revocations", post(revocations::revoke))
            .route("/v1/sse", get(streams::stream).post(streams::stream))
            .route("/v1/poll", get(streams::poll).post(streams::poll))
            .route("/v1/sessions/{session}", delete(revocations::end))
            .route("/v1/sessions/{session}/messages", post(streams::messages))
            .route("/healthz", get(health::alive))
            .route("/readyz", get(health::ready))
            .route("/openapi.json", get(spec::openapi));
        if self.metrics {
            routes = routes.route("/metrics", get(health::metrics));
        }
        if self.dev {
            routes = routes.route("/dev/tokens", post(dev::token));
        }
        let layers = tower::ServiceBuilder::new()
            .layer(middleware::from_fn_with_state(Arc::clone(&self.node), leave))
            .layer(middleware::from_fn(finish))
            .layer(secret(header::CACHE_CONTROL, "no-store"))
            .layer(secret(header::REFERRER_POLICY, "no-referrer"))
            .layer(secret(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            // Before CORS, which would let the page read the answer.
            .layer(middleware::from_fn_with_state(self.policy.clone(), ours))
            .layer(middleware::map_response(lets_time))
            .layer(cors);
        routes
            .route_layer(middleware::from_fn(count))
            .fallback(async || ApiError::new(ErrorCode::NotFound, ""))
            .method_not_allowed_fallback(async || ApiError::new(ErrorCode::MethodNotAllowed, ""))
            .layer(layers)
            // Outside CORS, which does not apply to WebSockets: the handler checks the origin
            // itself.
            .route("/v1/ws", get(open))
            .with_state(self)
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.node.settings.limits
    }

    pub(crate) fn wall(&self) -> u64 {
        self.node.clock.now().wall
    }

    /// Makes a write with the node's record ids. The lock is held only for that.
    pub(crate) fn with_ids<T>(&self, make: impl FnOnce(&mut Ids) -> T) -> T {
        // The generator is consistent between draws, so a panic elsewhere does no harm.
        make(&mut self.ids.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes a request's cost from the user's account. Backends have no account.
    pub(crate) fn spend(&self, who: &RestCaller, cost: Cost) -> Result<(), ApiError> {
        match who {
            RestCaller::Backend(_) => Ok(()),
            RestCaller::User(identity) | RestCaller::Session(identity) => {
                Ok(self.node.budgets.spend(&identity.user, cost)?)
            }
        }
    }

    pub(crate) async fn commit(&self, whose: Principal, write: Write) -> Result<Written, ApiError> {
        self.node.writer.commit(whose, write).await.map_err(unavailable)
    }

    pub(crate) async fn read(&self, whose: Principal, query: Query) -> Result<Answer, ApiError> {
        self.node.readers.read(whose, query).await.map_err(unavailable)
    }
}

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TIMING_ALLOW_ORIGIN: HeaderName = HeaderName::from_static("timing-allow-origin");

/// A page that may read the answer may also see its HTTP version. Over HTTP/1.1, a browser's tabs
/// share six connections, so their polls must take turns.
async fn lets_time(mut response: Response) -> Response {
    if let Some(origin) = response.headers().get(header::ACCESS_CONTROL_ALLOW_ORIGIN).cloned() {
        response.headers_mut().insert(TIMING_ALLOW_ORIGIN, origin);
    }
    response
}

/// Admits requests that address this server.
async fn ours(
    State(policy): State<RequestPolicy>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    policy.is_asked(&parts)?;
    Ok(next.run(Request::from_parts(parts, body)).await)
}

async fn open(State(api): State<Api>, request: Request) -> Response {
    api.policy.open(request).await
}

/// The caller, with a checked credential.
pub(crate) struct Caller(pub(crate) RestCaller);

impl FromRequestParts<Api> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let who = api.auth.who(&parts.method, &parts.headers, api.policy.address(parts)).await?;
        if let Some(peer) = parts.extensions.get::<Peer>() {
            peer.known(&who.principal());
        }
        Ok(Self(who))
    }
}

/// A user, with a checked credential.
pub(crate) struct User(pub(crate) Identity);

impl FromRequestParts<Api> for User {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let who = Caller::from_request_parts(parts, api).await?.0;
        Ok(Self(who.user()?.clone()))
    }
}

/// A backend, with its API key.
pub(crate) struct Backend(pub(crate) RestCaller);

impl FromRequestParts<Api> for Backend {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let who = Caller::from_request_parts(parts, api).await?.0;
        who.backend()?;
        Ok(Self(who))
    }
}

/// A draining server closes each TCP connection after its current answer, so that the next request
/// goes to another server.
async fn leave(State(node): State<Arc<Node>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if node.registry.is_draining() {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}

/// Counts a request by its route. Its path must not be a label, because paths contain names.
async fn count(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let method = request.method().clone();
    let began = Instant::now();
    let response = next.run(request).await;
    if let Some(route) = route {
        let labels = [("method", method.to_string()), ("route", route)];
        metrics::histogram!("tidings_request_seconds", &labels).record(began.elapsed());
        let status = ("status", response.status().as_str().to_owned());
        let [method, route] = labels;
        metrics::counter!("tidings_requests_total", &[method, route, status]).increment(1);
    }
    response
}
