//! Channel names, user ids, epochs of logs, and proofs.

use std::{
    borrow::Borrow,
    fmt::{self, Debug, Display, Formatter},
    str::FromStr,
    sync::Arc,
};

use crate::limits::{NAME_BYTES, NAMESPACE_BYTES, USER_BYTES};

/// A channel name, `namespace:name`; cheap to clone.
///
/// The first `:` splits the name. The namespace is `[a-z][a-z0-9_-]{0,31}`. The name has 1–128
/// bytes of UTF-8 without control characters, and may itself hold `:` and `/`. Only an inbox's
/// name, which is a user id, may hold a `*`: at the end of a grant, a `*` stands for the rest of a
/// name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel(Arc<str>);

impl Channel {
    /// Full name of the channel for messages to everyone.
    pub const SYSTEM: &'static str = "system:all";

    /// Checks a full channel name.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let (namespace, name) = split(text).ok_or(AddressError::NoNamespace)?;
        check_namespace(namespace)?;
        check_text(name, NAME_BYTES)?;
        if name.contains('*') && !text.starts_with(INBOX) {
            return Err(AddressError::Star);
        }
        Ok(Self(Arc::from(text)))
    }

    /// The private channel of a user's notifications, `inbox:{user}`.
    pub fn inbox(user: &str) -> Result<Self, AddressError> {
        check_user(user)?;
        let mut text = String::with_capacity(INBOX.len() + user.len());
        text.push_str(INBOX);
        text.push_str(user);
        Ok(Self(Arc::from(text)))
    }

    /// The channel for messages to everyone, [`Channel::SYSTEM`].
    pub fn system() -> Self {
        Self(Arc::from(Self::SYSTEM))
    }

    /// `namespace:name`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the first `:`.
    pub fn namespace(&self) -> &str {
        split(&self.0).map_or("", |(namespace, _)| namespace)
    }

    /// The part after the first `:`.
    pub fn name(&self) -> &str {
        split(&self.0).map_or("", |(_, name)| name)
    }

    /// The user whose inbox this is, if it is an inbox.
    pub fn inbox_user(&self) -> Option<&str> {
        self.0.strip_prefix(INBOX)
    }

    /// Whether this is the channel for messages to everyone.
    pub fn is_system(&self) -> bool {
        &*self.0 == Self::SYSTEM
    }

    /// The name as one segment of a URL path: every byte but `[A-Za-z0-9._~-]` as `%XX`.
    pub fn to_url_segment(&self) -> String {
        const HEX: &[u8; 16] = b"0123456789ABCDEF";
        let mut out = String::with_capacity(self.0.len() + 8);
        for byte in self.0.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'~' | b'-') {
                out.push(char::from(byte));
            } else {
                out.push('%');
                out.push(char::from(HEX[usize::from(byte >> 4)]));
                out.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
        out
    }
}

impl Borrow<str> for Channel {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Channel {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Debug for Channel {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Debug::fmt(&*self.0, f)
    }
}

impl Display for Channel {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Channel {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

/// Identity of a channel's log: 8 characters of `[A-Za-z0-9_-]`, compared for equality only.
///
/// A new epoch begins when acknowledged records may be lost. Offsets of different epochs can't be
/// compared.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch([u8; 8]);

impl Epoch {
    /// Makes an epoch of the low 48 bits of a random number.
    pub const fn from_bits(bits: u64) -> Self {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
        let mut text = [0; 8];
        let mut place = 0;
        while place < 8 {
            text[place] = ALPHABET[((bits >> (place * 6)) & 63) as usize];
            place += 1;
        }
        Self(text)
    }

    /// Checks an epoch from the wire.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let bytes: [u8; 8] = text.as_bytes().try_into().map_err(|_| AddressError::Epoch)?;
        if bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')) {
            Ok(Self(bytes))
        } else {
            Err(AddressError::Epoch)
        }
    }

