//! The commands of this workspace, as a library so that tests can call them.

#![warn(missing_docs)]

pub mod accept;
pub mod check;
pub mod ci;
pub mod summary;

pub mod codegen;
pub mod snapshots;
pub mod spec;
pub mod surface;

pub mod log;
pub mod tracked;

pub mod bench;
pub mod dist;
pub mod explain;
pub mod record;
pub mod rules_page;
pub mod screenshots;

pub mod exit;
