//! Channels that went, as they are remembered.

use sha2::{Digest as _, Sha256};

/// What a channel is remembered by: a number a name, because names are long. Two of the same number only share what they are remembered
/// for: a client of the one may be told that something is missing.
pub(super) fn hash(name: &str) -> i64 {
    let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(Sha256::digest(name));
    i64::from_le_bytes([a, b, c, d, e, f, g, h])
}
