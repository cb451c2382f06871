//! Prepares an item: inspects its files, checks that its video can be saved, and uploads its files. Costs nothing.

use std::time::{Duration, UNIX_EPOCH};

use kling_omni::download::Destination;
use kling_omni::request::MediaSource;
use kling_omni::{Error, ErrorKind};

use crate::conductor::context::RunContext;
use crate::error::BatchResult;
use crate::ledger::{BatchItem, ItemChange, ItemError, ItemUploads};
use crate::state::ItemState;

/// How often an upload fails in a row before its item is rejected.
const MAX_FAILURES: u32 = 8;

/// Prepares an item. A failure is recorded in the ledger.
pub(super) async fn prepare(shared: &RunContext, item: &BatchItem) -> BatchResult<()> {
    shared.failpoints().before("prepare").await;
    let change = ItemChange::new(item.id, ItemState::Planned, ItemState::Prepared);
    let change = match upload(shared, item).await {
        Ok(uploads) => ItemChange {
            uploads: Some(uploads),
            ..change
        },
        Err(StepFailure {
            error,
            is_transient,
        }) => {
            let failures = item.failures + 1;
            let is_transient = is_transient && failures < MAX_FAILURES;
            tracing::warn!(error.type = error.kind, error = error.text, "item not prepared");
            ItemChange {
                to: match is_transient {
                    true => ItemState::Planned,
                    false => ItemState::Rejected,
                },
                not_before: is_transient.then(|| shared.retry_at(failures)),
                failures,
                ..change.because(error)
            }
        }
    };
    let to = change.to;
    let error = change.error.clone();
    if shared.ledger.change_item(change).await? {
        shared.report(item, to, error);
    }
    shared.failpoints().after("prepare").await;
    Ok(())
}

/// Whether a failure before anything was sent may pass by itself.
pub(super) fn is_transient(kind: ErrorKind) -> bool {
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
pub(super) fn item_error(error: &Error) -> ItemError {
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

/// Why a step failed, and whether that may pass by itself.
pub(super) struct StepFailure {
    pub(super) error: ItemError,
    pub(super) is_transient: bool,
}

impl From<Error> for StepFailure {
    fn from(error: Error) -> Self {
        Self {
            error: item_error(&error),
            is_transient: is_transient(error.kind()),
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
        is_transient: false,
    }
}

async fn upload(shared: &RunContext, item: &BatchItem) -> Result<ItemUploads, StepFailure> {
    let mut request = item
        .request
        .to_request(&ItemUploads::default().urls)
        .map_err(|error| invalid(error.to_string()))?;
    if let Some(folder) = item.path.parent() {
        let folder = folder.to_owned();
        // A failure shows in the check of the destination.
        let _ = tokio::task::spawn_blocking(move || std::fs::create_dir_all(folder)).await;
    }
    // The name is checked, not the free space: a batch has many videos.
    Destination::new(&item.path)
        .required_space(0)
        .check()
        .await?;
    let report = shared.client.preflight(request.clone());
    let report = report.checks(shared.options.media_checks).await;
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
    let uploaded = shared.client.upload_all(files).await?;
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
pub(super) fn uploads_are_current(shared: &RunContext, item: &BatchItem) -> bool {
    /// The service fetches the files after the create, at a time that is not documented.
    const MARGIN: Duration = Duration::from_secs(15 * 60);
    let soon = shared.client.clock().system_time() + MARGIN;
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
