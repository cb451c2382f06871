//! The stable names in JSON output and in files, taken from the output. A change here breaks scripts or open journals.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Fake, Program, Server, Service, Snapshots};

/// The fields whose values are stable names, too.
const NAMES: [&str; 4] = ["record", "known_by", "event", "verdict"];

/// Returns the names of all fields in the values, prefixed with the value of the field `tag`.
pub(crate) fn names(values: &[Value], tag: Option<&str>) -> String {
    let mut names = BTreeSet::new();
    for value in values {
        let tag = tag.map(|tag| value[tag].as_str().unwrap());
        collect(tag.unwrap_or_default(), value, &mut names);
    }
    let lines: Vec<_> = names.into_iter().collect();
    lines.join("\n")
}

fn collect(at: &str, value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = match at {
                    "" => name.clone(),
                    _ => format!("{at}.{name}"),
                };
                names.insert(path.clone());
                match value.as_str() {
                    Some(text) if NAMES.contains(&name.as_str()) => {
                        names.insert(format!("{path} = {text}"));
                    }
                    // Their fields are named by the service and its operations.
                    _ if name == "request" || name == "charges" => {}
                    _ => collect(&path, value, names),
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                collect(&format!("{at}[]"), item, names);
            }
        }
        _ => {}
    }
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

pub(crate) fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

const CAT: &str = "-p cat -d 3 --poll-interval 0.1 --max-retries 0 --settle-time 0s";
const DANCE: &str = "-p @Video1 --video https://example.com/dance.mp4 -d 3 --poll-interval 0.1 --max-retries 0 --settle-time 0s";

#[test]
fn journal_records() {
    let service = Service::quick();
    service.text_task("an older one");
    let old = service.task("an older one");
    let run = |options: &str, code: i32| {
        service
            .program(&format!("generate {options}"))
            .run()
            .expect(code);
    };
    run(&format!("{CAT} --journal saved.journal -o saved.mp4"), 0);
    for (fault, name, code) in [
        ("create:drop@1", "lost-response", 0),
        ("create:lost@1", "lost-request", 5),
        ("create:400@1", "rejected", 2),
    ] {
        service.inject(fault.parse().unwrap());
        run(
            &format!("{CAT} --journal {name}.journal -o {name}.mp4"),
            code,
        );
        service.clear_faults();
    }
    for (name, option) in [("asked", "--create-anyway"), ("named", "--task")] {
        service.inject("create:lost@1".parse().unwrap());
        service.inject("list:503@4-".parse().unwrap());
        run(
            &format!("{DANCE} --journal {name}.journal -o {name}.mp4"),
            8,
        );
        service.clear_faults();
        let option = match option {
            "--task" => format!("--task {}", service.task("the one")),
            _ => option.to_owned(),
        };
        run(&format!("{DANCE} --resume {name}.journal {option}"), 0);
    }
    assert!(service.tasks().iter().any(|task| task.id() == old));

    let mut records = Vec::new();
    for name in service.files() {
        if let Some(journal) = name.strip_suffix(".journal") {
            let text = fs::read_to_string(service.folder().join(&name)).unwrap();
            let (header, text) = text.split_once('\n').unwrap();
            assert_eq!(header, "kling-omni journal 2", "{journal}");
            records.extend(text.lines().map(|line| {
                let (_, json) = line.split_once(' ').unwrap();
                serde_json::from_str::<Value>(json).unwrap()
            }));
        }
    }
    let creates: Vec<_> = records
        .iter_mut()
        .filter_map(|record| record.get_mut("create").map(Value::take))
        .collect();
    let mut snapshots = Snapshots::default();
    snapshots.check("names-journal", names(&records, Some("record")));
    snapshots.check("names-unconfirmed-create", names(&creates, None));
}

#[test]
fn results_and_errors() {
    let mut snapshots = Snapshots::default();
    let service = Service::quick();
    let run = |line: &str, code: i32| lines(&service.program(line).run().expect(code).stdout);
    let saved = run(
        "generate --json -p cat -d 3 --poll-interval 0.1 --sidecar -o cat.mp4",
        0,
    );
    snapshots.check("names-generate", names(&saved, None));
    let sidecar = json(&service.folder().join("cat.mp4.json"));
    snapshots.check("names-sidecar", names(&[sidecar], None));
    let id = saved[0]["task_id"].as_str().unwrap();
    assert_eq!(
        names(&run(&format!("download {id} --json -o again.mp4"), 0), None),
        names(&saved, None)
    );
    for (name, line) in [
        ("generate-no-wait", "generate -p cat --no-wait --json"),
        (
            "generate-dry-run",
            "generate --dry-run --json -p cat --video https://example.com/dance.mp4",
        ),
        ("status", &format!("status {id} --json")),
        ("list", "list --json"),
    ] {
        snapshots.check(format!("names-{name}"), names(&run(line, 0), None));
    }
    fs::write(service.folder().join("cat.png"), "not an image").unwrap();
    let checked = run("check --json cat.mp4 cat.png", 9);
    snapshots.check("names-check", names(&checked, None));

    service.inject("create:400@1".parse().unwrap());
    let errors: Vec<_> = [
        ("generate -p cat --json -o other.mp4", 2),
        ("status 00000000 --json", 2),
        ("generate -p cat --video ftp://example.com/a.mp4 --json", 2),
    ]
    .iter()
    .flat_map(|(line, code)| run(line, *code))
    .collect();
    snapshots.check("names-error", names(&errors, None));
}

#[test]
fn events_and_saved_deliveries() {
    let mut snapshots = Snapshots::default();
    let folder = tempfile::tempdir().unwrap();
    let target = Fake::always("200 OK", &[], "");
    let listen = "listen --json --exit-after 2 --save saved.jsonl --forward";
    let mut listening = Server::start(
        Program::new(folder.path(), listen)
            .arg(target.base_url())
            .env("KLING_OMNI_WEBHOOK_SECRET", "s3cret"),
    );
    let mut received = vec![listening.event()];
    let mut sandbox = Server::start(Program::new(
        folder.path(),
        "sandbox --json --task-time 0 --webhook-secret s3cret --fault webhook:forged@1",
    ));
    let mut sent = vec![sandbox.event()];
    Program::new(folder.path(), "generate -p cat --no-wait --webhook-url")
        .arg(received[0]["url"].as_str().unwrap())
        .env("KLING_OMNI_BASE_URL", sent[0]["base_url"].as_str().unwrap())
        .env("FREEPIK_API_KEY", sent[0]["api_key"].as_str().unwrap())
        .run()
        .expect(0);
    while received
        .iter()
        .filter(|event| event["event"] == "delivery")
        .count()
        < 2
    {
        received.push(listening.event());
    }
    listening.running.end().expect(0);
    let saved = fs::read_to_string(folder.path().join("saved.jsonl")).unwrap();
    while sent
        .iter()
        .filter(|event| event["event"] == "delivery")
        .count()
        < 3
    {
        sent.push(sandbox.event());
    }
    sandbox.running.interrupt();
    while sent.last().unwrap()["event"] != "ended" {
        sent.push(sandbox.event());
    }
    sandbox.running.end().expect(0);

    snapshots.check("names-listen", names(&received, Some("event")));
    snapshots.check("names-sandbox", names(&sent, Some("event")));
    snapshots.check("names-saved-delivery", names(&lines(&saved), None));
}
