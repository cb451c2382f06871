//! The option `listen --replay`.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;

use super::{Listening, RESULT, SECRET, TASK, listen, signed, task};
use crate::support::{Ended, Fake, Snapshots};

fn replay(folder: &Path, text: &str) -> Ended {
    std::fs::write(folder.join("saved.jsonl"), text).unwrap();
    listen(folder, "--replay saved.jsonl").run()
}

#[test]
fn saved_deliveries_are_replayed_unchanged() {
    let target = Fake::always("200 OK", &[], "");
    let saved = target.folder().join("saved.jsonl");
    let mut listening = Listening::start(listen(target.folder(), "--json --save saved.jsonl"));
    let bodies = [
        task("CREATED", &[]),
        format!(
            "{{ \"task_id\":\"{TASK}\",\r\n\"status\":\"COMPLETED\",\"generated\":[\"{RESULT}\"],\"x\":\"\\\"ä\\u0000\"}}"
        ),
    ];
    for (body, id) in bodies.iter().zip(["msg_1", "msg_2"]) {
        let path = "/?kling-omni-correlation=order-7";
        assert_eq!(
            listening.post(path, &signed(SECRET, id, 200, body), body),
            200
        );
        listening.event();
    }
    let forged = signed("guess", "msg_3", 0, &bodies[0]);
    assert_eq!(listening.post("/", &forged, &bodies[0]), 401);
    let mode = std::fs::metadata(&saved).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "others can read it");

    let text = std::fs::read_to_string(&saved).unwrap();
    assert_eq!(
        text.lines().count(),
        2,
        "rejected deliveries are not saved: {text}"
    );
    let program = listen(target.folder(), "--replay - --json --forward").arg(target.base_url());
    let ended = program.stdin(text).run().expect(0);
    for ((body, id), line) in bodies
        .iter()
        .zip(["msg_1", "msg_2"])
        .zip(ended.stdout.lines())
    {
        let arrived = target.request();
        assert_eq!(&arrived.body, body);
        assert_eq!(arrived.header("webhook-id"), Some(id));
        assert_eq!(arrived.path(), "/?kling-omni-correlation=order-7");
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(
            (&event["delivery_id"], &event["verdict"]),
            (&id.into(), &"accepted".into())
        );
    }
}

#[test]
fn errors_have_a_line_number() {
    let mut snapshots = Snapshots::default();
    let folder = tempfile::tempdir().unwrap();
    let good = json!({"delivery_id": "msg_1", "body": task("CREATED", &[])});
    let line = |body: &str| json!({"delivery_id": "msg_2", "body": body}).to_string();
    for (name, bad) in [
        (
            "no-body",
            json!({"delivery_id": "msg_2", "sent_at": 7}).to_string(),
        ),
        (
            "no-id",
            json!({"delivery_id": "ä", "body": "{}"}).to_string(),
        ),
        ("no-task", line(r#"{"status":"CREATED"}"#)),
        (
            "no-token",
            json!({"delivery_id": "a", "body": "{}", "correlation": "a b"}).to_string(),
        ),
        ("too-large", line(&task("CREATED", &[&"x".repeat(70_000)]))),
        ("too-long", line(&"\u{1}".repeat(90_000))),
    ] {
        let ended = replay(folder.path(), &format!("{good}\n\n{bad}\n{good}\n")).expect(2);
        assert_eq!(
            ended.stdout.lines().count(),
            1,
            "the good line before it is replayed"
        );
        assert!(ended.stderr.contains("saved.jsonl, line 3"), "{ended}");
        snapshots.check(format!("replay-{name}"), &ended);
    }
    let ended = listen(folder.path(), "--replay nowhere.jsonl")
        .run()
        .expect(7);
    snapshots.check("replay-missing", &ended);
    replay(folder.path(), "").expect(0);
}

/// A line that is truncated, by a full disk or a killed process, does not affect the lines around it.
#[test]
fn truncated_line_does_not_affect_others() {
    let target = Fake::always("200 OK", &[], "");
    let saved = target.folder().join("saved.jsonl");
    let body = task("CREATED", &[]);
    let good = json!({"delivery_id": "msg_1", "body": body}).to_string();
    for truncated in [
        &good[..1],
        &good[..20],
        "{\"id\":\"token=abc",
        "\0\0\0",
        &good,
    ] {
        std::fs::write(&saved, format!("{good}\n{truncated}")).unwrap();
        let listening = Listening::start(listen(
            target.folder(),
            "--json --exit-after 1 --save saved.jsonl",
        ));
        let headers = signed(SECRET, "msg_2", 0, &body);
        assert_eq!(listening.post("/", &headers, &body), 200);
        listening.server.running.end().expect(0);
        let text = std::fs::read_to_string(&saved).unwrap();
        assert!(
            text.starts_with(&format!("{good}\n{truncated}\n{{")),
            "{text}"
        );

        let ended = listen(target.folder(), "--replay saved.jsonl --json")
            .run()
            .expect(0);
        let is_complete = truncated == good;
        assert_eq!(
            ended.stdout.lines().count(),
            if is_complete { 3 } else { 2 },
            "{ended}"
        );
        assert!(ended.stdout.contains("msg_2"), "{ended}");
        let is_reported = ended.stderr.contains("saved.jsonl, line 2: skipped");
        assert_ne!(is_reported, is_complete, "{ended}");
        assert!(!ended.stderr.contains("abc"), "{ended}");
    }
    for (text, code) in [("no JSON at all", 2), (&good[..20], 2), ("", 0)] {
        replay(target.folder(), text).expect(code);
    }
}

#[test]
fn unaccepted_deliveries_are_an_error() {
    let target = Fake::always("500 Internal Server Error", &[], "");
    let good = json!({"delivery_id": "msg_1", "body": task("CREATED", &[])});
    let program = listen(target.folder(), "--replay - --forward").arg(target.base_url());
    let ended = program.stdin(format!("{good}\n{good}")).run().expect(6);
    assert_eq!(ended.stdout.lines().count(), 2, "{ended}");
    Snapshots::default().check("replay-unaccepted", ended.stderr);
}

#[test]
fn conflicts_with_listening_and_saving() {
    let folder = tempfile::tempdir().unwrap();
    for other in ["--port 1", "--save x", "--exit-after 1", "--until x"] {
        let line = format!("--replay saved.jsonl {other}");
        let ended = listen(folder.path(), &line).run().expect(2);
        assert!(ended.stderr.contains("cannot be used with"), "{ended}");
    }
}

/// Every write to `/dev/full` fails.
#[test]
#[cfg(target_os = "linux")]
fn unsaved_delivery_gets_a_500() {
    let folder = tempfile::tempdir().unwrap();
    let listening = Listening::start(listen(folder.path(), "--json --save /dev/full"));
    let body = task("CREATED", &[]);
    assert_eq!(
        listening.post("/", &signed(SECRET, "msg_1", 0, &body), &body),
        500
    );
    let ended = listening.server.running.end().expect(7);
    assert!(ended.stderr.contains("cannot write /dev/full"), "{ended}");
}
