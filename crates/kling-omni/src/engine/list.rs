//! A page of a list of tasks.

pub(crate) mod extent;
