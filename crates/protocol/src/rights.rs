//! Rights of users on channels. Default deny: only a grant allows.

use crate::{AddressError, Channel, limits::GRANTS};

/// An action on a channel that a grant may allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "lowercase")
)]
pub enum Right {
    /// Receive new records.
    Subscribe,
    /// Append messages and set state.
    Publish,
    /// Send signals such as typing.
    Signal,
    /// See the members that are in the channel.
    Presence,
    /// Read earlier records.
    History,
}

/// A set of rights; one byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RightSet(u8);

impl RightSet {
    /// All of them.
    pub const ALL: Self = Self(0b1_1111);

    /// Returns the set with one more right.
    #[must_use]
    pub const fn with(self, right: Right) -> Self {
        Self(self.0 | 1 << right as u8)
    }

    /// Whether the set has a right.
    pub const fn has(self, right: Right) -> bool {
        self.0 & (1 << right as u8) != 0
    }

    /// The rights in the set, in the order of [`Right`].
    pub fn iter(self) -> impl Iterator<Item = Right> {
        use Right::{History, Presence, Publish, Signal, Subscribe};
        [Subscribe, Publish, Signal, Presence, History]
            .into_iter()
            .filter(move |right| self.has(*right))
    }
}

impl FromIterator<Right> for RightSet {
    fn from_iter<I: IntoIterator<Item = Right>>(rights: I) -> Self {
        rights.into_iter().fold(Self::default(), Self::with)
    }
}

/// The channels of a grant: one full name, or every channel whose full name begins with the text
/// before a final `*`.
///
/// `room:42` is that room, `room:*` every room, and `room:team7/*` the rooms of a team. A `*`
/// anywhere else is refused: no channel's name holds one. The namespace must be complete: `*` alone
/// and `ro*` are refused, so that a new namespace is never granted by accident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// Checks a pattern.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        // A granted name must be a valid channel name; an `x` takes the place of the `*`.
        match text.strip_suffix('*') {
            Some(prefix) if prefix.ends_with(':') => Channel::parse(&format!("{prefix}x"))?,
            Some(prefix) => Channel::parse(prefix)?,
            None => Channel::parse(text)?,
        };
        Ok(Self(text.to_owned()))
    }

    /// A pattern of exactly one channel.
    pub fn of_channel(channel: &Channel) -> Self {
        Self(channel.as_str().to_owned())
    }

    /// Whether the pattern covers a channel.
    pub fn matches(&self, channel: &Channel) -> bool {
        match self.0.strip_suffix('*') {
            Some(prefix) => channel.as_str().starts_with(prefix),
            None => channel.as_str() == self.0,
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Rights on one channel or on the channels of one pattern; in JSON
/// `{"channel": "room:42", "allow": ["subscribe", "history"]}` or
/// `{"pattern": "room:*", "allow": ["subscribe"]}`. A name that comes from data belongs in
/// `channel`: a final `*` is refused there, while in `pattern` it would grant many channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The channels.
    pub pattern: Pattern,
    /// The rights on them.
    pub allow: RightSet,
}

/// The rights of a credential: the claim `channels`.
///
/// Grants add up. A user may always subscribe to and read the own inbox and `system:all`. No grant
/// opens another user's inbox, or allows a user to publish to an inbox or to `system:all`: only
/// backends may do that, and they need no rights.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(transparent))]
pub struct Rights {
    grants: Vec<Grant>,
}

impl Rights {
    /// Rights of at most [`GRANTS`] grants. Later grants are dropped, which can only take rights
    /// away.
    pub fn new(mut grants: Vec<Grant>) -> Self {
        grants.truncate(GRANTS);
        Self { grants }
    }

    /// Whether a user has a right on a channel.
    pub fn allows(&self, user: &str, channel: &Channel, right: Right) -> bool {
        if channel.namespace() == "inbox" || channel.namespace() == "system" {
            let own = channel.is_system() || channel.inbox_user() == Some(user);
            return own && matches!(right, Right::Subscribe | Right::History);
        }
        self.grants.iter().any(|grant| grant.allow.has(right) && grant.pattern.matches(channel))
    }

    /// The grants.
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }
}

#[cfg(feature = "serde")]
mod serde_impls {
    use serde::{
        Deserialize, Deserializer, Serialize, Serializer, de::Error, ser::SerializeStruct,
    };

    use super::{Channel, GRANTS, Grant, Pattern, Right, Rights};

