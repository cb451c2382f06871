//! Correlation tokens: they name the create that a delivery belongs to, even if the response to the create was lost.
//!
//! A token is added to the query of the `webhook_url`. The service posts to that URL unchanged, so every delivery has the
//! token and the id of the task.
//!
//! ```
//! use kling_omni::webhook::correlation::{self, Token};
//!
//! let token = Token::random()?;
//! // Store the token with the create, then:
//! let webhook_url = correlation::attach("https://example.com/hooks/kling", &token)?;
//! assert!(webhook_url.contains(correlation::PARAMETER));
//! # Ok::<(), kling_omni::Error>(())
//! ```

use std::fmt;

use serde::Serialize;
use url::{Url, form_urlencoded};

use crate::engine::error::{Error, ErrorKind, Result};
use crate::redact::RedactedUrl;

/// The name of the query parameter.
pub const PARAMETER: &str = "kling-omni-correlation";

/// A text that identifies one create.
///
/// It is not a credential and may be logged. But the signature does not cover the URL: a party that knows a token and one of
/// your deliveries can replay that delivery with the token.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Token(String);

impl Token {
    /// The maximum length of a token, in characters.
    pub const MAX_LENGTH: usize = 64;

    /// Creates a token of 128 random bits from the operating system.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if the operating system provides no random numbers.
    pub fn random() -> Result<Self> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|error| {
            Error::uncharged(
                ErrorKind::Configuration,
                "the operating system provides no random numbers",
            )
            .with_source(error)
        })?;
        Ok(Self(format!("{:032x}", u128::from_be_bytes(bytes))))
    }

    /// Creates a token from a text: 1 to [`MAX_LENGTH`](Self::MAX_LENGTH) ASCII letters, digits, `-` and `_`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Validation`] for any other text.
    pub fn new(text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        let is_token = (1..=Self::MAX_LENGTH).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if is_token {
            return Ok(Self(text));
        }
        Err(Error::uncharged(
            ErrorKind::Validation,
            format!(
                "invalid correlation token ({} characters): 1 to {} letters, digits, `-` and `_` are allowed",
                text.chars().count(),
                Self::MAX_LENGTH
            ),
        ))
    }

    /// The token as text, to be stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Adds `token` to the query of a `webhook_url`, and replaces an earlier one. Other parameters stay unchanged.
///
/// # Errors
///
/// [`ErrorKind::Validation`] if it is not an http or https URL.
pub fn attach(webhook_url: &str, token: &Token) -> Result<String> {
    let mut url = Url::parse(webhook_url)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .ok_or_else(|| {
            Error::uncharged(
                ErrorKind::Validation,
                format!(
                    "the webhook URL is not an http or https URL: {}",
                    RedactedUrl(webhook_url)
                ),
            )
            .with_help("use an address at which the service can reach your receiver")
        })?;
    let ours = format!("{PARAMETER}={token}");
    let query: Vec<_> = url
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|parameter| !parameter.is_empty() && value_of(parameter).is_none())
        .chain([ours.as_str()])
        .collect();
    let query = query.join("&");
    url.set_query(Some(&query));
    Ok(url.into())
}

/// Returns the token in a query; `None` if there are two different ones.
pub(crate) fn parse(query: &str) -> Option<Token> {
    let mut tokens = query.split('&').filter_map(value_of);
    let first = tokens.next()?;
    if tokens.any(|other| other != first) {
        return None;
    }
    Token::new(first).ok()
}

/// Returns the value of [`PARAMETER`]; `None` for any other parameter.
fn value_of(parameter: &str) -> Option<String> {
    let (name, value) = form_urlencoded::parse(parameter.as_bytes()).next()?;
    (name == PARAMETER).then(|| value.into_owned())
}
