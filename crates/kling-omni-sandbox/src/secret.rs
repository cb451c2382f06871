//! The webhook secret, and the headers of a signed delivery.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue, header};
use sha2::Sha256;

use crate::clock::unix_seconds;

const BASE64_PREFIX: &str = "whsec_";
const HEX_PREFIX: &str = "hex:";

/// The secret that deliveries are signed with.
pub(crate) struct Secret(Vec<u8>);

impl Secret {
    /// Parses a secret. Returns `None` for invalid base64 after `whsec_`, or invalid hexadecimal after `hex:`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Some(encoded) = text.strip_prefix(BASE64_PREFIX) {
            return BASE64.decode(encoded).ok().map(Self);
        }
        match text.strip_prefix(HEX_PREFIX) {
            Some(digits) => from_hex(digits).map(Self),
            None => Some(Self(text.as_bytes().to_vec())),
        }
    }

    /// Returns a different secret.
    pub(crate) fn wrong(&self) -> Self {
        Self([self.0.as_slice(), b"forged"].concat())
    }

    fn sign(&self, id: &str, timestamp: &str, body: &[u8]) -> String {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC accepts keys of any length");
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
    }
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => {
                let nibble = |digit: &u8| char::from(*digit).to_digit(16);
                u8::try_from(nibble(high)? * 16 + nibble(low)?).ok()
            }
            _ => None,
        })
        .collect()
}

/// Returns the headers of a delivery, with a signature by each of `secrets`.
pub(crate) fn headers(secrets: &[&Secret], id: &str, now: SystemTime, body: &[u8]) -> HeaderMap {
    let timestamp = unix_seconds(now).to_string();
    let signatures: Vec<String> = secrets
        .iter()
        .map(|secret| secret.sign(id, &timestamp, body))
        .collect();
    let signature = signatures.join(" ");
    let mut headers = HeaderMap::new();
    let json = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, json);
    for (name, value) in [
        ("webhook-id", id),
        ("webhook-timestamp", &timestamp),
        ("webhook-signature", &signature),
    ] {
        let value =
            HeaderValue::from_str(value).expect("ids, numbers and base64 are valid header values");
        headers.insert(name, value);
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_parsed() {
        let key = |text: &str| Secret::parse(text).map(|secret| secret.0);
        assert_eq!(key("plain"), Some(b"plain".to_vec()));
        assert_eq!(key("whsec_cGxhaW4="), Some(b"plain".to_vec()));
        assert_eq!(key("whsec_*"), None);
        assert_eq!(key("hex:706C61696e"), Some(b"plain".to_vec()));
        for broken in ["hex:7", "hex:7g", "hex:+7", "hex:é"] {
            assert_eq!(key(broken), None, "{broken}");
        }
    }
}
