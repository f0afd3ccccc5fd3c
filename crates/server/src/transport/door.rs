//! Who knocks: origin, address and credentials of a request, the same for every transport.

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
    driver::{Clock, Entrance, Node, entrance::Ambient},
    listen::Peer,
    proxies::Proxies,
    refusals::Refusals,
};

/// What the door needs to know.
#[derive(Clone, Debug)]
pub struct Door {
    /// The server behind it.
    pub node: Arc<Node>,
    /// Who may knock.
    pub origins: Arc<Origins>,
    /// By which names the server may be asked.
    pub hosts: Arc<Hosts>,
    /// Whose word is taken about where a request comes from.
    pub proxies: Arc<Proxies>,
    /// Name of the session cookie, where cookies are accepted.
    pub cookie: Option<Arc<str>>,
    /// Tells the log who was not let in.
    pub(crate) refusals: Arc<Refusals>,
}

impl Door {
    /// A request's way in, once its origin was admitted.
    pub(crate) fn entrance(&self, parts: &Parts) -> Box<Entrance> {
        let address = self.address(parts);
        Box::new(Entrance {
            page: Page::of(&parts.method, &parts.headers),
            ambient: self.ambient(&parts.method, &parts.headers),
            address,
            whose: Principal::address(address),
            peer: parts.extensions.get::<Peer>().cloned(),
        })
    }

    /// Refuses requests for somebody else; the log is told.
    ///
    /// # Errors
    /// As [`Hosts::check`].
    pub(crate) fn is_asked(&self, parts: &Parts) -> Result<(), Refused> {
        self.hosts.check(parts).inspect_err(|refused| {
            self.refusals.tell(refused.code, &refused.detail, self.address(parts), Clock::wall());
        })
    }

    /// Whether a request's page may come in; if not, the log is told.
    pub(crate) fn admits(&self, parts: &Parts) -> bool {
        let admitted = self.origins.admit(&parts.headers);
        if !admitted {
            self.tell_of_origin(parts);
        }
        admitted
    }

    pub(crate) fn tell_of_origin(&self, parts: &Parts) {
        let text =
            |name| parts.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let origin = text(header::ORIGIN).unwrap_or_default();
        let host = text(header::HOST).unwrap_or_default();
        let cause = format!("origin {origin} is not in `origins`, and no page of {host} itself");
        self.refusals.tell(ErrorCode::OriginRefused, &cause, self.address(parts), Clock::wall());
    }

    /// Where a request comes from; unknown where the app around the router does not say.
    pub(crate) fn address(&self, parts: &Parts) -> Option<IpAddr> {
        let peer = parts.extensions.get::<SocketAddr>().copied().or_else(|| {
            parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer)
        })?;
        if self.proxies.misses(peer.ip(), &parts.headers) {
            self.refusals.tell_of_proxy(peer.ip());
        }
        Some(self.proxies.client(peer.ip(), &parts.headers))
    }

    fn ambient(&self, method: &Method, headers: &HeaderMap) -> Option<Ambient> {
        if let Authorization::Bearer(bearer) = Authorization::of(headers) {
            return Some(Ambient::Header(bearer.into()));
        }
        let value = cookie::find(headers, self.cookie.as_deref()?)?;
        // Browsers send it unasked, also for pages of others.
        Some(match cookie::may_speak(method, headers, &self.origins) {
            Ok(()) => Ambient::Cookie(value.into()),
            Err(_) => Ambient::MuteCookie,
        })
    }
}
