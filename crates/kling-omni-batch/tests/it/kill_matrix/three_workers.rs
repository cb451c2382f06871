//! Three processes on one ledger in Postgres. One has the account, the others wait for it.

use std::collections::BTreeSet;

use kling_omni_test_support::postgres::PostgresServer;

use super::{PAUSE, check, run_all};
use crate::process::{COMMIT, Failpoint, LedgerKind, Report, Running, Service, Stop};

const ITEMS: usize = 2;

/// What happens to the process that has the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// SIGKILL.
    Kill,
    /// SIGSTOP until another process has completed the batch, then SIGCONT.
    Suspend,
}

fn service() -> Service {
    let mut service = Service::start(LedgerKind::Postgres, ITEMS, |sandbox| sandbox);
    service.options.waits_for_lease = true;
    service
}

fn stop_at(place: &Failpoint) -> Option<Stop> {
    Some(Stop {
        place: place.clone(),
        aborts: false,
    })
}

/// Starts a process that waits for the account of another one.
fn waiting(service: &Service, stop: Option<Stop>) -> Running {
    let mut running = service.run(stop);
    loop {
        match running.next() {
            Report::Waiting => return running,
            Report::Ended(ended) => panic!("it does not wait: {ended:?}"),
            Report::Reached | Report::Stopped | Report::Running | Report::Conducting => {}
        }
    }
}

/// The steps of a run without a fault, each name once.
fn places() -> Vec<Failpoint> {
    let service = service();
    let names: BTreeSet<_> = service.finish("no fault").into_iter().collect();
    let names = names.into_iter().filter(|name| name != COMMIT);
    names.map(|name| Failpoint { name, count: 1 }).collect()
}

/// The process that has the account is killed or suspended at a step. One of the two that wait takes over, and is killed at a
/// step, too, if the row has a second one. The last one completes the batch.
#[derive(Clone, Debug)]
struct TakeOver {
    first: Failpoint,
    fault: Fault,
    second: Option<Failpoint>,
}

/// Returns whether all steps were reached.
fn take_over(row: &TakeOver) -> bool {
    let TakeOver {
        first,
        fault,
        second,
    } = row;
    let at = format!("{row:?}");
    let service = service();
    let mut conductor = service.run(stop_at(first));
    if !conductor.until_stopped() {
        return false;
    }
    // It renews no lease while it is stopped.
    service.extend_lease();
    let mut next = waiting(&service, second.as_ref().and_then(stop_at));
    let mut last = second.is_none().then(|| waiting(&service, None));
    let charges = service.charges();
    let suspended = match fault {
        Fault::Kill => {
            conductor.kill();
            None
        }
        Fault::Suspend => {
            conductor.suspend();
            service.clock.advance(PAUSE);
            Some(conductor)
        }
    };
    assert_eq!(service.charges(), charges, "{at}");
    service.end_lease();
    if second.is_some() {
        if !next.until_stopped() {
            return false;
        }
        service.extend_lease();
        last = Some(waiting(&service, None));
        next.kill();
        service.end_lease();
    } else {
        let ended = next.end();
        assert!(ended.is_saved(ITEMS), "{at}: the next one: {ended:?}");
    }
    let ended = last.unwrap().end();
    assert!(ended.is_saved(ITEMS), "{at}: the last one: {ended:?}");
    assert_eq!(service.charges(), ITEMS, "{at}");
    if let Some(mut conductor) = suspended {
        conductor.release();
        conductor.resume();
        conductor.end();
    }
    service.check(&at, 0);
    true
}

fn first_time(name: &str) -> Failpoint {
    Failpoint {
        name: name.to_owned(),
        count: 1,
    }
}

/// Rows with each of these steps, and with each pair of them.
fn rows(places: &[Failpoint], seconds: &[Failpoint]) -> Vec<TakeOver> {
    let mut rows = Vec::new();
    for first in places {
        for fault in [Fault::Kill, Fault::Suspend] {
            let seconds = seconds.iter().cloned().map(Some);
            rows.extend(std::iter::once(None).chain(seconds).map(|second| TakeOver {
                first: first.clone(),
                fault,
                second,
            }));
        }
    }
    rows
}

#[test]
fn some_steps() {
    if PostgresServer::shared().is_none() {
        return;
    }
    let places = ["after sending", "before publishing"].map(first_time);
    let results = run_all(rows(&places, &[first_time("before saved")]), take_over);
    check(&results, 0);
}

#[test]
#[ignore = "takes minutes: cargo xtask ci kill-matrix"]
fn each_step() {
    if PostgresServer::shared().is_none() {
        return;
    }
    let places = places();
    let rows = rows(&places, &places);
    let count = rows.len();
    let results = run_all(rows, take_over);
    println!(
        "{} steps, {} rows passed, {} not reached, {} failed",
        places.len(),
        results.passed,
        results.not_reached,
        results.failures.len()
    );
    // A recovery does not prepare again what is prepared.
    check(&results, count / 2);
}

/// A process that waits is killed: nothing changes.
#[test]
fn one_that_waits_is_killed() {
    if PostgresServer::shared().is_none() {
        return;
    }
    let service = service();
    let mut conductor = service.run(stop_at(&first_time("after sending")));
    assert!(conductor.until_stopped());
    service.extend_lease();
    let waits = waiting(&service, None);
    let mut last = waiting(&service, None);
    waits.kill();
    conductor.release();
    for running in [&mut conductor, &mut last] {
        let ended = running.end();
        assert!(ended.is_saved(ITEMS), "{ended:?}");
    }
    service.check("one that waits is killed", 0);
}
