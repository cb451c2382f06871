//! The rows of a ledger.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::time::SystemTime;

use kling_omni::download::VideoFinding;
use kling_omni::journal::State;
use kling_omni::request::Request;
use kling_omni::{Mode, Tier};
use serde::{Deserialize, Serialize};

use crate::error::{BatchError, BatchResult};
use crate::object_url::is_url;
use crate::request::StoredRequest;
use crate::state::{AttemptState, BatchState, ItemState};

/// Declares the ids of rows.
macro_rules! ids {
    ($($(#[$meta:meta])* $name:ident,)+) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);
    )+};
}

ids! {
    /// Identifies a batch in its ledger.
    BatchId,
    /// Identifies an account in its ledger.
    AccountId,
    /// Identifies an item in its ledger.
    ItemId,
    /// Identifies an attempt in its ledger.
    AttemptId,
}

/// A batch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Batch {
    /// Its id.
    pub id: BatchId,
    /// Its name, unique in the ledger.
    pub name: String,
    /// The account, once it has been run.
    pub account: Option<AccountId>,
    /// Its state.
    pub state: BatchState,
    /// Why it is in this state, if a run paused it.
    pub reason: Option<String>,
    /// When it was first imported, by the clock of the ledger.
    pub created_at: SystemTime,
    /// How workers run it, as JSON. `None` if it is left to [runs](crate::Batches::run).
    pub policy: Option<String>,
}

/// An item to import.
#[derive(Clone, Debug, PartialEq)]
pub struct NewItem {
    /// The key, unique in the batch.
    pub key: String,
    /// The request.
    pub request: StoredRequest,
    /// The file of the video, or the URL of its object.
    pub path: PathBuf,
    /// The length of the video in seconds, or its maximum: [`Request::max_seconds`].
    pub seconds: u32,
}

impl NewItem {
    /// Creates an item. `path` is a file, and becomes absolute, or the URL of an object, such as `s3://my-bucket/cat.mp4`. For
    /// an object, a run needs [`RunOptions::video_store`](crate::RunOptions::video_store).
    ///
    /// # Errors
    ///
    /// [`BatchError::Request`] if the request has an image or a video in memory, and [`BatchError::File`] if `path` is empty.
    pub fn new(
        key: impl Into<String>,
        request: &Request,
        path: impl Into<PathBuf>,
    ) -> BatchResult<Self> {
        let (key, path) = (key.into(), path.into());
        let seconds = request.max_seconds();
        let request = StoredRequest::new(request).map_err(|problem| BatchError::Request {
            key: key.clone(),
            problem: problem.to_string(),
        })?;
        let path = match is_url(&path) {
            true => path,
            false => std::path::absolute(&path).map_err(BatchError::file("find", &path))?,
        };
        Ok(Self {
            key,
            request,
            path,
            seconds,
        })
    }
}

/// The items of an import, one at a time. An error ends the import, and nothing of it is kept.
pub type NewItems = Box<dyn Iterator<Item = BatchResult<NewItem>> + Send>;

/// The result of an import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Imported {
    /// The number of items that were added.
    pub added: u64,
    /// The number of items that the ledger had already.
    pub unchanged: u64,
}

/// An item.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct BatchItem {
    /// Its id.
    pub id: ItemId,
    /// Its batch.
    pub batch: BatchId,
    /// Its position in the batch, from 0.
    pub position: u64,
    /// Its key.
    pub key: String,
    /// The file of its video.
    pub path: PathBuf,
    /// Its request.
    pub request: StoredRequest,
    /// The hash of the request.
    pub request_sha256: String,
    /// Its state.
    pub state: ItemState,
    /// The uploads of its local files.
    pub uploads: ItemUploads,
    /// No step of a run begins before.
    pub not_before: Option<SystemTime>,
    /// How often the present step failed in a row.
    pub failures: u32,
    /// The number of attempts that were begun.
    pub attempts: u32,
    /// The last error.
    pub error: Option<ItemError>,
}

/// The uploads of the local files of an item, by the path of their field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ItemUploads {
    /// The URLs.
    pub urls: BTreeMap<String, String>,
    /// When the first of them expires, in milliseconds since 1970.
    pub expires_at_ms: Option<u64>,
}

/// Why an item is in its state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemError {
    /// The kind: a name of [`ErrorKind`](kling_omni::ErrorKind), or one of a run.
    pub kind: String,
    /// What failed.
    pub text: String,
}

/// A saved video.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedFile {
    /// The file.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// The SHA-256 of its content, in 64 hexadecimal digits.
    pub sha256: String,
    /// Where the video differs from its request; empty if it does not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<VideoFinding>,
}

impl SavedFile {
    /// The file of a journal whose video is saved.
    pub(crate) fn of(state: &State) -> Option<Self> {
        match state {
            State::Saved { file, .. } => Some(Self {
                path: file.path.clone(),
                bytes: file.bytes,
                sha256: file.sha256.clone(),
                findings: file.findings.clone(),
            }),
            _ => None,
        }
    }
}

/// An attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// Its item.
    pub item: ItemId,
    /// Its account.
    pub account: AccountId,
    /// Its number among the attempts of the item, from 1.
    pub number: u32,
    /// Its state.
    pub state: AttemptState,
    /// The task, once it is known.
    pub task_id: Option<String>,
    /// The tasks that may belong to an undecided attempt.
    pub candidates: Vec<String>,
    /// The number of tasks of the item that failed.
    pub failed_tasks: u32,
}

