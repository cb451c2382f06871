//! The chores, tested on copies of this workspace's own spec.

mod diff;
mod extensions;
mod rules;

mod upstream;

mod fresh;

mod accept;
mod check;
mod ci;
mod dist;
mod exit;
#[cfg(unix)]
mod recipes;
mod snapshots;
mod summary;
mod write;

mod workspace;
