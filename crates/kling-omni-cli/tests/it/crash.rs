//! The crash matrix: `generate --state` is killed at every step, and `generate --resume` as well. There is one charge
//! in the end and the video in its place, or it is said that nobody can know.
//!
//! The program stops at a place that the environment names, says so, and is killed there with SIGKILL; only debug builds
//! have such places.
#![cfg(all(unix, debug_assertions))]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use kling_omni_sandbox::ManualClock;
use serde_json::Value;

use crate::support::{Ended, Facts, KEY, Program, Running, Service, Snapshots, facts};

/// A request whose tasks the service is known to list, and one for the older route, whose tasks it is not.
const LISTED: &str = "-p puppet -d 3";
const UNLISTED: &str = "-p @Video1 --video https://example.com/dance.mp4 -d 3";

const JOURNAL: &str = "puppet.journal";
const VIDEO: &str = "puppet.mp4";
const TASK_TIME: Duration = Duration::from_secs(60);

/// Where the program is killed.
#[derive(Clone, Copy, Debug)]
enum Stop {
    /// Where it has come to this place.
    At(&'static str),
    /// Once the service has made a task, while the program waits for the answer.
    Charged,
}

/// A crash: what goes wrong at the service before, if anything, and where the program is killed then.
#[derive(Clone, Copy, Debug)]
struct Crash {
    step: &'static str,
    fault: Option<&'static str>,
    stop: Stop,
    /// Whether it leaves the same journal and the same service behind as another crash of the table.
    is_like_another: bool,
}

impl Crash {
    const fn like_another(mut self) -> Self {
        self.is_like_another = true;
        self
    }
}

const fn at(place: &'static str) -> Crash {
    Crash {
        step: place,
        fault: None,
        stop: Stop::At(place),
        is_like_another: false,
    }
}

const fn with(step: &'static str, fault: &'static str, place: &'static str) -> Crash {
    Crash {
        step,
        fault: Some(fault),
        stop: Stop::At(place),
        is_like_another: false,
    }
}

/// Every step of a run, in order, and those of runs in which the create does not go well.
const CRASHES: &[Crash] = &[
    at("before the journal"),
    at("before prepared"),
    at("after prepared"),
    at("before sending").like_another(),
    at("after sending"),
    Crash {
        step: "request under way",
        fault: Some("create:hang@1"),
        stop: Stop::Charged,
        is_like_another: false,
    },
    at("before created").like_another(),
    at("after created"),
    at("polling").like_another(),
    at("before ended").like_another(),
    at("after ended"),
    at("downloading"),
    at("before publishing").like_another(),
    at("after publishing"),
    at("before saved"),
    at("after saved"),
    with(
        "answer lost, before unconfirmed",
        "create:drop@1",
        "before unconfirmed",
    )
    .like_another(),
    with(
        "answer lost, after unconfirmed",
        "create:drop@1",
        "after unconfirmed",
    ),
    with(
        "answer lost, task found, before created",
        "create:drop@1",
        "before created",
    )
    .like_another(),
    with(
        "request lost, before unconfirmed",
        "create:lost@1",
        "before unconfirmed",
    )
    .like_another(),
    with(
        "request lost, after unconfirmed",
        "create:lost@1",
        "after unconfirmed",
    ),
    with(
        "refused, before rejected",
        "create:400@1",
        "before rejected",
    )
    .like_another(),
    with("refused, after rejected", "create:400@1", "after rejected"),
];

/// Those that need to be sure that there is no task.
const SURE: &[Crash] = &[
    with(
        "request lost, before absent",
        "create:lost@1",
        "before not_created",
    )
    .like_another(),
    with(
        "request lost, after absent",
        "create:lost@1",
        "after not_created",
    )
    .like_another(),
];

/// A service that has made one task before, and a place to work in.
struct World {
    service: Service,
    clock: ManualClock,
    request: &'static str,
    /// What the earlier task was charged.
    before: usize,
}

impl World {
    fn new(request: &'static str) -> Self {
        let clock = ManualClock::new(SystemTime::now());
        let service = Service::start(|builder| builder.task_time(TASK_TIME).clock(clock.clone()));
        service.task("an older one");
        service.text_task("another older one");
        let before = service.charges();
        let world = Self {
            service,
            clock,
            request,
            before,
        };
        world.tasks_end();
        world
    }

