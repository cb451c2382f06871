//! Arbitrary requests to `listen`.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

use reqwest::header::HeaderMap;

use super::{Listening, OTHER, RESULT, SECRET, VARIABLE, listen, request, signed, status, task};
use crate::support::{Server, Snapshots};

/// A name, headers and body, and the expected status and verdict or kind of rejection.
type Case = (&'static str, HeaderMap, String, u16, &'static str);

fn cases() -> Vec<Case> {
    let (created, going, done) = (
        task("CREATED", &[]),
        task("IN_PROGRESS", &[]),
        task("COMPLETED", &[RESULT]),
    );
    let mut without_id = signed(SECRET, "msg_0", 0, &going);
    without_id.remove("webhook-id");
    let mut later_version = signed(SECRET, "msg_0", 0, &going);
    let signature = later_version["webhook-signature"].to_str().unwrap();
    let signature = signature.replace("v1,", "v2,").parse().unwrap();
    later_version.insert("webhook-signature", signature);
    let ahead = {
        let mut headers = signed(SECRET, "msg_0", 0, &going);
        headers.insert("webhook-timestamp", "99999999999".parse().unwrap());
        headers
    };
    vec![
        (
            "no headers",
            HeaderMap::new(),
            going.clone(),
            400,
            "missing_header",
        ),
        ("no id", without_id, going.clone(), 400, "missing_header"),
        (
            "a later version",
            later_version,
            going.clone(),
            400,
            "unknown_version",
        ),
        (
            "forged",
            signed("guess", "msg_0", 0, &going),
            going.clone(),
            401,
            "bad_signature",
        ),
        (
            "a changed body",
            signed(SECRET, "msg_0", 0, &going),
            done.clone(),
            401,
            "bad_signature",
        ),
        ("a changed time", ahead, going.clone(), 401, "bad_signature"),
        (
            "recorded long ago",
            signed(SECRET, "msg_0", 3600, &going),
            going.clone(),
            401,
            "too_old",
        ),
        (
            "no task",
            signed(SECRET, "msg_0", 0, "[]"),
            "[]".to_owned(),
            400,
            "body_unreadable",
        ),
        (
            "too large",
            HeaderMap::new(),
            "x".repeat(70_000),
            413,
            "body_too_large",
        ),
        (
            "much too large",
            HeaderMap::new(),
            "x".repeat(700_000),
            413,
            "body_too_large",
        ),
        (
            "authentic",
            signed(SECRET, "msg_2", 9, &going),
            going.clone(),
            200,
            "accepted",
        ),
        (
            "the same again",
            signed(SECRET, "msg_2", 9, &going),
            going.clone(),
            200,
            "duplicate",
        ),
        (
            "the same, with a new signature",
            signed(SECRET, "msg_2", 0, &going),
            going,
            200,
            "duplicate",
        ),
        (
            "out of order",
            signed(SECRET, "msg_1", 10, &created),
            created,
            200,
            "out_of_order",
        ),
        (
            "with the other secret",
            signed(OTHER, "msg_3", 0, &done),
            done,
            200,
            "accepted",
        ),
    ]
}

#[test]
fn every_request_gets_a_response_and_an_event() {
    let folder = tempfile::tempdir().unwrap();
    let program = listen(folder.path(), "--json --secret-env OTHER --secret-env").arg(VARIABLE);
    let mut listening = Listening::start(program.env("OTHER", OTHER));
    for (case, headers, body, status, expected) in cases() {
        assert_eq!(
            listening.post("/any/path", &headers, &body),
            status,
            "{case}"
        );
        let event = listening.event();
        let key = if status == 200 { "verdict" } else { "kind" };
        assert_eq!(event[key], expected, "{case}: {event}");
        assert_eq!(event["http_status"], status, "{case}: {event}");
    }
    assert_eq!(
        listening.send(&request("GET", "/", &HeaderMap::new(), b"")),
        405
    );
    assert_eq!(listening.event()["kind"], "not_a_post");

    let mut broken = TcpStream::connect(listening.address()).unwrap();
    broken
        .write_all(b"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 9\r\n\r\n{")
        .unwrap();
    broken.shutdown(Shutdown::Write).unwrap();
    assert_eq!(listening.event()["kind"], "body_unreadable");

    let odd = signed(SECRET, "msg_4", 0, &task("FAILED", &[]));
    let correlated = "/?a=b&kling-omni-correlation=order-7";
    assert_eq!(listening.post(correlated, &odd, &task("FAILED", &[])), 200);
    assert_eq!(listening.event()["correlation"], "order-7");
    listening.server.running.interrupt();
    let ended = listening.server.running.end().expect(0);
    assert!(
        ended.stderr.contains("6 authentic deliveries, rejected 12"),
        "{ended}"
    );
}

