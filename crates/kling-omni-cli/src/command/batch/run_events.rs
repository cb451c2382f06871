//! The events of `batch run --json`. Their names are stable.

use std::path::Path;

use kling_omni::download::VideoFinding;
use kling_omni::spend::Spent;
use kling_omni_batch::ledger::ItemError;
use kling_omni_batch::{BatchStatus, ItemState, RunEvent};
use serde::Serialize;

use crate::exit::Exit;

/// An event of a run.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum BatchEvent<'a> {
    /// The run begins.
    Started {
        batch: &'a str,
        ledger: &'a Path,
        items: u64,
        /// What the items that have no task yet pay for.
        planned: Spent,
        /// What the batch has paid for before.
        spent: Spent,
    },
    /// The batch was left to workers.
    Submitted {
        batch: &'a str,
        ledger: &'a Path,
        items: u64,
        /// What the items that have no task yet pay for.
        planned: Spent,
        /// What the batch has paid for before.
        spent: Spent,
    },
    /// Another run has the account, and may have died: its lease ends within seconds if it is not extended.
    WaitingForLease { holder: &'a str },
    /// An item changed its state, or failed a step that is tried again.
    Item {
        key: &'a str,
        state: ItemState,
        task_id: Option<&'a str>,
        path: &'a Path,
        bytes: Option<u64>,
        sha256: Option<&'a str>,
        /// Where the video differs from its request.
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        findings: &'a [VideoFinding],
        error: Option<&'a ItemError>,
    },
    /// The outcome of a create is unknown, and nothing else is created until it is settled.
    Settling { key: &'a str, at_most_seconds: u64 },
    /// Nothing is created for a while.
    Waiting {
        reason: &'a ItemError,
        delay_seconds: f64,
    },
    /// Nothing is created until the batch is resumed.
    Paused { reason: Option<&'a ItemError> },
    /// The run creates tasks again.
    Resumed,
    /// `results.jsonl` could not be written. It is written at the end.
    ResultsNotWritten { error: &'a str },
    /// The run ended.
    Ended {
        status: &'a BatchStatus,
        spent: Spent,
        exit_code: Exit,
    },
}

impl<'a> BatchEvent<'a> {
    /// Converts an event of the library. Returns `None` for one of a later version.
    pub(super) fn new(event: &'a RunEvent) -> Option<Self> {
        Some(match event {
            RunEvent::Item {
                key,
                state,
                path,
                task_id,
                file,
                error,
            } => Self::Item {
                key,
                state: *state,
                task_id: task_id.as_deref(),
                path,
                bytes: file.as_ref().map(|file| file.bytes),
                sha256: file.as_ref().map(|file| file.sha256.as_str()),
                findings: file.as_ref().map_or(&[], |file| &file.findings),
                error: error.as_ref(),
            },
            RunEvent::Settling { key, at_most } => Self::Settling {
                key,
                at_most_seconds: at_most.as_secs(),
            },
            RunEvent::Waiting { reason, delay } => Self::Waiting {
                reason,
                delay_seconds: delay.as_secs_f64(),
            },
            RunEvent::Paused { reason } => Self::Paused {
                reason: reason.as_ref(),
            },
            RunEvent::Resumed => Self::Resumed,
            RunEvent::ResultsNotWritten { error } => Self::ResultsNotWritten { error },
            _ => return None,
        })
    }
}
