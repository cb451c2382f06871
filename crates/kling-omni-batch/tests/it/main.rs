//! Tests of the batch crate.
