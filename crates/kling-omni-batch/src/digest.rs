//! SHA-256 digests as hexadecimal text.

use sha2::{Digest as _, Sha256};

/// The first bytes of a digest that identify a ledger.
const LEDGER_ID_BYTES: usize = 8;

/// Encodes bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Names a ledger, by its salt.
pub(crate) fn ledger_id(salt: &[u8]) -> String {
    hex(&Sha256::digest(salt)[..LEDGER_ID_BYTES])
}
