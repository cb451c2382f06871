//! Faults on upload slots and at the storage host.

use kling_omni_sandbox::{FaultRule, FaultTarget};
use serde_json::{Value, json};

use crate::harness::{Bench, SLOTS, TestResponse};

fn rule(text: &str) -> FaultRule {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[tokio::test]
async fn on_slot_requests_have_a_response() {
    // The fault, the status, and the fields of the slot in the response.
    let all = "asset_url asset_url_expires_in expires_in file_id headers upload_url";
    let cases = [
        ("create:500", 200, all),
        ("storage:500", 200, all),
        ("upload:403", 403, ""),
        ("requestUploads:503", 503, ""),
        (
            "upload:missing=headers",
            200,
            "asset_url asset_url_expires_in expires_in file_id upload_url",
        ),
        ("upload:missing=files", 200, ""),
        ("upload:null=files", 200, ""),
        ("upload:expired-url", 200, all),
    ];
    for (text, status, fields) in cases {
        let bench = Bench::with(|builder| builder.fault(rule(text))).await;
        let files = json!({"files": [{"content_type": "video/mp4"}]});
        let response = bench.post(SLOTS, &files).await;
        assert_eq!(response.status, status, "{text}");
        let response = response.json();
        let slot = response.pointer("/files/0");
        let names = slot.and_then(Value::as_object).into_iter().flatten();
        let mut names: Vec<_> = names.map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names.join(" "), fields, "{text}");
        assert_eq!(bench.sandbox.charges(), 0);
    }
}

#[tokio::test]
async fn on_uploads_have_a_response() {
    let closed = None;
    // The fault, the status and a part of the body, and whether the file was stored.
    let cases = [
        ("upload:500@2", Some((200, "")), true),
        ("api:500@2", Some((200, "")), true),
        ("storage:lost", closed, false),
        ("storage:drop", closed, true),
        ("storage:cut", closed, false),
        ("storage:cut=1000", closed, false),
        (
            "storage:503",
            Some((503, "<Code>ServiceUnavailable</Code>")),
            false,
        ),
        (
            "storage:accept-500",
            Some((500, "<Code>InternalServerError</Code>")),
            true,
        ),
        (
            "storage:502-html",
            Some((502, "<title>502 Bad Gateway</title>")),
            false,
        ),
        (
            "storage:redirect=http://127.0.0.1:1/",
            Some((307, "307")),
            false,
        ),
        (
            "upload:expired-url",
            Some((400, "<Code>ExpiredToken</Code>")),
            false,
        ),
    ];
    let patient = |redirect| reqwest::Client::builder().no_proxy().redirect(redirect);
    for (text, seen, came) in cases {
        let mut bench = Bench::with(|builder| builder.fault(rule(text))).await;
        bench.http = patient(reqwest::redirect::Policy::none()).build().unwrap();
        let slot = bench.slot("video/mp4").await;
        let put = slot.put(&bench, vec![7; 3_000_000]);
        match seen {
            Some((status, body)) => {
                let response = TestResponse::to(put).await;
                assert_eq!(response.status, status, "{text}");
                assert!(
                    response.text().contains(body),
                    "{text}: {}",
                    response.text()
                );
            }
            None => assert!(put.send().await.is_err(), "{text}"),
        }
        let length = came.then_some(3_000_000);
        assert_eq!(bench.sandbox.uploads()[0].length(), length, "{text}");
        // A fault on the first request does not apply to the next one.
        bench.sandbox.clear_faults();
        let again = bench.slot("video/mp4").await;
        assert_eq!(
            TestResponse::to(again.put(&bench, "clip")).await.status,
            200,
            "{text}"
        );
    }
}

#[test]
fn impossible_at_upload_targets_are_rejected() {
    for text in [
        "upload#1:500",
        "storage#1:500",
        "storage:missing=headers",
        "storage:expired-url",
        "storage:duplicate",
        "upload:empty",
        "upload:fresh-url",
        "upload:unknown-status=X",
    ] {
        assert!(text.parse::<FaultRule>().is_err(), "{text}");
    }
    for (name, slot) in [
        ("upload", FaultTarget::Upload),
        ("storage", FaultTarget::Storage),
    ] {
        assert_eq!(name.parse::<FaultTarget>().unwrap(), slot);
        assert_eq!(slot.to_string(), name);
    }
}
