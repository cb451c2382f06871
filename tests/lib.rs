//! What the tests in this package share.

pub mod fixture;
pub mod rules;
pub mod snapshots;

/// The examples of the workspace's README, so that they are compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
