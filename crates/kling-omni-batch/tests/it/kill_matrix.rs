//! The kill matrix: a process that runs a batch is killed, stopped or aborted at every step, and again at every step of the
//! run after it. The verdict is from outside: the charges of the sandbox, and the files.
//!
//! The steps are those that a run without a kill reaches, so a new failpoint is in the matrix as soon as the code has it.
//! `docs/batches.md` describes the matrix.

mod scenario;
mod system_calls;
mod three_workers;
mod workers;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use kling_omni_batch::BatchError;

use crate::kill_matrix::scenario::{SCENARIOS, Scenario, scenarios};
use crate::process::{COMMIT, Ended, Failpoint, LedgerKind, Service, Stop, is_downloading};

/// Longer than every limit of a run: the latest time to send, the settle time and the timeout of a task.
const PAUSE: Duration = Duration::from_secs(3 * 3600);

/// What happens to a process.
#[derive(Clone, Debug)]
enum Crash {
    /// SIGKILL at a step.
    Kill(Failpoint),
    /// SIGSTOP at a step, and SIGCONT after all limits have passed. In between, another process is refused by a file, and takes
    /// over in Postgres, where the lease has ended.
    Suspend(Failpoint),
    /// It aborts inside of a transaction, immediately before COMMIT.
    Abort(Failpoint),
    /// SIGKILL after the service made the task of a create whose response is not sent.
    KillDuringCreate,
    /// SIGKILL in the middle of a download.
    KillDuringDownload,
}

impl Crash {
    /// Starts a process and lets this happen. Returns whether the process came that far.
    fn happen(&self, service: &Service) -> bool {
        service.end_lease();
        let stop = |place: &Failpoint, aborts| {
            let place = place.clone();
            service.run(Some(Stop { place, aborts }))
        };
        match self {
            Self::Kill(place) => {
                let mut running = stop(place, false);
                let stopped = running.until_stopped();
                running.kill();
                stopped
            }
            Self::Abort(place) => matches!(stop(place, true).end(), Ended::Killed),
            Self::Suspend(place) => {
                let mut running = stop(place, false);
                if !running.until_stopped() {
                    return false;
                }
                if place.name != COMMIT {
                    service.until_no_transaction();
                }
                running.suspend();
                service.clock.advance(PAUSE);
                if service.database.is_some() {
                    service.end_lease();
                    let other = service.run(None).end();
                    assert!(
                        matches!(other, Ended::Status(_)),
                        "{self:?}: another process did not take over: {other:?}"
                    );
                    let charges = service.charges();
                    running.release();
                    running.resume();
                    running.end();
                    assert_eq!(
                        service.charges(),
                        charges,
                        "{self:?}: after the lease ended"
                    );
                    return true;
                }
                // In a transaction, it would wait for the ledger instead.
                if place.name != COMMIT {
                    let charges = service.charges();
                    let other = service.run(None).end();
                    // A thread of the first one may have begun a transaction since.
                    let is_refused = |error: &str| {
                        error.contains("is in use") || error == BatchError::Locked.to_string()
                    };
                    assert!(
                        matches!(&other, Ended::Failed(error) if is_refused(error)),
                        "{self:?}: another process was not refused: {other:?}"
                    );
                    assert_eq!(service.charges(), charges, "{self:?}: by another process");
                }
                running.release();
                running.resume();
                running.end();
                true
            }
            Self::KillDuringCreate => {
                let running = service.run(None);
                while service.charges() < service.options.items {
                    thread::yield_now();
                }
                running.kill();
                true
            }
            Self::KillDuringDownload => {
                let running = service.run(None);
                while !is_downloading(service.folder.path()) {
                    // The sandbox sends the next part.
                    running.suspend();
                    service.clock.advance(Duration::from_secs(1));
                    running.resume();
                    thread::yield_now();
                }
                running.kill();
                true
            }
        }
    }
}

