//! The option `listen --forward`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use kling_omni::reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use kling_omni::webhook::{Secret, Verifier};
use kling_omni_test_support::fake::ClosedPort;

use super::{Listening, OTHER, SECRET, TASK, listen, request, signed, task};

use crate::support::{Fake, response};

#[test]
fn body_is_unchanged_and_signature_is_new() {
    let target = Fake::always("204 No Content", &[], "");
    let program = listen(
        target.folder(),
        "--json --forward-secret-file other.txt --forward",
    )
    .arg(&format!("{}/hook?mine=1", target.base_url()));
    std::fs::write(target.folder().join("other.txt"), format!("{OTHER}\n")).unwrap();
    let mut listening = Listening::start(program);
    let body =
        format!("{{ \"status\":\"IN_PROGRESS\",\n\t\"task_id\":\"{TASK}\",\"x\":\"\\u00e4 ä\"}} ");
    let headers = signed(SECRET, "msg_1", 240, &body);
    let path = "/?token=theirs&kling-omni-correlation=order-7";
    assert_eq!(listening.post(path, &headers, &body), 204);

    let request = target.request();
    assert_eq!(
        request.path(),
        "/hook?mine=1&kling-omni-correlation=order-7"
    );
    assert_eq!(request.body, body);
    for name in ["authorization", "cookie", "x-freepik-api-key"] {
        assert_eq!(request.header(name), None, "{name}");
    }
    let headers = request.headers.iter();
    let headers: HeaderMap = headers
        .map(|(name, value)| {
            (
                name.parse::<HeaderName>().unwrap(),
                value.parse::<HeaderValue>().unwrap(),
            )
        })
        .collect();
    let verify = |secret| {
        let verifier = Verifier::new(Secret::new(secret).unwrap());
        let verifier = verifier.tolerance(Duration::from_secs(60));
        verifier.verify(&headers, request.body.as_bytes(), SystemTime::now())
    };
    assert_eq!(verify(OTHER).unwrap().id(), "msg_1");
    verify(SECRET).unwrap_err();
    let event = listening.event();
    assert_eq!(
        (&event["forwarded"]["http_status"], &event["http_status"]),
        (&204.into(), &204.into())
    );
}

/// The status of the target, and the status of the response to the sender.
const STATUSES: [(&str, u16); 5] = [
    ("201 Created", 201),
    ("401 Unauthorized", 401),
    ("410 Gone", 410),
    ("503 Service Unavailable", 503),
    ("302 Found", 502),
];

#[test]
fn status_is_passed_on_and_redirects_are_not_followed() {
    for (status, expected) in STATUSES {
        let target = Fake::always(status, &["location: /elsewhere"], "");
        let mut listening =
            Listening::start(listen(target.folder(), "--json --forward").arg(target.base_url()));
        for id in ["msg_1", "msg_1", "msg_2"] {
            let body = task("CREATED", &[]);
            assert_eq!(
                listening.post("/", &signed(SECRET, id, 0, &body), &body),
                expected,
                "{status}"
            );
            // A duplicate is forwarded, too, and the redirect is not followed.
            assert_eq!(target.arrival(), "POST /", "{status}");
            let event = listening.event();
            assert_eq!(
                event["forwarded"]["http_status"].to_string(),
                status[..3],
                "{event}"
            );
            assert_eq!(event["http_status"], expected, "{event}");
        }
        // A rejected delivery is not forwarded: the next request is the next delivery.
        let body = task("IN_PROGRESS", &[]);
        assert_eq!(
            listening.post("/forged", &signed(OTHER, "msg_3", 0, &body), &body),
            401
        );
        assert_eq!(listening.event()["event"], "rejected");
        listening.post("/", &signed(SECRET, "msg_3", 0, &body), &body);
        assert_eq!(target.request().header("webhook-id"), Some("msg_3"));
    }
}

#[test]
fn unreachable_target_is_retried() {
    let closed = ClosedPort::new();
    let url = format!("{}/", closed.url());
    let folder = tempfile::tempdir().unwrap();
    let mut listening =
        Listening::start(listen(folder.path(), "--json --save saved --forward").arg(&url));
    let body = task("CREATED", &[]);
    assert_eq!(
        listening.post("/", &signed(SECRET, "msg_1", 0, &body), &body),
        502
    );
    let event = listening.event();
    assert_eq!(event["forwarded"]["attempts"], 3, "{event}");
    assert!(
        event["forwarded"]["error"]
            .as_str()
            .unwrap()
            .contains("refused"),
        "{event}"
    );
    // It is saved, and can be replayed when the target is back.
    let target = Fake::always("200 OK", &[], "");
    let again = listen(folder.path(), "--replay saved --forward")
        .arg(target.base_url())
        .run();
    assert!(again.expect(0).stdout.contains("forwarded, response 200"));
    assert_eq!(target.request().body, body);
}

/// A sender that disconnects early does not abort the forwarding.
#[test]
fn delivery_outlives_its_connection() {
    let (respond, requested) = mpsc::channel::<()>();
    let target = Fake::new(move |_, _| {
        requested.recv().unwrap();
        response("200 OK", &[], b"")
    });
    let mut listening =
        Listening::start(listen(target.folder(), "--json --forward").arg(target.base_url()));
    let body = task("CREATED", &[]);
    let mut sender = TcpStream::connect(listening.address()).unwrap();
    let headers = signed(SECRET, "msg_1", 0, &body);
    sender
        .write_all(&request("POST", "/", &headers, body.as_bytes()))
        .unwrap();
    assert_eq!(target.arrival(), "POST /");
    sender.shutdown(std::net::Shutdown::Both).unwrap();
    assert_eq!(sender.read(&mut [0; 1]).unwrap(), 0);
    listening.server.running.interrupt();
    respond.send(()).unwrap();
    let event = listening.event();
    assert_eq!(event["forwarded"]["http_status"], 200, "{event}");
    listening.server.running.end().expect(0);
}

#[test]
fn invalid_urls_are_rejected() {
    let folder = tempfile::tempdir().unwrap();
    for url in [
        "ftp://x",
        "localhost:80",
        "nonsense",
        "http://me:pass@127.0.0.1/",
    ] {
        let ended = listen(folder.path(), "--forward").arg(url).run().expect(2);
        assert!(ended.stderr.contains("--forward"), "{ended}");
    }
}
