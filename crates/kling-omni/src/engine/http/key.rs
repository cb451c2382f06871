//! The API key, which is never shown.

use std::fmt;

use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use crate::engine::error::{Error, ErrorKind, Result};

/// An API key. It is shown nowhere: `Debug` hides it, and there is no way to print it.
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
    /// Takes a key; blanks and line ends around it, as files and variables tend to have, are dropped.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if nothing is left or if the key has characters that no header can carry.
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
                    "character {} of the API key is none that a key can have",
                    at + 1
                ),
            )
            .with_help("copy the key again, without blanks or quotes inside"));
        }
        Ok(Self(SecretString::from(trimmed.to_owned())))
    }

    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The key as a header that the HTTP stack knows not to print.
    pub(crate) fn to_header(&self) -> Result<HeaderValue> {
        let mut value = HeaderValue::from_str(self.expose()).map_err(|_| {
            Error::uncharged(ErrorKind::Configuration, "the API key fits no header")
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
