//! The chores of this workspace, as a library so that tests can call them.

#![warn(missing_docs)]

pub mod codegen;
pub mod spec;

pub mod catalogue;
pub mod explain;

pub mod exit;
pub mod format;
pub mod tree;
