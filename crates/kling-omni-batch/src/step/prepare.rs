//! Prepares an item: inspects its files, checks that its video can be saved, and uploads its files. Costs nothing.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use kling_omni::request::MediaSource;
use kling_omni::{Error, ErrorKind};

use crate::blocking::run_blocking;
use crate::error::BatchResult;
use crate::ledger::{BatchItem, ItemChange, ItemError, ItemUploads};
use crate::object_url::is_url;
use crate::state::ItemState;
use crate::step::StepContext;

/// How often an upload fails in a row before its item is rejected.
const MAX_FAILURES: u32 = 8;

/// The file that a check of a folder creates for a moment. The name is fixed, so the next check removes what a process left
/// that was killed.
const TEST_FILE: &str = ".kling-omni-batch";

/// The result of preparing an item.
pub(crate) enum PrepareResult {
    /// It can be created.
    Ready(Box<BatchItem>),
    /// It is rejected, or will be tried again.
    Done,
    /// It will be tried again, after a person acted.
    Pause(ItemError),
}

/// Prepares an item. A failure is recorded in the ledger.
pub(crate) async fn prepare(context: &StepContext, item: BatchItem) -> BatchResult<PrepareResult> {
    context.failpoints().before("prepare").await;
    let change = ItemChange::new(item.id, ItemState::Planned, ItemState::Prepared);
    let mut pause = None;
    let change = match upload(context, &item).await {
        Ok(uploads) => ItemChange {
            uploads: Some(uploads),
            ..change
        },
        Err(StepFailure { error, next }) => {
            tracing::warn!(error.type = error.kind, error = error.text, "item not prepared");
            let failures = item.failures + 1;
            let is_rejected = match next {
                AfterFailure::Reject => true,
                AfterFailure::TryAgain => failures >= MAX_FAILURES,
                AfterFailure::Pause => false,
            };
            if next == AfterFailure::Pause {
                pause = Some(error.clone());
            }
            ItemChange {
                to: match is_rejected {
                    true => ItemState::Rejected,
                    false => ItemState::Planned,
                },
                not_before: (!is_rejected).then(|| context.retry_at(failures)),
                failures,
                ..change.because(error)
            }
        }
    };
    let (to, error) = (change.to, change.error.clone());
    let uploads = change.uploads.clone();
    let is_changed = context.ledger.change_item(change).await?;
    if is_changed {
        context.report(&item, to, error);
    }
    context.failpoints().after("prepare").await;
    // What failed for an item that another worker has prepared meanwhile concerns nothing.
    if let Some(reason) = pause.filter(|_| is_changed) {
        return Ok(PrepareResult::Pause(reason));
    }
    if !is_changed || to != ItemState::Prepared {
        return Ok(PrepareResult::Done);
    }
    Ok(PrepareResult::Ready(Box::new(BatchItem {
        state: to,
        uploads: uploads.unwrap_or_default(),
        failures: 0,
        not_before: None,
        ..item
    })))
}

/// Whether a failure before anything was sent may pass by itself.
pub(crate) fn is_transient(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::RateLimited
            | ErrorKind::Server
            | ErrorKind::Transport
            | ErrorKind::Timeout
            | ErrorKind::Upload
    )
}

/// The error as the ledger has it.
pub(crate) fn item_error(error: &Error) -> ItemError {
    let kind = serde_json::to_value(error.kind()).ok();
    let kind = kind.and_then(|kind| kind.as_str().map(str::to_owned));
    let mut text = error.summary().to_owned();
    if let Some(finding) = error.findings().iter().find(|finding| finding.is_error()) {
        text = finding.to_string();
    }
    ItemError {
        kind: kind.unwrap_or_default(),
        text,
    }
}

/// What follows from a failure to prepare an item.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AfterFailure {
    /// The item cannot be created.
    Reject,
    /// It may pass by itself.
    TryAgain,
    /// It concerns all items, and a person has to act.
    Pause,
}

/// Why an item could not be prepared.
struct StepFailure {
    error: ItemError,
    next: AfterFailure,
}

impl From<Error> for StepFailure {
    fn from(error: Error) -> Self {
        Self {
            error: item_error(&error),
            next: match is_transient(error.kind()) {
                true => AfterFailure::TryAgain,
                false => AfterFailure::Reject,
            },
        }
    }
}

/// A failure about a request that is not valid.
fn invalid(text: String) -> StepFailure {
    StepFailure {
        error: ItemError {
            kind: "validation".to_owned(),
            text,
        },
        next: AfterFailure::Reject,
    }
}

