//! The table of faults: fault × operation × outcome. Each row is run and then recovered.
//!
//! `conformance/rows.yaml` says how each row ends, and `docs/reliability.md` shows it.

mod fixture;
mod page;
mod resume;
mod row;
mod scenarios;
mod watch;

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use kling_omni_test_support::fail_on;

use row::{Operation, Row, groups};

/// Rows wait for sockets more than they compute.
const ROWS_PER_CORE: usize = 4;

#[test]
fn every_row_ends_as_the_table_says() {
    let groups = groups();
    let work: Vec<(Operation, Row)> = groups
        .iter()
        .flat_map(|group| {
            let rows = group.rows.iter().flat_map(Row::by_route);
            rows.map(|row| (group.operation, row))
        })
        .collect();
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let next = AtomicUsize::new(0);
    let run = || {
        let mut findings = Vec::new();
        while let Some((operation, row)) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
            findings.extend(fixture::run(*operation, row));
        }
        findings
    };
    let mut findings: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> = (0..cores * ROWS_PER_CORE)
            .map(|_| scope.spawn(run))
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("panics end no thread"))
            .collect()
    });
    findings.sort();
    fail_on(findings);
}

#[test]
fn the_page_shows_the_table() {
    page::check(&groups());
}
