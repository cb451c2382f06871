//! A page of a list of tasks, with completeness flags.

pub(crate) mod extent;

use crate::engine::page::extent::Extent;
use crate::engine::state::TaskSummary;

/// One page of a list, with completeness flags.
pub(crate) struct Page {
    pub(crate) tasks: Vec<TaskSummary>,
    /// Whether all ids on it could be read.
    pub(crate) is_whole: bool,
    /// What else is said of how much of the list it is.
    pub(crate) extent: Extent,
    /// Whether the service showed a list, and did not answer that it has none, as it does for an account without tasks
    /// and would for a route that is gone.
    pub(crate) is_there: bool,
}
