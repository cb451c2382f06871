//! The stable names in JSON output and files of batches.
#![cfg(unix)]

use std::fs;

use super::{about, program, results, run, write_rows};
use crate::stable_names::{lines, names};
use crate::support::{Service, Snapshots};

#[test]
fn events_and_results() {
    let mut snapshots = Snapshots::default();
    let service = Service::quick();
    service.text_task("an older one");
    write_rows(
        &service,
        [("rain", "It rains"), ("snow", "[sandbox:fail=a blizzard]")],
    );
    service.inject("create:drop@1".parse().unwrap());
    let ended = program(&service, "--json --max-retries 0").run().expect(4);
    let mut events = lines(&ended.stdout);
    let error = events.pop().unwrap();
    assert_eq!(error["error"]["exit_code"], 4, "{ended}");
    assert_eq!(events.last().unwrap()["event"], "ended", "{ended}");
    snapshots.check("names-batch-run", names(&events, Some("event")));
    snapshots.check("names-batch-results", names(&results(&service), None));
    for (name, line) in [
        ("status", "status --json"),
        ("show", "show clips rain --json"),
        ("report", "report --format jsonl"),
        ("doctor", "doctor --json"),
        ("retry", "retry clips --failed --yes --json"),
    ] {
        let printed = lines(&about(&service, line).expect(0).stdout);
        snapshots.check(format!("names-batch-{name}"), names(&printed, None));
    }
    let csv = fs::read_to_string(service.folder().join("clips/report.csv")).unwrap();
    snapshots.check("names-batch-csv", csv.lines().next().unwrap());
}

#[test]
fn checked_rows() {
    let mut snapshots = Snapshots::default();
    let service = Service::quick();
    let rows = "{\"id\": \"rain\", \"prompt\": \"It rains\"}\n{\"prompt\": \"It snows\", \"duration\": 99}\n";
    fs::write(service.folder().join("clips.jsonl"), rows).unwrap();
    let checked = service
        .program("batch check clips.jsonl --json")
        .run()
        .expect(9);
    snapshots.check("names-batch-check", names(&[checked.json()], None));
    let refused = run(&service, "--json").expect(2).json();
    assert_eq!(refused["error"]["charged"], "no");
}
