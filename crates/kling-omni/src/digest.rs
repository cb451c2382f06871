//! Digests as text.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// The SHA-256 of what was fed, in 64 hexadecimal digits.
pub(crate) fn hex(digest: Sha256) -> String {
    digits(&digest.finalize().into())
}

/// A hash in 64 hexadecimal digits.
pub(crate) fn digits(hash: &[u8; 32]) -> String {
    hash.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
