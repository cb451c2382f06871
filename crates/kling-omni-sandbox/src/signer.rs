//! Signs URLs, and verifies their signatures.

use std::fmt;
use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderValue;
use sha2::Sha256;
use url::form_urlencoded;

/// Signs paths with an expiry, and other texts, and verifies the signatures.
pub(crate) struct Signer {
    key: [u8; 32],
}

impl Signer {
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// Returns a token for `path`, valid until the unix time `expires`.
    pub(crate) fn sign(&self, path: &str, expires: u64) -> String {
        let signature = self.signature(&message(path, expires));
        format!("exp={expires}~hmac={signature}")
    }

    /// Returns the signature of a text, in hexadecimal.
    pub(crate) fn signature(&self, text: &str) -> String {
        hex(&self.mac(text).finalize().into_bytes())
    }

    /// Returns whether a signature of a text is valid.
    pub(crate) fn verifies(&self, text: &str, signature: &str) -> bool {
        // The library compares in constant time.
        bytes(signature).is_some_and(|signature| self.mac(text).verify_slice(&signature).is_ok())
    }

    /// Returns whether a query has a token of this signer for `path` that has not expired at the unix time `now`.
    pub(crate) fn is_valid_token(&self, path: &str, query: Option<&str>, now: u64) -> bool {
        let Some((expires, signature)) = query.and_then(token) else {
            return false;
        };
        self.verifies(&message(path, expires), &signature) && now < expires
    }

    fn mac(&self, text: &str) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC accepts keys of any length");
        mac.update(text.as_bytes());
        mac
    }
}

/// Returns the signed text of a path.
fn message(path: &str, expires: u64) -> String {
    format!("exp={expires}~path={path}")
}

/// Formats bytes in hexadecimal.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut digits, byte| {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

/// Returns the `ETag` of a file with this SHA-256.
pub(crate) fn etag(digest: &[u8]) -> HeaderValue {
    let etag = format!("\"{}\"", hex(&digest[..16]));
    HeaderValue::try_from(etag).expect("quoted hexadecimal digits are a valid header value")
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    });
    pairs.collect()
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").finish_non_exhaustive()
    }
}

/// Parses `token=exp=UNIX~hmac=HEX`.
fn token(query: &str) -> Option<(u64, String)> {
    let (_, token) = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "token")?;
    let (expires, signature) = token.strip_prefix("exp=")?.split_once("~hmac=")?;
    Some((expires.parse().ok()?, signature.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_valid_for_their_path_and_time() {
        let signer = Signer::new([7; 32]);
        let token = signer.sign("/a.mp4", 1000);
        let (_, hex) = token.split_once("~hmac=").unwrap();
        assert_eq!(hex.len(), 64);
        let cases = [
            ("/a.mp4", format!("token={token}"), 999, true),
            ("/a.mp4", format!("x=1&token={token}"), 0, true),
            (
                "/a.mp4",
                token.replace('=', "%3D").replace("exp", "token=exp"),
                0,
                true,
            ),
            ("/a.mp4", format!("token={token}"), 1000, false),
            ("/b.mp4", format!("token={token}"), 0, false),
            ("/a.mp4", format!("token=exp=2000~hmac={hex}"), 0, false),
            (
                "/a.mp4",
                format!("token={}", &token[..token.len() - 2]),
                0,
                false,
            ),
            (
                "/a.mp4",
                format!("token={}", Signer::new([8; 32]).sign("/a.mp4", 1000)),
                0,
                false,
            ),
            ("/a.mp4", "token=exp=1000~hmac=zz".to_owned(), 0, false),
            ("/a.mp4", "token=".to_owned(), 0, false),
            ("/a.mp4", String::new(), 0, false),
        ];
        for (path, query, now, expected) in cases {
            assert_eq!(
                signer.is_valid_token(path, Some(&query), now),
                expected,
                "{path} {query} {now}"
            );
        }
        assert!(!signer.is_valid_token("/a.mp4", None, 0));
    }
}
