//! Faults that change a response: header lines, codings, prefixes, messages, incomplete lists and slow bodies.

use std::io::Read as _;
use std::time::Duration;

use kling_omni_sandbox::{Fault, FaultMatcher, FaultRule, FaultTarget};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

use crate::harness::{Bench, LIST, PRO, TestResponse, request_body, short_request_body};
use crate::raw::Raw;

async fn bench(rules: &[&str]) -> Bench {
    Bench::with(|builder| {
        rules.iter().fold(builder, |builder, rule| {
            builder.fault(
                rule.parse()
                    .unwrap_or_else(|error| panic!("{rule}: {error}")),
            )
        })
    })
    .await
}

async fn create(bench: &Bench) -> Raw {
    let url = format!("{}{PRO}", bench.sandbox.base_url());
    Raw::send(bench, "POST", &url, &request_body().to_string()).await
}

async fn list(bench: &Bench) -> TestResponse {
    bench.get(LIST).await
}

fn is_created(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|body| body["data"]["status"] == "CREATED")
}

#[tokio::test]
async fn header_lines_are_sent_unchanged() {
    for (rule, line) in [
        ("create:header=X-Made-Up: 1", "\r\nx-made-up: 1\r\n"),
        ("create:header=X-Empty:", "\r\nx-empty: \r\n"),
        (
            "create:header=Content-Type: text/x",
            "\r\ncontent-type: text/x\r\n",
        ),
        ("create:header=Date: soon", "\r\ndate: soon\r\n"),
        (
            "create:header=x-request-id: mine",
            "\r\nx-request-id: mine\r\n",
        ),
        ("create:header=X Bad Header: 1", "\r\nX Bad Header: 1\r\n"),
        ("create:header=no colon", "\r\nno colon\r\n"),
        (
            r"create:header=Set-Cookie: a=1\r\n   XSa: b",
            "\r\nSet-Cookie: a=1\r\n   XSa: b\r\n",
        ),
        (r"create:header=X-Nul: \x00", "\r\nX-Nul: \0\r\n"),
    ] {
        let bench = bench(&[rule]).await;
        let raw = create(&bench).await;
        assert!(raw.head().contains(line), "{rule}: {:?}", raw.head());
        let name = line
            .trim_start()
            .split(':')
            .next()
            .unwrap()
            .to_ascii_lowercase();
        let lines = raw.head().to_ascii_lowercase();
        let count = lines.matches(&format!("\r\n{name}")).count();
        assert_eq!(count, 1, "{rule}: {:?}", raw.head());
        assert!(!raw.head().contains("raw-line"), "{rule}");
        assert!(is_created(&raw.body), "{rule}");
        assert_eq!(bench.sandbox.charges(), 1);
    }
}

#[tokio::test]
async fn header_lines_are_sent_by_every_host() {
    let bench = bench(&["result:header=a b: 1", "result:header=c d: 2"]).await;
    let (_, url) = bench.completed(&short_request_body()).await;
    let raw = Raw::send(&bench, "GET", &url, "").await;
    assert!(
        raw.head().contains("\r\na b: 1\r\nc d: 2\r\n"),
        "{:?}",
        raw.head()
    );
    assert_eq!(raw.share(), "whole");
}

#[tokio::test]
async fn known_content_codings_are_applied() {
    let gunzip = |body: &[u8]| {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(body)
            .read_to_end(&mut plain)
            .unwrap();
        plain
    };
    let inflate = |body: &[u8]| {
        let mut plain = Vec::new();
        flate2::read::ZlibDecoder::new(body)
            .read_to_end(&mut plain)
            .unwrap();
        plain
    };
    for token in ["gzip", "x-gzip", "deflate", "identity", "aws-chunked", ""] {
        let bench = bench(&[&format!("create:content-encoding={token}")]).await;
        let raw = create(&bench).await;
        assert_eq!(raw.header("content-encoding"), Some(token));
        assert_eq!(raw.share(), "whole", "{token}");
        let plain = match token {
            "gzip" | "x-gzip" => gunzip(&raw.body),
            "deflate" => inflate(&raw.body),
            _ => raw.body.clone(),
        };
        assert!(is_created(&plain), "{token}");
    }
}

