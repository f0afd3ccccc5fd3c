//! Ids of sessions. A session that comes of a credential with an id of its own carries the
//! credential's family in front: `family.own`. Ending the family ends every session of it.

/// Between a family and the session's own part; in neither of them.
const BETWEEN: char = '.';

/// The id of a session of a family. `own` tells it from the others.
#[must_use]
pub fn of_family(family: &str, own: &str) -> String {
    format!("{family}{BETWEEN}{own}")
}

/// The family of a session; `None` where the session's credential had no id.
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
