//! What has to come before the program ends by itself.

use std::sync::atomic::{AtomicU64, Ordering};

use clap::{Args, value_parser};
use kling_omni::polling::{TaskState, TaskStatus};

use super::End;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::next::{Next, Options};

#[derive(Args, Debug)]
#[group(id = "end_condition")]
pub(super) struct UntilArgs {
    /// End after so many new deliveries; what came before, is late or was refused does not count
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    exit_after: Option<u64>,

    /// End when this task has ended: with 0 if it has a result, else with 4
    #[arg(long, value_name = "ID")]
    until: Option<String>,
}

pub(super) enum UntilCondition {
    After(AtomicU64),
    Until(String),
}

impl UntilCondition {
    pub(super) fn new(args: UntilArgs) -> Option<Self> {
        let after = args.exit_after.map(|count| Self::After(count.into()));
        after.or(args.until.map(Self::Until))
    }

    /// Takes note of a new delivery, and says whether it was the last one that is wanted.
    pub(super) fn note(&self, state: &TaskState) -> Option<End> {
        match self {
            Self::After(left) => (left.fetch_sub(1, Ordering::Relaxed) == 1).then_some(Ok(())),
            Self::Until(id) if id == state.id() => end_of(state),
            Self::Until(_) => None,
        }
    }
}

fn end_of(state: &TaskState) -> Option<End> {
    let id = state.id();
    let failure = match state.status() {
        TaskStatus::Completed if !state.generated().is_empty() => return Some(Ok(())),
        TaskStatus::Completed => Failure::custom(
            "empty_result",
            Exit::NoVideo,
            format!("task {id} is completed, and the delivery names no result"),
        )
        .with_help(format!(
            "`{}` looks whether there is one",
            Next::Status { id }.command(&Options::new())
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
