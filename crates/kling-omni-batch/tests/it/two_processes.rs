//! Several processes on one ledger.

use crate::process::{Ended, Failpoint, LedgerKind, Running, Service, Stop};

fn at(name: &str) -> Option<Stop> {
    let place = Failpoint {
        name: name.to_owned(),
        count: 1,
    };
    let aborts = false;
    Some(Stop { place, aborts })
}

/// Processes that start at once, on a ledger that does not exist yet. One has the account, and the others are refused.
#[test]
fn started_at_once() {
    for (ledger, round) in LedgerKind::all()
        .into_iter()
        .flat_map(|ledger| [(ledger, 0), (ledger, 1), (ledger, 2)])
    {
        let service = Service::start(ledger, 3, |sandbox| sandbox);
        let mut running: Vec<_> = (0..4).map(|_| service.run(None)).collect();
        let ended: Vec<_> = running.iter_mut().map(Running::end).collect();
        for ended in &ended {
            match ended {
                Ended::Status(_) => {}
                Ended::Failed(error) => assert!(error.contains("is in use"), "{round}: {error}"),
                Ended::Killed => panic!("{round}: {ended:?}"),
            }
        }
        let finished = ended.iter().any(|one| matches!(one, Ended::Status(_)));
        assert!(finished, "{round}: {ended:?}");
        service.finish("started at once");
        service.check(&format!("round {round}"), 0);
    }
}

/// A process waits for the account of another one that is killed, and takes over what it announced.
#[test]
fn takes_over_from_a_killed_process() {
    for ledger in LedgerKind::all() {
        take_over(ledger);
    }
}

fn take_over(ledger: LedgerKind) {
    let service = Service::start(ledger, 3, |sandbox| sandbox);
    let mut first = service.run(at("after sending"));
    assert!(first.until_stopped());
    let refused = service.run(None).end();
    assert!(
        matches!(&refused, Ended::Failed(error) if error.contains("is in use")),
        "{refused:?}"
    );
    assert_eq!(service.charges(), 0);
    first.kill();
    service.finish("after the kill");
    service.check("after the kill", 0);
}
