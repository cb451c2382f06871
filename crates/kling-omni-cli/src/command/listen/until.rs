//! The conditions of `--exit-after` and `--until`.

use std::sync::atomic::{AtomicU64, Ordering};

use clap::{Args, value_parser};
use kling_omni::polling::{TaskState, TaskStatus};

use super::ListenResult;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::next::{ConnectionOptions, NextCommand};

#[derive(Args, Debug)]
#[group(id = "end_condition")]
pub(super) struct UntilArgs {
    /// Exit after this many new deliveries; duplicate, out-of-order and rejected ones do not count
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    exit_after: Option<u64>,

    /// Exit when this task ends: with 0 if it has a result, else with 4
    #[arg(long, value_name = "ID")]
    until: Option<String>,
}

pub(super) enum UntilCondition {
    /// The number of deliveries that are left.
    Count(AtomicU64),
    /// The id of a task.
    TaskEnds(String),
}

impl UntilCondition {
    pub(super) fn new(args: UntilArgs) -> Option<Self> {
        let count = args.exit_after.map(|count| Self::Count(count.into()));
        count.or(args.until.map(Self::TaskEnds))
    }

    /// Updates the condition with a new delivery. Returns the result of the command if the condition is satisfied.
    pub(super) fn update(&self, state: &TaskState) -> Option<ListenResult> {
        match self {
            Self::Count(left) => (left.fetch_sub(1, Ordering::Relaxed) == 1).then_some(Ok(())),
            Self::TaskEnds(id) if id == state.id() => result_of_task(state),
            Self::TaskEnds(_) => None,
        }
    }
}

fn result_of_task(state: &TaskState) -> Option<ListenResult> {
    let id = state.id();
    let failure = match state.status() {
        TaskStatus::Completed if !state.generated().is_empty() => return Some(Ok(())),
        TaskStatus::Completed => Failure::custom(
            "empty_result",
            Exit::NoVideo,
            format!("task {id} is completed, but its delivery has no result"),
        )
        .with_help(format!(
            "run `{}` to check whether it has one",
            NextCommand::Status { id }.to_shell(&ConnectionOptions::new())
        )),
        TaskStatus::Failed => {
            let reason = state.shown_error().map(|reason| format!(": {reason}"));
            Failure::custom(
                "task_failed",
                Exit::NoVideo,
                format!("task {id} failed{}", reason.unwrap_or_default()),
            )
        }
        _ => return None,
    };
    Some(Err(failure.with_task_id(id)))
}
