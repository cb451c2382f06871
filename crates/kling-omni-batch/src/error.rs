//! The errors of batches and ledgers.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::manifest::RowFindings;
use crate::state::{BatchState, ItemState};

/// The result type of this crate.
pub type BatchResult<T> = Result<T, BatchError>;

/// The error type of this crate. `Display` is one clause: what failed. [`help`](Self::help) says what to do.
///
/// `Debug` has both and the causes, for a program whose `main` returns the error.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// The ledger was written by a newer version of this crate.
    #[error(
        "the ledger {path} has schema {found}, written by {written_by}, but this version supports up to {supported}"
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// The schema of the file.
        found: u32,
        /// The newest schema that this version supports.
        supported: u32,
        /// The version that wrote it.
        written_by: String,
    },
    /// The file is not a ledger, or is damaged.
    #[error("{path} is not an intact ledger: {problem}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The linked SQLite has an error that can damage a ledger.
    #[error("SQLite {version} can damage a ledger, {minimum} or newer is needed")]
    OldSqlite {
        /// The version that is linked.
        version: String,
        /// The oldest version without the error.
        minimum: &'static str,
    },
    /// Another process, or another run of this one, has the account.
    #[error("the account is in use by another run ({holder})")]
    InUse {
        /// Who has it, as far as known.
        holder: String,
    },
    /// The lease of the account was lost: another process has it now. Nothing was written.
    #[error("the lease of the account was lost to another run")]
    LeaseLost,
    /// The client has another key, or uses another service, than the batch was started with.
    #[error("the batch {batch:?} belongs to another account or service than the client")]
    OtherAccount {
        /// The name of the batch.
        batch: String,
    },
    /// There is no such batch.
    #[error("there is no batch {name:?} in the ledger")]
    NoSuchBatch {
        /// The name.
        name: String,
    },
    /// There is no such item.
    #[error("there is no item {key:?} in the batch {batch:?}")]
    NoSuchItem {
        /// The name of the batch.
        batch: String,
        /// The key.
        key: String,
    },
    /// An item with this key was imported before, with another request or another file.
    #[error("the item {key:?} was imported before with another {what}")]
    Changed {
        /// The key.
        key: String,
        /// What differs.
        what: &'static str,
    },
    /// Two items have the same file.
    #[error("the items {key:?} and {other:?} have the same file {path}")]
    SamePath {
        /// The key of the later item.
        key: String,
        /// The key of the earlier item.
        other: String,
        /// The file.
        path: PathBuf,
    },
    /// A row of a manifest has findings.
    #[error(transparent)]
    Row(#[from] RowFindings),
    /// The request of an item cannot be stored.
    #[error("the request of the item {key:?} cannot be stored: {problem}")]
    Request {
        /// The key.
        key: String,
        /// What is wrong.
        problem: String,
    },
    /// The item is in a state in which this is not possible.
    #[error("the item {key:?} is {state}")]
    ItemIs {
        /// The key.
        key: String,
        /// Its state.
        state: ItemState,
    },
    /// The batch is in a state in which this is not possible.
    #[error("the batch {name:?} is {state}")]
    BatchIs {
        /// The name.
        name: String,
        /// Its state.
        state: BatchState,
    },
    /// Another attempt of this item was paid or may have been, or another create of the account is unconfirmed.
    #[error("a create that is paid, or may be, forbids another one ({rule})")]
    Forbidden {
        /// The rule of the ledger: `paid_once`, `one_unconfirmed` or `task_once` (a task belongs to one item).
        rule: &'static str,
    },
    /// A task cannot be the one of an item.
    #[error(
        "the task {task} is older than the create of the item {key:?}, or belongs to another create"
    )]
    NotItsTask {
        /// The key of the item.
        key: String,
        /// The task.
        task: String,
    },
    /// A record with this number exists.
    #[error("record {number} of the attempt exists already")]
    RecordExists {
        /// The number.
        number: u64,
    },
    /// The disk or the ledger is full.
    #[error("the ledger is full")]
    Full,
    /// Another process is in a transaction, and was waited for in vain.
    #[error("the ledger is locked by another process")]
    Locked,
    /// The database of the ledger cannot be reached, or does not respond.
    #[error("the database of the ledger is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The connection to the database was lost during a commit, and it cannot be read back whether it was committed.
    #[error("it is not known whether the last change of the ledger was committed")]
    InDoubt(#[source] Box<BatchError>),
    /// An import was interrupted: the connection to the database was lost. Nothing was added.
    #[error("the import was interrupted")]
    Interrupted,
    /// The location of a ledger is a URL of Postgres, and this program was built without the feature `postgres`.
    #[error("this program was built without the feature `postgres`")]
    NoPostgres,
    /// The ledger was moved to another location.
    #[error("the ledger was moved to {location}")]
    Moved {
        /// Where it is now, or will be when the move is completed.
        location: String,
    },
    /// A ledger can be moved only to an empty one.
    #[error("the ledger {location} is not empty")]
    NotEmpty {
        /// The target of the move.
        location: String,
    },
    /// The ledger delivers no jobs: workers need a ledger in Postgres, or a queue of their own.
    #[error("the ledger delivers no jobs to workers")]
    NoQueue,
    /// A newer version of this crate stored how workers run the batch.
    #[error("how workers run the batch {batch:?} is not readable by this version")]
    Policy {
        /// The name of the batch.
        batch: String,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// A run has an option that cannot be left to workers.
    #[error("{option} cannot be left to workers")]
    NotForWorkers {
        /// The option.
        option: &'static str,
    },
    /// The ledger could not be read or written.
    #[error("the ledger failed")]
    Ledger(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A file could not be read or written.
    #[error("cannot {action} {path}")]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The run was aborted.
    #[error("the run was aborted")]
    Aborted,
    /// The client failed.
    #[error(transparent)]
    Client(kling_omni::Error),
}

impl BatchError {
    /// What to do about the error, as an imperative clause.
    pub fn help(&self) -> Option<&str> {
        Some(match self {
            Self::NewerSchema { .. } => "use the version that wrote it, or a newer one",
            Self::Damaged { .. } => {
                "restore the file from a backup that is newer than the last create, or compare the account's list with its items before you create again"
            }
            Self::InUse { .. } => "wait until that run ends, or stop it",
            Self::LeaseLost => "start again: the next run settles what was unconfirmed",
            Self::OtherAccount { .. } => {
                "use the key and the service that the batch was started with"
            }
            Self::Changed { .. } => {
                "use another id for a changed item, or another name for the batch"
            }
            Self::SamePath { .. } => "give each item a file of its own",
            Self::Full => "free disk space, and start again",
            Self::Unavailable(_) => "start the database, and start again",
            Self::InDoubt(_) => "start again: the next run reads what the ledger has",
            Self::Interrupted => "import again",
            Self::NoPostgres => "build it with the feature `postgres`, or name a file",
            Self::Moved { .. } => {
                "use it there; if the move was interrupted, run the same move again"
            }
            Self::NotEmpty { .. } => "move to a new ledger",
            Self::NoQueue => "use a ledger in Postgres",
            Self::Policy { .. } => "use the version that submitted it, or a newer one",
            Self::Locked => "continue or end the process that has it open, and start again",
            Self::Client(error) => return error.help(),
            _ => return None,
        })
    }

    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }
}

impl fmt::Debug for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Client(error) = self {
            return fmt::Debug::fmt(error, f);
        }
        write!(f, "{self}")?;
        if let Some(help) = self.help() {
            write!(f, "\n  help: {help}")?;
        }
        let mut cause = self.source();
        while let Some(next) = cause {
            write!(f, "\n  caused by: {next}")?;
            cause = next.source();
        }
        Ok(())
    }
}

