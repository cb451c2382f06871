//! Masks keys and tokens in everything that the console shows.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use http::{HeaderMap, HeaderName, HeaderValue};
use regex::{Captures, Regex};
use serde_json::Value;
use url::form_urlencoded::byte_serialize;

use crate::config::Config;
use crate::fault::{Fault, FaultRule};
use crate::redact;

/// Replaces a masked value.
const MASK: &str = "…";
/// How much of a body is shown, in bytes.
const BODY_LIMIT: usize = 64 * 1024;

/// Names of headers and fields whose values are secret.
const SECRET_NAME: &str =
    "(?:key|token|secret|passw(?:or)?d|credential|auth|cookie|hmac|session|jwt)";

/// The value of a field: in escaped, double or single quotes, or without. The opening quote is not masked.
const VALUE: &str = r#"(?:(\\")(?:[^"\\]|\\[^"])+|(")(?:[^"\\]|\\.)+|(')[^']+|[^\s"'\\<>&,]+)"#;

/// Text without keys, tokens and invisible characters. Only a [`Mask`] makes it, and templates escape it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct MaskedText(String);

impl MaskedText {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for MaskedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A body for display.
#[derive(Debug)]
pub(super) struct ShownBody {
    pub(super) text: MaskedText,
    /// How the text differs from the bytes, if it does.
    pub(super) note: String,
}

/// Masks the secrets of a sandbox, and whatever looks like a key or a token.
pub(super) struct Mask {
    secrets: Vec<String>,
    secret_name: Regex,
    /// A field with a secret name, and its value: `token=abc`, `"api_key": "abc"`.
    pair: Regex,
    /// A header with a secret name, and its value: `X-Api-Key: abc`.
    header: Regex,
    /// The credentials of an `Authorization` header.
    credentials: Regex,
    /// The user of a URL.
    user: Regex,
    /// The query and the fragment of a URL.
    query: Regex,
}

impl Mask {
    pub(super) fn new(config: &Config) -> Self {
        let mut secrets = config.api_keys.clone();
        secrets.push(config.webhook_secret.clone());
        secrets.retain(|secret| !secret.is_empty());
        // Forms and queries have them in this form.
        let encode = |secret: &String| byte_serialize(secret.as_bytes()).collect();
        let encoded: Vec<String> = secrets.iter().map(encode).collect();
        secrets.extend(encoded);
        // A secret may contain another one.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        let regex = |pattern: &str| Regex::new(pattern).expect("the pattern is valid");
        Self {
            secrets,
            secret_name: regex(&format!("(?i){SECRET_NAME}")),
            pair: regex(&format!(
                r#"(?i)([\w.%-]*{SECRET_NAME}[\w.%-]*(?:\s*=\s*|\\?["']\s*:\s*)){VALUE}"#
            )),
            header: regex(&format!(
                r"(?i)\b((?:(?:set-)?cookie|(?:proxy-)?authorization|x-[\w-]*{SECRET_NAME}[\w-]*)\s*:\s*)[^\s][^\r\n]*"
            )),
            credentials: regex(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"),
            user: regex(r#"((?:\\?/){2})[^\s/?#"'<>\\@]*@"#),
            query: regex(r#"(:(?:\\?/){2}[^\s"'<>?#]*)([?#][^\s"'<>]*)"#),
        }
    }

    /// Masks a text.
    pub(super) fn text(&self, text: &str) -> MaskedText {
        MaskedText(visible(&self.masked(text)))
    }

    /// Masks a text, and shortens it to one line of at most `limit` characters.
    pub(super) fn line(&self, text: &str, limit: usize) -> MaskedText {
        let text = self.masked(text);
        let words = text.split(|c: char| c.is_whitespace() || c.is_control());
        let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        let line = visible(&words.join(" "));
        match line.char_indices().nth(limit) {
            Some((end, _)) => MaskedText(format!("{}…", &line[..end])),
            None => MaskedText(line),
        }
    }

    /// Masks a path and its query.
    pub(super) fn target(&self, path: &str, query: Option<&str>) -> MaskedText {
        match query {
            Some(query) => self.text(&format!("{path}?{}", redact::query(query))),
            None => self.text(path),
        }
    }

    /// Masks the values of headers.
    pub(super) fn headers(&self, headers: &HeaderMap) -> Vec<(String, MaskedText)> {
        let shown = headers.iter().map(|(name, value)| {
            let value = self.header(name, value);
            (name.as_str().to_owned(), value)
        });
        shown.collect()
    }

    fn header(&self, name: &HeaderName, value: &HeaderValue) -> MaskedText {
        if value.is_sensitive() || self.secret_name.is_match(name.as_str()) {
            return MaskedText(MASK.to_owned());
        }
        self.text(&lossy(value.as_bytes()))
    }

    /// Masks a body. JSON is indented, and text in another encoding is shown with escapes.
    pub(super) fn body(&self, body: &[u8]) -> ShownBody {
        let json = serde_json::from_slice(body).ok();
        let (mut text, mut note) = match json {
            Some(Value::Object(_) | Value::Array(_)) => {
                let mut value = json.unwrap_or_default();
                self.mask_value(&mut value, false);
                (visible_json(&format!("{value:#}")), "indented".to_owned())
            }
            _ if std::str::from_utf8(body).is_err() => {
                (visible(&self.masked(&lossy(body))), "not UTF-8".to_owned())
            }
            _ => (visible(&self.masked(&lossy(body))), String::new()),
        };
        if text.len() > BODY_LIMIT {
            let is_boundary = |end: &usize| text.is_char_boundary(*end);
            let end = (0..=BODY_LIMIT).rev().find(is_boundary);
            text.truncate(end.unwrap_or_default());
            let separator = if note.is_empty() { "" } else { ", " };
            let _ = write!(note, "{separator}shortened to {} KiB", BODY_LIMIT / 1024);
        }
        ShownBody {
            text: MaskedText(text),
            note,
        }
    }

    /// Masks the text form of a fault, whose secret is for webhooks.
    pub(super) fn fault(&self, rule: &FaultRule) -> MaskedText {
        let text = rule.to_string();
        match rule.fault() {
            Fault::Rotated { secret, .. } => {
                self.text(&text.replacen(&format!("={secret}"), &format!("={MASK}"), 1))
            }
            _ => self.text(&text),
        }
    }

    /// Masks all texts and numbers in a value if its field has the name of a secret, and otherwise what looks like one.
    fn mask_value(&self, value: &mut Value, is_secret: bool) {
        match value {
            Value::String(_) | Value::Number(_) if is_secret => *value = MASK.into(),
            Value::String(text) => *text = self.masked(text),
            Value::Array(values) => {
                for value in values {
                    self.mask_value(value, is_secret);
                }
            }
            Value::Object(fields) => {
                let masked = std::mem::take(fields).into_iter().map(|(name, mut value)| {
                    self.mask_value(&mut value, is_secret || self.secret_name.is_match(&name));
                    (self.masked(&name), value)
                });
                *fields = masked.collect();
            }
            _ => {}
        }
    }

    fn masked(&self, text: &str) -> String {
        let mut text = Cow::Borrowed(text);
        for secret in &self.secrets {
            if text.contains(secret) {
                text = text.replace(secret, MASK).into();
            }
        }
        let masked_query = |found: &Captures| {
            let (mark, query) = found[2].split_at(1);
            match mark {
                "?" => format!("{}?{}", &found[1], redact::query(query)),
                _ => format!("{}#{MASK}", &found[1]),
            }
        };
        let text = self.user.replace_all(&text, format!("${{1}}{MASK}@"));
        let text = self.query.replace_all(&text, masked_query);
        let text = self
            .pair
            .replace_all(&text, format!("${{1}}${{2}}${{3}}${{4}}{MASK}"));
        let text = self.header.replace_all(&text, format!("${{1}}{MASK}"));
        let text = self
            .credentials
            .replace_all(&text, format!("${{1}} {MASK}"));
        text.into_owned()
    }
}

/// Decodes UTF-8, with other bytes as `\xNN`.
fn lossy(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// Returns whether a character cannot be seen, or changes the direction of what follows.
fn is_hidden(c: char) -> bool {
    let formats = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    formats || (c.is_control() && !matches!(c, '\n' | '\t'))
}

/// Escapes hidden characters, as in `\u{202e}`.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Escapes hidden characters in JSON, as in `\u202e`.
fn visible_json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask() -> Mask {
        Mask::new(&Config {
            api_keys: vec!["k3y".into(), "k3y-of-blue".into(), "a+b/c=".into()],
            webhook_secret: "whsec_czNjcmV0".into(),
            ..Config::default()
        })
    }

    #[test]
    fn text_is_masked() {
        let cases = [
            ("a cat in the rain", "a cat in the rain"),
            ("k3y-of-blue and k3y", "… and …"),
            ("sign with whsec_czNjcmV0", "sign with …"),
            ("key: C minor", "key: C minor"),
            (
                "https://u:p@h/v.mp4?page=2&sig=ab#top of it",
                "https://…@h/v.mp4?page=2&sig=… of it",
            ),
            ("//u@h and http://h/a#frag", "//…@h and http://h/a#…"),
            (r"http:\/\/h\/a?sig=ab", r"http:\/\/h\/a?sig=…"),
            ("api_key=abc&x=1", "api_key=…&x=1"),
            (r#"{"accessToken": "abc", "#, r#"{"accessToken": "…", "#),
            (
                r#"{"token": "a b, c\"d", "x": "e"#,
                r#"{"token": "…", "x": "e"#,
            ),
            (r#"{"password": "a b"#, r#"{"password": "…"#),
            ("{'api_key': 'a b'} c", "{'api_key': '…'} c"),
            (r#"{\"token\": \"a b\", c"#, r#"{\"token\": \"…\", c"#),
            (
                "api%5Fkey=abc;d and secret = e f",
                "api%5Fkey=… and secret = … f",
            ),
            ("see a%2Bb%2Fc%3D&x", "see …&x"),
            (
                "X-Api-Key: a b\r\nCookie: c=d; e\nx: y",
                "X-Api-Key: …\\u{d}\nCookie: …\nx: y",
            ),
            ("Authorization: Digest response=\"ab\"", "Authorization: …"),
            ("Bearer abcdef.ghi", "Bearer …"),
            ("bearer of news", "bearer of news"),
            (
                "a\u{202e}b\u{2028}c\rd\u{0}",
                "a\\u{202e}b\\u{2028}c\\u{d}d\\u{0}",
            ),
            ("tab\tand\nline", "tab\tand\nline"),
        ];
        for (text, expected) in cases {
            assert_eq!(mask().text(text).to_string(), expected, "{text}");
        }
    }

    #[test]
    fn bodies_are_masked() {
        let cases: [(&[u8], &str, &str); 8] = [
            (b"", "", ""),
            (
                br#"{"password":[1,true],"tokens":{"a":"b","c":null}}"#,
                "{\n  \"password\": [\n    \"…\",\n    true\n  ],\n  \"tokens\": {\n    \"a\": \"…\",\n    \"c\": null\n  }\n}",
                "indented",
            ),
            (
                "[\"a\u{202e}\u{e0041}\u{7f}\"]".as_bytes(),
                "[\n  \"a\\u202e\\udb40\\udc41\\u007f\"\n]",
                "indented",
            ),
            (
                br#"{"k3y":[1,{"b":"k3\u0079"}],"password":"x","u":"http:\/\/h\/?t=1234567"}"#,
                "{\n  \"u\": \"http://h/?t=…\",\n  \"password\": \"…\",\n  \"…\": [\n    1,\n    {\n      \"b\": \"…\"\n    }\n  ]\n}",
                "indented",
            ),
            (b"\"text\"", "\"text\"", ""),
            (b"{\"a\":", "{\"a\":", ""),
            (b"a\xff\xfeb", "a\\xff\\xfeb", "not UTF-8"),
            (b"<script>", "<script>", ""),
        ];
        for (body, expected, note) in cases {
            let shown = mask().body(body);
            let lines = |text: &str| {
                let mut lines: Vec<_> = text
                    .lines()
                    .map(|line| line.trim_end_matches(',').to_owned())
                    .collect();
                lines.sort();
                lines
            };
            // The order of fields depends on a feature of the JSON library.
            assert_eq!(lines(&shown.text.to_string()), lines(expected));
            assert_eq!(shown.note, note);
        }
        let shown = mask().body("ä".repeat(BODY_LIMIT).as_bytes());
        assert_eq!(shown.text.to_string().len(), BODY_LIMIT);
        assert_eq!(shown.note, "shortened to 64 KiB");
    }

    #[test]
    fn lines_are_short() {
        let line = |text, limit| mask().line(text, limit).to_string();
        assert_eq!(line("a\n\r\n b\u{2028}c", 20), "a b c");
        assert_eq!(line("äöü", 3), "äöü");
        assert_eq!(line("äöüß", 3), "äöü…");
        assert_eq!(line("", 3), "");
    }

    #[test]
    fn secret_headers_are_masked() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-api-token", "abc"),
            ("cookie", "a=1"),
            ("x-session-id", "abc"),
            ("webhook-signature", "v1,abc"),
            ("referer", "http://h/?session=abcdefgh"),
            ("x-own", "is k3y"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        let shown: Vec<_> = mask()
            .headers(&headers)
            .into_iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        assert_eq!(
            shown,
            [
                "x-api-token: …",
                "cookie: …",
                "x-session-id: …",
                "webhook-signature: v1,abc",
                "referer: http://h/?session=…",
                "x-own: is …",
            ]
        );
    }

    #[test]
    fn secrets_of_faults_are_masked() {
        for (rule, shown) in [
            ("webhook:rotated=n3w-secret@1", "webhook:rotated=…@1"),
            ("webhook:rotating=e@1", "webhook:rotating=…@1"),
            ("webhook:rotated=1@1", "webhook:rotated=…@1"),
            ("api:header=X-Token: abc@2", "api:header=X-Token: …"),
        ] {
            let rule = rule.parse().unwrap();
            assert_eq!(mask().fault(&rule).to_string(), shown);
        }
    }
}