/// A row of the matrix.
#[derive(Clone, Debug)]
struct Row {
    ledger: LedgerKind,
    scenario: &'static Scenario,
    first: Crash,
    second: Option<Failpoint>,
}

impl Row {
    /// Runs the row. Returns whether all of its crashes happened.
    fn run(&self) -> bool {
        let service = self.scenario.start(self.ledger);
        let at = format!("{self:?}");
        if !self.first.happen(&service) {
            return false;
        }
        if let Some(second) = &self.second {
            if second.count % 2 == 0 {
                // The next process starts after all limits have passed.
                service.clock.advance(PAUSE);
            }
            if !Crash::Kill(second.clone()).happen(&service) {
                return false;
            }
        }
        service.finish(&at);
        service.check(&at, self.scenario.failed);
        true
    }
}

/// The result of rows.
#[derive(Default)]
struct Results {
    passed: usize,
    /// A crash did not happen: the run took another way than the one that the places are from.
    not_reached: usize,
    failures: Vec<String>,
}

/// Runs rows on all processors. `run` returns whether the crashes of a row happened.
fn run_all<R: fmt::Debug + Send>(rows: Vec<R>, run: impl Fn(&R) -> bool + Sync) -> Results {
    let processors = thread::available_parallelism().map_or(2, usize::from);
    // A row waits for a process or a disk half of its time.
    run_on(2 * processors, rows, run)
}

/// Runs rows on so many threads.
fn run_on<R: fmt::Debug + Send>(
    threads: usize,
    rows: Vec<R>,
    run: impl Fn(&R) -> bool + Sync,
) -> Results {
    let rows = Mutex::new(VecDeque::from(rows));
    let results = Mutex::new(Results::default());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let Some(row) = rows.lock().unwrap().pop_front() else {
                        return;
                    };
                    // Items are prepared in any order, so a run may take another way.
                    let ended = catch_unwind(AssertUnwindSafe(|| (0..5).any(|_| run(&row))));
                    let mut results = results.lock().unwrap();
                    match ended {
                        Ok(true) => results.passed += 1,
                        Ok(false) => results.not_reached += 1,
                        Err(panic) => {
                            let text = panic.downcast_ref::<String>().cloned();
                            results
                                .failures
                                .push(format!("{row:?}: {}", text.unwrap_or_default()));
                        }
                    }
                }
            });
        }
    });
    results.into_inner().unwrap()
}

/// The places of a run, from the names of its steps in order.
fn places(reached: &[String]) -> Vec<Failpoint> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    reached
        .iter()
        .map(|name| {
            let count = counts.entry(name).or_default();
            *count += 1;
            Failpoint {
                name: name.clone(),
                count: *count,
            }
        })
        .collect()
}

/// The steps of a run of a scenario without a crash.
fn steps(ledger: LedgerKind, scenario: &'static Scenario) -> Vec<String> {
    let service = scenario.start(ledger);
    let reached = service.finish(scenario.name);
    service.check(scenario.name, scenario.failed);
    reached
}

/// The crashes of a scenario.
fn crashes(scenario: &'static Scenario, places: &[Failpoint]) -> Vec<Crash> {
    let at_place = |place: &Failpoint| match place.name == COMMIT {
        true => Crash::Abort(place.clone()),
        false => Crash::Kill(place.clone()),
    };
    match scenario.name {
        scenario::DURING_CREATE => vec![Crash::KillDuringCreate],
        scenario::DURING_DOWNLOAD => vec![Crash::KillDuringDownload],
        _ => places.iter().map(at_place).collect(),
    }
}

/// Whether the scenario has steps of its own, and not one moment only.
fn has_steps(scenario: &Scenario) -> bool {
    ![scenario::DURING_CREATE, scenario::DURING_DOWNLOAD].contains(&scenario.name)
}

fn check(results: &Results, most_not_reached: usize) {
    kling_omni_test_support::fail_on(&results.failures);
    assert!(results.passed > 0);
    assert!(
        results.not_reached <= most_not_reached,
        "{} rows did not reach their step",
        results.not_reached
    );
}

