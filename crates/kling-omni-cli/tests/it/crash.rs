//! The crash matrix: `generate --journal` and `generate --resume` are killed at every failpoint. After the last resume, one
//! task was charged and its video is saved, or the program reports that this is unknown.
//!
//! The program blocks at the failpoint that the environment names, and is killed there with SIGKILL. Only debug builds have
//! failpoints.
#![cfg(all(unix, debug_assertions))]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use kling_omni_sandbox::ManualClock;
use serde_json::Value;

use crate::support::{Ended, Facts, KEY, Program, Running, Service, Snapshots, facts};

/// A request whose tasks the service lists, and one for the older route, whose tasks it may not list.
const LISTED: &str = "-p puppet -d 3";
const UNLISTED: &str = "-p @Video1 --video https://example.com/dance.mp4 -d 3";

const JOURNAL: &str = "puppet.journal";
const VIDEO: &str = "puppet.mp4";
const TASK_TIME: Duration = Duration::from_secs(60);

/// When the program is killed.
#[derive(Clone, Copy, Debug)]
enum Stop {
    /// At a failpoint.
    At(&'static str),
    /// After the service created a task, while the program waits for the response.
    Charged,
}

/// A crash: the fault of the service, if any, and when the program is killed.
#[derive(Clone, Copy, Debug)]
struct Crash {
    step: &'static str,
    fault: Option<&'static str>,
    stop: Stop,
    /// Whether another crash of the table leaves the same journal and the same state of the service.
    is_equivalent: bool,
}

impl Crash {
    const fn equivalent(mut self) -> Self {
        self.is_equivalent = true;
        self
    }
}

const fn at(place: &'static str) -> Crash {
    Crash {
        step: place,
        fault: None,
        stop: Stop::At(place),
        is_equivalent: false,
    }
}

const fn with(step: &'static str, fault: &'static str, place: &'static str) -> Crash {
    Crash {
        step,
        fault: Some(fault),
        stop: Stop::At(place),
        is_equivalent: false,
    }
}

/// Every failpoint of a run, in order, and those of runs whose create fails.
const CRASHES: &[Crash] = &[
    at("before the journal"),
    at("before prepared"),
    at("after prepared"),
    at("before sending").equivalent(),
    at("after sending"),
    Crash {
        step: "request sent",
        fault: Some("create:hang@1"),
        stop: Stop::Charged,
        is_equivalent: false,
    },
    at("before created").equivalent(),
    at("after created"),
    at("polling").equivalent(),
    at("before ended").equivalent(),
    at("after ended"),
    at("downloading"),
    at("before publishing").equivalent(),
    at("after publishing"),
    at("before saved"),
    at("after saved"),
    with(
        "response lost, before unconfirmed",
        "create:drop@1",
        "before unconfirmed",
    )
    .equivalent(),
    with(
        "response lost, after unconfirmed",
        "create:drop@1",
        "after unconfirmed",
    ),
    with(
        "response lost, task found, before created",
        "create:drop@1",
        "before created",
    )
    .equivalent(),
    with(
        "request lost, before unconfirmed",
        "create:lost@1",
        "before unconfirmed",
    )
    .equivalent(),
    with(
        "request lost, after unconfirmed",
        "create:lost@1",
        "after unconfirmed",
    ),
    with(
        "rejected, before rejected",
        "create:400@1",
        "before rejected",
    )
    .equivalent(),
    with("rejected, after rejected", "create:400@1", "after rejected"),
];

/// Crashes after it is certain that no task was created.
const NOT_CREATED: &[Crash] = &[
    with(
        "request lost, before not_created",
        "create:lost@1",
        "before not_created",
    )
    .equivalent(),
    with(
        "request lost, after not_created",
        "create:lost@1",
        "after not_created",
    )
    .equivalent(),
];

/// A service with older tasks, and a folder for the program.
struct Setup {
    service: Service,
    clock: ManualClock,
    request: &'static str,
    /// The charges of the older tasks.
    before: usize,
}

impl Setup {
    fn new(request: &'static str) -> Self {
        let clock = ManualClock::new(SystemTime::now());
        let service = Service::start(|builder| builder.task_time(TASK_TIME).clock(clock.clone()));
        service.task("an older one");
        service.text_task("another older one");
        let before = service.charges();
        let setup = Self {
            service,
            clock,
            request,
            before,
        };
        setup.complete_tasks();
        setup
    }

    /// Completes all tasks.
    fn complete_tasks(&self) {
        self.clock.advance(2 * TASK_TIME);
    }

    fn program(&self, journal: &str) -> Program {
        self.service.program(&format!(
            "generate {} {journal} {JOURNAL} -o {VIDEO} --poll-interval 0.1 --max-retries 0 --settle-time 0s",
            self.request
        ))
    }

