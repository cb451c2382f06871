//! Redaction: keeps keys, tokens and terminal control codes out of output and logs.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use url::Url;

/// The maximum length of a text of the service in an error, in characters.
const MAX_SANITIZED: usize = 400;

/// Displays a URL without user info, query and fragment, which may contain credentials and tokens.
pub(crate) struct RedactedUrl<'a>(pub(crate) &'a str);

impl fmt::Display for RedactedUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = match Url::parse(self.0) {
            Ok(url) if !url.cannot_be_a_base() => url,
            _ => return fmt_redacted_text(self.0, f),
        };
        write!(f, "{}://{}", url.scheme(), url.host_str().unwrap_or(""))?;
        if let Some(port) = url.port() {
            write!(f, ":{port}")?;
        }
        // The path may contain another URL, with its own user info.
        match url.path().split_once("//") {
            Some((path, _)) => return write!(f, "{path}//…"),
            None => f.write_str(&without_user(url.path()))?,
        }
        if url.query().is_some() {
            f.write_str("?…")?;
        }
        Ok(())
    }
}

/// Text that is not a valid URL may still contain credentials.
fn fmt_redacted_text(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const MAX_SHOWN: usize = 60;
    let end = text.find(['?', '#']).unwrap_or(text.len());
    let start: String = text[..end].chars().take(MAX_SHOWN).collect();
    if text.contains('@') {
        return write!(f, "a text of {} characters", text.chars().count());
    }
    write!(f, "{start:?}")?;
    if start.len() < text.len() {
        f.write_str("…")?;
    }
    Ok(())
}

/// Prepares a text of the service for display: without `key` and URL tokens, on one line, truncated, and [printable].
pub(crate) fn sanitize(text: &str, key: &str) -> String {
    let text: String = redact(text, key)
        .chars()
        .map(|c| {
            if matches!(c, '\t' | '\n' | '\r') {
                ' '
            } else {
                c
            }
        })
        .collect();
    let text = printable(text.trim());
    let mut shown: String = text.chars().take(MAX_SANITIZED).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// Escapes invisible characters as in `\u{202e}`: control characters, bidirectional formatting, line and paragraph
/// separators, and characters of zero width.
///
/// Text of the service may contain them, and a terminal interprets them. Other text is returned unchanged.
///
/// ```
/// use kling_omni::printable;
///
/// assert_eq!(printable("a cat"), "a cat");
/// assert_eq!(printable("a \u{202e}cat\n"), r"a \u{202e}cat\u{a}");
/// ```
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_visible) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match is_visible(c) {
            true => shown.push(c),
            false => shown.extend(c.escape_unicode()),
        }
    }
    Cow::Owned(shown)
}

fn is_visible(c: char) -> bool {
    !c.is_control()
        && !matches!(
            c,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Removes `key`, the values of secret parameters, and user info, query and fragment of URLs from a text.
pub(crate) fn redact(text: &str, key: &str) -> String {
    let text = if key.is_empty() {
        text.to_owned()
    } else {
        text.replace(key, "[key]")
    };
    // Parameters first: the second step may insert text between a name and its value.
    without_queries(&without_secrets(&text))
}

/// A path for messages, redacted like a URL without its scheme.
pub(crate) fn file_name(path: &Path) -> String {
    printable(&redact(&path.to_string_lossy(), "")).into_owned()
}

/// Whether a character cannot be part of a URL, so a URL in running text ends there.
fn ends_url(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '`' | '<' | '>')
}

/// Whether a character at the end of a URL more likely belongs to the sentence.
fn ends_clause(c: char) -> bool {
    ends_url(c) || matches!(c, '\'' | ')' | ',')
}

/// Redacts every URL and every path with a query in a text.
fn without_queries(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for piece in text.split_inclusive(ends_url) {
        let word = piece.trim_end_matches(ends_clause);
        let url = url_start(word);
        let (text, url) = word.split_at(url.unwrap_or(word.len()));
        match query_start(text, url) {
            Some(end) => {
                shown.push_str(&without_user(&text[..end]));
                shown.push_str("?…");
            }
            None => {
                shown.push_str(&without_user(text));
                if !url.is_empty() {
                    shown.push_str(&RedactedUrl(url).to_string());
                }
            }
        }
        shown.push_str(&piece[word.len()..]);
    }
    shown
}

/// The start of the first URL in a word, with any scheme.
fn url_start(word: &str) -> Option<usize> {
    let is_of_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let scheme_end = word.find("://")?;
    Some(word[..scheme_end].trim_end_matches(is_of_scheme).len())
}

/// The start of the query of a path without a scheme, with or without a host: `/x.mp4?sig=ff`.
fn query_start(text: &str, rest: &str) -> Option<usize> {
    let mark = text.find('?')?;
    if text[mark..].contains('=') || rest.contains('=') {
        return Some(mark);
    }
    let path = text.find('/')?;
    let mark = path + text[path..].find('?')?;
    let is_empty = mark + 1 == text.len() && rest.is_empty();
    (!is_empty).then_some(mark)
}

/// Removes user and password from a possible URL without a scheme: `//user@host`, `user:password@host`.
fn without_user(word: &str) -> Cow<'_, str> {
    let Some((before, host)) = word.rsplit_once('@') else {
        return Cow::Borrowed(word);
    };
    // Start at the first of several users.
    let first = word.find('@').unwrap_or(0);
    let start = word[..first].find("//").map_or(0, |at| at + 2);
    let has_password = before[start..]
        .trim_start_matches(':')
        .split_once(':')
        .is_some_and(|(_, password)| !password.is_empty());
    if start > 0 || has_password {
        format!("{}…@{host}", &before[..start]).into()
    } else {
        Cow::Borrowed(word)
    }
}

