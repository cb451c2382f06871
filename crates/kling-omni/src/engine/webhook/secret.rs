use std::fmt;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::Sha256;

use crate::engine::error::{Error, ErrorKind, Result};
use crate::engine::webhook::verifier::{self, VERSION};

const BASE64_PREFIX: &str = "whsec_";
const HEX_PREFIX: &str = "hex:";
const ADVICE: &str =
    "copy it again as the account shows it; a key in hexadecimal is written as hex:DIGITS";

/// A secret that deliveries are signed with. It is shown nowhere: `Debug` hides it, and there is no way to print it.
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
    /// Takes a secret as the vendor shows it: its UTF-8 bytes are the key or, after a `whsec_`, the bytes that the rest
    /// encodes in base64 or, after a `hex:`, in hexadecimal. Blanks and line ends around it, as files and variables tend to
    /// have, are dropped.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if nothing is left, if what follows `whsec_` is not base64 or what follows `hex:` is not
    /// hexadecimal, or if the text is a secret with something around it: quotes, a version such as `v1,`, a name before
    /// `whsec_`, the name of a variable, blanks, line breaks or invisible characters inside. [`from_bytes`](Self::from_bytes) takes any key.
    pub fn new(text: impl AsRef<str>) -> Result<Self> {
        let text = text.as_ref().trim();
        if let Some(problem) = slip(text) {
            let summary = format!("the webhook secret {problem}");
            return Err(Error::new(ErrorKind::Configuration, summary).with_help(ADVICE));
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

    /// Takes a secret that is the key in hexadecimal digits of either case, with or without `hex:` before it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if it is empty, has a character that is not a digit, or an odd number of digits.
    pub fn from_hex(text: impl AsRef<str>) -> Result<Self> {
        let text = text.as_ref().trim();
        let digits = text.strip_prefix(HEX_PREFIX).unwrap_or(text);
        let key = crate::digest::bytes(digits).ok_or_else(|| {
            Error::new(
                ErrorKind::Configuration,
                "the webhook secret is not valid hexadecimal",
            )
            .with_help(ADVICE)
        })?;
        Self::from_bytes(key)
    }

    /// Takes a secret that is the base64 of the key, with or without `whsec_` before it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if it is empty or not base64 with its padding.
    pub fn from_base64(text: impl AsRef<str>) -> Result<Self> {
        let text = text.as_ref().trim();
        let encoded = text.strip_prefix(BASE64_PREFIX).unwrap_or(text);
        // The decoder's own error would quote a character of the secret.
        let key = BASE64.decode(encoded).map_err(|_| {
            Error::new(
                ErrorKind::Configuration,
                "the webhook secret is not valid base64",
            )
            .with_help(
                "copy it again; a secret that is no base64 goes in as plain text, without `whsec_`",
            )
        })?;
        Self::from_bytes(key)
    }

    /// Takes the key itself.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if it is empty: anyone could sign with that.
    pub fn from_bytes(key: impl Into<Vec<u8>>) -> Result<Self> {
        let key = key.into();
        if key.is_empty() {
            return Err(
                Error::new(ErrorKind::Configuration, "the webhook secret is empty")
                    .with_help("copy it from the webhook settings of the account"),
            );
        }
        Ok(Self(key.into()))
    }

    /// Signs a delivery: the value of its `webhook-signature`, for passing deliveries on and for tests.
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
        let mac = self.mac(id, &verifier::unix_seconds(sent_at).to_string(), body);
        format!("{VERSION},{}", BASE64.encode(mac.finalize().into_bytes()))
    }

    /// The headers of a delivery that is signed and sent: what a [`Verifier`](super::Verifier) checks. To pass a delivery
    /// on, keep its id and its body byte for byte, and give the time of now.
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
    /// [`ErrorKind::Validation`] if no delivery can have this id: it is empty, longer than 256 bytes, or not printable
    /// ASCII without blanks around it.
    pub fn headers(&self, id: &str, sent_at: SystemTime, body: &[u8]) -> Result<HeaderMap> {
        // Blanks around a value get lost on the way.
        let is_id = verifier::is_id(id) && id.trim_ascii() == id;
        let readable = HeaderValue::from_str(id)
            .ok()
            .filter(|value| is_id && value.to_str().is_ok());
        let Some(printable) = readable else {
            return Err(Error::new(
                ErrorKind::Validation,
                "the id is none that a delivery can have: 1 to 256 printable ASCII characters, and no blanks around them, \
                 make one",
            ));
        };
        let signature = HeaderValue::from_str(&self.sign(id, sent_at, body))
            .expect("a version and base64 are printable");
        Ok(HeaderMap::from_iter([
            (HeaderName::from_static(verifier::ID), printable),
            (
                HeaderName::from_static(verifier::TIMESTAMP),
                verifier::unix_seconds(sent_at).into(),
            ),
            (HeaderName::from_static(verifier::SIGNATURE), signature),
        ]))
    }

    /// The code over the signed content, to be compared or written.
    pub(crate) fn mac(&self, id: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.expose_secret())
            .expect("a key of any length will do");
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        mac
    }
}

/// What shows that a text is a secret with something around it, under which no delivery would verify.
fn slip(text: &str) -> Option<&'static str> {
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
    // A line of a file of variables. Base64 has `=` at its end alone.
    let is_variable = |(name, value): (&str, &str)| {
        let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        name.contains('_') && name.chars().all(is_name) && !value.trim_matches('=').is_empty()
    };
    let lower = text.to_ascii_lowercase();
    if text.starts_with(is_quote) || text.ends_with(is_quote) {
        Some("is in quotes")
    } else if text.contains(is_invisible) {
        Some("contains a blank, a line break or an invisible character")
    } else if lower.rfind(BASE64_PREFIX).is_some_and(|at| at > 0)
        || lower.starts_with(BASE64_PREFIX) && !text.starts_with(BASE64_PREFIX)
    {
        Some("has something before `whsec_`, or `whsec_` in another case")
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