impl From<kling_omni::Error> for BatchError {
    /// The error of a journal whose ledger is full is [`Full`](Self::Full).
    fn from(error: kling_omni::Error) -> Self {
        let mut cause = std::error::Error::source(&error);
        while let Some(found) = cause {
            let inner = found
                .downcast_ref::<io::Error>()
                .and_then(io::Error::get_ref);
            if let Some(Self::Full) = inner.and_then(|inner| inner.downcast_ref()) {
                return Self::Full;
            }
            cause = found.source();
        }
        Self::Client(error)
    }
}

impl From<BatchError> for io::Error {
    fn from(error: BatchError) -> Self {
        let kind = match error {
            BatchError::RecordExists { .. } => io::ErrorKind::AlreadyExists,
            BatchError::Full => io::ErrorKind::StorageFull,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_says_what_to_do_and_why() {
        let denied = || io::ErrorKind::PermissionDenied.into();
        let client = kling_omni::ApiKey::new("a b").unwrap_err();
        for (error, lines) in [
            (
                BatchError::Full,
                vec!["the ledger is full", "  help: free disk space"],
            ),
            (
                BatchError::file("read", "a.db")(denied()),
                vec!["cannot read a.db", "  caused by: permission denied"],
            ),
            (
                BatchError::Client(client),
                vec!["Configuration: ", "  charged: no", "  help: copy"],
            ),
        ] {
            let text = format!("{error:?}");
            let found: Vec<_> = text.lines().collect();
            assert_eq!(found.len(), lines.len(), "{text}");
            for (found, start) in found.iter().zip(lines) {
                assert!(found.starts_with(start), "{text}");
            }
        }
    }
}