/// Selects items.
#[derive(Clone, Debug)]
pub struct ItemQuery {
    /// Of this batch.
    pub batch: BatchId,
    /// In one of these states; in any if empty.
    pub states: Vec<ItemState>,
    /// At this position or later.
    pub from: u64,
    /// At most so many, in the order of their positions.
    pub limit: u32,
    /// Only those that may begin at this time.
    pub ready_at: Option<SystemTime>,
    /// None of these.
    pub except: HashSet<ItemId>,
}

impl ItemQuery {
    /// All items of a batch.
    pub fn new(batch: BatchId) -> Self {
        Self {
            batch,
            states: Vec::new(),
            from: 0,
            limit: u32::MAX,
            ready_at: None,
            except: HashSet::new(),
        }
    }
}

/// A change of an item by a step that costs nothing.
#[derive(Clone, Debug)]
pub struct ItemChange {
    /// The item.
    pub item: ItemId,
    /// The state in which it must be.
    pub from: ItemState,
    /// The next state.
    pub to: ItemState,
    /// The uploads, if they changed.
    pub uploads: Option<ItemUploads>,
    /// No step begins before.
    pub not_before: Option<SystemTime>,
    /// How often the present step failed in a row.
    pub failures: u32,
    /// Why.
    pub error: Option<ItemError>,
    /// Whether the task of the item failed.
    pub is_failure: bool,
}

impl ItemChange {
    /// A change without further data.
    pub fn new(item: ItemId, from: ItemState, to: ItemState) -> Self {
        Self {
            item,
            from,
            to,
            uploads: None,
            not_before: None,
            failures: 0,
            error: None,
            is_failure: false,
        }
    }

    /// Sets why.
    pub fn because(mut self, error: ItemError) -> Self {
        self.error = Some(error);
        self
    }
}

/// The first records of an attempt.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// The records from number 0 on, each as one line of JSON. The last one announces the create.
    pub records: Vec<String>,
    /// The tasks of the account that became known since, which have to be durable before the create is sent.
    pub known: KnownUpdate,
}

/// A record of an attempt, and what follows from it.
#[derive(Clone, Debug)]
pub struct NewRecord {
    /// The attempt.
    pub attempt: AttemptId,
    /// The number of the record: the number of records so far.
    pub number: u64,
    /// The record as one line of JSON.
    pub json: String,
    /// The state of the attempt after it. An undecided attempt stays so until it is created or rejected.
    pub attempt_state: AttemptState,
    /// The state of the item after it.
    pub item_state: ItemState,
    /// The task, once it is known.
    pub task_id: Option<String>,
    /// The file, once the video is saved.
    pub file: Option<SavedFile>,
    /// Why, for a rejection or a failure.
    pub error: Option<ItemError>,
    /// The tasks of the account that became known since, which have to be durable before the record is.
    pub known: KnownUpdate,
}

/// What a [`KnownTasks`](kling_omni::recovery::KnownTasks) has in addition to what the ledger has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownUpdate {
    /// The position of the first entry.
    pub from: u64,
    /// The entries, each as a line of text.
    pub entries: Vec<String>,
    /// The facts about the lists, as JSON, if they changed.
    pub facts: Option<String>,
}

/// An event in the history of an item. `Serialize` writes the line of `results.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ItemEvent {
    /// Its number, which grows in the ledger.
    pub number: u64,
    /// The key of the item.
    pub key: String,
    /// When it happened, in milliseconds since 1970, by the clock of the ledger.
    pub at_ms: u64,
    /// The state from then on.
    pub state: ItemState,
    /// What happened.
    #[serde(flatten)]
    pub detail: EventDetail,
}

/// What happened to an item.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventDetail {
    /// The number of the attempt, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    /// The saved video.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<SavedFile>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ItemError>,
}

/// What a report says about an item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReportRow {
    /// The position in the batch, from 0.
    pub position: u64,
    /// The key.
    pub key: String,
    /// The state.
    pub state: ItemState,
    /// The mode.
    pub mode: Mode,
    /// The tier.
    pub tier: Tier,
    /// The length of the video in seconds, or its maximum.
    pub seconds: u32,
    /// The number of attempts that were begun.
    pub attempts: u32,
    /// The task of the latest attempt.
    pub task_id: Option<String>,
    /// The saved video.
    pub file: Option<SavedFile>,
    /// The last error.
    pub error: Option<ItemError>,
    /// When the task was announced, in milliseconds since 1970, by the clock of the ledger.
    pub sent_at_ms: Option<u64>,
    /// When the state last changed.
    pub changed_at_ms: Option<u64>,
}

/// Tasks that cost the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CostGroup {
    /// The mode.
    pub mode: Mode,
    /// The tier.
    pub tier: Tier,
    /// The length of a video in seconds, or its maximum.
    pub seconds: u32,
    /// Whether it is made from a reference video.
    pub reference_video: bool,
    /// The number of tasks.
    pub tasks: u64,
}

/// Whether putting an item back costs money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reopening {
    /// Its paid task is fetched again.
    Fetch,
    /// A new task is created, which may cost money.
    Create,
}
