//! The webhook secret of an account, and the signatures made with it.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::Sha256;

use crate::engine::error::{Error, ErrorKind, Result};

/// The header with the id of a delivery. A repetition has the same id.
pub(crate) const ID: &str = "webhook-id";
/// The header with the time of sending, in seconds since 1970.
pub(crate) const TIMESTAMP: &str = "webhook-timestamp";
/// The header with `version,signature` items, separated by spaces.
pub(crate) const SIGNATURE: &str = "webhook-signature";

/// The only supported version of the scheme.
pub(crate) const VERSION: &str = "v1";

/// The maximum length of an id. Limited, because ids are kept for deduplication.
const MAX_ID_LENGTH: usize = 256;

const BASE64_PREFIX: &str = "whsec_";
const HEX_PREFIX: &str = "hex:";
const SECRET_HELP: &str =
    "copy the secret again as the account shows it, or write a hexadecimal key as hex:DIGITS";

/// A secret that deliveries are signed with. `Debug` does not show it, and it has no `Display`.
///
/// ```
/// use kling_omni::webhook::Secret;
///
/// let secret = Secret::new("the-secret-of-the-account")?;
/// assert_eq!(format!("{secret:?}"), "Secret(hidden)");
/// # Ok::<(), kling_omni::Error>(())
/// ```
#[derive(Clone)]
pub struct Secret(SecretSlice<u8>);

impl Secret {
    /// Creates a secret from the text that the vendor shows. The key is the UTF-8 bytes of the text or, after `whsec_`, the bytes
    /// that the rest encodes in base64 or, after `hex:`, in hexadecimal. Whitespace around it is removed, as files and variables
    /// often have a line end.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if the text is empty, if the rest after `whsec_` is not base64 or the rest after `hex:` is
    /// not hexadecimal, or if the text looks like a secret with something around it: quotes, a version such as `v1,`, a name before
    /// `whsec_`, the name of a variable, or spaces, line breaks or invisible characters inside.
    /// [`from_bytes`](Self::from_bytes) accepts any key.
    pub fn new(text: impl AsRef<str>) -> Result<Self> {
        let text = text.as_ref().trim();
        if let Some(problem) = copy_mistake(text) {
            let summary = format!("the webhook secret {problem}");
            return Err(Error::uncharged(ErrorKind::Configuration, summary).with_help(SECRET_HELP));
        }
        match (
            text.strip_prefix(BASE64_PREFIX),
            text.strip_prefix(HEX_PREFIX),
        ) {
            (Some(encoded), _) => Self::from_base64(encoded),
            (_, Some(digits)) => Self::from_hex(digits),
            (None, None) => Self::from_bytes(text.as_bytes()),
        }
    }

    /// Creates a secret from hexadecimal digits of either case, with or without `hex:` before them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if it is empty, has a character that is not a digit, or an odd number of digits.
    pub fn from_hex(text: impl AsRef<str>) -> Result<Self> {
        let text = text.as_ref().trim();
        let digits = text.strip_prefix(HEX_PREFIX).unwrap_or(text);
        let key = crate::digest::bytes(digits).ok_or_else(|| {
            Error::uncharged(
                ErrorKind::Configuration,
                "the webhook secret is not valid hexadecimal",
            )
            .with_help(SECRET_HELP)
        })?;
        Self::from_bytes(key)
    }

    /// Creates a secret from base64, with or without `whsec_` before it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if it is empty or not base64 with its padding.
    pub fn from_base64(text: impl AsRef<str>) -> Result<Self> {
        let text = text.as_ref().trim();
        let encoded = text.strip_prefix(BASE64_PREFIX).unwrap_or(text);
        // The error of the decoder would quote a character of the secret.
        let key = BASE64.decode(encoded).map_err(|_| {
            Error::uncharged(
                ErrorKind::Configuration,
                "the webhook secret is not valid base64",
            )
            .with_help(
                "copy the secret again, or pass a secret that is not base64 without `whsec_`",
            )
        })?;
        Self::from_bytes(key)
    }

    /// Creates a secret from the bytes of the key.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if the key is empty: anyone could sign with that.
    pub fn from_bytes(key: impl Into<Vec<u8>>) -> Result<Self> {
        let key = key.into();
        if key.is_empty() {
            return Err(
                Error::uncharged(ErrorKind::Configuration, "the webhook secret is empty")
                    .with_help("copy it from the webhook settings of the account"),
            );
        }
        Ok(Self(key.into()))
    }

