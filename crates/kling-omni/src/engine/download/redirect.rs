//! The redirect policy of downloads.

use reqwest::redirect::Policy;
use url::Url;

use crate::engine::http::proxy::Proxies;

/// The maximum number of redirects.
const MAX_REDIRECTS: usize = 5;

/// Follows up to [`MAX_REDIRECTS`] redirects, none of them from https to http.
pub(crate) fn policy() -> Policy {
    Policy::custom(|attempt| {
        if let Some(reason) = violation(attempt.previous(), attempt.url()) {
            return attempt.error(reason);
        }
        match Proxies::from_env().covers(attempt.url()) {
            Ok(_) => attempt.follow(),
            Err(error) => attempt.error(error.summary().to_owned()),
        }
    })
}

/// Returns why `next` must not be requested after the URLs in `visited`; `None` if it may.
pub(crate) fn violation(visited: &[Url], next: &Url) -> Option<String> {
    if visited.len() > MAX_REDIRECTS {
        return Some(format!("too many redirects (limit {MAX_REDIRECTS})"));
    }
    is_downgrade(visited.last()?, next).then(|| "redirect from https to http".to_owned())
}

pub(crate) fn is_downgrade(from: &Url, to: &Url) -> bool {
    from.scheme() == "https" && to.scheme() != "https"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_limited_and_never_leave_https() {
        let url = |text: &str| Url::parse(text).unwrap();
        for (from, to, hops, followed) in [
            ("https://a.example/x", "https://b.example/y", 1, true),
            ("http://a.example/x", "https://a.example/x", 1, true),
            (
                "http://a.example/x",
                "http://b.example/y",
                MAX_REDIRECTS,
                true,
            ),
            (
                "http://a.example/x",
                "http://b.example/y",
                MAX_REDIRECTS + 1,
                false,
            ),
            ("https://a.example/x", "http://a.example/x", 1, false),
        ] {
            let visited = vec![url(from); hops];
            let violation = violation(&visited, &url(to));
            assert_eq!(violation.is_none(), followed, "{from} {to} {hops}");
        }
    }
}
