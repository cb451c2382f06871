//! The API key, which is never shown.

use std::fmt;

use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use crate::engine::error::{Error, ErrorKind, Result};

/// An API key. `Debug` does not show it, and it has no `Display`.
///
/// ```
/// use kling_omni::ApiKey;
///
/// let key = ApiKey::new("FPSX-secret")?;
/// assert_eq!(format!("{key:?}"), "ApiKey(hidden)");
/// # Ok::<(), kling_omni::Error>(())
/// ```
#[derive(Clone)]
pub struct ApiKey(SecretString);

impl ApiKey {
    /// Creates a key. Whitespace around it is removed, as files and variables often have a line end.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if the key is empty or contains a character that is not allowed in a header.
    pub fn new(key: impl Into<String>) -> Result<Self> {
        let key = key.into();
        let trimmed = key.trim();
        if trimmed.is_empty() {
            return Err(Error::uncharged(
                ErrorKind::Configuration,
                "the API key is empty",
            ));
        }
        if let Some(at) = trimmed.chars().position(|c| !c.is_ascii_graphic()) {
            return Err(Error::uncharged(
                ErrorKind::Configuration,
                format!(
                    "the API key contains an invalid character at position {}",
                    at + 1
                ),
            )
            .with_help("copy the key again without spaces or quotes"));
        }
        Ok(Self(SecretString::from(trimmed.to_owned())))
    }

    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Returns the key as a header value that is marked as sensitive, so the HTTP library does not print it.
    pub(crate) fn to_header(&self) -> Result<HeaderValue> {
        let mut value = HeaderValue::from_str(self.expose()).map_err(|_| {
            Error::uncharged(
                ErrorKind::Configuration,
                "the API key is not a valid header value",
            )
        })?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(hidden)")
    }
}