    /// Signs a delivery. Returns the value of its `webhook-signature` header. For forwarding and for tests.
    ///
    /// ```
    /// use std::time::{Duration, UNIX_EPOCH};
    /// use kling_omni::webhook::Secret;
    ///
    /// let sent_at = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    /// let signature = Secret::new("s3cret")?.sign("msg_1", sent_at, b"{}");
    /// assert!(signature.starts_with("v1,"));
    /// # Ok::<(), kling_omni::Error>(())
    /// ```
    pub fn sign(&self, id: &str, sent_at: SystemTime, body: &[u8]) -> String {
        let mac = self.mac(id, &unix_seconds(sent_at).to_string(), body);
        format!("{VERSION},{}", BASE64.encode(mac.finalize().into_bytes()))
    }

    /// Returns the headers of a signed delivery, which a [`Verifier`](super::Verifier) verifies. To forward a delivery, keep its id
    /// and its body unchanged, and pass the current time.
    ///
    /// ```
    /// use std::time::SystemTime;
    /// use kling_omni::webhook::{Secret, Verifier};
    ///
    /// let (secret, now) = (Secret::new("s3cret")?, SystemTime::now());
    /// let headers = secret.headers("msg_1", now, b"{}")?;
    /// assert!(Verifier::new(secret).verify(&headers, b"{}", now).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Validation`] if the id is invalid: empty, longer than 256 bytes, or not printable ASCII without spaces around
    /// it.
    pub fn headers(&self, id: &str, sent_at: SystemTime, body: &[u8]) -> Result<HeaderMap> {
        // Spaces around a header value are lost in transit.
        let is_id = is_id(id) && id.trim_ascii() == id;
        let readable = HeaderValue::from_str(id)
            .ok()
            .filter(|value| is_id && value.to_str().is_ok());
        let Some(printable) = readable else {
            return Err(Error::uncharged(
                ErrorKind::Validation,
                "invalid delivery id: 1 to 256 printable ASCII characters without spaces around them are allowed",
            ));
        };
        let signature = HeaderValue::from_str(&self.sign(id, sent_at, body))
            .expect("a version and base64 are printable");
        Ok(HeaderMap::from_iter([
            (HeaderName::from_static(ID), printable),
            (
                HeaderName::from_static(TIMESTAMP),
                unix_seconds(sent_at).into(),
            ),
            (HeaderName::from_static(SIGNATURE), signature),
        ]))
    }

    /// Computes the message authentication code of a delivery, to verify or to sign it.
    pub(crate) fn mac(&self, id: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.expose_secret())
            .expect("HMAC accepts keys of any length");
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        mac
    }
}

/// Seconds since 1970; 0 for earlier times.
pub(crate) fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

pub(crate) fn is_id(text: &str) -> bool {
    (1..=MAX_ID_LENGTH).contains(&text.len())
}

/// Detects a secret with surrounding text, with which no delivery would verify.
fn copy_mistake(text: &str) -> Option<&'static str> {
    let is_quote = |c| matches!(c, '"' | '\'' | '`' | '\u{2018}'..='\u{201f}' | '«' | '»');
    let is_invisible = |c: char| {
        let is_format = matches!(
            c,
            '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        );
        is_format || c.is_control() || c.is_whitespace()
    };
    let is_version = |version: &str| {
        let digits = version.strip_prefix(['v', 'V']);
        digits.is_some_and(|digits| {
            digits.starts_with(|c: char| c.is_ascii_digit()) && digits.len() <= 3
        })
    };
    // A `NAME=value` line. In base64, `=` only occurs at the end.
    let is_variable = |(name, value): (&str, &str)| {
        let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        name.contains('_') && name.chars().all(is_name) && !value.trim_matches('=').is_empty()
    };
    let lower = text.to_ascii_lowercase();
    if text.starts_with(is_quote) || text.ends_with(is_quote) {
        Some("is in quotes")
    } else if text.contains(is_invisible) {
        Some("contains a space, a line break or an invisible character")
    } else if lower.rfind(BASE64_PREFIX).is_some_and(|at| at > 0)
        || lower.starts_with(BASE64_PREFIX) && !text.starts_with(BASE64_PREFIX)
    {
        Some("has text before `whsec_`, or `whsec_` in another case")
    } else if text
        .split_once([',', '='])
        .is_some_and(|(version, _)| is_version(version))
    {
        Some("begins with the version of a signature")
    } else if text.split_once('=').is_some_and(is_variable) {
        Some("has the name of a variable before it")
    } else {
        None
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}
