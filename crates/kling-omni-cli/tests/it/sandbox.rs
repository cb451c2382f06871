//! `sandbox`: requests, events and settings.

#![cfg(unix)]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use kling_omni_test_support::fake::ClosedPort;
use serde_json::Value;

use crate::support::{Program, Server, Snapshots, facts};

#[test]
fn serves_until_ctrl_c() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(Program::new(
        folder.path(),
        "sandbox --json --task-time 0 --seed 7 --webhook-secret s3",
    ));
    let started = server.event();
    assert_eq!(started["event"], "started");
    assert_eq!(started["webhook_secret"], "s3");
    assert_eq!(started["seed"], 7);

    let closed = ClosedPort::new();
    let hook = format!("{}/hook?token=secret", closed.url());
    let ended = Program::new(
        folder.path(),
        "generate -p puppet -d 3 --poll-interval 0.1 -o clip.mp4 --webhook-url",
    )
    .arg(&hook)
    .env("KLING_OMNI_BASE_URL", started["base_url"].as_str().unwrap())
    .env("FREEPIK_API_KEY", started["api_key"].as_str().unwrap())
    .run()
    .expect(0);
    assert_eq!(ended.stdout, "clip.mp4\n");
    assert_eq!(facts(&folder.path().join("clip.mp4")).seconds, 3.0);

    let mut requests = Vec::new();
    while !requests.iter().any(|event: &String| event.contains(".mp4")) {
        let event = server.event();
        requests.push(format!(
            "{} {} {}",
            event["method"], event["path"], event["http_status"]
        ));
    }
    assert!(
        requests[0].contains("POST") && requests[0].contains("200"),
        "{requests:?}"
    );
    server.running.interrupt();
    let mut last = server.event();
    while last["event"] != "ended" {
        last = server.event();
    }
    assert_eq!(last["charges"], serde_json::json!({ "createVideoPro": 1 }));
    let ended = server.running.end().expect(0);
    assert!(
        ended.stderr.contains("charged: 1 (createVideoPro 1)"),
        "{ended}"
    );
}

#[test]
fn prints_how_to_use_it() {
    let mut snapshots = Snapshots::default();
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(Program::new(folder.path(), "sandbox --seed 7"));
    let mut banner = String::new();
    while !banner.contains("kling-omni generate") {
        banner.push_str(&server.line());
    }
    server.running.interrupt();
    let ended = server.running.end().expect(0);
    snapshots.check("sandbox", format!("{banner}---\n{}", ended.stderr));
}

#[test]
fn prints_injected_faults() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(
        Program::new(folder.path(), "sandbox --json --task-time 0")
            .arg("--fault")
            .arg("create:drop@1")
            .arg("--fault")
            .arg("webhook:duplicate"),
    );
    let started = server.event();
    // The connection of each delivery is refused.
    let closed = ClosedPort::new();
    let url = format!("{}/hook", closed.url());
    let ended = Program::new(
        folder.path(),
        "generate -p puppet -d 3 --no-wait --webhook-url",
    )
    .arg(&url)
    .env("KLING_OMNI_BASE_URL", started["base_url"].as_str().unwrap())
    .env("FREEPIK_API_KEY", started["api_key"].as_str().unwrap())
    .run()
    .expect(8);
    assert!(ended.stderr.contains("charged: unknown"), "{ended}");

    let events: Vec<Value> = (0..5).map(|_| server.event()).collect();
    let event_faults = |event: &Value| format!("{} {}", event["event"], event["faults"]);
    let mut printed: Vec<String> = events.iter().map(event_faults).collect();
    printed.sort();
    let delivery = r#""delivery" ["webhook:duplicate"]"#;
    let expected = [
        delivery,
        delivery,
        delivery,
        delivery,
        r#""request" ["create:drop@1"]"#,
    ];
    assert_eq!(printed, expected);
    server.running.interrupt();
    server.running.end().expect(0);
}

#[test]
fn stops_when_stdout_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(Program::new(folder.path(), "sandbox --json"));
    let started = server.event();
    drop(server.stdout);
    let base_url = started["base_url"].as_str().unwrap();
    let address = base_url.trim_start_matches("http://");
    let request = format!("GET / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    // A child process of another test may hold the pipe for a moment, so one event may be written to it. Therefore several
    // requests are sent, and each may find a stopped sandbox.
    while server.running.child.try_wait().unwrap().is_none() {
        if let Ok(mut connection) = TcpStream::connect(address) {
            let _ = connection.write_all(request.as_bytes());
            let _ = connection.read_to_end(&mut Vec::new());
        }
    }
    server.running.end().expect(0);
}

#[test]
fn invalid_settings_are_rejected() {
    let mut snapshots = Snapshots::default();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    for (name, line) in [
        ("port-taken", format!("sandbox --port {port}")),
        ("bad-secret", "sandbox --webhook-secret whsec_*".to_owned()),
        ("endless-task", "sandbox --task-time 9999999999".to_owned()),
    ] {
        let ended = Program::new(folder.path(), &line).run().expect(2);
        let shown = ended.to_string().replace(&port.to_string(), "[port]");
        snapshots.check(format!("sandbox-{name}"), &shown);
    }
}
