//! Tests of the batch crate.

mod bench;
mod bucket;
mod cost;
mod crash;
mod decisions;
#[cfg(unix)]
mod disk_full;
mod example_programs;
#[cfg(unix)]
mod kill_matrix;
mod ledger;
mod manifest;
mod metrics;
#[cfg(unix)]
mod moving;
#[cfg(unix)]
mod postgres;
#[cfg(unix)]
mod process;
mod report;
mod run;
#[cfg(unix)]
mod secrets;
#[cfg(unix)]
mod soak;
#[cfg(unix)]
mod two_processes;
mod webhooks;