    impl Serialize for Grant {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut grant = serializer.serialize_struct("Grant", 2)?;
            grant.serialize_field("pattern", self.pattern.as_str())?;
            grant.serialize_field("allow", &self.allow.iter().collect::<Vec<_>>())?;
            grant.end()
        }
    }

    impl<'de> Deserialize<'de> for Grant {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            #[derive(Deserialize)]
            struct Raw {
                channel: Option<String>,
                pattern: Option<String>,
                allow: Vec<Right>,
            }

            let Raw { channel, pattern, allow } = Raw::deserialize(deserializer)?;
            let pattern = match (channel, pattern) {
                (Some(channel), None) => {
                    Channel::parse(&channel).map(|one| Pattern::of_channel(&one))
                }
                (None, Some(pattern)) => Pattern::parse(&pattern),
                _ => {
                    return Err(D::Error::custom(
                        "a grant has `channel` or `pattern`, one of them",
                    ));
                }
            };
            let pattern = pattern.map_err(D::Error::custom)?;
            Ok(Self { pattern, allow: allow.into_iter().collect() })
        }
    }

    impl<'de> Deserialize<'de> for Rights {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let grants = Vec::<Grant>::deserialize(deserializer)?;
            if grants.len() > GRANTS {
                return Err(D::Error::custom("more grants than a credential may hold"));
            }
            Ok(Self { grants })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(name: &str) -> Channel {
        Channel::parse(name).unwrap()
    }

    fn grant(pattern: &str, rights: &[Right]) -> Grant {
        Grant { pattern: Pattern::parse(pattern).unwrap(), allow: rights.iter().copied().collect() }
    }

    #[test]
    fn nothing_is_allowed_without_a_grant() {
        assert!(!Rights::default().allows("u1", &channel("room:1"), Right::Subscribe));
    }

    #[test]
    fn ones_own_inbox_and_system_are_readable_and_nothing_more() {
        let everything = Rights::new(vec![
            grant("inbox:*", &[Right::Publish, Right::Subscribe]),
            grant("system:*", &[Right::Publish]),
        ]);
        for name in ["inbox:u1", "system:all"] {
            assert!(everything.allows("u1", &channel(name), Right::Subscribe));
            assert!(everything.allows("u1", &channel(name), Right::History));
            assert!(!everything.allows("u1", &channel(name), Right::Publish));
            assert!(!everything.allows("u1", &channel(name), Right::Presence));
        }
        assert!(!everything.allows("u1", &channel("inbox:u2"), Right::Subscribe));
        assert!(!everything.allows("u1", &channel("system:other"), Right::Subscribe));
    }

    #[test]
    fn a_star_at_the_end_grants_a_prefix() {
        let rights = Rights::new(vec![grant("room:team7/*", &[Right::Subscribe])]);
        assert!(rights.allows("u1", &channel("room:team7/a"), Right::Subscribe));
        assert!(!rights.allows("u1", &channel("room:team7/a"), Right::Publish));
        assert!(!rights.allows("u1", &channel("room:team70"), Right::Subscribe));
    }

    #[test]
    fn a_pattern_names_its_namespace() {
        for bad in ["*", "room*", "ro*", ":*", "room:", "", "room:a*b", "room:**", "room:a*b*"] {
            assert!(Pattern::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[cfg(feature = "serde")]
    #[test]
    fn the_claim_reads_and_writes_as_documented() {
        let claim = r#"[{"pattern":"room:*","allow":["subscribe","history"]}]"#;
        let rights: Rights = serde_json::from_str(claim).unwrap();
        assert!(rights.allows("u1", &channel("room:1"), Right::History));
        assert_eq!(serde_json::to_string(&rights).unwrap(), claim);
        let one = r#"[{"channel":"room:1","allow":["subscribe"]}]"#;
        let rights: Rights = serde_json::from_str(one).unwrap();
        assert!(rights.allows("u1", &channel("room:1"), Right::Subscribe));
        assert!(!rights.allows("u1", &channel("room:12"), Right::Subscribe));
        for bad in [
            r#"[{"pattern":"*","allow":["subscribe"]}]"#,
            r#"[{"pattern":"room:*","allow":["rule"]}]"#,
            r#"[{"channel":"room:*","allow":["subscribe"]}]"#,
            r#"[{"channel":"room:team*","allow":["subscribe"]}]"#,
            r#"[{"channel":"room:1","pattern":"room:1","allow":["subscribe"]}]"#,
            r#"[{"allow":["subscribe"]}]"#,
        ] {
            assert!(serde_json::from_str::<Rights>(bad).is_err(), "{bad}");
        }
    }
}
