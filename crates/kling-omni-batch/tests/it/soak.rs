//! A batch whose process gets random signals, against a service with random faults.

use std::time::Duration;

use crate::process::{Ended, LedgerKind, Report, Service};

/// Runs a batch until all items are saved. A signal comes after at most `steps` steps of a process. Returns the number of
/// signals.
fn soak(ledger: LedgerKind, items: usize, seed: u64, steps: usize) -> usize {
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut service = Service::start(ledger, items, |sandbox| sandbox.seed(seed));
    for fault in [
        "create:drop~0.02",
        "create:lost~0.02",
        "create:429~0.02",
        "create:503~0.01",
        "status:503~0.05",
        "list:503~0.02",
        "result:cut~0.05",
        "result:503~0.02",
    ] {
        service.sandbox.inject(fault.parse().unwrap());
    }
    service.options.in_flight = 20;
    let mut signals = 0;
    // Each process gets further, so this is far more than enough.
    for _ in 0..items * 4 {
        service.end_lease();
        let mut running = service.run(None);
        let mut left = random.usize(1..=steps);
        let ended = loop {
            match running.next() {
                Report::Ended(ended) => break Some(ended),
                Report::Stopped | Report::Waiting | Report::Running | Report::Conducting => {}
                Report::Reached => left -= 1,
            }
            if left > 0 {
                continue;
            }
            signals += 1;
            match random.u8(0..4) {
                0 => {
                    running.terminate();
                    break None;
                }
                1 => {
                    running.suspend();
                    service
                        .clock
                        .advance(Duration::from_secs(random.u64(1..2400)));
                    running.resume();
                    left = random.usize(1..=steps);
                }
                _ => {
                    running.kill();
                    break None;
                }
            }
        };
        match ended {
            None => {}
            Some(Ended::Status(status)) if status["counts"]["saved"] == items => {
                service.check(&format!("seed {seed}"), 0);
                println!("{items} items, {signals} signals");
                return signals;
            }
            Some(Ended::Status(status)) => {
                assert_eq!(
                    status["counts"]["unknown"],
                    serde_json::Value::Null,
                    "{status}"
                );
            }
            Some(other) => panic!("seed {seed}: {other:?}"),
        }
    }
    panic!("seed {seed}: the batch does not end");
}

#[test]
fn random_signals() {
    for ledger in LedgerKind::all() {
        soak(ledger, 40, 1, 300);
    }
}

#[test]
#[ignore = "takes minutes: cargo xtask ci kill-matrix"]
fn random_signals_at_length() {
    let seed = std::env::var("KLING_OMNI_SEED").ok();
    let seed = seed.map_or_else(|| fastrand::u64(..), |seed| seed.parse().unwrap());
    for ledger in LedgerKind::all() {
        assert!(soak(ledger, 1000, seed, 600) > 20);
    }
}
