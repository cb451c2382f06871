//! Result URLs: expiry and redaction.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kling_omni::polling::TaskState;
use kling_omni::reqwest::Url;
use serde_json::json;

/// The text is the URL of a result. When it expires is what another reader of the same query finds, and what is shown of
/// it does not depend on what its query, its user info and its fragment say.
pub fn result_url(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let state = state(&text);
    let url = Url::parse(&text).ok();
    let query = url.as_ref().and_then(Url::query);
    assert_eq!(state.expires_at(), query.and_then(expiry), "{text:?}");

    let Some(mut other) = url.filter(|url| !url.cannot_be_a_base()) else {
        return;
    };
    if other.query().is_some() {
        other.set_query(Some("another"));
    }
    other.set_fragment(None);
    // URLs of files have none, and say so.
    let _ = other.set_username("user");
    let _ = other.set_password(Some("else"));
    let shown = [
        format!("{state:?}"),
        format!("{:?}", self::state(other.as_str())),
    ];
    assert_eq!(shown[0], shown[1], "{text:?}");
}

fn state(url: &str) -> TaskState {
    let state = json!({"task_id": "a", "status": "COMPLETED", "generated": [url]});
    serde_json::from_value(state).expect("this is a task")
}

/// The end in `token=exp=<unix seconds>~hmac=<hex>`, read byte by byte.
fn expiry(query: &str) -> Option<SystemTime> {
    let mut tokens = query.split('&').filter_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name) == b"token").then(|| decoded(value))
    });
    let token = tokens.next()?;
    let mut parts = token.split(|byte| *byte == b'~');
    let digits = parts.find_map(|part| part.strip_prefix(b"exp="))?;
    if digits.is_empty() {
        return None;
    }
    let seconds = digits.iter().try_fold(0_u64, |seconds, byte| {
        let digit = char::from(*byte).to_digit(10)?;
        seconds.checked_mul(10)?.checked_add(digit.into())
    })?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().iter();
    let mut decoded = Vec::new();
    while let Some(&byte) = bytes.next() {
        let hex = |digits: &str| u8::from_str_radix(digits, 16).ok();
        let rest = bytes.as_slice();
        let pair = rest
            .get(..2)
            .filter(|pair| pair.iter().all(u8::is_ascii_hexdigit));
        let pair = pair.and_then(|pair| hex(std::str::from_utf8(pair).ok()?));
        match (byte, pair) {
            (b'+', _) => decoded.push(b' '),
            (b'%', Some(value)) => {
                bytes.nth(1);
                decoded.push(value);
            }
            _ => decoded.push(byte),
        }
    }
    decoded
}