    /// The 8 characters, all ASCII.
    pub fn to_bytes(self) -> [u8; 8] {
        self.0
    }

    /// The 8 characters.
    pub fn as_str(&self) -> &str {
        // An epoch holds only ASCII, so the fallback is never taken.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Debug for Epoch {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Debug::fmt(self.as_str(), f)
    }
}

impl Display for Epoch {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Epoch {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

/// A server's proof of the first offset that a user may read in a channel: 24 characters of
/// `[A-Za-z0-9_-]`, opaque to clients.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Proof([u8; 24]);

impl Proof {
    /// The value for a text that is no proof. No server gives it out.
    pub const NONE: Self = Self([b'-'; 24]);

    /// Reads a proof from the wire. A text of another form becomes [`Proof::NONE`]: another version
    /// of the server may have given it, so the client is not refused.
    pub fn from_text(text: &str) -> Self {
        let fits = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        match text.as_bytes().try_into() {
            Ok(bytes) if text.bytes().all(|byte| fits(&byte)) => Self(bytes),
            _ => Self::NONE,
        }
    }

    /// The 24 characters, all ASCII.
    pub fn as_bytes(&self) -> &[u8; 24] {
        &self.0
    }

    /// The 24 characters.
    pub fn as_str(&self) -> &str {
        // A proof holds only ASCII, so the fallback is never taken.
        core::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Debug for Proof {
    /// A proof is not a secret, so it may be shown.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Checks a user id: 1–128 bytes of UTF-8 without control characters.
pub fn check_user(user: &str) -> Result<(), AddressError> {
    check_text(user, USER_BYTES)
}

/// Why a text is not a valid name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressError {
    /// No `:` splits namespace and name.
    NoNamespace,
    /// The namespace is not `[a-z][a-z0-9_-]{0,31}`.
    Namespace,
    /// A name or user id is empty.
    Empty,
    /// A name or user id has more than 128 bytes.
    TooLong,
    /// A name or user id has a control character.
    Control,
    /// A channel's name has a `*`, which would be a pattern in a grant.
    Star,
    /// An epoch is not 8 characters of `[A-Za-z0-9_-]`.
    Epoch,
}

impl AddressError {
    /// The reason in one sentence without a full stop.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoNamespace => "a channel name is `namespace:name`",
            Self::Namespace => {
                "a namespace is a lower-case letter and up to 31 of a-z, 0-9, _ and -"
            }
            Self::Empty => "a name must not be empty",
            Self::TooLong => "a name has at most 128 bytes",
            Self::Control => "a name must not hold control characters",
            Self::Star => "a channel's name must not hold `*`, which stands for many in a grant",
            Self::Epoch => "an epoch is 8 characters of A-Z, a-z, 0-9, _ and -",
        }
    }
}

impl Display for AddressError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for AddressError {}

fn check_namespace(namespace: &str) -> Result<(), AddressError> {
    let fits = namespace.len() <= NAMESPACE_BYTES
        && namespace.bytes().enumerate().all(|(place, byte)| match byte {
            b'a'..=b'z' => true,
            b'0'..=b'9' | b'_' | b'-' => place > 0,
            _ => false,
        });
    if fits && !namespace.is_empty() { Ok(()) } else { Err(AddressError::Namespace) }
}

/// Checks a name that a client or backend chooses: 1 to `most` bytes of UTF-8 without control
/// characters. Every store can hold such a name (PostgreSQL has no U+0000), and it may stand in
/// logs and headers.
pub fn check_text(text: &str, most: usize) -> Result<(), AddressError> {
    if text.is_empty() {
        Err(AddressError::Empty)
    } else if text.len() > most {
        Err(AddressError::TooLong)
    } else if has_control(text.as_bytes()) {
        Err(AddressError::Control)
    } else {
        Ok(())
    }
}

/// Splits a full name into namespace and name.
fn split(text: &str) -> Option<(&str, &str)> {
    let colon = text.bytes().position(|byte| byte == b':')?;
    Some((text.get(..colon)?, text.get(colon + 1..)?))
}

/// Whether UTF-8 text has a control character (U+0000–1F, U+007F–9F).
fn has_control(text: &[u8]) -> bool {
    let mut before = 0;
    text.iter().any(|byte| {
        let control = matches!(byte, 0..0x20 | 0x7f) || before == 0xc2 && *byte < 0xa0;
        before = *byte;
        control
    })
}

const INBOX: &str = "inbox:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_colon_splits_namespace_and_name() {
        let channel = Channel::parse("room:a:b/c").unwrap();
        assert_eq!((channel.namespace(), channel.name()), ("room", "a:b/c"));
    }

