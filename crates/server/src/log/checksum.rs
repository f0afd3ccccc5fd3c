//! Checksums of rows, the same in every backend. Databases check their pages at best, not the
//! values of rows.

use tidings_protocol::Channel;

/// The checksum of a record at its offset.
pub(super) fn of_record(channel: &Channel, offset: u64, frame: &[u8]) -> i64 {
    of(&[channel.as_str().as_bytes(), &offset.to_le_bytes(), frame])
}

/// The checksum of all parts of an item that never change.
pub(super) fn of_item(offset: u64, id: &str, kind: &str, at: u64, data: &str) -> i64 {
    of(&[&offset.to_le_bytes(), id.as_bytes(), kind.as_bytes(), &at.to_le_bytes(), data.as_bytes()])
}

/// CRC-32 of the parts, each behind its length. Without lengths, two different splits of the same
/// bytes would have the same checksum.
pub(super) fn of(parts: &[&[u8]]) -> i64 {
    let mut hasher = crc32fast::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    i64::from(hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_knows_where_a_part_ends() {
        assert_ne!(of(&[b"ab", b"c"]), of(&[b"a", b"bc"]));
        assert_eq!(of(&[b"ab", b"c"]), of(&[b"ab", b"c"]));
    }
}
