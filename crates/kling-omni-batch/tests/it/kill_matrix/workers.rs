//! Three workers on one ledger in Postgres, of which one is killed, suspended or aborted at a step: the one that conducts, or one
//! that runs the steps that cost nothing.

use std::collections::BTreeSet;

use kling_omni_test_support::postgres::PostgresServer;

use super::{PAUSE, check, places, run_on};
use crate::process::{COMMIT, Ended, Failpoint, LedgerKind, Running, Service, Stop, WorkerKind};

const ITEMS: usize = 2;
/// Rows wait for leases and heartbeats more than they compute.
const THREADS: usize = 6;

/// What happens to the victim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// SIGKILL.
    Kill,
    /// It aborts by itself, inside of a transaction.
    Abort,
    /// SIGSTOP until the others have completed the batch, then SIGCONT.
    Suspend,
}

/// A row: the victim, what happens to it, and where the worker that takes over is killed, if it is.
#[derive(Clone, Debug)]
struct Row {
    victim: WorkerKind,
    place: Failpoint,
    fault: Fault,
    second: Option<Failpoint>,
}

fn service() -> Service {
    let mut service = Service::start(LedgerKind::Postgres, ITEMS, |sandbox| sandbox);
    service.options.has_files = true;
    service
}

/// Starts the victim, and the worker that conducts if the victim does not.
fn start(service: &Service, victim: WorkerKind, stop: Option<Stop>) -> (Running, Option<Running>) {
    if victim != WorkerKind::RunsSteps {
        return (service.work(victim, stop), None);
    }
    // Its steps are those of the victim, which is the only one that runs them.
    let mut conductor = service.work(WorkerKind::Conducts, None);
    conductor.until_conducting();
    (service.work(victim, stop), Some(conductor))
}

/// Completes the batch with the workers that are left, and checks it.
fn finish(service: &Service, at: &str, workers: impl IntoIterator<Item = Running>) {
    for mut worker in workers {
        let ended = worker.end();
        assert!(ended.is_saved(ITEMS), "{at}: {ended:?}");
    }
    service.finish(at);
    service.check(at, 0);
}

/// Returns whether all steps were reached.
fn run(row: &Row) -> bool {
    let at = format!("{row:?}");
    let service = service();
    let stop = |place: &Failpoint, aborts| {
        let place = place.clone();
        Some(Stop { place, aborts })
    };
    let aborts = row.fault == Fault::Abort;
    let (mut victim, conductor) = start(&service, row.victim, stop(&row.place, aborts));
    let happened = match aborts {
        true => matches!(victim.end(), Ended::Killed),
        false => victim.until_stopped(),
    };
    if !happened {
        return false;
    }
    let suspended = match row.fault {
        Fault::Kill => {
            victim.kill();
            None
        }
        Fault::Abort => None,
        Fault::Suspend => {
            victim.suspend();
            service.clock.advance(PAUSE);
            Some(victim)
        }
    };
    if conductor.is_none() {
        service.end_lease();
    }
    service.expire_workers();
    if let Some(second) = &row.second {
        let mut next = service.work(WorkerKind::All, stop(second, false));
        if !next.until_stopped() {
            return false;
        }
        next.kill();
        service.end_lease();
        service.expire_workers();
    }
    let others = [WorkerKind::All, WorkerKind::All].map(|kind| service.work(kind, None));
    if let Some(mut suspended) = suspended {
        for mut worker in conductor.into_iter().chain(others) {
            let ended = worker.end();
            assert!(ended.is_saved(ITEMS), "{at}: {ended:?}");
        }
        suspended.resume();
        suspended.release();
        suspended.end();
        finish(&service, &at, []);
    } else {
        finish(&service, &at, conductor.into_iter().chain(others));
    }
    true
}

/// The steps that a victim reaches without a fault.
fn places_of(victim: WorkerKind) -> Vec<Failpoint> {
    let service = service();
    let (mut worker, conductor) = start(&service, victim, None);
    let ended = worker.end();
    assert!(ended.is_saved(ITEMS), "{ended:?}");
    finish(&service, "no fault", conductor);
    places(&worker.reached)
}

/// The first time of each step.
fn first_times(places: &[Failpoint]) -> Vec<Failpoint> {
    let mut seen = BTreeSet::new();
    let first = places.iter().filter(|place| seen.insert(&place.name));
    first.cloned().collect()
}

/// A row for each step: SIGKILL, and SIGSTOP at the first of each name; in transactions an abort.
fn rows(victim: WorkerKind, places: &[Failpoint]) -> Vec<Row> {
    let first = first_times(places);
    let mut rows = Vec::new();
    for place in places {
        let faults = match (place.name == COMMIT, first.contains(place)) {
            (true, _) => vec![Fault::Abort],
            (false, true) => vec![Fault::Kill, Fault::Suspend],
            (false, false) => vec![Fault::Kill],
        };
        rows.extend(faults.into_iter().map(|fault| Row {
            victim,
            place: place.clone(),
            fault,
            second: None,
        }));
    }
    rows
}

fn first_time(name: &str) -> Failpoint {
    Failpoint {
        name: name.to_owned(),
        count: 1,
    }
}

#[test]
fn some_steps() {
    if PostgresServer::shared().is_none() {
        return;
    }
    let row = |victim, name, fault, second: Option<&str>| Row {
        victim,
        place: first_time(name),
        fault,
        second: second.map(first_time),
    };
    use WorkerKind::{All, RunsSteps};
    let rows = vec![
        row(All, "after sending", Fault::Kill, Some("before created")),
        row(All, "before created", Fault::Suspend, None),
        row(RunsSteps, "before prepare", Fault::Kill, None),
        row(RunsSteps, "after publishing", Fault::Kill, None),
        row(RunsSteps, "before saved", Fault::Suspend, None),
    ];
    let results = run_on(THREADS, rows, run);
    check(&results, 0);
}

#[test]
#[ignore = "takes minutes: cargo xtask ci kill-matrix"]
fn each_step_of_a_worker() {
    if PostgresServer::shared().is_none() {
        return;
    }
    for victim in [WorkerKind::All, WorkerKind::RunsSteps] {
        let places = places_of(victim);
        let rows = rows(victim, &places);
        let count = rows.len();
        let results = run_on(THREADS, rows, run);
        println!(
            "{victim:?}: {} steps, {} rows passed, {} not reached, {} failed",
            places.len(),
            results.passed,
            results.not_reached,
            results.failures.len()
        );
        // Which transaction comes first depends on times.
        check(&results, count / 4);
    }
}

/// A second kill at each step of the worker that takes over.
#[test]
#[ignore = "takes minutes: cargo xtask ci kill-matrix"]
fn each_step_of_a_takeover() {
    if PostgresServer::shared().is_none() {
        return;
    }
    let places = first_times(&places_of(WorkerKind::All));
    let places: Vec<_> = places
        .into_iter()
        .filter(|place| place.name != COMMIT)
        .collect();
    let pairs = places.iter().flat_map(|place| {
        places.iter().map(move |second| Row {
            victim: WorkerKind::All,
            place: place.clone(),
            fault: Fault::Kill,
            second: Some(second.clone()),
        })
    });
    let rows: Vec<_> = pairs.collect();
    let count = rows.len();
    let results = run_on(THREADS, rows, run);
    println!(
        "{} steps, {} rows passed, {} not reached, {} failed",
        places.len(),
        results.passed,
        results.not_reached,
        results.failures.len()
    );
    check(&results, count / 2);
}
