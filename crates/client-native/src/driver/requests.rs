//! HTTP requests, which the core makes its other transports of: several at once, each answer as it comes.
//!
//! Nothing is read ahead: a piece is taken from a link when the core has done with the one before, and what the server sends
//! meanwhile waits in the link, which is what makes the server wait. Dropping a request closes its link.

use std::{
    collections::BTreeMap,
    future::poll_fn,
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

/// How long a link without a request is kept for the next. Servers and proxies that close such links do so later, so that no request
/// meets one that is just being closed.
const KEPT: Duration = Duration::from_secs(2);
/// Links kept: one for what goes up, one for what comes down.
const KEPT_MAX: usize = 2;
/// About the most bytes read at once, and in a head.
const READ_MAX: usize = 64 << 10;

#[cfg(feature = "tls")]
type Connector = hyper_rustls::HttpsConnector<HttpConnector>;
#[cfg(not(feature = "tls"))]
type Connector = HttpConnector;
type Http = Client<Connector, Full<Bytes>>;

/// Every request without its end.
pub(crate) struct Requests {
    /// What every address begins with.
    base: String,
    /// Made for the first request: most clients need none.
    http: Option<Http>,
    /// By number. The core has few under way.
    running: BTreeMap<u64, Step>,
    /// The one that had the last word: others come first.
    last: u64,
    /// A request was answered: the next may go by a link that is there already.
    reuses: bool,
}

enum Step {
    /// It could not even be asked.
    Failed(String),
    Asked {
        asked: ResponseFuture,
        /// The same once more, should the link turn out to have been closed from the other end meanwhile. Proxies close links
        /// that rest when they are configured anew. Browsers ask again then, too.
        again: Option<Box<(Http, Request<Full<Bytes>>)>>,
    },
    Answered {
        body: Incoming,
        text: Text,
    },
}

impl Requests {
    pub(crate) fn new(base: String) -> Self {
        Self { base, http: None, running: BTreeMap::new(), last: 0, reuses: false }
    }

    /// `path` is behind the server's `/v1/`; `bearer` and `body` may hold secrets.
    pub(crate) fn begin(&mut self, request: u64, path: &str, bearer: Option<&str>, body: String) {
        let step = match self.ask(path, bearer, body) {
            Ok(step) => step,
            Err(reason) => Step::Failed(reason),
        };
        self.running.insert(request, step);
    }

    /// Nothing is heard of it any more, and the server notices.
    pub(crate) fn abort(&mut self, request: u64) {
        self.running.remove(&request);
    }

    /// The next thing that happens. Dropping this future loses nothing.
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
            // Whoever stands between may not answer from memory.
            .header(header::CACHE_CONTROL, "no-store")
            .header(header::USER_AGENT, concat!("tidings-rust/", env!("CARGO_PKG_VERSION")));
        if let Some(bearer) = bearer {
            let mut bearer = HeaderValue::try_from(format!("Bearer {bearer}"))
                .map_err(|_| String::from("the session token can't be put into a header"))?;
            bearer.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, bearer);
        }
        let request = request.body(Full::from(body)).map_err(|error| error.to_string())?;
        let again = self.reuses.then(|| Box::new((http.clone(), request.clone())));
        Ok(Step::Asked { asked: http.request(request), again })
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
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
                Err(error) => match again.take() {
                    Some(once_more) if ended_unanswered(&error) => {
                        let (http, same) = *once_more;
                        *self = Self::Asked { asked: http.request(same), again: None };
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
    // Small messages are answers to somebody who waits: no Nagle.
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

/// Seconds, as servers and most proxies say it. A date is passed over.
fn retry_after(answer: &Response<Incoming>) -> Option<u64> {
    let seconds = answer.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    seconds.trim().parse::<u64>().ok()?.checked_mul(1_000)
}

/// The link ended before anything of an answer came.
fn ended_unanswered(error: &legacy::Error) -> bool {
    let cause =
        std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<hyper::Error>());
    cause.is_some_and(hyper::Error::is_incomplete_message)
}

/// Why there was no answer. The outermost error says only at which step that was.
fn legacy_words(error: &legacy::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), words)
}

/// An error with its causes. None of them names an address or a header.
fn words(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests;
