//! One entry of a set of known tasks, and its text form.

use std::fmt;

use serde::de::value::{BorrowedStrDeserializer, Error as TextError};
use serde::de::{self, Deserialize, Deserializer};
use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::engine::operations::{CreateOperation, ListOperation};
use crate::engine::task_id::TaskId;
use crate::engine::unconfirmed::CreateNonce;

/// An entry of a set of [`KnownTasks`](super::KnownTasks): one fact about one task.
///
/// In JSON it is a string without line breaks: for a listed task, the name of the list and the id of the task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownEntry {
    id: TaskId,
    kind: EntryKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum EntryKind {
    /// The task is on this list.
    Listed(&'static ListOperation),
    /// The task is no longer on this list.
    Disappeared(&'static ListOperation),
    /// The task belongs to a create of the set.
    Created {
        create: CreateNonce,
        /// `None` if the response to the create did not name the task.
        operation: Option<&'static CreateOperation>,
    },
}

impl KnownEntry {
    pub(super) fn listed(id: TaskId, list: &'static ListOperation) -> Self {
        let kind = EntryKind::Listed(list);
        Self { id, kind }
    }

    pub(super) fn disappeared(id: TaskId, list: &'static ListOperation) -> Self {
        let kind = EntryKind::Disappeared(list);
        Self { id, kind }
    }

    pub(super) fn created(
        id: TaskId,
        create: CreateNonce,
        operation: Option<&'static CreateOperation>,
    ) -> Self {
        let kind = EntryKind::Created { create, operation };
        Self { id, kind }
    }

    /// The id of the task.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether the entry says that the task belongs to a create of the set.
    pub fn is_own(&self) -> bool {
        matches!(self.kind, EntryKind::Created { .. })
    }

    pub(super) fn task_id(&self) -> &TaskId {
        &self.id
    }

    pub(super) fn kind(&self) -> &EntryKind {
        &self.kind
    }

    /// Adds the entry to the hash of a sequence.
    pub(super) fn add_to(&self, hash: &mut Sha256) {
        let text = self.to_string();
        hash.update(text.len().to_le_bytes());
        hash.update(text);
    }

    fn parse(text: &str) -> Option<Self> {
        let (first, rest) = text.split_once(' ')?;
        let (kind, id) = if let Some(create) = first.strip_prefix('+') {
            let (operation, id) = rest.split_once(' ')?;
            let operation = match operation {
                "-" => None,
                name => Some(by_name(name)?),
            };
            let create = by_name(create)?;
            (EntryKind::Created { create, operation }, id)
        } else if let Some(list) = first.strip_prefix('-') {
            (EntryKind::Disappeared(by_name(list)?), rest)
        } else {
            (EntryKind::Listed(by_name(first)?), rest)
        };
        let id = TaskId::parse(id).ok()?;
        Some(Self { id, kind })
    }
}

/// Deserialises a value that is a name.
fn by_name<'de, T: Deserialize<'de>>(name: &'de str) -> Option<T> {
    T::deserialize(BorrowedStrDeserializer::<TextError>::new(name)).ok()
}

impl fmt::Display for KnownEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            EntryKind::Listed(list) => write!(f, "{} ", list.name)?,
            EntryKind::Disappeared(list) => write!(f, "-{} ", list.name)?,
            EntryKind::Created { create, operation } => {
                let operation = operation.map_or("-", |operation| operation.name);
                write!(f, "+{} {operation} ", create.as_str())?;
            }
        }
        f.write_str(&self.id)
    }
}

impl Serialize for KnownEntry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KnownEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("not an entry of known tasks"))
    }
}
