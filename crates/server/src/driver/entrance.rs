//! How somebody came in, and the seam to whoever checks credentials.

use std::{net::IpAddr, pin::Pin, sync::Arc};

use tidings_server_core::{
    Identity, Principal, ProofKey, Refused, session::Credential, store::Revocation,
};

use crate::{listen::Peer, transport::origin::Page};

/// A connection's way in, as its request told it.
#[derive(Clone, Debug, Default)]
pub struct Entrance {
    /// Whose page, checked already.
    pub page: Page,
    /// What an `Authorization` header or cookie offers when `connect` offers nothing. A secret.
    pub ambient: Option<Ambient>,
    /// The peer, as far as trusted proxies tell.
    pub address: Option<IpAddr>,
    /// For whom its reads and writes are counted.
    pub whose: Principal,
    /// Its link, where the server took it itself.
    pub peer: Option<Peer>,
}

impl Entrance {
    /// The connection was counted in.
    pub(crate) fn admitted(&self) {
        if let Some(peer) = &self.peer {
            peer.admitted();
        }
    }

    /// Its credential was good.
    pub(crate) fn known(&mut self, whose: Principal) {
        if let Some(peer) = &self.peer {
            peer.known(&whose);
        }
        self.whose = whose;
    }
}

/// A credential that came with the request.
#[derive(Clone)]
pub enum Ambient {
    /// From the session cookie of a request that a page of an allowed origin sent.
    Cookie(Box<str>),
    /// There is a cookie, but another site's page may have caused the request.
    MuteCookie,
    /// From `Authorization: Bearer`.
    Header(Box<str>),
}

impl std::fmt::Debug for Ambient {
    /// Secrets stay out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Cookie(_) => "Cookie(…)",
            Self::MuteCookie => "MuteCookie",
            Self::Header(_) => "Header(…)",
        })
    }
}

/// The answer of [`Authenticate::authenticate`].
pub type Checked<'a> = Pin<Box<dyn Future<Output = Result<Identity, Refused>> + Send + 'a>>;

/// Checks credentials, revocations included.
pub trait Authenticate: Send + Sync + 'static {
    /// Who is it? The identity carries a session token.
    fn authenticate<'a>(&'a self, credential: Credential, entrance: &'a Entrance) -> Checked<'a>;

    /// Heeds a revocation that was stored. Answers what the registry must end: a JWT's sessions go by their id.
    fn heed(&self, revocation: &Revocation) -> Revocation;

    /// Whether a credential was revoked since it was checked; `issued_at` in milliseconds since 1970.
    fn is_revoked(&self, user: &str, session: &str, issued_at: u64) -> bool;

    /// Seals from where on users may read who may not read back; the same on all nodes.
    fn proofs(&self) -> Arc<ProofKey>;
}
