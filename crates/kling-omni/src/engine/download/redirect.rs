use reqwest::redirect::Policy;
use url::Url;

use crate::engine::http::proxy::Proxies;

/// The longest chain of redirects that is followed.
const MOST: usize = 5;

/// Follows a few redirects, none of which may give up encryption.
pub(crate) fn policy() -> Policy {
    Policy::custom(|attempt| {
        if let Some(why) = refusal(attempt.previous(), attempt.url()) {
            return attempt.error(why);
        }
        match Proxies::from_env().covers(attempt.url()) {
            Ok(_) => attempt.follow(),
            Err(error) => attempt.error(error.summary().to_owned()),
        }
    })
}

/// Why nothing may go on to `next`, after the URLs that have been asked so far.
pub(crate) fn refusal(asked: &[Url], next: &Url) -> Option<String> {
    if asked.len() > MOST {
        return Some(format!("more than {MOST} redirects"));
    }
    gives_up_encryption(asked.last()?, next)
        .then(|| "a redirect from https to an unencrypted address".to_owned())
}

pub(crate) fn gives_up_encryption(from: &Url, to: &Url) -> bool {
    from.scheme() == "https" && to.scheme() != "https"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_few_and_stay_encrypted() {
        let url = |text: &str| Url::parse(text).unwrap();
        for (from, to, hops, followed) in [
            ("https://a.example/x", "https://b.example/y", 1, true),
            ("http://a.example/x", "https://a.example/x", 1, true),
            ("http://a.example/x", "http://b.example/y", MOST, true),
            ("http://a.example/x", "http://b.example/y", MOST + 1, false),
            ("https://a.example/x", "http://a.example/x", 1, false),
        ] {
            let asked = vec![url(from); hops];
            let refused = refusal(&asked, &url(to));
            assert_eq!(refused.is_none(), followed, "{from} {to} {hops}");
        }
    }
}
