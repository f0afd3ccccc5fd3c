//! The origin, address and credentials of a request, read in the same way for every transport.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::extract::ConnectInfo;
use http::{HeaderMap, Method, header, request::Parts};
use tidings_protocol::ErrorCode;
use tidings_server_core::{Principal, Refused};

use super::origin::{Hosts, Origins, Page};
use crate::{
    auth::{bearer::Authorization, cookie},
    driver::{Clock, Node, RequestContext, request_context::Ambient},
    listen::Peer,
    proxies::Proxies,
    refusals::Refusals,
};

/// The parts needed to check a request.
#[derive(Clone, Debug)]
pub struct RequestPolicy {
    /// The server's shared parts.
    pub node: Arc<Node>,
    /// Origins of pages that may connect.
    pub origins: Arc<Origins>,
    /// Host names of this server.
    pub hosts: Arc<Hosts>,
    /// Proxies that are trusted to state the client's address.
    pub proxies: Arc<Proxies>,
    /// Name of the session cookie, if cookies are accepted.
    pub cookie: Option<Arc<str>>,
    /// Refusals in the log.
    pub(crate) refusals: Arc<Refusals>,
}

impl RequestPolicy {
    /// The request's data for later checks, once its origin is allowed.
    pub(crate) fn context(&self, parts: &Parts) -> Box<RequestContext> {
        let address = self.address(parts);
        Box::new(RequestContext {
            page: Page::of(&parts.method, &parts.headers),
            ambient: self.ambient(&parts.method, &parts.headers),
            address,
            whose: Principal::address(address),
            peer: parts.extensions.get::<Peer>().cloned(),
        })
    }

    /// Refuses requests for another host, and logs it.
    ///
    /// # Errors
    /// As [`Hosts::check`].
    pub(crate) fn is_asked(&self, parts: &Parts) -> Result<(), Refused> {
        self.hosts.check(parts).inspect_err(|refused| {
            self.refusals.record(refused.code, &refused.detail, self.address(parts), Clock::wall());
        })
    }

    /// Whether the origin of a request's page is allowed. If not, it is logged.
    pub(crate) fn admits(&self, parts: &Parts) -> bool {
        let admitted = self.origins.admit(&parts.headers);
        if !admitted {
            self.record_origin(parts);
        }
        admitted
    }

    pub(crate) fn record_origin(&self, parts: &Parts) {
        let text =
            |name| parts.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let origin = text(header::ORIGIN).unwrap_or_default();
        let host = text(header::HOST).unwrap_or_default();
        let cause = format!("origin {origin} is not in `origins`, and no page of {host} itself");
        self.refusals.record(ErrorCode::OriginRefused, &cause, self.address(parts), Clock::wall());
    }

    /// The client's address. Unknown if the app around the router does not provide one.
    pub(crate) fn address(&self, parts: &Parts) -> Option<IpAddr> {
        let peer = parts.extensions.get::<SocketAddr>().copied().or_else(|| {
            parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer)
        })?;
        if self.proxies.misses(peer.ip(), &parts.headers) {
            self.refusals.record_proxy(peer.ip());
        }
        Some(self.proxies.client(peer.ip(), &parts.headers))
    }

    fn ambient(&self, method: &Method, headers: &HeaderMap) -> Option<Ambient> {
        if let Authorization::Bearer(bearer) = Authorization::of(headers) {
            return Some(Ambient::Header(bearer.into()));
        }
        let value = cookie::find(headers, self.cookie.as_deref()?)?;
        // Browsers send the cookie also with requests of other sites' pages.
        Some(match cookie::may_speak(method, headers, &self.origins) {
            Ok(()) => Ambient::Cookie(value.into()),
            Err(_) => Ambient::MuteCookie,
        })
    }
}
