//! Faults on upload slots and at the storage host.

use kling_omni_sandbox::{FaultRule, FaultTarget};
use serde_json::{Value, json};

use crate::harness::{Answer, Bench, PLACES};

fn rule(text: &str) -> FaultRule {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[tokio::test]
async fn what_one_who_asks_for_a_place_sees() {
    // The fault, the status, and the fields of the place in the answer.
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
        let answer = bench.post(PLACES, &files).await;
        assert_eq!(answer.status, status, "{text}");
        let answer = answer.json();
        let place = answer.pointer("/files/0");
        let told = place.and_then(Value::as_object).into_iter().flatten();
        let told: Vec<_> = told.map(|(name, _)| name.as_str()).collect();
        assert_eq!(told.join(" "), fields, "{text}");
        assert_eq!(bench.sandbox.charges(), 0);
    }
}

#[tokio::test]
async fn what_one_who_puts_a_file_sees() {
    let closed = None;
    // The fault, the status and a part of the body, and whether the file came.
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
        let place = bench.place("video/mp4").await;
        let put = place.put(&bench, vec![7; 3_000_000]);
        match seen {
            Some((status, body)) => {
                let answer = Answer::to(put).await;
                assert_eq!(answer.status, status, "{text}");
                assert!(answer.text().contains(body), "{text}: {}", answer.text());
            }
            None => assert!(put.send().await.is_err(), "{text}"),
        }
        let length = came.then_some(3_000_000);
        assert_eq!(bench.sandbox.uploads()[0].length(), length, "{text}");
        // The next one is not struck, where only the first was to be.
        bench.sandbox.clear_faults();
        let again = bench.place("video/mp4").await;
        assert_eq!(
            Answer::to(again.put(&bench, "clip")).await.status,
            200,
            "{text}"
        );
    }
}

#[test]
fn places_of_uploads_have_no_tasks_and_few_urls() {
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
    for (name, place) in [
        ("upload", FaultTarget::Upload),
        ("storage", FaultTarget::Storage),
    ] {
        assert_eq!(name.parse::<FaultTarget>().unwrap(), place);
        assert_eq!(place.to_string(), name);
    }
}
