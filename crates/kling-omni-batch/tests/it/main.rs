//! Tests of the batch crate.

mod ledger;