    /// Returns the run after a crash: a resume if the journal exists.
    fn next_run(&self) -> Program {
        match self.journal().exists() {
            true => self.program("--resume"),
            false => self.program("--journal"),
        }
    }

    fn journal(&self) -> std::path::PathBuf {
        self.service.folder().join(JOURNAL)
    }

    fn charges(&self) -> usize {
        self.service.charges() - self.before
    }

    /// Runs the program until it is killed. Returns whether it was killed before it exited.
    fn kill(&self, program: Program, stop: Stop) -> bool {
        let before = self.service.charges();
        let (program, place) = match stop {
            Stop::At(place) => (program.env("KLING_OMNI_FAILPOINT", place), place),
            Stop::Charged => (program, ""),
        };
        let mut running = program.start();
        if let Stop::Charged = stop {
            while self.service.charges() == before {
                thread::yield_now();
            }
        } else {
            self.read_until(&mut running, Some(place));
        }
        running.child.kill().unwrap();
        // A killed process has no exit code.
        running.child.wait().unwrap().code().is_none()
    }

    /// Runs the first crash of a case.
    fn crash(&self, crash: &Crash) {
        self.service.clear_faults();
        if let Some(fault) = crash.fault {
            self.service.inject(fault.parse().unwrap());
        }
        assert!(
            self.kill(self.program("--journal"), crash.stop),
            "{crash:?}"
        );
        self.service.clear_faults();
        self.complete_tasks();
    }

