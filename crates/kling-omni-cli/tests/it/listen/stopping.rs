//! When `listen` exits.

use super::{Listening, RESULT, SECRET, TASK, listen, signed, task};

/// The cases are options, deliveries, exit code and message.
#[test]
fn exit_after_and_until_exit() {
    let going = task("IN_PROGRESS", &[]);
    let done = task("COMPLETED", &[RESULT]);
    let empty = task("COMPLETED", &[]);
    let failed = format!(r#"{{"task_id":"{TASK}","status":"FAILED","error":"too dark"}}"#);
    let other = done.replace(TASK, "another");
    let until = format!("--until {TASK}");
    let cases: [(&str, &[&str], i32, &str); 6] = [
        ("--exit-after 1", &[&going], 0, ""),
        ("--exit-after 2", &[&going, &other], 0, ""),
        (&until, &[&other, &going, &done], 0, ""),
        (&until, &[&going, &failed], 4, "failed: too dark"),
        (&until, &[&empty], 4, "its delivery has no result"),
        ("--exit-after 1 --timeout 1h", &[&going], 0, ""),
    ];
    for (options, bodies, code, message) in cases {
        let folder = tempfile::tempdir().unwrap();
        let mut listening = Listening::start(listen(folder.path(), &format!("--json {options}")));
        for (number, body) in bodies.iter().enumerate() {
            // The last delivery gets a response, too.
            let headers = signed(SECRET, &format!("msg_{number}"), 0, body);
            assert_eq!(listening.post("/", &headers, body), 200, "{options}");
            listening.event();
        }
        let ended = listening.server.running.end().expect(code);
        assert!(ended.stderr.contains(message), "{ended}");
    }
}

#[test]
fn duplicates_do_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let mut listening = Listening::start(listen(folder.path(), "--json --exit-after 2"));
    let body = task("IN_PROGRESS", &[]);
    for (id, verdict) in [("a", "accepted"), ("a", "duplicate"), ("b", "accepted")] {
        assert_eq!(
            listening.post("/", &signed(SECRET, id, 0, &body), &body),
            200
        );
        assert_eq!(listening.event()["verdict"], verdict);
    }
    listening.server.running.end().expect(0);
}

#[test]
fn signals_stop_it() {
    for (options, code) in [
        ("", 0),
        ("--exit-after 1", 130),
        ("--until x --timeout 1h", 130),
    ] {
        for signal in ["-INT", "-TERM"] {
            let folder = tempfile::tempdir().unwrap();
            let listening = Listening::start(listen(folder.path(), &format!("--json {options}")));
            listening.server.running.signal(signal);
            listening.server.running.end().expect(code);
        }
    }
}

#[test]
fn timeout_exits_with_5() {
    let folder = tempfile::tempdir().unwrap();
    let ended = listen(folder.path(), "--exit-after 1 --timeout 0")
        .run()
        .expect(5);
    assert!(ended.stderr.contains("not satisfied within 0s"), "{ended}");
    listen(folder.path(), "--timeout 1").run().expect(2);
}
