//! `status`, `report` and `doctor`.

use super::{about, one_second, run, write_many, write_rows};
use crate::support::{Service, Snapshots};

#[test]
fn commands_need_a_ledger_and_a_batch() {
    let service = Service::quick();
    for command in [
        "status",
        "report",
        "pause",
        "stop",
        "doctor",
        "resume --yes",
        "show a b",
    ] {
        let ended = about(&service, command).expect(2);
        assert!(ended.stderr.contains("does not exist"), "{ended}");
    }
    assert_eq!(service.files(), [""; 0]);
    write_many(&service, 1);
    run(&service, "").expect(0);
    for (command, message) in [
        ("status other", "no batch \"other\""),
        ("show clips other", "no item \"other\""),
        ("retry clips other --yes", "no item \"other\""),
        ("pause other", "no batch \"other\""),
    ] {
        let ended = about(&service, command).expect(2);
        assert!(ended.stderr.contains(message), "{ended}");
    }
}

#[test]
fn reports_have_each_item_once() {
    let mut snapshots = Snapshots::default();
    let service = one_second();
    write_rows(
        &service,
        [("rain", "It rains"), ("snow", "[sandbox:fail=a blizzard]")],
    );
    run(&service, "").expect(4);
    let text = about(&service, "report").expect(0);
    assert_eq!(text.stdout.lines().count(), 2, "{text}");
    assert!(text.stdout.contains("a blizzard"), "{text}");
    let csv = about(&service, "report --format csv").expect(0);
    let file = std::fs::read_to_string(service.folder().join("clips/report.csv")).unwrap();
    assert_eq!(csv.stdout, file);
    let jsonl = about(&service, "report --format jsonl").expect(0);
    assert_eq!(jsonl.stdout.lines().count(), 2, "{jsonl}");
    snapshots.check(
        "batch-status",
        about(&service, "status --exit-status").expect(4),
    );
}

#[test]
fn doctor_compares_ledger_and_service() {
    let service = Service::quick();
    write_many(&service, 2);
    run(&service, "").expect(0);
    let found = about(&service, "doctor --json").expect(0).json();
    assert_eq!(
        found["ledger"]["settings"]["journal_mode"], "wal",
        "{found}"
    );
    assert_eq!(found["lists"][0]["known"], 2, "{found}");
    assert_eq!(found["lists"][0]["known_listed"], 2, "{found}");
    assert_eq!(found["clock_ahead_seconds"], 0, "{found}");
    assert_eq!(found["problems"], serde_json::json!([]));
    let text = about(&service, "doctor").expect(0);
    assert!(text.stdout.contains("2 tasks, with 2 of the 2"), "{text}");

    service.inject("list:hide-newest=1".parse().unwrap());
    let forgotten = about(&service, "doctor").expect(1);
    assert!(forgotten.stdout.contains("lacks 1 task"), "{forgotten}");
    let wrong = service.program("batch doctor --out clips");
    let wrong = wrong.env("FREEPIK_API_KEY", "FPSX-wrong").run().expect(3);
    assert!(wrong.stdout.contains("another account"), "{wrong}");
}

#[test]
fn batches_share_a_ledger() {
    let service = Service::quick();
    write_many(&service, 1);
    for name in ["rain", "snow"] {
        let line = format!(
            "batch run clips.jsonl --db all.db --out {name} --name {name} --output video-{{row}}.mp4 --yes --poll-interval 0.1"
        );
        let ended = service.program(&line).run().expect(0);
        assert_eq!(ended.stdout, format!("{name}/video-1.mp4\n"));
    }
    let about = |line: &str| service.program(&format!("batch {line} --db all.db")).run();
    let status = about("status --watch").expect(0);
    let lines: Vec<_> = status.stdout.lines().collect();
    let done = |name| format!("{name}: done, 1 of 1 saved; paid for 1 task");
    assert_eq!(lines, [done("rain"), done("snow")]);
    let unnamed = about("report").expect(2);
    assert!(unnamed.stderr.contains("rain, snow"), "{unnamed}");
    about("report snow").expect(0);
    assert!(service.folder().join("snow/results.jsonl").is_file());
    assert_eq!(
        service.files(),
        ["all.db", "all.db.lock", "clips.jsonl", "rain", "snow"]
    );
}
