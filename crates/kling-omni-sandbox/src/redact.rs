//! What logs and `Debug` show of values that may hold a secret.

use std::fmt;

use url::form_urlencoded;

/// Takes the place of a value that is not shown.
const MASK: &str = "…";

/// A query with every value redacted but short whole numbers, such as `page=1`.
pub(crate) fn query(query: &str) -> String {
    let shown: Vec<String> = form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| {
            let harmless = value.len() <= 6 && value.bytes().all(|byte| byte.is_ascii_digit());
            format!("{name}={}", if harmless { &value } else { MASK })
        })
        .collect();
    shown.join("&")
}

/// Scheme, host and port of a URL; the rest may hold a token.
pub(crate) fn origin(url: &str) -> String {
    url::Url::parse(url).map_or_else(
        |_| MASK.to_owned(),
        |url| format!("{}/{MASK}", url.origin().ascii_serialization()),
    )
}

/// A URL without what may hold a token: user, query and fragment.
pub(crate) fn without_query(url: &str) -> String {
    let Ok(mut url) = url::Url::parse(url) else {
        return MASK.to_owned();
    };
    url.set_query(None);
    url.set_fragment(None);
    // Fails for URLs that cannot have a user, which then have none to hide.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

/// A body of which only the length is shown.
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
