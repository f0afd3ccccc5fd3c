//! Who is on the other end.

use std::fmt::{self, Debug, Formatter};

use tidings_protocol::{Json, rights::Rights};

/// A user, as a checked credential says.
#[derive(Clone, PartialEq)]
pub struct Identity {
    /// User id.
    pub user: String,
    /// The user's public `info`, at most 1 KiB.
    pub info: Option<Json>,
    /// What the credential grants.
    pub rights: Rights,
    /// Id of the session, 1–64 bytes; it stays when the session token re-enters.
    pub session: String,
    /// Re-enters until `expires_at`. A secret; empty where none is wanted (REST).
    pub session_token: String,
    /// When the credential was issued, in milliseconds since 1970.
    pub issued_at: u64,
    /// When it ends, in milliseconds since 1970.
    pub expires_at: Option<u64>,
}

impl Debug for Identity {
    /// Secrets stay out of logs.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("user", &self.user)
            .field("session", &self.session)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}
