//! Who knocks: origin, address and credentials of a request, the same for every transport.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::extract::ConnectInfo;
use http::{HeaderMap, Method, header, request::Parts};

use super::origin::{Origins, Page};
use crate::{
    auth::cookie,
    driver::{Entrance, Node, entrance::Ambient},
    proxies::Proxies,
};

/// What the door needs to know.
#[derive(Clone, Debug)]
pub struct Door {
    /// The server behind it.
    pub node: Arc<Node>,
    /// Who may knock.
    pub origins: Arc<Origins>,
    /// Whose word is taken about where a request comes from.
    pub proxies: Arc<Proxies>,
    /// Name of the session cookie, where cookies are accepted.
    pub cookie: Option<Arc<str>>,
}

impl Door {
    /// A request's way in, once its origin was admitted.
    pub(crate) fn entrance(&self, parts: &Parts) -> Box<Entrance> {
        Box::new(Entrance {
            page: Page::of(&parts.method, &parts.headers),
            ambient: self.ambient(&parts.method, &parts.headers),
            address: self.address(parts),
        })
    }

    /// Where a request comes from; unknown where the app around the router does not say.
    pub(crate) fn address(&self, parts: &Parts) -> Option<IpAddr> {
        let peer = parts.extensions.get::<SocketAddr>().copied().or_else(|| {
            parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer)
        })?;
        Some(self.proxies.client(peer.ip(), &parts.headers))
    }

    fn ambient(&self, method: &Method, headers: &HeaderMap) -> Option<Ambient> {
        if let Some(bearer) =
            text(headers, header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "))
        {
            return Some(Ambient::Header(bearer.trim().into()));
        }
        let value = cookie::find(headers, self.cookie.as_deref()?)?;
        // Browsers send it unasked, also for pages of others.
        Some(match cookie::may_speak(method, headers, &self.origins) {
            Ok(()) => Ambient::Cookie(value.into()),
            Err(_) => Ambient::MuteCookie,
        })
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}
