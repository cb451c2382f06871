//! `batch metrics`, and metrics during a run.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use kling_omni_sandbox::Host;
use kling_omni_test_support::openmetrics;
use kling_omni_test_support::setup::KEY;

use super::webhooks::free_port;
use super::{about, program, run, write_many, write_rows};
use crate::support::Service;

const PROMPT: &str = "needle-of-a-prompt";

fn service() -> Service {
    let service = Service::quick();
    write_rows(
        &service,
        [("rain", PROMPT), ("snow", "[sandbox:fail=a blizzard]")],
    );
    service
}

#[test]
fn metrics_are_those_of_the_ledger() {
    let service = service();
    run(&service, "").expect(4);
    let ended = about(&service, "metrics").expect(0);
    let samples = openmetrics::parse(&ended.stdout);
    let state = |state| [("batch", "clips"), ("state", state)];
    assert_eq!(samples.get("kling_omni_batch_items", &state("saved")), 1.0);
    assert_eq!(samples.get("kling_omni_batch_items", &state("failed")), 1.0);
    let tasks = samples.get("kling_omni_batch_tasks", &[("batch", "clips")]);
    assert_eq!(tasks, service.charges() as f64);
}

#[test]
fn file_has_the_end_of_the_run() {
    let service = service();
    fs::write(
        service.folder().join("batch.prom"),
        "# HELP old An earlier run\n# EOF\n",
    )
    .unwrap();
    run(&service, "--metrics-file batch.prom").expect(4);
    let text = fs::read_to_string(service.folder().join("batch.prom")).unwrap();
    let samples = openmetrics::parse(&text);
    let requests = samples.sum("kling_omni_client_requests_total");
    let sent = service.requests();
    let sent = sent.iter().filter(|one| one.host() == Host::Api).count();
    assert_eq!(requests, sent as f64, "{text}");
    for secret in [KEY, PROMPT, "://"] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let file = fs::metadata(service.folder().join("batch.prom")).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o644);
    }
    assert_eq!(service.files(), ["batch.prom", "clips", "clips.jsonl"]);
}

#[test]
fn metrics_are_served_during_a_run() {
    let service = Service::slow();
    write_many(&service, 1);
    let address = format!("127.0.0.1:{}", free_port());
    let mut running = program(&service, &format!("--metrics-listen {address}")).start();
    running.until("row-1: task ");
    let get = |path: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    };
    let (head, body) = get("/metrics");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(
        head.contains("application/openmetrics-text; version=1.0.0"),
        "{head}"
    );
    let samples = openmetrics::parse(&body);
    let created = [("batch", "clips"), ("state", "created")];
    assert_eq!(samples.get("kling_omni_batch_items", &created), 1.0);
    assert!(get("/").0.starts_with("HTTP/1.1 404"));
}

#[test]
fn what_cannot_be_published_is_found_before_anything_is_sent() {
    let service = service();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    for (options, exit, problem) in [
        (
            "--metrics-file missing/batch.prom".to_owned(),
            7,
            "cannot write",
        ),
        // They would replace the ledger of the run.
        (
            "--metrics-file clips/batch.db".to_owned(),
            7,
            "clips/batch.db exists and is not a file of metrics",
        ),
        (
            "--metrics-file clips.jsonl".to_owned(),
            7,
            "clips.jsonl exists and is not a file of metrics",
        ),
        (format!("--metrics-listen {address}"), 2, "cannot listen on"),
        (
            "--metrics-listen localhost".to_owned(),
            2,
            "--metrics-listen",
        ),
    ] {
        let ended = run(&service, &options).expect(exit);
        assert!(ended.stderr.contains(problem), "{ended}");
    }
    assert_eq!(service.charges(), 0);
}