/// The steps to crash at; none if the scenario is about one moment only.
fn places_of(ledger: LedgerKind, scenario: &'static Scenario) -> Vec<Failpoint> {
    match has_steps(scenario) {
        true => places(&steps(ledger, scenario)),
        false => Vec::new(),
    }
}

/// The matrix of each test run: each failpoint once, a few transactions and a few suspensions.
#[test]
fn each_failpoint() {
    let begin = Instant::now();
    let mut rows = Vec::new();
    for ledger in LedgerKind::all() {
        let mut seen = BTreeSet::new();
        let mut row = |scenario, first| {
            rows.push(Row {
                ledger,
                scenario,
                first,
                second: None,
            });
        };
        for scenario in SCENARIOS {
            if !has_steps(scenario) {
                row(scenario, crashes(scenario, &[])[0].clone());
                continue;
            }
            for place in places_of(ledger, scenario) {
                let is_new = seen.insert(place.name.clone());
                if place.name == COMMIT {
                    if scenario.name == SCENARIOS[0].name && place.count % 4 == 0 {
                        row(scenario, Crash::Abort(place));
                    }
                } else if is_new {
                    if ["after sending", "before publishing"].contains(&place.name.as_str()) {
                        row(scenario, Crash::Suspend(place.clone()));
                    }
                    row(scenario, Crash::Kill(place));
                }
            }
        }
        let missing = scenario::failpoints_of_the_code();
        let missing = missing.difference(&seen);
        kling_omni_test_support::fail_on(
            missing.map(|name| format!("no scenario reaches {name:?}")),
        );
    }
    let results = run_all(rows, Row::run);
    println!(
        "{} rows passed, {} not reached, {:?}",
        results.passed,
        results.not_reached,
        begin.elapsed()
    );
    check(&results, 4);
}

/// Each step of each scenario, with each kind of crash.
#[test]
#[ignore = "takes minutes: cargo xtask ci kill-matrix"]
fn each_step() {
    for (ledger, scenario) in scenarios() {
        let begin = Instant::now();
        let steps = places_of(ledger, scenario);
        let mut firsts = crashes(scenario, &steps);
        firsts.extend(steps.iter().cloned().map(Crash::Suspend));
        let rows = firsts.into_iter().map(|first| Row {
            ledger,
            scenario,
            first,
            second: None,
        });
        let results = run_all(rows.collect(), Row::run);
        println!(
            "{ledger:?}, {}: {} steps, {} rows passed, {} not reached, {} failed, {} s",
            scenario.name,
            steps.len(),
            results.passed,
            results.not_reached,
            results.failures.len(),
            begin.elapsed().as_secs()
        );
        check(&results, steps.len() / 10);
    }
}

/// A second kill at each step of the run after a crash. Crashes that leave the same ledger, files and tasks count once.
#[test]
#[ignore = "takes an hour: cargo xtask ci kill-matrix"]
fn each_step_of_each_recovery() {
    for (ledger, scenario) in scenarios() {
        let begin = Instant::now();
        let steps = places_of(ledger, scenario);
        let mut states = HashSet::new();
        let mut rows = Vec::new();
        for first in crashes(scenario, &steps) {
            let service = scenario.start(ledger);
            if !first.happen(&service) || !states.insert(scenario::state(&service)) {
                continue;
            }
            for second in places(&service.finish(scenario.name)) {
                if second.name == COMMIT {
                    continue;
                }
                rows.push(Row {
                    ledger,
                    scenario,
                    first: first.clone(),
                    second: Some(second),
                });
            }
        }
        let (count, distinct) = (rows.len(), states.len());
        let results = run_all(rows, Row::run);
        println!(
            "{ledger:?}, {}: {distinct} distinct crashes, {} rows passed, {} not reached, {} failed, {} s",
            scenario.name,
            results.passed,
            results.not_reached,
            results.failures.len(),
            begin.elapsed().as_secs()
        );
        check(&results, 2 + count / 10);
    }
}
