//! Text of prompts, of the service and of file names is shown as text, and never becomes markup, script or a link.

use kling_omni::printable;
use kling_omni_batch::ItemState;
use kling_omni_test_browser::Browser;
use serde_json::json;

use super::{check_isolation, item, page_of, write};

/// Texts that break out of one context or another. Each that runs sets `pwned`.
const TEXTS: [&str; 22] = [
    "</script><script>pwned = 1</script>",
    "<img src=x onerror=\"pwned = 1\">",
    "\" onerror=\"pwned = 1",
    "' onfocus='pwned = 1' autofocus='",
    "javascript:pwned=1",
    "<!-- <script>pwned = 1</script>",
    "--><svg onload=pwned=1>",
    "</style><style>body{display:none}</style>",
    "]]><script>pwned = 1</script>",
    "{{7*7}} {% include \"/etc/passwd\" %} ${7*7} <%= 7*7 %>",
    "<meta http-equiv=refresh content=0;url=https://example.com>",
    "<base href=https://example.com/>",
    "<link rel=stylesheet href=//example.com/x.css>",
    "<iframe srcdoc='<script>parent.pwned = 1</script>'></iframe>",
    "</textarea></title></noscript></template><script>pwned = 1</script>",
    "&lt;script&gt;pwned = 1&lt;/script&gt; &#60; &amp;",
    "line one\u{2028}line two\u{2029}end",
    "a \u{202e}tac a\u{202c} \u{2066}x\u{2069}",
    "nul \u{0} bell \u{7} escape \u{1b}[31m",
    "\u{feff}\u{200b}\u{ad}invisible",
    "עברית and English",
    "#item-0 %00 ../../etc/passwd \\\\server\\share file:///etc/passwd",
];

#[tokio::test]
async fn text_is_never_markup() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let long = "x".repeat(20_000);
    let texts: Vec<&str> = TEXTS.into_iter().chain([long.as_str()]).collect();
    let items = texts.iter().map(|text| {
        let mut item = item(text, ItemState::Failed, text);
        item.error = serde_json::from_value(json!({"kind": text, "text": text})).unwrap();
        item.task_id = Some((*text).to_owned());
        item.findings = vec![(*text).to_owned()];
        item
    });
    let mut page = page_of(items.collect());
    page.name = texts[..TEXTS.len()].concat();
    page.reason = Some(TEXTS.concat());
    page.spend.currency = Some(TEXTS[0].to_owned());
    let folder = tempfile::tempdir().unwrap();
    browser.open_file(&write(&page, folder.path()).await).await;

    let prompts = "return [...document.querySelectorAll('.card')].map((card) =>
        card.querySelector('details.prompt p, p.prompt').textContent)";
    let shown = browser.texts(prompts).await;
    let expected: Vec<_> = texts.iter().map(|text| printable(text)).collect();
    assert_eq!(shown, expected);
    let keys = "return [...document.querySelectorAll('.card h3')].map((key) => key.textContent)";
    assert_eq!(browser.texts(keys).await, expected);
    let inside = "return [...document.querySelectorAll('.prompt *, .error *, .findings li *, h3 bdi *, .facts dd *, h1 bdi *')]
        .filter((e) => !e.matches('summary, p')).map((e) => e.outerHTML)";
    assert_eq!(browser.texts(inside).await, Vec::<String>::new());
    let foreign = "return [...document.querySelectorAll('img, iframe, base, object, embed, form[action], [onerror], [onload], [onfocus], [style]')]
        .map((e) => e.outerHTML)";
    assert_eq!(browser.texts(foreign).await, Vec::<String>::new());
    let counts = "return ['script', 'style', 'meta', 'title'].map((name) => `${name} ${document.getElementsByTagName(name).length}`)";
    assert_eq!(
        browser.texts(counts).await,
        ["script 1", "style 1", "meta 6", "title 1"]
    );
    assert_eq!(browser.run("return typeof window.pwned").await, "undefined");
    // A long word widens nothing.
    let overflow = "return document.documentElement.scrollWidth <= innerWidth";
    assert_eq!(browser.run(overflow).await, true);
    check_isolation(&browser).await;
    browser.close().await;
}

#[tokio::test]
async fn paths_stay_paths() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let names = [
        "a #1.mp4",
        "what?.mp4",
        "50%.mp4",
        "%2e%2e.mp4",
        "\"quoted\" 'twice'.mp4",
        "javascript:alert(1).mp4",
        "<b>.mp4",
        "&amp;.mp4",
        "Größe 日本.mp4",
        "two\nlines.mp4",
        "back\\slash.mp4",
    ];
    let mut items = Vec::new();
    for name in names {
        let mut saved = item(name, ItemState::Saved, "A cat");
        saved.video = Some(folder.path().join(name));
        items.push(saved);
    }
    let objects = [
        "s3://clips/a #1.mp4",
        "https://s3.example/clips/\"><script>.mp4",
        "javascript://%0apwned=1",
    ];
    for object in objects {
        let mut saved = item(object, ItemState::Saved, "A cat");
        saved.video = Some(object.into());
        items.push(saved);
    }
    browser
        .open_file(&write(&page_of(items), folder.path()).await)
        .await;
    let sources = "return [...document.querySelectorAll('video')].map((video) => video.src)";
    for (source, name) in browser.texts(sources).await.iter().zip(names) {
        let url: reqwest::Url = source.parse().unwrap();
        let path = url.to_file_path().unwrap();
        let expected = folder.path().canonicalize().unwrap().join(name);
        assert_eq!(path, expected, "{source}");
    }
    let links = "return [...document.querySelectorAll('.frame a')].map((link) => link.getAttribute('href'))";
    assert_eq!(
        browser.texts(links).await,
        [
            "s3://clips/a%20%231.mp4",
            "https://s3.example/clips/%22%3E%3Cscript%3E.mp4"
        ]
    );
    let videos = "return document.querySelectorAll('video').length";
    assert_eq!(browser.run(videos).await, names.len());
    browser.close().await;
}
