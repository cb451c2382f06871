//! A page of a list of tasks, with completeness flags.

pub(crate) mod extent;

use crate::engine::page::extent::Extent;
use crate::engine::state::TaskSummary;

/// One page of a list, with completeness flags.
pub(crate) struct Page {
    pub(crate) tasks: Vec<TaskSummary>,
    /// Whether all ids could be read.
    pub(crate) is_complete: bool,
    /// The announced position and size of the page.
    pub(crate) extent: Extent,
    /// Whether the list exists. The service returns 404 for an account without tasks, and would do so for a removed
    /// route.
    pub(crate) exists: bool,
}
