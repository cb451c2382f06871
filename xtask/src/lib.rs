//! The chores of this workspace, as a library so that tests can call them.

#![warn(missing_docs)]

pub mod accept;
pub mod check;
pub mod ci;
pub mod summary;

pub mod codegen;
pub mod snapshots;
pub mod spec;
pub mod surface;

pub mod held;
pub mod log;

pub mod bench;
pub mod catalogue;
pub mod explain;

pub mod exit;
