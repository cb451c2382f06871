//! SHA-256 digests as hexadecimal text.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// The hash of the input of `digest`, as 64 hexadecimal digits.
pub(crate) fn hex(digest: Sha256) -> String {
    digits(&digest.finalize().into())
}

/// Decodes hexadecimal digits; `None` for other text.
#[cfg(feature = "webhook")]
pub(crate) fn bytes(digits: &str) -> Option<Vec<u8>> {
    let nibbles: Option<Vec<u32>> = digits.chars().map(|c| c.to_digit(16)).collect();
    let pairs = nibbles.filter(|nibbles| nibbles.len().is_multiple_of(2))?;
    let byte = |pair: &[u32]| u8::try_from(pair[0] * 16 + pair[1]).ok();
    pairs.chunks(2).map(byte).collect()
}

/// Encodes a hash as 64 hexadecimal digits.
pub(crate) fn digits(hash: &[u8; 32]) -> String {
    hash.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
