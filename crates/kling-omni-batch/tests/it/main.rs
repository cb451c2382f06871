//! Tests of the batch crate.

mod bench;
mod cost;
mod crash;
mod decisions;
mod ledger;
mod manifest;
mod run;
