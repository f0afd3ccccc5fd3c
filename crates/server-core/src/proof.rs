//! The first offset that a user may read in a channel, proven by the client.
//!
//! The right to subscribe grants the records from the moment of the subscription on, also after a
//! reconnect. The server keeps no list of these moments. It gives each to the client as a
//! [`Proof`], sealed with a key that all nodes share, and the client sends it back with its cursor.

use std::fmt::{self, Debug, Formatter};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tidings_protocol::{Channel, Epoch, Proof, limits::MAX_OFFSET};

/// Bytes of an offset in a proof: no offset is above 2^53 − 1.
const OFFSET: usize = 7;
/// Bytes of the seal. Each guess costs a request, and it takes 2^88 guesses to find one user's
/// offset in one channel.
const SEAL: usize = 11;

/// Seals and opens proofs.
#[derive(Clone)]
pub struct ProofKey([u8; 32]);

impl ProofKey {
    /// A key from these secret bytes. The same bytes may seal other data too.
    #[must_use]
    pub const fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// The proof that a user may read the channel's log of this epoch after `offset`.
    #[must_use]
    pub fn seal(&self, user: &str, channel: &Channel, epoch: Epoch, offset: u64) -> Proof {
        let mut bytes = [0; OFFSET + SEAL];
        let (head, tail) = bytes.split_at_mut(OFFSET);
        head.copy_from_slice(&offset.min(MAX_OFFSET).to_be_bytes()[8 - OFFSET..]);
        let Some(mac) = self.mac(user, channel, epoch, head) else { return Proof::NONE };
        tail.copy_from_slice(&mac.finalize().into_bytes()[..SEAL]);
        Proof::from_text(&BASE64.encode(bytes))
    }

    /// The offset after which the user may read, if the proof is for this user, this channel and
    /// this epoch.
    #[must_use]
    pub fn open(&self, proof: Proof, user: &str, channel: &Channel, epoch: Epoch) -> Option<u64> {
        let bytes = BASE64.decode(proof.as_bytes()).ok()?;
        let (head, seal) = bytes.split_at_checked(OFFSET)?;
        // Compared in constant time.
        self.mac(user, channel, epoch, head)?.verify_truncated_left(seal).ok()?;
        let mut offset = [0; 8];
        offset[8 - OFFSET..].copy_from_slice(head);
        Some(u64::from_be_bytes(offset))
    }

    fn mac(
        &self,
        user: &str,
        channel: &Channel,
        epoch: Epoch,
        offset: &[u8],
    ) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        // The prefix separates these seals from others made with the same key. Neither users nor
        // channels contain control characters, so the zero bytes separate the parts.
        for part in [b"tidings proof 1", user.as_bytes(), channel.as_str().as_bytes()] {
            mac.update(part);
            mac.update(b"\0");
        }
        mac.update(&epoch.to_bytes());
        mac.update(offset);
        Some(mac)
    }
}

impl Debug for ProofKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("ProofKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: ProofKey = ProofKey::new([7; 32]);

    fn room(name: &str) -> Channel {
        Channel::parse(name).unwrap()
    }

    #[test]
    fn a_proof_says_the_offset_it_was_sealed_with() {
        for offset in [0, 1, 117, 1 << 40, MAX_OFFSET] {
            let epoch = Epoch::from_bits(9);
            let proof = KEY.seal("mina", &room("room:a"), epoch, offset);
            assert_eq!(KEY.open(proof, "mina", &room("room:a"), epoch), Some(offset));
        }
    }

    #[test]
    fn a_proof_holds_for_nothing_else() {
        let epoch = Epoch::from_bits(9);
        let proof = KEY.seal("mina", &room("room:a"), epoch, 5);
        let open = |key: &ProofKey, proof, user, channel, epoch| {
            key.open(proof, user, &room(channel), epoch)
        };
        assert_eq!(open(&KEY, proof, "tom", "room:a", epoch), None);
        assert_eq!(open(&KEY, proof, "mina", "room:b", epoch), None);
        assert_eq!(open(&KEY, proof, "mina", "room:a", Epoch::from_bits(8)), None);
        assert_eq!(open(&ProofKey::new([8; 32]), proof, "mina", "room:a", epoch), None);
        assert_eq!(open(&KEY, Proof::NONE, "mina", "room:a", epoch), None);
        for index in 0..24 {
            let mut text = proof.as_str().to_owned().into_bytes();
            text[index] = if text[index] == b'A' { b'B' } else { b'A' };
            let changed = Proof::from_text(str::from_utf8(&text).unwrap());
            assert_eq!(open(&KEY, changed, "mina", "room:a", epoch), None, "{index}");
        }
    }
}