#[test]
fn prints_text_line_by_line() {
    let mut snapshots = Snapshots::default();
    let folder = tempfile::tempdir().unwrap();
    let program = listen(folder.path(), "--secret-env OTHER --secret-env").arg(VARIABLE);
    let mut server = Server::start(program.env("OTHER", OTHER));
    let mut shown = String::new();
    while !shown.contains("needs no tunnel") {
        shown.push_str(&server.line());
    }
    let url = shown
        .split_whitespace()
        .find(|word| word.starts_with("http://"))
        .unwrap();
    let url = url.trim_end_matches(',').to_owned();
    shown.push_str(&server.line());
    let mut listening = Listening { server, url };
    for (_, headers, body, ..) in cases() {
        listening.post("/", &headers, &body);
        shown.push_str(&listening.server.line());
    }
    let failed = format!(
        r#"{{"task_id":"a","status":"FAILED","generated":null,"error":"see {RESULT}\n\u001b[31m"}}"#
    );
    listening.post("/", &signed(SECRET, "msg_9", 0, &failed), &failed);
    shown.push_str(&listening.server.line());
    listening.server.running.interrupt();
    let url = listening.url.clone();
    let ended = listening.server.running.end().expect(0);
    for needle in [SECRET, OTHER, "00ff", "\u{1b}"] {
        assert!(!shown.contains(needle), "{shown}");
    }
    let port = url.rsplit(':').next().unwrap();
    let shown = shown.replace(&format!("ngrok http {port}"), "ngrok http [port]");
    let span = shown
        .split(" s (tolerance 300 s)")
        .next()
        .unwrap()
        .rsplit(' ')
        .next()
        .unwrap()
        .to_owned();
    let shown = shown.replace(&span, "[span]");
    snapshots.check("listen", format!("{shown}---\n{}", ended.stderr));
}

/// An incomplete request blocks neither other senders nor the shutdown.
#[test]
fn stalled_senders_block_neither_others_nor_shutdown() {
    let folder = tempfile::tempdir().unwrap();
    let mut listening = Listening::start(listen(folder.path(), "--json"));
    let stalled: Vec<_> = [
        "",
        "POST / HT",
        "POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 9\r\n\r\n{",
    ]
    .into_iter()
    .map(|begun| {
        let mut stream = TcpStream::connect(listening.address()).unwrap();
        stream.write_all(begun.as_bytes()).unwrap();
        stream
    })
    .collect();
    let body = task("CREATED", &[]);
    assert_eq!(
        listening.post("/", &signed(SECRET, "msg_1", 0, &body), &body),
        200
    );
    assert_eq!(listening.event()["verdict"], "accepted");
    listening.server.running.interrupt();
    listening.server.running.end().expect(0);
    drop(stalled);
}

/// With the maximum number of incomplete requests, the oldest connection is evicted.
#[test]
fn stalled_connections_are_evicted() {
    let folder = tempfile::tempdir().unwrap();
    let mut listening = Listening::start(listen(folder.path(), "--json"));
    let body = task("CREATED", &[]);
    let complete = request(
        "POST",
        "/",
        &signed(SECRET, "msg_0", 0, &body),
        body.as_bytes(),
    );
    let head = complete.len() - body.len();
    for beginning in [0, 1, head / 2, head, head + 1] {
        let silent: Vec<_> = (0..128)
            .map(|_| {
                let mut stream = TcpStream::connect(listening.address()).unwrap();
                stream.write_all(&complete[..beginning]).unwrap();
                stream
            })
            .collect();
        for number in 0..2 {
            let id = format!("msg_{beginning}_{number}");
            let headers = signed(SECRET, &id, 0, &body);
            assert_eq!(listening.post("/", &headers, &body), 200);
            // The evicted connections of the last round have events, too.
            while listening.event()["delivery_id"] != *id {}
        }
        // The newest is still open, so none of the time limits had passed.
        let newest = silent.last().unwrap();
        newest.set_nonblocking(true).unwrap();
        let left = (&mut &*newest).read(&mut [0]).unwrap_err();
        assert_eq!(left.kind(), ErrorKind::WouldBlock);
        assert!(matches!((&mut &silent[0]).read(&mut [0]), Ok(0) | Err(_)));
    }
}

#[test]
fn port_in_use_is_a_usage_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let ended = listen(folder.path(), &format!("--port {port}"))
        .run()
        .expect(2);
    let shown = ended.to_string().replace(&port.to_string(), "[port]");
    Snapshots::default().check("listen-port-taken", shown);
}

#[test]
fn stops_when_stdout_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let listening = Listening::start(listen(folder.path(), "--json"));
    let url = listening.address().to_owned();
    let Listening {
        server: Server { running, stdout },
        ..
    } = listening;
    drop(stdout);
    let body = task("CREATED", &[]);
    // A child process of another test may hold the pipe for a moment, so one event may be written to it.
    let mut codes = (1..).map(|number| {
        let headers = signed(SECRET, &format!("msg_{number}"), 0, &body);
        let mut stream = TcpStream::connect(&url).unwrap();
        stream
            .write_all(&request("POST", "/", &headers, body.as_bytes()))
            .unwrap();
        status(&mut stream)
    });
    assert_eq!(codes.find(|code| *code != 200), Some(500));
    running.end().expect(0);
}