    /// Returns the names of the records in the journal.
    fn records(&self) -> Vec<String> {
        let text = fs::read_to_string(self.journal()).unwrap_or_default();
        let record = |line: &str| -> Value {
            let (_, json) = line.split_once(' ').unwrap();
            serde_json::from_str(json).unwrap()
        };
        text.lines()
            .skip(1)
            .map(|line| record(line)["record"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Resumes until the video is saved, and checks the result. Returns whether the outcome was ambiguous.
    fn finish(&self, case: &str) -> bool {
        let mut ended = self.run(self.next_run());
        let is_ambiguous = ended.code == Some(8);
        if is_ambiguous {
            assert!(ended.stderr.contains("charged: unknown"), "{case}: {ended}");
            assert!(ended.stderr.contains("--create-anyway"), "{case}: {ended}");
            // The charges show that no task was created.
            assert_eq!(self.charges(), 0, "{case}: {ended}");
            ended = self.run(self.next_run().arg("--create-anyway"));
        }
        assert_eq!(ended.code, Some(0), "{case}: {ended}");
        assert_eq!(self.charges(), 1, "{case}: {ended}");
        self.check_files(case);
        is_ambiguous
    }

    /// Runs the program until it exits, and completes the task that it waits for.
    fn run(&self, program: Program) -> Ended {
        let mut running = program.start();
        self.read_until(&mut running, None);
        running.end()
    }

    /// Reads the output until the program blocks at `place` or exits. Completes the task after its first poll.
    fn read_until(&self, running: &mut Running, place: Option<&str>) {
        while let Some(line) = running.line() {
            if place.is_some_and(|place| line.trim_end() == format!("stopped at {place}")) {
                return;
            }
            if line.contains("CREATED") {
                self.complete_tasks();
            }
        }
    }

    /// Checks that the video is complete, that no other file is left, and that the journal contains no secrets.
    fn check_files(&self, case: &str) {
        assert_eq!(self.service.files(), [JOURNAL, VIDEO], "{case}");
        let complete = Facts {
            seconds: 3.0,
            width: 1280,
            height: 720,
        };
        assert_eq!(
            facts(&self.service.folder().join(VIDEO)),
            complete,
            "{case}"
        );
        let journal = fs::read_to_string(self.journal()).unwrap();
        for secret in [KEY, "hmac", "example.com"] {
            assert!(!journal.contains(secret), "{case}: {secret} in\n{journal}");
        }
    }

    /// Removes all files. The service keeps its tasks.
    fn clear(&mut self) {
        for name in self.service.files() {
            fs::remove_file(self.service.folder().join(name)).unwrap();
        }
        self.before = self.service.charges();
    }
}

/// Describes what a resumed run did, by the records that it wrote.
fn actions(records: &[String], is_ambiguous: bool) -> String {
    let not_created = match is_ambiguous {
        true => "was told that none existed",
        false => "found that none existed",
    };
    let words = [
        ("not_created", not_created),
        ("sending", "created"),
        ("ended", "waited"),
        ("publishing", "saved"),
    ];
    let mut actions: Vec<_> = words
        .into_iter()
        .filter(|(record, _)| records.iter().any(|name| name == record))
        .map(|(_, word)| word)
        .collect();
    // Another run created it, and its response was lost.
    if records.iter().any(|name| name == "created") && !actions.contains(&"created") {
        actions.insert(0, "found the task");
    }
    match (&actions[..], records) {
        ([], []) => "nothing".to_owned(),
        ([], _) => "updated the journal".to_owned(),
        _ => actions.join(", "),
    }
}

/// Returns the failpoints of a run that writes these records.
fn failpoints(records: &[String]) -> Vec<&'static str> {
    let all = CRASHES
        .iter()
        .chain(NOT_CREATED)
        .filter_map(|crash| match crash.stop {
            Stop::At(place) => Some(place),
            Stop::Charged => None,
        });
    let mut failpoints: Vec<_> = all
        .filter(|place| match place.split_once(' ') {
            Some((_, record)) => records.iter().any(|name| name == record),
            None => records.iter().any(|name| name == "publishing"),
        })
        .collect();
    failpoints.sort_unstable();
    failpoints.dedup();
    failpoints
}

/// Runs one row of the matrix.
fn row(crash: &Crash, request: &'static str, is_twice: bool) -> String {
    let mut setup = Setup::new(request);
    setup.crash(crash);
    let before = setup.records();
    let charged = setup.charges();
    let is_ambiguous = setup.finish(crash.step);
    let records = setup.records().split_off(before.len());
    // The program compares the file with the hash in the journal.
    let ended = setup.program("--resume").run().expect(0);
    assert!(
        ended.stderr.contains("already saved"),
        "{}: {ended}",
        crash.step
    );
    let mut row = format!(
        "| {} | {} | {charged} | {}{} | {} | {VIDEO} |",
        crash.step,
        before.last().map_or("", String::as_str),
        if is_ambiguous {
            "reported it as unknown; after --create-anyway: "
        } else {
            ""
        },
        actions(&records, is_ambiguous),
        setup.charges(),
    );
    if is_twice {
        let twice = match crash.is_equivalent {
            true => String::new(),
            false => crash_twice(&mut setup, crash, &records).to_string(),
        };
        let _ = write!(row, " {twice} |");
    }
    row
}

/// Runs the same crash, then another one at every failpoint of the resumed run. Returns the number of failpoints.
fn crash_twice(setup: &mut Setup, crash: &Crash, records: &[String]) -> usize {
    let failpoints = failpoints(records);
    for place in &failpoints {
        setup.clear();
        setup.crash(crash);
        let case = format!("{}, then {place}", crash.step);
        assert!(setup.kill(setup.next_run(), Stop::At(place)), "{case}");
        setup.complete_tasks();
        setup.finish(&case);
    }
    failpoints.len()
}

fn matrix(request: &'static str, crashes: &[&Crash], is_twice: bool) -> String {
    let mut rows = vec![
        "| killed | last record | charges | what --resume did | charges | file |".to_owned(),
        "| --- | --- | --- | --- | --- | --- |".to_owned(),
    ];
    if is_twice {
        rows[0].push_str(" second crashes |");
        rows[1].push_str(" --- |");
    }
    thread::scope(|scope| {
        let running: Vec<_> = crashes
            .iter()
            .map(|crash| scope.spawn(move || row(crash, request, is_twice)))
            .collect();
        rows.extend(running.into_iter().map(|row| row.join().unwrap()));
    });
    rows.join("\n")
}

#[test]
fn request_with_listed_tasks() {
    let crashes: Vec<_> = CRASHES.iter().chain(NOT_CREATED).collect();
    Snapshots::default().check("crash-listed", matrix(LISTED, &crashes, true));
}

#[test]
fn request_with_possibly_unlisted_tasks() {
    let crashes: Vec<_> = CRASHES.iter().collect();
    Snapshots::default().check("crash-unlisted", matrix(UNLISTED, &crashes, false));
}

/// A truncated record counts as not written, and the step after it was not taken.
#[test]
fn truncated_records() {
    for place in [
        "after prepared",
        "after sending",
        "after created",
        "after ended",
        "after publishing",
        "after saved",
    ] {
        let mut setup = Setup::new(LISTED);
        for part in [0, 1, 8, 15, 16] {
            setup.clear();
            setup.crash(&at(place));
            truncate(&setup.journal(), part);
            setup.finish(&format!("{place}, {part}/16 of the record"));
        }
    }
}

/// Keeps this many sixteenths of the last line, but never all of it.
fn truncate(journal: &Path, part: usize) {
    let content = fs::read(journal).unwrap();
    let start = content[..content.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap()
        + 1;
    let length = content.len() - 1 - start;
    fs::write(journal, &content[..start + length * part / 16]).unwrap();
}
