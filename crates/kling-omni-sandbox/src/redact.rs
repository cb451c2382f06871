//! Redacts values that may contain secrets, for logs and `Debug`.

use std::fmt;

use url::form_urlencoded;

/// Replaces a redacted value.
const MASK: &str = "…";

/// Redacts all values of a query except for short integers, such as `page=1`.
pub(crate) fn query(query: &str) -> String {
    let shown: Vec<String> = form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| {
            let harmless = value.len() <= 6 && value.bytes().all(|byte| byte.is_ascii_digit());
            format!("{name}={}", if harmless { &value } else { MASK })
        })
        .collect();
    shown.join("&")
}

/// Returns scheme, host and port of a URL. The rest may contain a token.
pub(crate) fn origin(url: &str) -> String {
    url::Url::parse(url).map_or_else(
        |_| MASK.to_owned(),
        |url| format!("{}/{MASK}", url.origin().ascii_serialization()),
    )
}

/// Removes the parts of a URL that may contain a token: user, query and fragment.
pub(crate) fn without_query(url: &str) -> String {
    let Ok(mut url) = url::Url::parse(url) else {
        return MASK.to_owned();
    };
    url.set_query(None);
    url.set_fragment(None);
    // Fails for URLs that cannot have a user.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

/// Formats only the length of a body.
pub(crate) struct Length(pub(crate) usize);

impl fmt::Debug for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redacts() {
        assert_eq!(query("page=2&token=exp=17~hmac=ab&x"), "page=2&token=…&x=");
        assert_eq!(origin("http://u:p@h:8/a/b?c"), "http://h:8/…");
        assert_eq!(origin("no url"), "…");
        assert_eq!(
            without_query("https://u:p@h/v.mp4?sig=1#f"),
            "https://h/v.mp4"
        );
    }
}
