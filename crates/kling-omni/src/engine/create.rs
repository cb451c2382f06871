//! The create of a task.

pub(crate) mod outcome;