/// Checks that the video of an item can be saved.
async fn check_destination(context: &StepContext, path: &Path) -> Result<(), StepFailure> {
    if !is_url(path) {
        let (path, writable) = (path.to_owned(), Arc::clone(&context.writable));
        return run_blocking(move || check_path(&path, &writable)).await;
    }
    let pause = |error| StepFailure {
        error,
        next: AfterFailure::Pause,
    };
    let destination = context.destination(path).map_err(pause)?;
    let checked = destination.check().await;
    checked.map_err(|error| match error.kind() {
        // The bucket or its credentials.
        ErrorKind::Configuration => pause(item_error(&error)),
        _ => error.into(),
    })
}

/// Checks that a video can be saved at `path`. The free space is not checked: a batch has many videos.
///
/// A file is created in a folder that is not in `writable`. A file that is removed makes the next ones of the folder slow to
/// create for some seconds, at least on ext4.
fn check_path(path: &Path, writable: &Mutex<HashSet<PathBuf>>) -> Result<(), StepFailure> {
    let failed = |next, text| {
        let kind = "file".to_owned();
        Err(StepFailure {
            error: ItemError { kind, text },
            next,
        })
    };
    let checked = path.parent().map_or(Ok(()), |folder| {
        let mut writable = writable.lock().unwrap_or_else(PoisonError::into_inner);
        if !writable.contains(folder) {
            create_test_file(folder)?;
            writable.insert(folder.to_owned());
        }
        Ok(())
    });
    let name = path.display();
    match checked.and_then(|()| fs::symlink_metadata(path)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(_) => failed(AfterFailure::Reject, format!("{name} already exists")),
        Err(error) => {
            let is_of_item = matches!(
                error.kind(),
                io::ErrorKind::InvalidFilename
                    | io::ErrorKind::InvalidInput
                    | io::ErrorKind::NotADirectory
                    | io::ErrorKind::AlreadyExists
            );
            let next = match is_of_item {
                true => AfterFailure::Reject,
                false => AfterFailure::Pause,
            };
            failed(next, format!("{name} could not be written: {error}"))
        }
    }
}

fn create_test_file(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let test_file = folder.join(TEST_FILE);
    fs::File::create(&test_file)?;
    match fs::remove_file(&test_file) {
        // Another process removed it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

async fn upload(context: &StepContext, item: &BatchItem) -> Result<ItemUploads, StepFailure> {
    let mut request = item
        .request
        .to_request(&ItemUploads::default().urls)
        .map_err(|error| invalid(error.to_string()))?;
    check_destination(context, &item.path).await?;
    let report = context.client.preflight(request.clone());
    let report = report
        .checks(context.options.media_checks)
        .allow_private_networks(context.options.allow_private_networks)
        .await;
    if let Some(finding) = report.findings().iter().find(|finding| finding.is_error()) {
        return Err(invalid(finding.to_string()));
    }
    let mut media = request.media();
    media.retain(|(_, source)| source.is_local());
    let files: Vec<_> = media
        .iter()
        .filter_map(|(_, source)| match source {
            MediaSource::File(path) => Some(path.clone()),
            _ => None,
        })
        .collect();
    let mut uploads = ItemUploads::default();
    if files.is_empty() {
        return Ok(uploads);
    }
    let uploaded = context.client.upload_all(files).await?;
    for ((field, _), file) in media.into_iter().zip(uploaded) {
        let expires = file
            .expires_at
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let expires = expires.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        uploads.expires_at_ms = [uploads.expires_at_ms, expires].into_iter().flatten().min();
        request.set_media(field, &file.url);
        uploads.urls.insert(field.to_string(), file.url);
    }
    Ok(uploads)
}

/// Whether the uploads of an item work for long enough to be used now.
pub(crate) fn uploads_are_current(context: &StepContext, item: &BatchItem) -> bool {
    /// The service fetches the files after the create, at a time that is not documented.
    const MARGIN: Duration = Duration::from_secs(15 * 60);
    let soon = context.client.clock().system_time() + MARGIN;
    let has_all = item
        .request
        .files()
        .keys()
        .all(|field| item.uploads.urls.contains_key(field));
    let expires = item
        .uploads
        .expires_at_ms
        .map(|ms| UNIX_EPOCH + Duration::from_millis(ms));
    has_all && expires.is_none_or(|expires| expires > soon)
}
