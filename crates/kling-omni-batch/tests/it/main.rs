//! Tests of the batch crate.

mod bench;
mod crash;
mod decisions;
mod ledger;
mod manifest;
mod run;
