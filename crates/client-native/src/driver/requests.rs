//! HTTP requests, from which the core builds its HTTP transports: several at once, with each
//! response in pieces as it arrives.
//!
//! The driver does not read ahead: it takes a piece only when the core has handled the one before.
//! Data that the server sends meanwhile stays in the connection, so the server must wait. Dropping
//! a request closes its connection.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    io,
    ops::Bound,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{HeaderValue, Request, Response, header};
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper_util::{
    client::legacy::{self, Client, ResponseFuture, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use tidings_client_core::Event;
use tracing::debug;

use super::text::{Text, bounded};

/// How long an idle connection is kept for the next request. Servers and proxies close idle
/// connections later than this, so no request uses a connection that is just being closed.
const KEPT: Duration = Duration::from_secs(2);
/// Idle connections kept: one for requests, one for responses.
const KEPT_MAX: usize = 2;
/// About the most bytes read at once, and the most in a response's head.
const READ_MAX: usize = 64 << 10;

#[cfg(feature = "tls")]
type Connector = hyper_rustls::HttpsConnector<HttpConnector>;
#[cfg(not(feature = "tls"))]
type Connector = HttpConnector;
type Http = Client<Connector, Full<Bytes>>;
type Cause = dyn std::error::Error + 'static;

/// Every request that has not ended.
pub(crate) struct Requests {
    /// The common beginning of all URLs.
    base: String,
    /// Created for the first request: most clients need none.
    http: Option<Http>,
    /// By number. There are only a few at a time.
    running: BTreeMap<u64, Step>,
    /// The request that had the last event: others come first.
    last: u64,
    /// Whether a request was answered: the next may reuse its connection.
    reuses: bool,
}

enum Step {
    /// The request could not be sent.
    Failed(String),
    Asked {
        asked: ResponseFuture,
        /// A copy of the request, in case the server had already closed the connection.
        again: Option<Box<Again>>,
    },
    Answered {
        body: Incoming,
        text: Text,
    },
}

/// A request that is repeated if its connection ends before any part of a response arrived. Proxies
/// close idle connections when they are reconfigured, and read nothing that is on its way then.
/// Browsers repeat a request in this case, too.
struct Again {
    http: Http,
    request: Request<Full<Bytes>>,
    /// How many of the kept connections may still turn out to be closed. The next one is new.
    kept: usize,
}

impl Requests {
    pub(crate) fn new(base: String) -> Self {
        Self { base, http: None, running: BTreeMap::new(), last: 0, reuses: false }
    }

    /// Starts a request. `path` follows the server's `/v1/`; `bearer` and `body` may hold secrets.
    pub(crate) fn begin(&mut self, request: u64, path: &str, bearer: Option<&str>, body: String) {
        let step = match self.ask(path, bearer, body) {
            Ok(step) => step,
            Err(reason) => Step::Failed(reason),
        };
        self.running.insert(request, step);
    }

    /// Drops a request. The core gets no more events of it, and the server notices.
    pub(crate) fn abort(&mut self, request: u64) {
        self.running.remove(&request);
    }

    /// Returns the next event. Dropping this future loses nothing.
    pub(crate) async fn next(&mut self) -> Event {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn ask(&mut self, path: &str, bearer: Option<&str>, body: String) -> Result<Step, String> {
        let http = match &self.http {
            Some(http) => http,
            None => self.http.insert(client()?),
        };
        let mut request = Request::post(format!("{}{path}", self.base))
            .header(header::CONTENT_TYPE, "application/json")
            // No proxy may answer from its cache.
            .header(header::CACHE_CONTROL, "no-store")
            .header(header::USER_AGENT, concat!("tidings-rust/", env!("CARGO_PKG_VERSION")));
        if let Some(bearer) = bearer {
            let mut bearer = HeaderValue::try_from(format!("Bearer {bearer}"))
                .map_err(|_| String::from("the session token can't be put into a header"))?;
            bearer.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, bearer);
        }
        let request = request.body(Full::from(body)).map_err(|error| error.to_string())?;
        let again = self.reuses.then(|| {
            Box::new(Again { http: http.clone(), request: request.clone(), kept: KEPT_MAX })
        });
        Ok(Step::Asked { asked: http.request(request), again })
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        // Starts after the request that had the last event, so that a busy one does not starve
        // others.
        let after = (Bound::Excluded(self.last), Bound::Unbounded);
        let later = self.running.range(after).map(|(request, _)| *request);
        let sooner = self.running.range(..=self.last).map(|(request, _)| *request);
        let turns: Vec<u64> = later.chain(sooner).collect();
        for request in turns {
            let Some(step) = self.running.get_mut(&request) else { continue };
            let Poll::Ready(event) = step.poll(request, cx) else { continue };
            self.last = request;
            self.reuses |= matches!(event, Event::RequestAnswered { .. });
            if let Event::RequestEnded { reason, .. } = &event {
                debug!(request, reason, "a request ended");
                self.running.remove(&request);
            }
            return Poll::Ready(event);
        }
        Poll::Pending
    }
}

impl Step {
    fn poll(&mut self, request: u64, cx: &mut Context<'_>) -> Poll<Event> {
        let failed = |reason: String| {
            Poll::Ready(Event::RequestEnded { request, reason: Some(bounded(reason)) })
        };
        match self {
            Self::Failed(reason) => failed(std::mem::take(reason)),
            Self::Asked { asked, again } => match ready!(asked.poll_unpin(cx)) {
                Ok(answer) => {
                    let (status, retry_after_ms) = (answer.status().as_u16(), retry_after(&answer));
                    *self = Self::Answered { body: answer.into_body(), text: Text::default() };
                    Poll::Ready(Event::RequestAnswered { request, status, retry_after_ms })
                }
                Err(error) => match again {
                    Some(again) if again.kept > 0 && ended_unanswered(&error) => {
                        again.kept -= 1;
                        *asked = again.http.request(again.request.clone());
                        self.poll(request, cx)
                    }
                    _ => failed(legacy_words(&error)),
                },
            },
            Self::Answered { body, text } => loop {
                match ready!(Pin::new(&mut *body).poll_frame(cx)) {
                    Some(Ok(frame)) => {
                        let Some(bytes) = frame.data_ref() else { continue };
                        match text.push(bytes) {
                            Ok(text) if text.is_empty() => {}
                            Ok(text) => {
                                return Poll::Ready(Event::RequestReceived { request, text });
                            }
                            Err(error) => return failed(error.to_string()),
                        }
                    }
                    Some(Err(error)) => return failed(words(&error)),
                    None => match text.end() {
                        Ok(()) => {
                            return Poll::Ready(Event::RequestEnded { request, reason: None });
                        }
                        Err(error) => return failed(error.to_string()),
                    },
                }
            },
        }
    }
}

fn client() -> Result<Http, String> {
    let mut tcp = HttpConnector::new();
    // Small messages must not wait: no Nagle.
    tcp.set_nodelay(true);
    #[cfg(feature = "tls")]
    let connector = {
        tcp.enforce_http(false);
        let tls = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(crate::tls::config()?);
        tls.https_or_http().enable_http1().wrap_connector(tcp)
    };
    #[cfg(not(feature = "tls"))]
    let connector = tcp;
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(KEPT)
        .pool_max_idle_per_host(KEPT_MAX)
        .http1_max_buf_size(READ_MAX)
        .build(connector))
}

/// Reads a number of seconds, as servers and most proxies send. A date is ignored.
fn retry_after(answer: &Response<Incoming>) -> Option<u64> {
    let seconds = answer.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    seconds.trim().parse::<u64>().ok()?.checked_mul(1_000)
}

/// Whether the connection ended before any part of a response arrived: closed, or reset if the
/// server had not read the request.
fn ended_unanswered(error: &legacy::Error) -> bool {
    !error.is_connect()
        && causes(error).any(|cause| {
            let closed = cause.downcast_ref().is_some_and(hyper::Error::is_incomplete_message);
            closed || cause.downcast_ref().is_some_and(is_broken)
        })
}

fn is_broken(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected)
}

/// Why there was no response. The outermost error names only the step that failed.
fn legacy_words(error: &legacy::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), words)
}

/// An error with its causes. None of them contains a URL or a header.
fn words(error: &Cause) -> String {
    causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn causes(error: &Cause) -> impl Iterator<Item = &Cause> {
    std::iter::successors(Some(error), |error| error.source())
}

#[cfg(test)]
mod tests;
