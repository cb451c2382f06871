//! The expiry of presigned URLs.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use url::Url;

/// Reads when a presigned URL of a result or an upload expires: its query has `token=exp=<unix seconds>~hmac=<hex>`.
pub(crate) fn expires_at(url: &Url) -> Option<SystemTime> {
    let (_, token) = url.query_pairs().find(|(name, _)| name == "token")?;
    let digits = token
        .split('~')
        .find_map(|part| part.strip_prefix("exp="))?;
    // `parse` would accept a sign.
    let seconds = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse().ok())??;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expires_at_reads_the_token() {
        for (query, seconds) in [
            ("token=exp=1761445403~hmac=4f4e", Some(1_761_445_403)),
            ("a=b&token=hmac=4f4e~exp=7", Some(7)),
            ("token=exp%3D7~hmac%3D00", Some(7)),
            ("token=exp=~hmac=4f4e", None),
            ("token=exp=-1~hmac=4f4e", None),
            ("token=exp=%2B7~hmac=4f4e", None),
            ("token=exp=18446744073709551615~hmac=4f4e", None),
            ("token=exp=99999999999999999999999~hmac=4f4e", None),
            ("expires=7", None),
            ("", None),
        ] {
            let url = Url::parse(&format!("https://h.example/x.mp4?{query}")).unwrap();
            let expected = seconds.map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds));
            assert_eq!(expires_at(&url), expected, "{query}");
        }
    }
}
