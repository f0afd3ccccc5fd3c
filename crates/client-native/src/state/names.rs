//! File names for arbitrary names.

use std::fmt::Write as _;

/// Keeps lower-case letters, digits, `-` and `_`, and writes other bytes as `%` and two digits.
/// Different names stay different, even if the file system ignores case, because capitals are
/// escaped.
pub(super) fn file_name(name: &str) -> String {
    let mut file = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_') {
            file.push(char::from(byte));
        } else {
            // Writing to a string can't fail.
            let _ = write!(file, "%{byte:02x}");
        }
    }
    // Most file systems allow 255 bytes.
    if file.len() > 200 {
        let sum = checksum(file.as_bytes());
        file.truncate(180);
        let _ = write!(file, "%{sum:016x}");
    }
    file
}

/// FNV-1a: finds torn writes and flipped bits. It does not protect against an attacker.
pub(super) fn checksum(bytes: &[u8]) -> u64 {
    let mut sum = 0xcbf2_9ce4_8422_2325_u64;
    for byte in bytes {
        sum = (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_are_files_that_differ() {
        assert_eq!(file_name("u1"), "u1");
        assert_eq!(file_name("../a\tB"), "%2e%2e%2fa%09%42");
        let long = "ü".repeat(64);
        assert!(file_name(&long).len() <= 200);
        assert_ne!(file_name(&long), file_name(&format!("{long}a")));
    }
}
