//! The chores, tested on copies of this workspace's own spec.

mod diff;
mod document;

mod upstream;

mod fresh;

mod lint;
mod output;
mod prepare;

mod exit;
mod write;

mod workspace;
