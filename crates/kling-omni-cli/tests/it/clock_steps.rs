//! Steps of the wall clock during reconciliation: the paid task is found, and nothing is paid twice.
//!
//! libfaketime steps the clock of the program only. Monotonic clocks are unchanged, as they are on a real machine.
#![cfg(all(target_os = "linux", debug_assertions))]

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::SystemTime;

use kling_omni_api::{Operation, Role};
use kling_omni_sandbox::ManualClock;
use kling_omni_test_support::clock_steps::{LISTED_AFTER, Moment, STEPS};

use crate::support::{Program, Running, Service};

/// Makes this test fail where libfaketime is missing.
const NEEDED: &str = "KLING_OMNI_NEEDS_FAKETIME";

/// Returns the path of libfaketime, which is in Debian's package `faketime`.
fn libfaketime() -> Option<PathBuf> {
    let roots = fs::read_dir("/usr/lib").ok()?;
    let libraries = roots
        .flatten()
        .map(|root| root.path().join("faketime/libfaketime.so.1"));
    let mut libraries = libraries.filter(|library| library.exists());
    libraries.next()
}

struct Scenario {
    service: Service,
    clock: ManualClock,
    library: PathBuf,
    step: i64,
    moment: Moment,
    name: String,
}

impl Scenario {
    /// Starts a service with one older task, which drops the response to the next create.
    fn new(library: PathBuf, moment: Moment, step: i64) -> Self {
        let clock = ManualClock::new(SystemTime::now());
        let for_service = clock.clone();
        let service = Service::start(|builder| builder.list_delay(LISTED_AFTER).clock(for_service));
        service.text_task("an older one");
        clock.advance(LISTED_AFTER);
        service.inject("create:drop@1".parse().unwrap());
        let scenario = Self {
            service,
            clock,
            library,
            step,
            moment,
            name: format!("{moment:?} by {step} s"),
        };
        scenario.set_clock("+0");
        scenario
    }

    fn file(&self, name: &str) -> PathBuf {
        self.service.folder().join(name)
    }

    fn set_clock(&self, offset: &str) {
        // Atomically, because the program reads the file at each clock read.
        fs::write(self.file("next"), offset).unwrap();
        fs::rename(self.file("next"), self.file("offset")).unwrap();
    }

    /// Steps the clock if this is the moment.
    fn step_clock_at(&self, moment: Moment) {
        if self.moment == moment {
            self.set_clock(&format!("{:+}", self.step));
        }
    }

    fn program(&self, journal: &str) -> Program {
        self.service
            .program(&format!(
                "generate -p puppet -d 3 {journal} one.journal --no-wait --max-retries 0 --settle-time 8s"
            ))
            .env("LD_PRELOAD", self.library.to_str().unwrap())
            .env(
                "FAKETIME_TIMESTAMP_FILE",
                self.file("offset").to_str().unwrap(),
            )
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("KLING_OMNI_FAILPOINT_RELEASE", self.file("release").to_str().unwrap())
    }

    /// Starts the program with a failpoint, and waits until it blocks there.
    fn start_with_failpoint(&self, failpoint: &str) -> Running {
        let mut running = self
            .program("--journal")
            .env("KLING_OMNI_FAILPOINT", failpoint)
            .start();
        running.until(&format!("stopped at {failpoint}"));
        running
    }

    fn release(&self) {
        fs::write(self.file("release"), "").unwrap();
    }

    fn list_requests(&self) -> usize {
        let requests = self.service.requests();
        let operations = requests.iter().filter_map(|request| request.operation_id());
        let roles = operations.filter_map(|id| Some(Operation::by_id(id)?.role));
        roles.filter(|role| matches!(role, Role::List(_))).count()
    }

    fn run(&self) {
        let mut running = match self.moment {
            Moment::BeforeTheCreate => self.start_with_failpoint("before sending"),
            Moment::BetweenChargeAndList | Moment::DuringSettling => {
                self.start_with_failpoint("before unconfirmed")
            }
            Moment::BetweenKillAndResume => self.start_with_failpoint("after unconfirmed"),
        };
        self.step_clock_at(Moment::BeforeTheCreate);
        self.step_clock_at(Moment::BetweenChargeAndList);
        if self.moment == Moment::BetweenKillAndResume {
            running.child.kill().unwrap();
            running.child.wait().unwrap();
            self.step_clock_at(Moment::BetweenKillAndResume);
            running = self.program("--resume").start();
        } else {
            self.release();
        }
        running.until("searching for its task");
        let before = self.list_requests();
        while self.list_requests() == before && running.child.try_wait().unwrap().is_none() {
            thread::yield_now();
        }
        self.step_clock_at(Moment::DuringSettling);
        self.clock.advance(LISTED_AFTER);
        let ended = running.end();
        assert_eq!(ended.code, Some(0), "{}: {ended}", self.name);
        let tasks = self.service.tasks();
        assert_eq!(tasks.len(), 2, "{}: {ended}", self.name);
        assert_eq!(ended.stdout.trim(), tasks[1].id(), "{}: {ended}", self.name);
    }
}

#[test]
fn do_not_lose_a_paid_task() {
    let Some(library) = libfaketime() else {
        assert!(
            std::env::var_os(NEEDED).is_none(),
            "{NEEDED} is set, and libfaketime is missing"
        );
        println!("skipped: libfaketime is missing (Debian's package `faketime`)");
        return;
    };
    thread::scope(|scope| {
        let all = Moment::ALL
            .iter()
            .flat_map(|moment| STEPS.map(|step| (*moment, step)));
        for (moment, step) in all {
            let library = library.clone();
            scope.spawn(move || Scenario::new(library, moment, step).run());
        }
    });
}
