//! The kinds of snapshots in this package, each with a folder of its own.

use std::path::{Path, PathBuf};

use kling_omni_test_support::snapshots::Snapshots;

/// What a snapshot is about; also the folder it lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The spec's rules, a line for each field.
    Constraints,
    /// The ergonomic types compared with the document.
    Agreement,
    /// JSON Schemas of the ergonomic types.
    Schema,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Constraints, Self::Agreement, Self::Schema];

    /// Name of the folder under `tests/snapshots`.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Constraints => "constraints",
            Self::Agreement => "agreement",
            Self::Schema => "schema",
        }
    }

    /// Some of the snapshots of this kind.
    pub fn some(self) -> Snapshots {
        Snapshots::some_of(self.path())
    }

    /// All snapshots of this kind: a file that nothing was compared with fails the test.
    pub fn all(self) -> Snapshots {
        Snapshots::all_of(self.path())
    }

    fn path(self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("snapshots")
            .join(self.folder())
    }
}