    /// Lets all tasks that there are come to their end.
    fn tasks_end(&self) {
        self.clock.advance(2 * TASK_TIME);
    }

    fn program(&self, journal: &str) -> Program {
        self.service.program(&format!(
            "generate {} {journal} {JOURNAL} -o {VIDEO} --poll-interval 0.1 --retries 0 --settle 0s",
            self.request
        ))
    }

    /// What a person does who finds the program dead: goes on with the journal if there is one.
    fn again(&self) -> Program {
        match self.journal().exists() {
            true => self.program("--resume"),
            false => self.program("--state"),
        }
    }

    fn journal(&self) -> std::path::PathBuf {
        self.service.folder().join(JOURNAL)
    }

    fn charges(&self) -> usize {
        self.service.charges() - self.before
    }

    /// Runs the program until it is killed; says whether it got there.
    fn kill(&self, program: Program, stop: Stop) -> bool {
        let before = self.service.charges();
        let (program, place) = match stop {
            Stop::At(place) => (program.env("KLING_OMNI_STOP_AT", place), place),
            Stop::Charged => (program, ""),
        };
        let mut running = program.start();
        if let Stop::Charged = stop {
            while self.service.charges() == before {
                thread::yield_now();
            }
        } else {
            self.look_on(&mut running, Some(place));
        }
        running.child.kill().unwrap();
        // Whoever was killed has no exit code.
        running.child.wait().unwrap().code().is_none()
    }

    /// The first crash of a case.
    fn crash(&self, crash: &Crash) {
        self.service.clear_faults();
        if let Some(fault) = crash.fault {
            self.service.inject(fault.parse().unwrap());
        }
        assert!(self.kill(self.program("--state"), crash.stop), "{crash:?}");
        self.service.clear_faults();
        self.tasks_end();
    }

    /// The names of the records in the journal.
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

    /// Goes on to the end, and checks that it is a good one. Answers whether a person had to be asked.
    fn finish(&self, case: &str) -> bool {
        let mut ended = self.run(self.again());
        let asked = ended.code == Some(8);
        if asked {
            assert!(ended.stderr.contains("charged: unknown"), "{case}: {ended}");
            assert!(ended.stderr.contains("--create-anyway"), "{case}: {ended}");
            // The person looks at the service's own count: there is none.
            assert_eq!(self.charges(), 0, "{case}: {ended}");
            ended = self.run(self.again().arg("--create-anyway"));
        }
        assert_eq!(ended.code, Some(0), "{case}: {ended}");
        assert_eq!(self.charges(), 1, "{case}: {ended}");
        self.check_files(case);
        asked
    }

    /// Runs the program to its end, and lets the task that it waits for end as well.
    fn run(&self, program: Program) -> Ended {
        let mut running = program.start();
        self.look_on(&mut running, None);
        running.end()
    }

    /// Reads what the program says until it stops at `place` or ends. Once it looks at the task, the task ends.
    fn look_on(&self, running: &mut Running, place: Option<&str>) {
        while let Some(line) = running.line() {
            if place.is_some_and(|place| line.trim_end() == format!("stopped at {place}")) {
                return;
            }
            if line.contains("CREATED") {
                self.tasks_end();
            }
        }
    }

    /// The video is there, whole, and nothing else; and the journal opens no door.
    fn check_files(&self, case: &str) {
        assert_eq!(self.service.files(), [JOURNAL, VIDEO], "{case}");
        let whole = Facts {
            seconds: 3.0,
            width: 1280,
            height: 720,
        };
        assert_eq!(facts(&self.service.folder().join(VIDEO)), whole, "{case}");
        let journal = fs::read_to_string(self.journal()).unwrap();
        for secret in [KEY, "hmac", "example.com"] {
            assert!(!journal.contains(secret), "{case}: {secret} in\n{journal}");
        }
    }

