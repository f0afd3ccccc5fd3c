//! Credentials that were revoked.

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use sha2::{Digest as _, Sha256};
use tidings_server_core::{
    session_id,
    store::{Revocation, Subject},
};

/// Revocations by their subject. As large as the store's table: revocations of 30 days.
#[derive(Debug, Default)]
pub(super) struct Revoked {
    users: HashMap<String, Cut>,
    sessions: HashMap<String, Cut>,
}

#[derive(Clone, Copy, Debug)]
struct Cut {
    /// Credentials issued earlier are void.
    at: u64,
    until: u64,
}

/// The family of the sessions that come from a JWT with an id: those it opens, those of its
/// tickets, and their session tokens. Revoking the JWT ends the family.
fn family_of_jti(jti: &str) -> String {
    let hash: [u8; 32] = Sha256::digest(jti.as_bytes()).into();
    format!("j-{}", BASE64.encode(&hash[..24]))
}

/// Id of the session that a JWT opens, the same each time. Two issuers or users may choose the same
/// `jti` and still have different sessions.
pub(super) fn session_of_jwt(issuer: Option<&str>, user: &str, jti: &str) -> String {
    let mut hash = Sha256::new();
    // The length prevents two different pairs from having the same bytes.
    let issuer = issuer.unwrap_or_default();
    hash.update((issuer.len() as u64).to_be_bytes());
    hash.update(issuer);
    hash.update(user);
    let hash: [u8; 32] = hash.finalize().into();
    session_id::of_family(&family_of_jti(jti), &BASE64.encode(&hash[..16]))
}

/// The same revocation, with a JWT replaced by the family of its sessions.
pub(crate) fn by_session(revocation: &Revocation) -> Revocation {
    let subject = match &revocation.subject {
        Subject::Jti(jti) => Subject::Session(family_of_jti(jti)),
        other => other.clone(),
    };
    Revocation { subject, ..*revocation }
}

impl Revoked {
    /// `over`: anything that ends before this has ended by every clock.
    pub(super) fn add(&mut self, revocation: &Revocation, over: u64) {
        let (map, name) = match &revocation.subject {
            Subject::User(user) => (&mut self.users, user),
            Subject::Session(session) | Subject::Jti(session) => (&mut self.sessions, session),
        };
        // Pruned when the map is full: constant work per entry.
        if map.len() == map.capacity() {
            map.retain(|_, cut| over < cut.until);
        }
        let Revocation { at, until, .. } = *revocation;
        let cut = map.entry(name.clone()).or_insert(Cut { at, until });
        *cut = Cut { at: cut.at.max(at), until: cut.until.max(until) };
    }

    /// The end of a session is final. A user's revocation affects credentials issued before it.
    pub(super) fn hits(&self, user: &str, session: &str, issued_at: u64) -> bool {
        self.users.get(user).is_some_and(|cut| issued_at < cut.at)
            || self.sessions.contains_key(session)
            || session_id::family(session).is_some_and(|family| self.sessions.contains_key(family))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revoked(subject: Subject) -> Revoked {
        let mut revoked = Revoked::default();
        revoked.add(&by_session(&Revocation { subject, at: 100, until: 200 }), 100);
        revoked
    }

    #[test]
    fn a_user_is_revoked_up_to_a_moment() {
        let revoked = revoked(Subject::User("u1".into()));
        assert!(revoked.hits("u1", "s", 99));
        assert!(!revoked.hits("u1", "s", 100));
    }

    #[test]
    fn a_session_is_revoked_for_good() {
        let revoked = revoked(Subject::Session("s".into()));
        assert!(revoked.hits("u1", "s", 500));
        assert!(!revoked.hits("u1", "t", 0));
    }

    #[test]
    fn revoking_a_jwt_ends_what_came_of_it() {
        let revoked = revoked(Subject::Jti("j1".into()));
        let session = |jti| session_of_jwt(Some("https://id.example"), "u1", jti);
        assert!(revoked.hits("u1", &session("j1"), 0));
        assert!(!revoked.hits("u1", &session("j2"), 0));
        let ticket = session_id::of_family(&family_of_jti("j1"), "of a ticket");
        assert!(revoked.hits("u1", &ticket, 500));
        assert!(session("j1").len() <= 64);
    }

    #[test]
    fn one_jti_of_two_users_or_issuers_is_two_sessions() {
        let sessions = [
            session_of_jwt(None, "u1", "j"),
            session_of_jwt(None, "u2", "j"),
            session_of_jwt(Some("a"), "u1", "j"),
            session_of_jwt(Some("b"), "u1", "j"),
            session_of_jwt(Some("au"), "1", "j"),
        ];
        let different: std::collections::HashSet<_> = sessions.iter().collect();
        assert_eq!(different.len(), sessions.len());
        assert_eq!(sessions[0], session_of_jwt(None, "u1", "j"));
    }
}
