//! Digests as text.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// The SHA-256 of what was fed, in 64 hexadecimal digits.
pub(crate) fn hex(digest: Sha256) -> String {
    digits(&digest.finalize().into())
}

/// The bytes that hexadecimal digits stand for; `None` for anything else.
#[cfg(feature = "webhook")]
pub(crate) fn bytes(digits: &str) -> Option<Vec<u8>> {
    let nibbles: Option<Vec<u32>> = digits.chars().map(|c| c.to_digit(16)).collect();
    let pairs = nibbles.filter(|nibbles| nibbles.len().is_multiple_of(2))?;
    let byte = |pair: &[u32]| u8::try_from(pair[0] * 16 + pair[1]).ok();
    pairs.chunks(2).map(byte).collect()
}

/// A hash in 64 hexadecimal digits.
pub(crate) fn digits(hash: &[u8; 32]) -> String {
    hash.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