/// The separators between the name of a parameter and its value: `=`, or the same in an encoded URL.
const EQUALS: [&str; 3] = ["=", "%3D", "%3d"];
/// The separators after the value.
const AND: [&str; 2] = ["&", "%26"];

/// Replaces the values of [secret parameters](is_secret) in a text.
fn without_secrets(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((at, equals)) = first_of(rest, &EQUALS) {
        let value = at + equals.len();
        shown.push_str(&rest[..value]);
        let name_is_secret = names(&rest[..at]).any(is_secret);
        rest = &rest[value..];
        if name_is_secret && !rest.is_empty() {
            shown.push('…');
            rest = &rest[value_end(rest)..];
        }
    }
    shown.push_str(rest);
    shown
}

/// The first of several patterns in a text, with its position.
fn first_of<'a>(text: &str, wanted: &[&'a str]) -> Option<(usize, &'a str)> {
    let all = wanted.iter();
    all.filter_map(|wanted| Some((text.find(wanted)?, *wanted)))
        .min()
}

/// The name at the end of a text. If the name may begin with an encoded character, also the name without it.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let start = text.trim_end_matches(is_of_name).len();
    let name = &text[start..];
    let decoded = name.get(2..).filter(|_| text[..start].ends_with('%'));
    std::iter::once(name).chain(decoded)
}

fn value_end(text: &str) -> usize {
    let sanitized = text.starts_with(['"', '\'', '`']);
    let start = usize::from(sanitized);
    let open = &text[start..];
    let close = sanitized.then(|| open.find(&text[..start])).flatten();
    if let Some(close) = close {
        return start + close + 1;
    }
    let end = open.find(ends_url).unwrap_or(open.len());
    let end = first_of(&open[..end], &AND).map_or(end, |(at, _)| at);
    start + open[..end].trim_end_matches(ends_clause).len()
}

