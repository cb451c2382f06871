//! Converts errors of batches into failures.

use std::error::Error as _;

use kling_omni::Charged;
use kling_omni_batch::manifest::ManifestError;
use kling_omni_batch::{BatchError, BatchStatus};

use crate::exit::Exit;
use crate::failure::Failure;

/// Converts an error of a batch.
pub(super) fn explain(error: BatchError) -> Failure {
    let (kind, exit) = match error {
        BatchError::Client(error) => return error.into(),
        BatchError::NoSuchBatch { .. } => ("no_such_batch", Exit::Usage),
        BatchError::NoSuchItem { .. } => ("no_such_item", Exit::Usage),
        BatchError::Changed { .. } | BatchError::SamePath { .. } => ("changed_item", Exit::Usage),
        BatchError::Request { .. } | BatchError::Row(_) => ("invalid_item", Exit::Usage),
        BatchError::ItemIs { .. } | BatchError::BatchIs { .. } => ("invalid_state", Exit::Usage),
        BatchError::NotItsTask { .. } => ("not_its_task", Exit::Usage),
        BatchError::NoPostgres => ("no_postgres", Exit::Usage),
        BatchError::NoQueue => ("no_queue", Exit::Usage),
        BatchError::NotForWorkers { .. } => ("not_for_workers", Exit::Usage),
        BatchError::InUse { .. } => ("in_use", Exit::Usage),
        BatchError::Policy { .. } => ("newer_policy", Exit::File),
        BatchError::Moved { .. } => ("moved", Exit::Usage),
        BatchError::NotEmpty { .. } => ("not_empty", Exit::Usage),
        BatchError::OtherAccount { .. } => ("other_account", Exit::Access),
        BatchError::NewerSchema { .. }
        | BatchError::Damaged { .. }
        | BatchError::OldSqlite { .. }
        | BatchError::Full
        | BatchError::Locked
        | BatchError::Unavailable(_)
        | BatchError::InDoubt(_)
        | BatchError::Interrupted
        | BatchError::Ledger(_) => ("ledger", Exit::File),
        BatchError::File { .. } => ("file", Exit::File),
        BatchError::Aborted => ("interrupted", Exit::Interrupted),
        _ => ("unexpected", Exit::Unexpected),
    };
    let mut failure = Failure::custom(kind, exit, error.to_string());
    if let Some(cause) = error.source() {
        failure = failure.with_cause(cause);
    }
    match error.help() {
        Some(help) => failure.with_help(help),
        None => failure,
    }
}

/// Converts an error about a manifest as a whole. Nothing was sent.
pub(super) fn explain_manifest(error: ManifestError) -> Failure {
    let failure = match &error {
        ManifestError::Unreadable { .. } => Failure::file(error.to_string()),
        _ => Failure::usage(error.to_string()),
    };
    failure.with_charged(Charged::No)
}

/// Marks a failure from before anything was sent.
pub(super) fn not_charged(failure: Failure) -> Failure {
    failure.with_charged(Charged::No)
}

/// Returns whether a batch was charged.
pub(super) fn charged(status: &BatchStatus) -> Charged {
    match status.tasks() {
        0 => Charged::No,
        _ => Charged::Yes,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn errors_have_the_exit_codes_of_their_kinds() {
        let text = || "clips".to_owned();
        let denied = || io::Error::from(io::ErrorKind::PermissionDenied);
        for (error, code) in [
            (BatchError::NoSuchBatch { name: text() }, 2),
            (BatchError::InUse { holder: text() }, 2),
            (
                BatchError::NotItsTask {
                    key: text(),
                    task: text(),
                },
                2,
            ),
            (BatchError::OtherAccount { batch: text() }, 3),
            (BatchError::Full, 7),
            (BatchError::Locked, 7),
            (BatchError::Ledger(denied().into()), 7),
            (
                BatchError::File {
                    action: "write",
                    path: text().into(),
                    source: denied(),
                },
                7,
            ),
            (BatchError::LeaseLost, 1),
            (BatchError::Aborted, 130),
        ] {
            let shown = error.to_string();
            assert_eq!(explain(error).exit().code(), code, "{shown}");
        }
    }
}
