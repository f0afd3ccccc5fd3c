//! Admission to a node: claims connections in the store, and ends the connections that a revocation
//! hits.
//!
//! The rule which credentials a revocation hits is in `crates/server` (`auth/revoked.rs`), which a
//! simulation can't use: [`hits`] repeats it.

use std::{collections::BTreeMap, rc::Rc};

use tidings_protocol::ErrorCode;
use tidings_server_core::{
    MemoryStore, Refused,
    leases::{Claim, ConnectionId, ConnectionLeases, Lease, Verdict},
    session_id,
    store::{Revocation, Subject},
};

use crate::{env::Conn, observation::Guest};

/// How long a node's claims outlive it, in milliseconds.
const LEASE: u64 = 10_000;
/// How often it renews its lease.
pub const RENEW: u64 = 3_000;

/// The connections of one process.
#[derive(Debug)]
pub struct Gate {
    /// Most connections of one user, over all nodes.
    most: usize,
    /// The number of this process among all that ever ran.
    node: u64,
    leases: BTreeMap<Conn, (ConnectionId, Rc<Guest>)>,
    last: u64,
    revocations: Vec<Revocation>,
}

impl Gate {
    /// An empty gate of a process that knows all revocations.
    #[must_use]
    pub const fn new(node: u64, most: usize, revocations: Vec<Revocation>) -> Self {
        Self { most, node, leases: BTreeMap::new(), last: 0, revocations }
    }

    /// Most connections of one user.
    #[must_use]
    pub const fn most(&self) -> usize {
        self.most
    }

    /// Renews the lease. If the store had ended it, all connections are claimed again. Returns the
    /// connections that must end because there is no room for them any more, and the ones that were
    /// replaced at another node.
    pub fn renew(&self, store: &MemoryStore, wall: u64) -> (Vec<Conn>, Vec<ConnectionId>) {
        match store.renew(wall, self.node, LEASE) {
            Ok(Lease::Ended) => (self.claim_anew(store, wall), Vec::new()),
            Ok(Lease::Held { replaced }) => {
                let connection = |number| ConnectionId { node: self.node, number };
                (Vec::new(), replaced.into_iter().map(connection).collect())
            }
            Err(_) => (Vec::new(), Vec::new()),
        }
    }

    fn claim_anew(&self, store: &MemoryStore, wall: u64) -> Vec<Conn> {
        let anew = |(connection, guest): &(ConnectionId, Rc<Guest>)| Claim {
            anew: true,
            ..self.claim(*connection, guest)
        };
        let claims: Vec<Claim> = self.leases.values().map(anew).collect();
        let Ok(verdicts) = store.claim(wall, &claims) else { return Vec::new() };
        let refused = |verdict: &Verdict| !matches!(verdict, Verdict::Admitted { .. });
        let all = self.leases.keys().zip(verdicts);
        all.filter(|(_, verdict)| refused(verdict)).map(|(conn, _)| *conn).collect()
    }

    fn claim(&self, connection: ConnectionId, guest: &Guest) -> Claim {
        let Guest { user, instance, .. } = guest.clone();
        Claim { user, connection, instance, limit: self.most, anew: false }
    }

    /// Admits a connection; returns the older connection of the same page, which must end.
    ///
    /// # Errors
    /// `revoked`, or `connections` if the user has too many.
    pub fn admit(
        &mut self,
        store: &MemoryStore,
        wall: u64,
        conn: Conn,
        guest: &Rc<Guest>,
    ) -> Result<Option<ConnectionId>, Refused> {
        if self.is_revoked(guest) {
            return Err(ErrorCode::Revoked.into());
        }
        self.last += 1;
        let connection = ConnectionId { node: self.node, number: self.last };
        match store.claim(wall, &[self.claim(connection, guest)])?.pop() {
            Some(Verdict::Admitted { replaced }) => {
                self.leases.insert(conn, (connection, guest.clone()));
                Ok(replaced)
            }
            Some(Verdict::Full { .. } | Verdict::Superseded { .. }) | None => {
                Err(ErrorCode::Connections.into())
            }
        }
    }

    /// A connection goes on under another credential; returns whether that credential is revoked.
    pub fn renewed(&mut self, conn: Conn, guest: &Rc<Guest>) -> bool {
        if let Some((_, held)) = self.leases.get_mut(&conn) {
            *held = guest.clone();
        }
        self.is_revoked(guest)
    }

    /// The connection of a claim, if this process holds it.
    #[must_use]
    pub fn holder(&self, connection: ConnectionId) -> Option<Conn> {
        self.leases.iter().find(|(_, (held, _))| *held == connection).map(|(conn, _)| *conn)
    }

    /// Releases the claim of a connection.
    pub fn leave(&mut self, store: &MemoryStore, conn: Conn) {
        if let Some((connection, _)) = self.leases.remove(&conn) {
            let _gone = store.leave(&[connection]);
        }
    }

    /// Notes a revocation; returns the connections that it ends.
    pub fn heed(&mut self, revocation: Revocation) -> Vec<Conn> {
        let hit = |(conn, (_, guest)): (&Conn, &(ConnectionId, Rc<Guest>))| {
            hits(&revocation, guest).then_some(*conn)
        };
        let ended = self.leases.iter().filter_map(hit).collect();
        if !self.revocations.contains(&revocation) {
            self.revocations.push(revocation);
        }
        ended
    }

    /// Whether a credential is revoked.
    #[must_use]
    pub fn is_revoked(&self, guest: &Guest) -> bool {
        self.revocations.iter().any(|revocation| hits(revocation, guest))
    }
}

/// Whether a revocation hits a credential. The end of a session is final; the end of a user's
/// credentials holds for those issued before it.
#[must_use]
pub fn hits(revocation: &Revocation, guest: &Guest) -> bool {
    match &revocation.subject {
        Subject::User(user) => *user == guest.user && guest.issued_at < revocation.at,
        Subject::Session(session) | Subject::Jti(session) => {
            session_id::is_ended_by(&guest.session, session)
        }
    }
}
