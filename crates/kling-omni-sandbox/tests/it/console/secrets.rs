//! Keys and tokens, and text that looks like markup: neither leaves the sandbox.

use http::{Method, StatusCode};

use super::ConsoleBench;
use crate::harness::{LIST, PRO, TASK_TIME, TestResponse, request_body_with};
use crate::webhooks::receiver;

/// Pages about all records of a test with one task.
const PAGES: [&str; 8] = [
    "/",
    "/tasks",
    "/tasks/1",
    "/requests",
    "/requests?show=errors",
    "/deliveries",
    "/deliveries/1",
    "/faults",
];

/// Returns all pages, and all streams up to their first complete state.
async fn everything(console: &ConsoleBench) -> Vec<(String, String)> {
    let requests = console.bench.sandbox.requests().len();
    let details = (1..=requests).map(|number| format!("/requests/{number}"));
    let paths = PAGES.iter().map(|path| (*path).to_owned()).chain(details);
    let mut texts = Vec::new();
    for path in paths {
        let page = console.page(&path).await;
        let url = format!("{}/live{path}", console.url);
        let mut stream = console.bench.http.get(url).send().await.unwrap();
        let mut events = String::new();
        while events.matches("data-version").count() < page.matches("data-version").count()
            || !events.ends_with("\n\n")
        {
            let chunk = stream.chunk().await.unwrap().unwrap();
            events.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        texts.push((path.clone(), page));
        texts.push((format!("/live{path}"), events));
    }
    texts
}

#[tokio::test]
async fn keys_and_tokens_are_masked_everywhere() {
    let (key, secret, rotated) = ("k3y-of-the-account", "s3cret-of-the-hooks", "n3w-s3cret");
    let token = "t0ken-of-the-user";
    let console = ConsoleBench::with(|builder| {
        builder
            .api_key(key)
            .webhook_secret(secret)
            .fault(format!("webhook:rotating={rotated}").parse().unwrap())
            .fault(format!("list:message={key} is wrong").parse().unwrap())
    })
    .await;
    let bench = &console.bench;
    let (hook, _received) = receiver(StatusCode::OK).await;
    let prompt =
        format!("{key} and {secret}, see https://u:{token}@example.com/?token={token}#{token}");
    let mut body = request_body_with("prompt", prompt);
    body["webhook_url"] = format!("{hook}&token={token}").into();
    body["video_url"] = format!("https://example.com/v.mp4?signature={token}").into();
    let (_, result) = bench.completed(&body).await;
    bench.sandbox.wait_for_deliveries(2).await;
    let (_, hmac) = result.split_once("hmac=").unwrap();
    let url = |path: &str| format!("{}{path}", bench.sandbox.base_url());
    let slots = serde_json::json!({"files": [{"content_type": "image/png"}]});
    let slot = bench.post(crate::harness::SLOTS, &slots).await;
    let signature = slot.text().split("Signature=").nth(1).unwrap();
    let signature = signature.split(['&', '"', '\\']).next().unwrap();
    assert!(signature.len() > 20, "{signature}");
    for request in [
        bench
            .http
            .get(&result)
            .header("authorization", format!("Bearer {token}")),
        bench.http.get(&result).header("x-mistyped", key),
        bench.http.get(&result).header("x-api-token", token),
        bench
            .http
            .get(&result)
            .header("referer", format!("http://127.0.0.1/?t={token}")),
        bench.http.get(url(&format!("/{key}/{secret}"))),
        bench
            .http
            .post(url(PRO))
            .body(format!("token={token}&api_key={token}")),
        bench
            .http
            .post(url(PRO))
            .body(format!("{{\"a\": \"{key}\", \"api_key\": \"{token}\"")),
        bench
            .http
            .post(url(PRO))
            .body(format!("{{\"api_key\": \"{token}\", \"{key}\": 1}}")),
        bench
            .http
            .post(url(PRO))
            .body(format!("http:\\/\\/h\\/?sig={token} Bearer {token}")),
        bench
            .http
            .post(url(PRO))
            .body([b"\xff ", key.as_bytes(), b"\xfe"].concat()),
        bench.request(
            Method::GET,
            &format!("{LIST}?page=1&api_key={token}&{key}=1"),
        ),
        bench.request(Method::GET, &format!("{LIST}?page=a")),
    ] {
        TestResponse::to(request).await;
    }

    for (path, text) in everything(&console).await {
        for needle in [key, secret, rotated, token, hmac, signature] {
            assert!(!text.contains(needle), "{needle} in {path}: {text}");
        }
    }
}

/// Texts that would be markup, script or a hidden change of direction if they were not escaped.
pub const NASTY: [&str; 13] = [
    "</script><script>alert(1)</script>",
    "\" onerror=\"alert(1)",
    "' onmouseover='alert(1)",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "javascript:alert(1)",
    "<!-- <h1>",
    "]]><h1>",
    "{{7*7}}{% raw %}",
    "a\u{2028}b\u{2029}c",
    "\u{202e}gpj.exe\u{2066}",
    "</code></pre></div><div id=\"tasks\" data-version=\"1\">",
    "data: x\r\n\r\nevent: part\r\ndata: <h1>",
];

#[tokio::test]
async fn texts_of_the_program_are_never_markup() {
    let console = ConsoleBench::start().await;
    let bench = &console.bench;
    let (hook, _received) = receiver(StatusCode::OK).await;
    let nasty = NASTY.join(" ");
    let mut body = request_body_with("prompt", NASTY.join(" "));
    body["webhook_url"] = format!("{hook}&a=%3Ch1%3E'(javascript:alert(1))").into();
    body[NASTY[0]] = NASTY[1].into();
    bench
        .sandbox
        .inject("create:id=</code><h1>x@1".parse().unwrap());
    bench
        .sandbox
        .inject("status:unknown-status=<h1>x@1".parse().unwrap());
    bench.create(PRO, &body).await;
    bench.clock.advance(TASK_TIME);
    bench.sandbox.wait_for_deliveries(2).await;
    let url = |path: &str| format!("{}{path}", bench.sandbox.base_url());
    for request in [
        bench.http.get(url("/%3Cscript%3E?<script>=<script>")),
        bench
            .http
            .get(url("/"))
            .header("x-nasty", "<script>alert(1)</script>\" onload=\"x"),
        bench
            .http
            .get(url("/"))
            .header("x-nasty", "\u{202e}<h1>\u{2028}"),
        bench.http.get(url("/")).header(
            "x-nasty",
            http::HeaderValue::from_bytes(b"\xff<h1>\xfe").unwrap(),
        ),
        bench
            .http
            .request(Method::from_bytes(b"GET|'`").unwrap(), url("/")),
        bench.http.post(url(PRO)).body(nasty.clone()),
        bench
            .http
            .post(url(PRO))
            .body([b"\xff", nasty.as_bytes()].concat()),
        bench.http.post(url(PRO)).body("x".repeat(5000)),
    ] {
        TestResponse::to(request).await;
    }
    let arm = console
        .submit("/faults", "/faults/arm", &[("rule", &nasty)])
        .await;
    assert_eq!(arm.status, 400);

    let mut texts = everything(&console).await;
    texts.push(("arm".to_owned(), arm.text().to_owned()));
    for (path, text) in texts {
        let is_page = !path.starts_with("/live");
        for (needle, count) in [
            ("<script", usize::from(is_page)),
            ("<h1>", usize::from(is_page)),
            ("<img", 0),
            ("<svg onload", 0),
            ("<!--", 0),
            ("onerror=\"", 0),
            ("onmouseover='", 0),
            ("href=\"javascript", 0),
            ("event: part\r", 0),
            ("\u{2028}", 0),
            ("\u{2029}", 0),
            ("\u{202e}", 0),
            ("\u{2066}", 0),
            ("\r", 0),
        ] {
            assert_eq!(
                text.matches(needle).count(),
                count,
                "{needle:?} in {path}: {text}"
            );
        }
    }
    let page = console.page("/tasks/1").await;
    assert!(
        page.contains("{{7*7}}") && page.contains("\\u202egpj.exe"),
        "{page}"
    );
}