/// Whether a parameter grants access by its name: signatures, tokens, keys and credentials of object stores, CDNs and
/// authorization servers.
fn is_secret(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "sig",
        "sign",
        "sas",
        "key",
        "auth",
        "authorization",
        "policy",
        "pass",
        "passwd",
        "pwd",
        "keypairid",
        "accesskeyid",
        "awsaccesskeyid",
        "ossaccesskeyid",
        "googleaccessid",
        "qak",
        "hdnts",
        "hdnea",
        "hdntl",
        "jwt",
        "session",
        "ticket",
        "verify",
    ];
    const ENDS: &[&str] = &[
        "token",
        "signature",
        "secret",
        "password",
        "credential",
        "credentials",
        "hmac",
        "apikey",
        "accesskey",
        "secretkey",
        "privatekey",
        "authkey",
        "signkey",
        "sessionid",
    ];
    const BEGINNINGS: &[&str] = &["xamz", "xgoog", "xoss", "xcos", "qsign"];
    let name: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    NAMES.contains(&name.as_str())
        || ENDS.iter().any(|end| name.ends_with(end))
        || BEGINNINGS
            .iter()
            .any(|beginning| name.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sanitize_removes_secrets() {
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
            ("a\u{1b}[31m\r\nb", "a\\u{1b}[31m  b"),
            (" a\u{85}b ", "a\\u{85}b"),
            // Without a scheme, and without a host.
            (
                "no /x.mp4?X-Amz-Signature=S1&sig=S2, sorry",
                "no /x.mp4?…, sorry",
            ),
            ("h.example/x?S1", "h.example/x?…"),
            ("x.mp4?a=S1", "x.mp4?…"),
            ("what?h.example/x?S1", "what?h.example/x?…"),
            ("/x?u=https://h/y?sig=S1", "/x?…"),
            ("why?", "why?"),
            ("is it a/b?", "is it a/b?"),
            ("me:S1@h.example/x", "…@h.example/x"),
            ("//me:S1/2@h.example/x", "//…@h.example/x"),
            ("//S1@h.example/x", "//…@h.example/x"),
            ("//S1:S1@h//b@c", "//…@c"),
            (":S1:S2@h", "…@h"),
            ("S1:S2@h//S3:S4@i", "…@i"),
            ("mail me@h.example", "mail me@h.example"),
            ("prompt:@Video1", "prompt:@Video1"),
            // Parameters alone.
            ("X-Amz-Signature=S1&sig=S2", "X-Amz-Signature=…&sig=…"),
            ("x-goog-credential=S1%2F2 a=1", "x-goog-credential=… a=1"),
            (
                "AWSAccessKeyId=S1&Expires=17",
                "AWSAccessKeyId=…&Expires=17",
            ),
            ("__token__=S1;Key-Pair-Id=S2", "__token__=…"),
            ("api_key=\"S1 S2\" a=1", "api_key=… a=1"),
            ("secret='S1", "secret=…"),
            ("%3Fsig%3DS1%26a%3D1", "%3Fsig%3D…%26a%3D1"),
            ("#access_token=S1", "#access_token=…"),
            ("design=1&duration=5", "design=1&duration=5"),
            ("token=", "token="),
        ] {
            assert_eq!(sanitize(text, "k-123"), shown, "{text:?}");
        }
        assert_eq!(sanitize(&"ä".repeat(500), "").chars().count(), 401);
        assert_eq!(sanitize(&"\u{202e}".repeat(500), "").chars().count(), 401);
    }

    #[test]
    fn printable_escapes_invisible_characters() {
        let hidden = [
            0x00..=0x1f,
            0x7f..=0x9f,
            0xad..=0xad,
            0x61c..=0x61c,
            0x180e..=0x180e,
            0x200b..=0x200f,
            0x2028..=0x202e,
            0x2060..=0x2069,
            0xfeff..=0xfeff,
            0xe0001..=0xe007f,
        ];
        for c in hidden.into_iter().flatten().filter_map(char::from_u32) {
            let shown = printable(c.encode_utf8(&mut [0; 4])).into_owned();
            assert_eq!(shown, c.escape_unicode().to_string());
            let sanitized = sanitize(&format!("a{c}b"), "");
            assert!(!sanitized.contains(c), "{sanitized:?}");
        }
        for text in ["a b", "Größe", "日本語", "עברית", "🎬\u{fe0f}"] {
            assert!(matches!(printable(text), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn redacted_url_hides_credentials() {
        for (url, shown) in [
            (
                "https://user:pass@h.example:8443/a?token=x#y",
                "https://h.example:8443/a?…",
            ),
            ("https://h/via/https://me:pw@i/x", "https://h/via/https://…"),
            ("x:///me:pw@i/x", "x://…@i/x"),
            ("https://h/a@2x.png", "https://h/a@2x.png"),
            ("http://h.example", "http://h.example/"),
            ("not a url", "\"not a url\""),
            ("h.example/x?token=y", "\"h.example/x\"…"),
            ("me:secret@h.example", "a text of 19 characters"),
            ("https://me:sec?ret@h", "a text of 20 characters"),
        ] {
            assert_eq!(RedactedUrl(url).to_string(), shown);
        }
    }
}
