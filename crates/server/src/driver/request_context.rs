//! The origin, address and credentials of a connection's request, and the seam to authentication.

use std::{net::IpAddr, pin::Pin, sync::Arc};

use tidings_server_core::{
    Identity, Principal, ProofKey, Refused, session::Credential, store::Revocation,
};

use crate::{listen::Peer, transport::origin::Page};

/// The data of a connection's request that later checks need.
#[derive(Clone, Debug, Default)]
pub struct RequestContext {
    /// The page that opened the connection; its origin is already checked.
    pub page: Page,
    /// The credential in the `Authorization` header or cookie, used if `connect` has none. A
    /// secret.
    pub ambient: Option<Ambient>,
    /// The client's address, as far as trusted proxies state it.
    pub address: Option<IpAddr>,
    /// The party that reads and writes are counted for.
    pub whose: Principal,
    /// The TCP connection, if this server accepted it itself.
    pub peer: Option<Peer>,
}

impl RequestContext {
    /// The connection was admitted.
    pub(crate) fn admitted(&self) {
        if let Some(peer) = &self.peer {
            peer.admitted();
        }
    }

    /// The credential was valid.
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
    /// From the session cookie, if a page of an allowed origin sent the request.
    Cookie(Box<str>),
    /// There is a cookie, but another site's page may have caused the request.
    MuteCookie,
    /// From `Authorization: Bearer`.
    Header(Box<str>),
}

impl std::fmt::Debug for Ambient {
    /// Leaves the secrets out.
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
    /// Authenticates a user. The identity has a session token.
    fn authenticate<'a>(
        &'a self,
        credential: Credential,
        context: &'a RequestContext,
    ) -> Checked<'a>;

    /// Takes in a stored revocation. Returns the revocation for the registry, in which a JWT is
    /// replaced by the family of its sessions.
    fn heed(&self, revocation: &Revocation) -> Revocation;

    /// Whether a credential was revoked since it was checked; `issued_at` in milliseconds since
    /// 1970.
    fn is_revoked(&self, user: &str, session: &str, issued_at: u64) -> bool;

    /// The key for proofs of the first offset that a user without the right to read back may read.
    /// All nodes have the same.
    fn proofs(&self) -> Arc<ProofKey>;
}
