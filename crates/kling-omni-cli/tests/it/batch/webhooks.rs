//! A run that receives webhooks. No poll is due during a test, so deliveries end the waits.

use std::net::TcpListener;

use super::{one_second, write_many};
use crate::support::{Program, Service};

const SECRET: &str = "needle-of-a-webhook-secret";
const VARIABLE: &str = "KLING_OMNI_WEBHOOK_SECRET";

/// A port that is free now.
pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn program(service: &Service, options: &str) -> Program {
    let port = free_port();
    let line = format!(
        "batch run clips.jsonl --out clips --yes --task-timeout 48h \
         --webhook-url http://127.0.0.1:{port}/hook?team=7 --port {port} {options}"
    );
    service.program(&line)
}

#[test]
fn deliveries_end_a_run_and_nothing_is_paid_twice() {
    // Each fault applies to the deliveries of all tasks.
    for (fault, rejected) in [
        ("", "rejected 0"),
        ("webhook:duplicate", "rejected 0"),
        ("webhook:reordered", "rejected 0"),
        ("webhook:late=1s", "rejected 0"),
        ("webhook:forged@1", "rejected 1"),
        ("create:drop@2", "rejected 0"),
    ] {
        let service = service();
        if !fault.is_empty() {
            service.inject(fault.parse().unwrap());
        }
        write_many(&service, 3);
        let ended = program(&service, "--poll-interval 1h")
            .env(VARIABLE, SECRET)
            .run()
            .expect(0);
        assert_eq!(service.charges(), 3, "{fault}: {ended}");
        assert!(ended.stderr.contains(rejected), "{fault}: {ended}");
        assert!(!ended.stderr.contains(SECRET), "{fault}: {ended}");
        assert_eq!(super::videos(&service).len(), 3, "{fault}: {ended}");
    }
}

fn service() -> Service {
    Service::start(|builder| {
        let second = std::time::Duration::from_secs(1);
        builder.task_time(second).webhook_secret(SECRET)
    })
}

#[test]
fn secret_of_another_account_is_not_trusted() {
    let service = service();
    write_many(&service, 1);
    // Nothing that arrives counts, so the task is polled.
    let polled = program(&service, "--secret-env OTHER --poll-interval 0.1");
    let ended = polled.env("OTHER", "another-secret").run().expect(0);
    assert!(ended.stderr.contains("received 0 authentic"), "{ended}");
    assert!(!ended.stderr.contains("rejected 0"), "{ended}");
    assert_eq!(service.charges(), 1);
}

#[test]
fn what_is_missing_is_found_before_anything_is_sent() {
    let service = one_second();
    write_many(&service, 1);
    let run = || service.program("batch run clips.jsonl --out clips --yes");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let url = "--webhook-url=http://127.0.0.1:1/hook";
    for (program, problem) in [
        (run().arg(url), "--port"),
        (run().arg("--port=8080"), "--webhook-url"),
        (run().arg(url).arg("--port=0"), VARIABLE),
        (
            run()
                .arg(url)
                .arg(&format!("--port={port}"))
                .env(VARIABLE, SECRET),
            "cannot listen on",
        ),
        (
            run()
                .arg("--webhook-url=hook")
                .arg("--port=0")
                .env(VARIABLE, SECRET),
            "not an http or https URL",
        ),
    ] {
        let ended = program.run();
        assert!(
            ended.code != Some(0) && ended.stderr.contains(problem),
            "{ended}"
        );
    }
    assert_eq!(service.requests().len(), 0);
}

#[test]
fn sandbox_of_the_process_needs_no_secret() {
    let service = one_second();
    write_many(&service, 2);
    let port = free_port();
    let line = format!(
        "batch run clips.jsonl --out clips --sandbox --poll-interval 1h \
         --webhook-url http://127.0.0.1:{port} --port {port}"
    );
    let ended = Program::new(service.folder(), &line).run().expect(0);
    assert!(
        ended.stderr.contains("authentic deliveries, rejected 0"),
        "{ended}"
    );
    assert_eq!(super::videos(&service).len(), 2);
}
