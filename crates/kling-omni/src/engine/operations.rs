//! The operations of a service, as data.

use std::fmt;

use serde::{Serialize, Serializer};

/// Lists tasks of an account.
#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ListOperation {
    /// The name in files.
    pub(crate) name: &'static str,
    /// The maximum number of tasks on a page; `None` if the list is not paginated.
    pub(crate) max_page_size: Option<u32>,
    /// The position in the service's own table.
    pub(crate) key: usize,
}

/// Reads a task.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ReadOperation {
    pub(crate) name: &'static str,
    /// The list that has the tasks that are read here.
    pub(crate) list: Option<&'static ListOperation>,
    /// The position in the service's own table.
    pub(crate) key: usize,
}

/// Creates a task.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CreateOperation {
    /// The name in files.
    pub(crate) name: &'static str,
    /// The name in messages.
    pub(crate) title: &'static str,
    /// The lists that may have its tasks.
    pub(crate) lists: &'static [&'static ListOperation],
    /// Whether the service documents that these lists have its tasks.
    pub(crate) is_listed: bool,
    /// The operations that may read its tasks, most likely first.
    pub(crate) reads: &'static [&'static ReadOperation],
    /// The position in the service's own table.
    pub(crate) key: usize,
}

impl fmt::Display for ListOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Display for CreateOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title)
    }
}

impl Serialize for ListOperation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

impl Serialize for CreateOperation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}
