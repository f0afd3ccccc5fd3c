//! Ids of sessions. If a credential has its own id, that id is the session's family, and stands in
//! front of the session id: `family.own`. Ending a family ends all its sessions.

/// The separator between a family and the session's own part. Neither contains it.
const BETWEEN: char = '.';

/// The id of a session in a family. `own` distinguishes the family's sessions.
#[must_use]
pub fn of_family(family: &str, own: &str) -> String {
    format!("{family}{BETWEEN}{own}")
}

/// The family of a session. `None` if the session's credential had no id.
#[must_use]
pub fn family(session: &str) -> Option<&str> {
    session.split_once(BETWEEN).map(|(family, _)| family)
}

/// Whether ending `ended`, a session or a family, ends this session.
#[must_use]
pub fn is_ended_by(session: &str, ended: &str) -> bool {
    session == ended || family(session) == Some(ended)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_ends_with_all_its_sessions_and_no_other() {
        let session = of_family("j-1", "mina");
        assert_eq!(family(&session), Some("j-1"));
        for (ended, is) in [("j-1", true), ("j-1.mina", true), ("j-1.tom", false), ("j-", false)] {
            assert_eq!(is_ended_by(&session, ended), is, "{ended}");
        }
        assert_eq!(family("s-1"), None);
        assert!(is_ended_by("s-1", "s-1") && !is_ended_by("s-1", "s"));
    }
}
