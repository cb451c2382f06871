//! What a run of a journal reports, and how it ends.

use std::path::PathBuf;
use std::time::Duration;

use crate::engine::download::{DownloadEvent, Saved, Video};
use crate::engine::error::Error;
use crate::engine::recovery::reconciled::{AmbiguityReason, MatchedBy};
use crate::engine::task::Task;
use crate::engine::task::updates::Update;
use crate::engine::unconfirmed::UnconfirmedCreate;

/// The end of a [`JournalRun`](super::JournalRun) without an error. The enum is exhaustive: no variant will be added.
#[derive(Debug)]
pub enum JournalOutcome {
    /// The video is on disk, in this run or already before.
    Saved(Saved),
    /// It is unknown whether the create made a task, or which one. A person decides, with
    /// [`Journal::resolve_as`](super::super::Journal::resolve_as) or
    /// [`Journal::resolve_not_created`](super::super::Journal::resolve_not_created), and the journal is run again. Until then,
    /// nothing is created.
    NeedsDecision {
        /// The ids of tasks that may belong to the create. There may be others.
        candidates: Vec<String>,
        /// Why the search could not determine it.
        reason: AmbiguityReason,
        /// The create.
        unconfirmed: UnconfirmedCreate,
    },
}

/// What happens in a [`JournalRun`](super::JournalRun).
#[derive(Debug)]
#[non_exhaustive]
pub enum JournalEvent {
    /// The outcome of the create is unknown, and its task is searched for.
    #[non_exhaustive]
    Searching {
        /// The create.
        unconfirmed: UnconfirmedCreate,
        /// The time left until the create is settled. While another create of the client is unconfirmed, the search takes
        /// longer.
        time_left: Duration,
    },
    /// The search found the task.
    #[non_exhaustive]
    Found {
        /// The task.
        task: Task,
        /// How it was found.
        matched_by: MatchedBy,
    },
    /// The create certainly made no task.
    NotCreated,
    /// The create begins: its files are inspected and uploaded, and the request is sent.
    Sending,
    /// The request was sent, and its outcome is unknown. A search follows.
    #[non_exhaustive]
    Unanswered {
        /// Why the outcome is unknown.
        error: Error,
    },
    /// The create made a task.
    #[non_exhaustive]
    Created {
        /// The task.
        task: Task,
    },
    /// The wait for the task begins.
    #[non_exhaustive]
    Waiting {
        /// The task.
        task: Task,
    },
    /// The wait has an update: a new status, or a failed poll.
    Updated(Update),
    /// The task is completed, and the download begins.
    #[non_exhaustive]
    Downloading {
        /// The video.
        video: Video,
    },
    /// The download received bytes.
    #[non_exhaustive]
    Received {
        /// The number of bytes so far.
        bytes: u64,
        /// The length of the file, if known.
        total: Option<u64>,
    },
    /// The download recovered from a failure.
    Recovered(DownloadEvent),
    /// The video is on disk.
    Saved(Saved),
    /// An earlier run saved the video, and the file is unchanged.
    AlreadySaved(Saved),
    /// An earlier run saved the video, and the file is missing or changed. It is saved again.
    #[non_exhaustive]
    SavedFileChanged {
        /// The path of the file.
        path: PathBuf,
    },
    /// A record could not be appended, and the run continues without records. See
    /// [`Journal::write_error`](super::super::Journal::write_error).
    #[non_exhaustive]
    WriteFailed {
        /// The reason.
        reason: String,
    },
}
