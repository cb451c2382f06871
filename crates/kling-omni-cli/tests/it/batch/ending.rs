//! How a run ends: exit codes, files, and what is charged.

use std::collections::BTreeSet;
use std::fs;

use super::{about, counts, results, run, videos, write_many, write_rows};
use crate::support::{KEY, Service};

#[test]
fn ten_items_one_of_which_fails() {
    let service = Service::quick();
    let rows: Vec<_> = (0..10).map(|number| format!("cat-{number}")).collect();
    let rows = rows.iter().map(|id| match id.as_str() {
        "cat-4" => ("cat-4", "[sandbox:fail]"),
        id => (id, "A cat"),
    });
    write_rows(&service, rows);
    let ended = run(&service, "").expect(4);
    assert!(ended.stderr.contains("cat-4: failed: "), "{ended}");
    assert!(ended.stderr.contains("charged: yes"), "{ended}");
    assert!(
        ended
            .stderr
            .contains("kling-omni batch retry --failed clips --out clips"),
        "{ended}"
    );
    assert_eq!(ended.stdout.lines().count(), 9, "{ended}");
    for line in ended.stdout.lines() {
        assert!(service.folder().join(line).is_file(), "{line}");
    }
    assert_eq!(videos(&service).len(), 9);
    assert_eq!(service.charges(), 10);
    let keys: BTreeSet<_> = results(&service)
        .iter()
        .map(|line| line["key"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(keys.len(), 10);
    let report = fs::read_to_string(service.folder().join("clips/report.csv")).unwrap();
    assert_eq!(report.lines().count(), 11, "{report}");

    // The same command again has nothing to do, and pays for nothing.
    let again = run(&service, "").expect(4);
    assert!(again.stderr.contains("9 of 10 saved, 1 failed"), "{again}");
    assert_eq!(service.charges(), 10);

    about(&service, "retry --failed --yes clips").expect(0);
    let resumed = service
        .program("batch resume --out clips --yes --poll-interval 0.1")
        .run()
        .expect(4);
    assert!(resumed.stderr.contains("cat-4: failed"), "{resumed}");
    assert_eq!(service.charges(), 11);
}

#[test]
fn exit_code_is_that_of_the_worst_item() {
    for (name, prompt, fault, options, code, state, charges) in [
        ("saved", "A cat", None, "", 0, "saved", 1),
        ("failed", "[sandbox:fail]", None, "", 4, "failed", 1),
        (
            "created again",
            "[sandbox:fail]",
            None,
            "--retry-failed 1",
            4,
            "failed",
            2,
        ),
        ("empty", "[sandbox:empty]", None, "", 4, "failed", 1),
        (
            "rejected",
            "A cat",
            Some("create:400@1"),
            "",
            4,
            "rejected",
            0,
        ),
        (
            "expired",
            "A cat",
            Some("status:expired-url"),
            "",
            4,
            "expired",
            1,
        ),
        (
            "lost and found",
            "A cat",
            Some("create:drop@1"),
            "",
            0,
            "saved",
            1,
        ),
        (
            "out of credits",
            "A cat",
            Some("create:402"),
            "",
            3,
            "prepared",
            0,
        ),
        (
            "busy for a moment",
            "A cat",
            Some("create:503@1"),
            "",
            0,
            "saved",
            1,
        ),
    ] {
        let service = Service::quick();
        // An empty list would prove nothing about a lost create.
        service.text_task("an older one");
        write_rows(&service, [("one", prompt)]);
        if let Some(fault) = fault {
            service.inject(fault.parse().unwrap());
        }
        let ended = run(
            &service,
            &format!("--max-retries 0 --settle-time 0s {options}"),
        )
        .expect(code);
        assert_eq!(counts(&service)[state], 1, "{name}: {ended}");
        assert_eq!(service.charges(), 1 + charges, "{name}: {ended}");
        if code != 0 {
            assert!(ended.stderr.contains("charged: "), "{name}: {ended}");
            assert!(
                ended.stderr.contains("kling-omni batch re"),
                "{name}: {ended}"
            );
        }
    }
}

#[test]
fn wrong_key_sends_no_create() {
    let service = Service::quick();
    write_many(&service, 2);
    let program = super::program(&service, "").env("FREEPIK_API_KEY", "FPSX-wrong");
    let ended = program.run().expect(3);
    assert!(ended.stderr.contains("charged: no"), "{ended}");
    assert!(ended.stderr.contains("batch resume clips"), "{ended}");
    assert_eq!(service.charges(), 0);
    let requests = service.requests();
    assert!(requests.iter().all(|request| *request.method() != "POST"));
}

#[test]
fn another_key_is_refused() {
    let service = Service::start(|builder| {
        builder
            .api_keys([KEY, "FPSX-other"])
            .task_time(std::time::Duration::ZERO)
    });
    write_many(&service, 1);
    run(&service, "").expect(0);
    write_many(&service, 2);
    let program = super::program(&service, "").env("FREEPIK_API_KEY", "FPSX-other");
    let ended = program.run().expect(3);
    assert!(
        ended.stderr.contains("belongs to another account"),
        "{ended}"
    );
    assert_eq!(service.charges(), 1);
    let keyless = super::program(&service, "").env("FREEPIK_API_KEY", "");
    let ended = keyless.run().expect(3);
    assert!(ended.stderr.contains("FREEPIK_API_KEY"), "{ended}");
}

#[test]
fn closed_stdout_does_not_end_the_run() {
    for options in ["", "--json"] {
        let service = Service::quick();
        write_many(&service, 5);
        let mut running = super::program(&service, options).start();
        drop(running.child.stdout.take());
        running.end().expect(0);
        assert_eq!(videos(&service).len(), 5);
        assert_eq!(service.charges(), 5);
    }
}

#[test]
fn expired_items_are_retried_by_person_only() {
    let service = Service::quick();
    write_many(&service, 1);
    service.inject("status:expired-url".parse().unwrap());
    let ended = run(&service, "").expect(4);
    assert!(ended.stderr.contains("retry --expired clips"), "{ended}");
    service.clear_faults();
    run(&service, "").expect(4);
    let unconfirmed = about(&service, "retry --expired clips").expect(2);
    assert!(unconfirmed.stderr.contains("1 task again"), "{unconfirmed}");
    about(&service, "retry clips row-1 --yes").expect(0);
    run(&service, "").expect(0);
    assert_eq!(service.charges(), 2);
}