    #[test]
    fn control_characters_are_what_unicode_says() {
        for char in '\u{0}'..='\u{800}' {
            assert_eq!(has_control(char.to_string().as_bytes()), char.is_control(), "{char:?}");
        }
    }

    #[test]
    fn bad_channel_names_say_what_is_wrong() {
        let long = format!("room:{}", "x".repeat(129));
        let cases = [
            ("room", AddressError::NoNamespace),
            (":x", AddressError::Namespace),
            ("Room:x", AddressError::Namespace),
            ("1room:x", AddressError::Namespace),
            ("a23456789012345678901234567890123:x", AddressError::Namespace),
            ("room:", AddressError::Empty),
            ("room:a\nb", AddressError::Control),
            ("room:a\u{85}b", AddressError::Control),
            (long.as_str(), AddressError::TooLong),
            ("room:team*", AddressError::Star),
            ("room:a*b", AddressError::Star),
        ];
        for (text, why) in cases {
            assert_eq!(Channel::parse(text), Err(why), "{text:?}");
        }
        assert!(Channel::parse(&long[..133]).is_ok());
        assert!(Channel::parse("a2345678901234567890123456789012:x").is_ok());
    }

    #[test]
    fn an_inbox_knows_its_user() {
        let channel = Channel::inbox("team:7/ä").unwrap();
        assert_eq!(channel.as_str(), "inbox:team:7/ä");
        assert_eq!(channel.inbox_user(), Some("team:7/ä"));
        assert_eq!(Channel::system().inbox_user(), None);
        assert_eq!(Channel::parse("inbox:a*").unwrap().inbox_user(), Some("a*"));
        assert_eq!(Channel::inbox(""), Err(AddressError::Empty));
    }

    #[test]
    fn a_name_is_one_url_segment() {
        assert_eq!(Channel::parse("room:a/ä b").unwrap().to_url_segment(), "room%3Aa%2F%C3%A4%20b");
    }

    #[test]
    fn a_proof_of_another_form_is_none_and_no_error() {
        let text = "AbCdEfGhIjKlMnOpQrStUv_-";
        assert_eq!(Proof::from_text(text).as_str(), text);
        for other in ["", "short", "AbCdEfGhIjKlMnOpQrStUv_-x", "AbCdEfGhIjKlMnOpQrStUv é"] {
            assert_eq!(Proof::from_text(other), Proof::NONE, "{other}");
        }
    }

    #[test]
    fn epochs_come_from_48_bits_and_go_over_the_wire() {
        for bits in [0, 1, 0x0123_4567_89ab_cdef, u64::MAX] {
            let epoch = Epoch::from_bits(bits);
            assert_eq!(Epoch::parse(epoch.as_str()), Ok(epoch));
        }
        assert_ne!(Epoch::from_bits(1), Epoch::from_bits(2));
        assert_eq!(Epoch::from_bits(1), Epoch::from_bits(1 | 1 << 48));
        assert_eq!(Epoch::parse("short"), Err(AddressError::Epoch));
        assert_eq!(Epoch::parse("with spa"), Err(AddressError::Epoch));
    }
}
