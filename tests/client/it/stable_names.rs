//! The names of findings in JSON, which are stable from 0.1. The names in the program's output are tested with the
//! program.

use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex};

use kling_omni::recovery::UnconfirmedCreate;
use kling_omni::request::Route;
use kling_omni::validation::FindingCode;
use kling_omni::{Mode, Tier, VideoReference};
use kling_omni_api::limits::video_reference_request::PROMPT;
use kling_omni_test_support::setup::{client, sandbox};
use kling_omni_test_support::virtual_clock::VirtualClock;
use serde_json::{Value, json};

use crate::snapshots;

#[test]
fn finding_codes() {
    let mut codes: Vec<_> = FindingCode::ALL
        .iter()
        .map(|code| {
            let name = serde_json::to_value(code).unwrap();
            let severity = serde_json::to_value(code.severity()).unwrap();
            assert_eq!(name, code.as_str());
            format!("{} {}", severity.as_str().unwrap(), code.as_str())
        })
        .collect();
    codes.sort();
    let mut snapshots = snapshots("names");
    snapshots.check("finding-codes", &codes.join("\n"));
    snapshots.finish();
}

/// The operations and lists in journals and in serialised unconfirmed creates.
#[tokio::test]
async fn operations() {
    let clock = VirtualClock::new();
    let sandbox = sandbox(&clock).start().await.unwrap();
    let client = client(sandbox.base_url(), &clock).build().unwrap();
    let mut lines = String::new();
    for mode in Mode::ALL {
        for tier in Tier::ALL {
            for route in Route::ALL {
                let record = Arc::new(Mutex::new(Value::Null));
                let shared = Arc::clone(&record);
                let create = client.create_unchecked(*tier, json!({})).mode(*mode);
                let create = create.route(*route).with_list_snapshot();
                let create = create.before_send(move |unconfirmed| {
                    *shared.lock().unwrap() = serde_json::to_value(unconfirmed)?;
                    Err(io::Error::other("not sent"))
                });
                create.await.unwrap_err();
                let record = record.lock().unwrap();
                let read: UnconfirmedCreate = serde_json::from_value(record.clone()).unwrap();
                assert_eq!(read.mode(), *mode);
                let (name, lists) = (&record["route"], &record["snapshot"]["lists"]);
                let pinned = read.route();
                writeln!(lines, "{mode} {tier} {route}: {name} {lists} {pinned}").unwrap();
            }
        }
    }
    let mut snapshots = snapshots("names");
    snapshots.check("operations", &lines);
    snapshots.finish();
}

#[test]
fn finding_fields() {
    let request = VideoReference::builder()
        .prompt("x".repeat(PROMPT.max_length.unwrap() + 1))
        .reference_video("dance.mp4");
    let findings = serde_json::to_value(request.findings()).unwrap();
    let mut names: Vec<_> = findings
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_object)
        .flat_map(|finding| finding.keys().cloned())
        .collect();
    names.sort();
    names.dedup();
    let mut snapshots = snapshots("names");
    snapshots.check("finding-fields", &names.join("\n"));
    snapshots.finish();
}
