//! What the tests in this package share.

pub mod fixture;
pub mod rules;
pub mod snapshots;

/// Compiles the examples of the workspace's README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
