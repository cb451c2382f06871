//! Secrets in any text are redacted.

use kling_omni::fuzzing::{redact_url, sanitize};
use kling_omni::printable;

const KEY: &str = "FPSX-5d0e4c88";
/// No suffix of it is a prefix of it: no text around it can make a second one.
const TOKEN: &str = "9f1c77a2e05b";
/// The maximum length of a sanitised text, with the ellipsis.
const MAX_SANITIZED: usize = 401;

/// The last byte says what is hidden in the text before it, and where. Whatever stands around it, it is not shown.
pub fn redaction(data: &[u8]) {
    let Some((choice, text)) = data.split_last() else {
        return;
    };
    let text = String::from_utf8_lossy(text);
    let place = usize::from(choice >> 4) * (text.len() + 1) / 16;
    let place = (0..=place)
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0);
    let (before, after) = text.split_at(place);
    let hidden = match choice & 15 {
        0 => format!("https://cdn.example/kling.mp4?token=exp=1761445403~hmac={TOKEN}"),
        1 => format!("http://127.0.0.1:80/a,b(c)'d?X-Amz-Signature={TOKEN}"),
        2 => format!("HTTPS://cdn.example/x?sig={TOKEN}"),
        3 => format!("https://{TOKEN}:{TOKEN}@cdn.example/"),
        4 => format!("https://cdn.example/#{TOKEN}"),
        5 => format!("token=exp=7~hmac={TOKEN}"),
        6 => format!("hmac={TOKEN}"),
        7 => format!("/x.mp4?X-Amz-Signature={TOKEN}&sig={TOKEN}"),
        8 => format!("%3Fsig%3D{TOKEN}%26a%3D1"),
        9 => format!("//{TOKEN}:{TOKEN}@cdn.example/x"),
        10 => format!("{TOKEN}:{TOKEN}@cdn.example"),
        11 => format!("h.example/x?{TOKEN}"),
        _ => KEY.to_owned(),
    };
    let text = format!("{before}{hidden}{after}");
    let shown = sanitize(&text, KEY);
    for needle in [KEY, TOKEN] {
        // What stands around it may hold it, too, as a plain word.
        if !before.contains(needle) && !after.contains(needle) {
            assert!(!shown.contains(needle), "{text:?} is shown as {shown:?}");
        }
    }
    assert!(shown.chars().count() <= MAX_SANITIZED, "{shown:?}");
    assert_eq!(printable(&shown), shown, "{shown:?}");

    let url = format!("https://cdn.example/x?sig={TOKEN}{after}");
    let bare = redact_url(&url);
    if !after.contains(TOKEN) {
        assert!(!bare.contains(TOKEN), "{url:?} is shown as {bare:?}");
    }
}
