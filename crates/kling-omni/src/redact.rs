//! Keeps keys, tokens and terminal control codes out of everything a person or a log sees.

use std::fmt;

use url::Url;

/// The longest text of the service that is repeated in an error, in characters.
const LONGEST_QUOTE: usize = 400;

/// Displays a URL without user info, query and fragment, where credentials and tokens live.
pub(crate) struct BareUrl<'a>(pub(crate) &'a str);

impl fmt::Display for BareUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = match Url::parse(self.0) {
            Ok(url) if !url.cannot_be_a_base() => url,
            _ => return bare_text(self.0, f),
        };
        write!(f, "{}://{}", url.scheme(), url.host_str().unwrap_or(""))?;
        if let Some(port) = url.port() {
            write!(f, ":{port}")?;
        }
        // Another URL may stand in the path, with user info of its own.
        match url.path().split_once("//") {
            Some((path, _)) => return write!(f, "{path}//…"),
            None => f.write_str(url.path())?,
        }
        if url.query().is_some() {
            f.write_str("?…")?;
        }
        Ok(())
    }
}

/// What cannot be read as a URL may still hold what one would.
fn bare_text(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const LONGEST: usize = 60;
    let end = text.find(['?', '#']).unwrap_or(text.len());
    let start: String = text[..end].chars().take(LONGEST).collect();
    if text.contains('@') {
        return write!(f, "a text of {} characters", text.chars().count());
    }
    write!(f, "{start:?}")?;
    if start.len() < text.len() {
        f.write_str("…")?;
    }
    Ok(())
}

/// Prepares a text that the service sent for being shown: without `key`, without URL tokens, on one line, not too long.
pub(crate) fn quote(text: &str, key: &str) -> String {
    let text = clean(text, key);
    let mut shown: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST_QUOTE)
        .collect();
    if text.chars().count() > LONGEST_QUOTE {
        shown.push('…');
    }
    shown.trim().to_owned()
}

/// A text without `key` and without what URLs in it carry besides their place.
pub(crate) fn clean(text: &str, key: &str) -> String {
    let text = if key.is_empty() {
        text.to_owned()
    } else {
        text.replace(key, "[key]")
    };
    // Tokens first: the rest may put something between a mark and its token.
    without_queries(&without_tokens(&text))
}

/// What no URL has in it, so that one in running text ends there.
fn ends_url(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '`' | '<' | '>')
}

/// What a URL may have in it, and which at its end is more likely the sentence's own.
fn ends_clause(c: char) -> bool {
    ends_url(c) || matches!(c, '\'' | ')' | ',')
}

/// Cuts every URL in a text down to what may be shown of it.
fn without_queries(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for piece in text.split_inclusive(ends_url) {
        let word = piece.trim_end_matches(ends_clause);
        match url_start(word) {
            Some(start) => {
                shown.push_str(&word[..start]);
                shown.push_str(&BareUrl(&word[start..]).to_string());
            }
            None => shown.push_str(word),
        }
        shown.push_str(&piece[word.len()..]);
    }
    shown
}

/// Where the first URL of a word begins, of whatever scheme.
fn url_start(word: &str) -> Option<usize> {
    let is_of_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let scheme_end = word.find("://")?;
    Some(word[..scheme_end].trim_end_matches(is_of_scheme).len())
}

fn without_tokens(text: &str) -> String {
    const MARKS: [&str; 2] = ["token=", "hmac="];
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((at, mark)) = MARKS
        .iter()
        .filter_map(|mark| rest.find(mark).map(|at| (at, *mark)))
        .min()
    {
        let secret = &rest[at + mark.len()..];
        let end = secret
            .find(|c: char| ends_url(c) || c == '&')
            .unwrap_or(secret.len());
        shown.push_str(&rest[..at + mark.len()]);
        shown.push('…');
        rest = &secret[end..];
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_carry_no_secret() {
        for (text, shown) in [
            ("plain", "plain"),
            ("bad key k-123 given", "bad key [key] given"),
            (
                "see https://h/x.mp4?token=exp=1~hmac=ff end",
                "see https://h/x.mp4?… end",
            ),
            (
                "invalid \"https://me:pw@b.example/k?X-Amz-Signature=ff&a=b\", sorry",
                "invalid \"https://b.example/k?…\", sorry",
            ),
            ("HTTPS://h/x?sig=ff", "https://h/x?…"),
            ("s3://bucket/x?sig=ff", "s3://bucket/x?…"),
            ("(https://h/a,b?sig=ff), so", "(https://h/a,b?…), so"),
            ("https://h/x?sig=ff&u=http://i/", "https://h/x?…"),
            ("token=ff and more", "token=… and more"),
            ("hmac=ff\"", "hmac=…\""),
            ("a\u{1b}[31m\r\nb", "a [31m  b"),
        ] {
            assert_eq!(quote(text, "k-123"), shown, "{text:?}");
        }
        assert_eq!(quote(&"ä".repeat(500), "").chars().count(), 401);
    }

    #[test]
    fn bare_urls_lose_what_may_be_secret() {
        for (url, shown) in [
            (
                "https://user:pass@h.example:8443/a?token=x#y",
                "https://h.example:8443/a?…",
            ),
            ("https://h/via/https://me:pw@i/x", "https://h/via/https://…"),
            ("http://h.example", "http://h.example/"),
            ("not a url", "\"not a url\""),
            ("h.example/x?token=y", "\"h.example/x\"…"),
            ("me:secret@h.example", "a text of 19 characters"),
            ("https://me:sec?ret@h", "a text of 20 characters"),
        ] {
            assert_eq!(BareUrl(url).to_string(), shown);
        }
    }
}