#[tokio::test]
async fn prefix_and_body_change_the_body() {
    for (rules, prefix) in [
        (&["create:bom"][..], &b"\xef\xbb\xbf"[..]),
        (&[r"create:prefix=)]}',\n"], b")]}',\n"),
        (&[r"create:prefix=\xff", "create:bom"], b"\xef\xbb\xbf\xff"),
    ] {
        let bench = bench(rules).await;
        let raw = create(&bench).await;
        assert_eq!(raw.share(), "whole");
        assert!(
            raw.body.strip_prefix(prefix).is_some_and(is_created),
            "{rules:?}"
        );
    }
    let bench = bench(&[r#"create:body={"detail":"no\n"}"#]).await;
    let raw = create(&bench).await;
    assert_eq!(
        (raw.status(), &raw.body[..]),
        (Some(200), &b"{\"detail\":\"no\n\"}"[..])
    );
    assert_eq!(bench.sandbox.charges(), 1);
}

#[tokio::test]
async fn message_changes_an_error() {
    let bench = bench(&["create:429", r"create:message=a\u{202e}b"]).await;
    let raw = create(&bench).await;
    assert_eq!(raw.status(), Some(429));
    assert_eq!(
        raw.body,
        json!({"message": "a\u{202e}b"}).to_string().into_bytes()
    );
    bench.sandbox.clear_faults();
    bench
        .sandbox
        .inject("create:message=unused".parse().unwrap());
    assert!(is_created(&create(&bench).await.body));

    bench.sandbox.clear_faults();
    bench.sandbox.inject("api:plan-limit".parse().unwrap());
    let raw = create(&bench).await;
    assert_eq!(raw.status(), Some(429));
    assert!(String::from_utf8_lossy(&raw.body).contains("usage limit"));
    assert_eq!(bench.sandbox.charges(), 1);
}

#[tokio::test]
async fn has_more_and_hide_newest_change_a_list() {
    let bench = bench(&[
        "list:hide-newest=1@2",
        "list:has-more@3",
        "list:success=206@4",
        "list:hide-newest=9@5",
    ])
    .await;
    let older = bench.create(PRO, &request_body()).await;
    let newer = bench.create(PRO, &request_body()).await;
    let ids = |response: &TestResponse| -> Vec<String> {
        let data = response.data();
        let rows = data.as_array().unwrap().iter();
        rows.map(|row| row["task_id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(ids(&list(&bench).await), [newer.clone(), older.clone()]);
    assert_eq!(ids(&list(&bench).await), [older]);
    let more = list(&bench).await;
    assert_eq!((more.status, &more.json()["has_more"]), (200, &json!(true)));
    assert_eq!(list(&bench).await.status, 206);
    assert_eq!(ids(&list(&bench).await), [""; 0]);
}

#[tokio::test]
async fn drip_follows_the_clock() {
    let bench = bench(&["list:drip=10/20s"]).await;
    let url = format!("{}{LIST}", bench.sandbox.base_url());
    let mut stream = Raw::open(&bench, "GET", &url, "").await;
    let mut all = Vec::new();
    while !all.ends_with(b"\r\n\r\n") {
        all.push(stream.read_u8().await.unwrap());
    }
    let mut body = Vec::new();
    // {"message":"Tasks not found"} has 29 bytes.
    for size in [10, 10, 9] {
        let early = stream.try_read(&mut [0; 1]).map_err(|error| error.kind());
        assert_eq!(early, Err(std::io::ErrorKind::WouldBlock));
        bench.clock.advance(Duration::from_secs(20));
        let mut piece = vec![0; size];
        stream.read_exact(&mut piece).await.unwrap();
        body.extend(piece);
    }
    assert_eq!(body, br#"{"message":"Tasks not found"}"#);
}

#[test]
fn rules_parse_their_text_form() {
    for text in [
        r"create:header=Set-Cookie: a=1\r\n   b",
        "result:content-encoding=aws-chunked",
        "result:content-encoding=",
        "list:success=206",
        r"create:prefix=)]}',\n",
        "create:bom@1",
        "create:body=",
        r"create:message=50%\x401\x7e",
        "status:drip=1/20s~0.5",
        "upload:plan-limit",
        "list:has-more",
        "listVideoTasks:hide-newest=2",
        "create:id=a.b",
        "createVideoStd:silent-failure=2s",
        "create:silent-failure",
        "api:lenient",
        "create:moderated",
        "create:clip-seconds=7",
        "createVideoPro:clip-size=720x1280@2",
        "create:clip-sound=no",
        "create:clip-sound=yes",
    ] {
        let rule: FaultRule = text
            .parse()
            .unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(rule.to_string(), text);
    }
    let secret = FaultRule::new(
        FaultMatcher::at(FaultTarget::Api),
        Fault::Message("?sig=S1".into()),
    )
    .unwrap();
    assert!(!format!("{secret:?}").contains("S1"));
    for (text, part) in [
        ("create:header=", "needs a value"),
        (r"create:prefix=\q", "invalid escape"),
        (r"create:message=\xff", "does not decode to UTF-8"),
        ("create:success=404", "invalid success status"),
        ("create:drip=5", "BYTES/TIME"),
        ("create:drip=0/1s", "invalid number"),
        ("status:has-more", "is impossible"),
        ("getVideoTask:lenient", "is impossible"),
        ("status:id=a", "is impossible"),
        ("result:plan-limit", "is impossible"),
        ("webhook:bom", "is impossible"),
        ("create:moderated=1", "has no value"),
        ("create:clip-seconds=0", "expected 1 to 60 seconds"),
        ("create:clip-size=720", "expected multiples of 16"),
        ("create:clip-size=100x100", "expected multiples of 16"),
        ("create:clip-sound=maybe", "must be yes or no"),
        ("result:clip-sound=no", "is impossible"),
    ] {
        let error = text.parse::<FaultRule>().unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}
