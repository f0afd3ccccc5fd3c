//! The user behind a credential.

use std::fmt::{self, Debug, Formatter};

use tidings_protocol::{ErrorCode, Json, rights::Rights};

use crate::{Limits, refused::Refused};

/// A user, as a verified credential states it.
#[derive(Clone, PartialEq)]
pub struct Identity {
    /// User id.
    pub user: String,
    /// The user's public `info`, at most 1 KiB.
    pub info: Option<Json>,
    /// The rights that the credential grants.
    pub rights: Rights,
    /// Id of the session, 1–64 bytes. A reconnect with the session token keeps it.
    pub session: String,
    /// Reconnects the session until `expires_at`. A secret; empty where a session token is not
    /// wanted (REST).
    pub session_token: String,
    /// When the credential was issued, in milliseconds since 1970. 0 if the credential does not
    /// say; 0 is before any revocation.
    pub issued_at: u64,
    /// When the credential ends, in milliseconds since 1970.
    pub expires_at: Option<u64>,
}

impl Identity {
    /// Refuses a credential that a revocation could not reach. A revocation voids the credentials
    /// issued before it, and is forgotten after [`Limits::credential_ms`]. So a credential must not
    /// be issued in the future, and must not be valid for longer than that.
    ///
    /// Clocks may differ by `leeway_ms`.
    ///
    /// # Errors
    /// `expired` for a credential that has ended or is too old; `unauthorized` for one that was
    /// issued ahead of the clock or would be valid for too long.
    pub fn check_life(&self, wall: u64, leeway_ms: u64, limits: &Limits) -> Result<(), Refused> {
        let refused = |code, detail| Err(Refused::new(code, detail));
        let longest = limits.credential_ms;
        let issued_at = if self.issued_at == 0 { wall } else { self.issued_at };
        let ahead = issued_at.saturating_sub(wall);
        if ahead > leeway_ms {
            return refused(
                ErrorCode::Unauthorized,
                format!(
                    "the credential was issued {} s ahead of this server's clock, which differs by at most {} s",
                    ahead.div_ceil(1_000),
                    leeway_ms / 1_000
                ),
            );
        }
        let Some(expires_at) = self.expires_at else { return Ok(()) };
        if expires_at.saturating_add(leeway_ms) < wall {
            return Err(ErrorCode::Expired.into());
        }
        let most = longest.saturating_add(leeway_ms);
        if wall.saturating_sub(issued_at) > most {
            return refused(
                ErrorCode::Expired,
                format!(
                    "the credential was issued {} s ago, and none is good for longer than {} s",
                    wall.saturating_sub(issued_at) / 1_000,
                    longest / 1_000
                ),
            );
        }
        let life = expires_at.saturating_sub(issued_at);
        if life > most {
            return refused(
                ErrorCode::Unauthorized,
                format!(
                    "the credential would live for {} s, and none may for longer than {} s: a revocation is not remembered for longer",
                    life / 1_000,
                    longest / 1_000
                ),
            );
        }
        Ok(())
    }
}

impl Debug for Identity {
    /// Leaves the secrets out.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("user", &self.user)
            .field("session", &self.session)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: u64 = 1_000_000;
    const NOW: u64 = 50_000_000;
    const LEEWAY: u64 = 5_000;

    fn check(issued_at: u64, expires_at: u64) -> Result<(), (ErrorCode, String)> {
        let identity = Identity {
            user: "mina".into(),
            info: None,
            rights: Rights::default(),
            session: "s".into(),
            session_token: String::new(),
            issued_at,
            expires_at: Some(expires_at),
        };
        let limits = Limits { credential_ms: LONGEST, ..Limits::default() };
        identity.check_life(NOW, LEEWAY, &limits).map_err(|refused| (refused.code, refused.detail))
    }

    #[test]
    fn a_credential_lives_no_longer_than_a_revocation_is_kept() {
        assert_eq!(check(NOW, NOW + LONGEST), Ok(()));
        assert_eq!(check(NOW - LONGEST, NOW), Ok(()));
        assert_eq!(check(0, NOW + LONGEST), Ok(()), "without a beginning it lives from now on");
        let cases = [
            (NOW, NOW + 2 * LONGEST, ErrorCode::Unauthorized, "would live for 2000 s"),
            (0, NOW + 2 * LONGEST, ErrorCode::Unauthorized, "would live for 2000 s"),
            (NOW - 2 * LONGEST, NOW + 1_000, ErrorCode::Expired, "issued 2000 s ago"),
            (1, u64::MAX, ErrorCode::Expired, "issued"),
            (0, u64::MAX, ErrorCode::Unauthorized, "would live"),
        ];
        for (issued_at, expires_at, code, text) in cases {
            let (refused, detail) = check(issued_at, expires_at).unwrap_err();
            assert_eq!(refused, code, "{issued_at} {expires_at}");
            assert!(detail.contains(text), "{detail}");
        }
    }

    /// A later issue time would escape a revocation that comes meanwhile.
    #[test]
    fn nothing_is_issued_ahead_of_the_clock() {
        assert_eq!(check(NOW + LEEWAY, NOW + 60_000), Ok(()));
        for ahead in [LEEWAY + 1, 3_600_000, u64::MAX - NOW] {
            let (code, detail) = check(NOW + ahead, u64::MAX).unwrap_err();
            assert_eq!(code, ErrorCode::Unauthorized);
            assert!(detail.contains("ahead of this server's clock"), "{detail}");
        }
    }

    #[test]
    fn an_end_is_an_end() {
        assert_eq!(check(NOW - 60_000, NOW - LEEWAY), Ok(()));
        assert_eq!(check(NOW - 60_000, NOW - LEEWAY - 1).unwrap_err().0, ErrorCode::Expired);
        assert_eq!(check(0, 0).unwrap_err().0, ErrorCode::Expired);
    }
}