    /// As before the first crash, but for the tasks that the service remembers.
    fn clear(&mut self) {
        for name in self.service.files() {
            fs::remove_file(self.service.folder().join(name)).unwrap();
        }
        self.before = self.service.charges();
    }
}

/// What a resumed run did, by what it has written.
fn done(records: &[String], asked: bool) -> String {
    let absent = match asked {
        true => "took the person's word",
        false => "made sure there was none",
    };
    let words = [
        ("not_created", absent),
        ("sending", "created"),
        ("ended", "waited"),
        ("publishing", "saved"),
    ];
    let mut done: Vec<_> = words
        .into_iter()
        .filter(|(record, _)| records.iter().any(|name| name == record))
        .map(|(_, word)| word)
        .collect();
    // It was not created by this run, and there was no answer.
    if records.iter().any(|name| name == "created") && !done.contains(&"created") {
        done.insert(0, "found it");
    }
    match (&done[..], records) {
        ([], []) => "nothing".to_owned(),
        ([], _) => "recorded it".to_owned(),
        _ => done.join(", "),
    }
}

/// The places that a run comes by which writes these records.
fn places(records: &[String]) -> Vec<&'static str> {
    let all = CRASHES
        .iter()
        .chain(SURE)
        .filter_map(|crash| match crash.stop {
            Stop::At(place) => Some(place),
            Stop::Charged => None,
        });
    let mut places: Vec<_> = all
        .filter(|place| match place.split_once(' ') {
            Some((_, record)) => records.iter().any(|name| name == record),
            None => records.iter().any(|name| name == "publishing"),
        })
        .collect();
    places.sort_unstable();
    places.dedup();
    places
}

/// One row of the matrix.
fn row(crash: &Crash, request: &'static str, is_twice: bool) -> String {
    let mut world = World::new(request);
    world.crash(crash);
    let before = world.records();
    let charged = world.charges();
    let asked = world.finish(crash.step);
    let records = world.records().split_off(before.len());
    // The program itself holds the file against the hash in the journal.
    let ended = world.program("--resume").run().expect(0);
    assert!(
        ended.stderr.contains("in its place"),
        "{}: {ended}",
        crash.step
    );
    let mut row = format!(
        "| {} | {} | {charged} | {}{} | {} | {VIDEO} |",
        crash.step,
        before.last().map_or("", String::as_str),
        if asked {
            "said that it is unknown, and why; after --create-anyway: "
        } else {
            ""
        },
        done(&records, asked),
        world.charges(),
    );
    if is_twice {
        let twice = match crash.is_like_another {
            true => String::new(),
            false => crash_twice(&mut world, crash, &records).to_string(),
        };
        let _ = write!(row, " {twice} |");
    }
    row
}

/// The same crash, and another one at every step of the run that goes on from it; says at how many.
fn crash_twice(world: &mut World, crash: &Crash, records: &[String]) -> usize {
    let places = places(records);
    for place in &places {
        world.clear();
        world.crash(crash);
        let case = format!("{}, then {place}", crash.step);
        assert!(world.kill(world.again(), Stop::At(place)), "{case}");
        world.tasks_end();
        world.finish(&case);
    }
    places.len()
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
fn of_a_request_whose_tasks_are_listed() {
    let crashes: Vec<_> = CRASHES.iter().chain(SURE).collect();
    Snapshots::default().check("crash-listed", matrix(LISTED, &crashes, true));
}

#[test]
fn of_a_request_whose_tasks_may_not_be_listed() {
    let crashes: Vec<_> = CRASHES.iter().collect();
    Snapshots::default().check("crash-unlisted", matrix(UNLISTED, &crashes, false));
}

/// A record whose writing is cut short counts as not written, and what rests on it was not done.
#[test]
fn torn_records() {
    for place in [
        "after prepared",
        "after sending",
        "after created",
        "after ended",
        "after publishing",
        "after saved",
    ] {
        let mut world = World::new(LISTED);
        for part in [0, 1, 8, 15, 16] {
            world.clear();
            world.crash(&at(place));
            tear(&world.journal(), part);
            world.finish(&format!("{place}, {part}/16 of the record"));
        }
    }
}

/// Leaves so many sixteenths of the last line, but never all of it.
fn tear(journal: &Path, part: usize) {
    let whole = fs::read(journal).unwrap();
    let start = whole[..whole.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap()
        + 1;
    let length = whole.len() - 1 - start;
    fs::write(journal, &whole[..start + length * part / 16]).unwrap();
}
