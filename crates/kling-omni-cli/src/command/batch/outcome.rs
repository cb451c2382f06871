//! What the status of a batch means for people and for scripts.

use kling_omni::{Charged, ErrorKind};
use kling_omni_batch::ledger::ItemError;
use kling_omni_batch::{BatchState, BatchStatus, ItemState};

use super::explain::charged;
use super::ledger_args::LedgerArgs;
use super::spend_args::count;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::printable;

/// The states of items that ended without a video.
const FAILED: [ItemState; 4] = [
    ItemState::Failed,
    ItemState::Expired,
    ItemState::Rejected,
    ItemState::Skipped,
];

/// Returns the number of items that ended without a video.
fn failed(status: &BatchStatus) -> u64 {
    FAILED.iter().map(|state| status.count(*state)).sum()
}

/// Returns the number of items for which a run has something left to do.
pub(super) fn left(status: &BatchStatus) -> u64 {
    let counts = status.counts.iter();
    counts
        .filter(|(state, _)| !state.is_final())
        .map(|(_, count)| count)
        .sum()
}

/// Returns the exit code of a batch. One that has not ended is unfinished.
pub(super) fn exit(status: &BatchStatus) -> Exit {
    if left(status) > 0 {
        Exit::Unfinished
    } else if status.count(ItemState::Unknown) > 0 {
        Exit::Ambiguous
    } else if failed(status) > 0 {
        Exit::NoVideo
    } else {
        Exit::Done
    }
}

/// Describes the items, such as `7 of 10 saved, 1 failed, 2 created`.
pub(super) fn describe_items(status: &BatchStatus) -> String {
    let mut text = format!(
        "{} of {} saved",
        status.count(ItemState::Saved),
        status.items
    );
    for (state, number) in &status.counts {
        if *state != ItemState::Saved && *number > 0 {
            text.push_str(&format!(", {number} {state}"));
        }
    }
    text
}

/// Describes what was paid for. Creates whose outcome is unknown count.
pub(super) fn describe_paid(status: &BatchStatus, amount: &str) -> String {
    match status.count(ItemState::Unknown) {
        0 => format!("paid for {amount}"),
        _ => format!("paid for at most {amount}"),
    }
}

/// Describes a batch in a line.
pub(super) fn describe(status: &BatchStatus) -> String {
    let mut text = format!(
        "{}: {}, {}; {}",
        printable(&status.name),
        status.state,
        describe_items(status),
        describe_paid(status, &count(status.tasks(), "task"))
    );
    if let Some(reason) = &status.reason {
        text.push_str(&format!("; {}", printable(reason)));
    }
    text
}

/// Why a run ended before the batch did.
#[derive(Debug, Default)]
pub(super) struct EarlyEnd {
    /// Ctrl-C was pressed.
    pub(super) is_interrupted: bool,
    /// The run paused the batch.
    pub(super) paused: Option<ItemError>,
}

/// Returns the result of a run. `resume` is the command that continues it, if one can.
pub(super) fn result(
    status: &BatchStatus,
    early: &EarlyEnd,
    ledger: &LedgerArgs,
    resume: Option<&str>,
) -> Result<(), Failure> {
    let name = status.name.as_str();
    let items = describe_items(status);
    let can_continue = resume.is_some();
    let resume = |what: &str| resume.map(|resume| format!("{what}run `{resume}` to continue"));
    let (failure, help) = match exit(status) {
        Exit::Done => return Ok(()),
        Exit::Unfinished => match &early.paused {
            _ if early.is_interrupted => {
                let failure = Failure::interrupted(format!("stopped the run: {items}"));
                (failure, resume(""))
            }
            Some(reason) => {
                let kind = error_kind(&reason.kind);
                let exit = kind.map_or(Exit::Unfinished, Exit::from_kind);
                let failure = Failure::custom("paused", exit, format!("paused: {items}"))
                    .with_cause(printable(&reason.text));
                let what = match kind {
                    Some(ErrorKind::SpendLimit) => "raise the limit, then ",
                    _ => "correct this, then ",
                };
                (failure, resume(what))
            }
            None => {
                let state = match status.state {
                    BatchState::Running => BatchState::Stopped,
                    state => state,
                };
                let failure =
                    Failure::custom("unfinished", Exit::Unfinished, format!("{state}: {items}"));
                (failure, resume(""))
            }
        },
        Exit::Ambiguous => {
            let unknown = count(status.count(ItemState::Unknown), "item");
            let message =
                format!("{unknown} may have a paid task, and a person has to decide: {items}");
            let report = ledger.command("report", &[name], &[]);
            let show = ledger.command("show", &[name, "KEY"], &[]);
            let help = format!("find them with `{report}`, and run `{show}` for each");
            (Failure::ambiguous(message, Vec::new()), Some(help))
        }
        exit => {
            let message = format!("{} without a video: {items}", count(failed(status), "item"));
            let failure = Failure::custom("items_failed", exit, message);
            (failure, Some(retry_help(status, ledger, can_continue)))
        }
    };
    let failure = match failure.exit() {
        Exit::Ambiguous => failure,
        _ => failure.with_charged(charged(status)),
    };
    Err(match help {
        Some(help) => failure.with_help(help),
        None => failure,
    })
}

fn retry_help(status: &BatchStatus, ledger: &LedgerArgs, can_continue: bool) -> String {
    let name = status.name.as_str();
    let failed = status.count(ItemState::Failed) + status.count(ItemState::Rejected);
    let flags: &[&str] = match (failed > 0, status.count(ItemState::Expired) > 0) {
        // What was skipped would be skipped again.
        (false, false) => &[],
        (true, false) => &["--failed"],
        (false, true) => &["--expired"],
        (true, true) => &["--failed", "--expired"],
    };
    let report = ledger.command("report", &[name], &[]);
    let retry = ledger.command("retry", &[name], flags);
    match can_continue && !flags.is_empty() {
        true => format!(
            "`{report}` lists the reasons; run `{retry}` to put the items back, which may cost money"
        ),
        false => format!("`{report}` lists the reasons"),
    }
}

/// Returns the kind of the error that is the reason of a pause, if it is one of the client.
fn error_kind(name: &str) -> Option<ErrorKind> {
    serde_json::from_value(name.into()).ok()
}

/// Reports a charge of the sandbox as none.
pub(super) fn without_sandbox_charges(failure: Failure, is_sandbox: bool) -> Failure {
    match is_sandbox && failure.charged() == Some(Charged::Yes) {
        true => failure.with_charged(Charged::No),
        false => failure,
    }
}
