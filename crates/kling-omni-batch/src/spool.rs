//! The spool: the records of paid tasks that the ledger could not take, in files of this machine.
//!
//! A database can be away when the response to a create arrives. The record of the task then goes to a file, and to the
//! ledger as soon as it is back: at once, or by the next run.

use std::fs::{self, DirBuilder};
use std::future::Future;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::digest::ledger_id;
use crate::error::{BatchError, BatchResult};
use crate::ledger::{AccountId, AttemptId, KnownUpdate, Lease, Ledger, NewRecord};
use crate::state::{AttemptState, ItemState};

/// How long a record may take before it is written to a file, too.
const DELAY: Duration = Duration::from_secs(1);
/// The extension of a file that is being written.
const PARTIAL: &str = "part";

/// The folder with the records of a ledger.
#[derive(Clone, Debug)]
pub(crate) struct Spool {
    folder: PathBuf,
    /// Identifies the ledger.
    ledger: String,
}

/// The content of a file.
#[derive(Serialize, Deserialize)]
struct SpooledRecord {
    attempt: AttemptId,
    number: u64,
    task_id: String,
    /// The record of the journal.
    json: String,
}

impl Spool {
    pub(crate) fn new(folder: PathBuf, salt: &[u8]) -> Self {
        let ledger = ledger_id(salt);
        Self { folder, ledger }
    }

    /// What the names of the files of an account begin with.
    fn prefix(&self, account: AccountId) -> String {
        format!("{}-{}-", self.ledger, account.0)
    }

    /// Waits for an append to the ledger. `record` is on disk before that takes long, and until it is in the ledger.
    pub(crate) async fn keep(
        &self,
        ledger: &dyn Ledger,
        account: AccountId,
        record: &NewRecord,
        append: impl Future<Output = BatchResult<()>>,
    ) -> BatchResult<()> {
        let Some(task_id) = record.task_id.clone() else {
            return append.await;
        };
        let mut append = pin!(append);
        let soon = tokio::time::timeout(DELAY, &mut append).await;
        if let Ok(Ok(())) = soon {
            return Ok(());
        }
        let name = format!(
            "{}{}-{}.json",
            self.prefix(account),
            record.attempt.0,
            record.number
        );
        let path = self.folder.join(name);
        let spooled = SpooledRecord {
            attempt: record.attempt,
            number: record.number,
            task_id: task_id.clone(),
            json: record.json.clone(),
        };
        match self.write(&path, &spooled) {
            Ok(()) => tracing::warn!(path = %path.display(), "record of a task kept in a file"),
            Err(error) => tracing::error!(%error, "record of a task not kept in a file"),
        }
        let appended = match soon {
            Ok(failed) => failed,
            Err(_) => append.await,
        };
        let is_in_ledger = match &appended {
            Ok(()) => true,
            // The run that has acquired the account may have found the task.
            Err(BatchError::LeaseLost) => {
                let found = has_task(ledger, record.attempt, &task_id).await;
                found.unwrap_or(false)
            }
            Err(_) => false,
        };
        if is_in_ledger {
            self.remove(&path);
        }
        appended
    }

    fn write(&self, path: &Path, record: &SpooledRecord) -> io::Result<()> {
        let mut folder = DirBuilder::new();
        folder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
        folder.create(&self.folder)?;
        let partial = path.with_extension(PARTIAL);
        let mut file = fs::File::create(&partial)?;
        file.write_all(serde_json::to_string(record)?.as_bytes())?;
        file.sync_all()?;
        fs::rename(&partial, path)?;
        #[cfg(unix)]
        fs::File::open(&self.folder)?.sync_all()?;
        Ok(())
    }

    /// A file that stays is delivered again, which changes nothing.
    fn remove(&self, path: &Path) {
        let _ = fs::remove_file(path);
        let _ = fs::remove_dir(&self.folder);
    }

    /// Appends the records of an account to the ledger.
    pub(crate) async fn deliver(&self, ledger: &dyn Ledger, lease: &Lease) -> BatchResult<()> {
        let failed = |error| BatchError::file("read", &self.folder)(error);
        let files = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            files => files.map_err(failed)?,
        };
        for file in files {
            let path = file.map_err(failed)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let extension = path.extension().unwrap_or_default();
            if !name.starts_with(&self.prefix(lease.account)) {
                continue;
            }
            // A process ended while it wrote it.
            if extension == PARTIAL {
                self.remove(&path);
            }
            if extension != "json" {
                continue;
            }
            let content = fs::read(&path).map_err(BatchError::file("read", &path))?;
            let record: SpooledRecord = serde_json::from_slice(&content)
                .map_err(|error| BatchError::file("read", &path)(error.into()))?;
            self.deliver_record(ledger, lease, &path, record).await?;
        }
        // A process may have ended before it wrote the first file. Others keep the folder.
        let _ = fs::remove_dir(&self.folder);
        Ok(())
    }

    async fn deliver_record(
        &self,
        ledger: &dyn Ledger,
        lease: &Lease,
        path: &Path,
        record: SpooledRecord,
    ) -> BatchResult<()> {
        let SpooledRecord {
            attempt,
            number,
            task_id,
            json,
            ..
        } = record;
        let new = NewRecord {
            attempt,
            number,
            json,
            attempt_state: AttemptState::Created,
            item_state: ItemState::Created,
            task_id: Some(task_id.clone()),
            file: None,
            error: None,
            known: KnownUpdate::default(),
        };
        match ledger.append(Some(lease), new).await {
            Ok(()) => {}
            // Another run settled the create meanwhile, or the record was appended after all.
            Err(
                BatchError::RecordExists { .. }
                | BatchError::ItemIs { .. }
                | BatchError::Forbidden { .. },
            ) => {
                if !has_task(ledger, attempt, &task_id).await? {
                    tracing::error!(
                        path = %path.display(),
                        task.id = task_id,
                        "record of a task contradicts the ledger"
                    );
                    let refused = path.with_extension("refused");
                    return fs::rename(path, refused).map_err(BatchError::file("rename", path));
                }
            }
            Err(error) => return Err(error),
        }
        self.remove(path);
        Ok(())
    }
}

/// Whether the ledger has a record of this task.
async fn has_task(ledger: &dyn Ledger, attempt: AttemptId, task_id: &str) -> BatchResult<bool> {
    let records = ledger.records(attempt).await?;
    Ok(records.iter().any(|record| record.contains(task_id)))
}
