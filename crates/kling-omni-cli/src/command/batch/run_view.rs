//! Shows a run: live lines on a terminal, a line for each event elsewhere, or JSON.

use std::fmt::Display;
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::DecimalBytes;
use kling_omni_batch::{Batches, ItemState, RunEvent};

use super::live_view::LiveView;
use super::outcome;
use super::run_events::BatchEvent;
use super::spend_args::SpendLimit;
use crate::failure::Failure;
use crate::progress::{elapsed, is_live};
use crate::report::{self, printable};
use crate::{duration, input};

/// The time between two drawings of the live lines.
pub(super) const DRAW_INTERVAL: Duration = Duration::from_millis(200);
/// The time between two readings of the counts.
const COUNT_INTERVAL: Duration = Duration::from_secs(1);

pub(super) struct RunView<'a> {
    batches: &'a Batches,
    name: &'a str,
    limit: &'a SpendLimit,
    json: bool,
    live: Option<LiveView>,
    started: Instant,
    /// The items that had ended before the run.
    ended_before: u64,
    summary: String,
    /// What keeps the run from creating, if anything does.
    note: Option<String>,
    counted: Option<Instant>,
    /// Why stdout cannot be written any more. The run goes on: it has paid for videos.
    stdout: Result<(), Failure>,
}

impl<'a> RunView<'a> {
    /// `ended_before` is the number of items that had ended before the run.
    pub(super) fn new(
        batches: &'a Batches,
        name: &'a str,
        limit: &'a SpendLimit,
        json: bool,
        verbose: bool,
        ended_before: u64,
    ) -> Self {
        Self {
            batches,
            name,
            limit,
            json,
            live: is_live(verbose).then(LiveView::new),
            started: Instant::now(),
            ended_before,
            summary: String::new(),
            note: None,
            counted: None,
            stdout: Ok(()),
        }
    }

    /// Prints a permanent line on stderr.
    pub(super) fn say(&self, text: impl Display) {
        match &self.live {
            Some(live) => live.suspend(|| report::say(text)),
            None => report::say(text),
        }
    }

    /// Prints a permanent warning on stderr.
    fn warn(&self, text: impl Display) {
        match &self.live {
            Some(live) => live.suspend(|| report::warn(text)),
            None => report::warn(text),
        }
    }

    /// Prints on stdout, until it is closed.
    fn print(&mut self, print: impl FnOnce() -> Result<(), Failure>) {
        if self.stdout.is_ok() {
            self.stdout = match &self.live {
                Some(live) => live.suspend(print),
                None => print(),
            };
        }
    }

    /// Prints an event as JSON, if `--json` is given.
    pub(super) fn print_json(&mut self, event: &BatchEvent<'_>) {
        if self.json {
            self.print(|| report::json_line(event));
        }
    }

    /// Shows an event of the run.
    pub(super) fn show(&mut self, event: &RunEvent) {
        if let Some(event) = BatchEvent::new(event) {
            self.print_json(&event);
        }
        match event {
            RunEvent::Item { key, state, .. } => {
                if let Some(live) = &mut self.live {
                    live.set_state(key, *state);
                }
                // The create that was searched for has its outcome.
                self.note = None;
            }
            RunEvent::Settling { .. } => self.note = describe_event(event),
            RunEvent::Paused { .. } => self.note = Some("paused".to_owned()),
            RunEvent::Resumed => self.note = None,
            _ => {}
        }
        // On a terminal, the live lines and the path below say it.
        let is_live_line =
            self.live.is_some() && matches!(event, RunEvent::Item { error: None, .. });
        if let Some(line) = describe_event(event).filter(|_| !is_live_line) {
            self.say(line);
        }
        if let RunEvent::Item {
            key,
            file: Some(file),
            ..
        } = event
        {
            for finding in &file.findings {
                self.warn(format_args!("{}: {finding}", printable(key)));
            }
            if !self.json {
                self.print(|| report::path_line(&shown(&file.path)));
            }
        }
    }

    /// Draws the live lines. The counts come from the ledger, once a second.
    pub(super) async fn draw(&mut self) {
        if self.live.is_none() {
            return;
        }
        if self.counted.is_none_or(|at| at.elapsed() >= COUNT_INTERVAL) {
            // A ledger that cannot be read ends the run by itself.
            if let Ok(status) = self.batches.status(self.name).await {
                let left = outcome::left(&status);
                let ended = (status.items - left).saturating_sub(self.ended_before);
                self.summary = format!(
                    "{}; {}{}",
                    outcome::describe_items(&status),
                    self.describe_paid(&status),
                    estimate(ended, left, self.started.elapsed())
                );
            }
            self.counted = Some(Instant::now());
        }
        let summary = match &self.note {
            Some(note) => format!("{}; {note}", self.summary),
            None => self.summary.clone(),
        };
        if let Some(live) = &mut self.live {
            live.draw(summary);
        }
    }

    /// Removes the live lines, and prints how the run ended.
    pub(super) fn end(&mut self, status: &kling_omni_batch::BatchStatus) {
        self.live = None;
        self.say(format_args!(
            "{} after {}; {}",
            outcome::describe_items(status),
            elapsed(self.started.elapsed()),
            self.describe_paid(status)
        ));
    }

    fn describe_paid(&self, status: &kling_omni_batch::BatchStatus) -> String {
        let spent = self.limit.describe(self.limit.guard.spent());
        outcome::describe_paid(status, &spent)
    }

    /// Returns whether all of stdout could be written.
    pub(super) fn into_stdout_result(self) -> Result<(), Failure> {
        self.stdout
    }
}

/// Returns the rate and the estimated time until the end; nothing before the first item ended.
fn estimate(ended: u64, left: u64, elapsed: Duration) -> String {
    if ended == 0 || left == 0 {
        return String::new();
    }
    let per_item = elapsed.as_secs_f64() / ended as f64;
    let rest =
        Duration::try_from_secs_f64((per_item * left as f64).ceil()).unwrap_or(Duration::MAX);
    format!(
        "; {:.1} per minute, about {} left",
        60.0 / per_item.max(f64::EPSILON),
        duration::text(rest)
    )
}

/// Describes an event in a line. Returns `None` for those that are not worth one.
pub(super) fn describe_event(event: &RunEvent) -> Option<String> {
    Some(match event {
        RunEvent::Item {
            key,
            state,
            task_id,
            file,
            error,
            ..
        } => {
            let key = printable(key);
            match (state, task_id, file, error) {
                (ItemState::Saved, _, Some(file), _) => {
                    format!("{key}: saved {}", DecimalBytes(file.bytes))
                }
                (ItemState::Created, Some(task), ..) => format!("{key}: task {}", printable(task)),
                (state, _, _, Some(error)) if state.is_final() => {
                    format!("{key}: {state}: {}", printable(&error.text))
                }
                (_, _, _, Some(error)) => {
                    format!("{key}: trying again: {}", printable(&error.text))
                }
                _ => return None,
            }
        }
        RunEvent::Settling { key, at_most } => format!(
            "searching for the task of {}, for at most {}; nothing else is created meanwhile",
            printable(key),
            duration::text(*at_most)
        ),
        RunEvent::Waiting { reason, delay } => format!(
            "waiting {} before the next request: {}",
            duration::text(*delay),
            printable(&reason.text)
        ),
        RunEvent::Paused { reason } => {
            let why = reason
                .as_ref()
                .map(|reason| format!(": {}", printable(&reason.text)));
            let why = why.unwrap_or_default();
            format!("paused{why}; what is paid for is still saved")
        }
        RunEvent::Resumed => "resumed".to_owned(),
        RunEvent::ResultsNotWritten { error } => {
            format!("results.jsonl is not written: {}", printable(error))
        }
        _ => return None,
    })
}

/// Returns a path as a person in the current folder would write it.
pub(super) fn shown(path: &Path) -> std::path::PathBuf {
    let here = std::env::current_dir().ok();
    let relative = here.and_then(|here| path.strip_prefix(here).ok());
    relative.unwrap_or(path).to_owned()
}

/// Names the files beside the videos.
pub(super) fn name_files(results: &Path, report: &Path) -> String {
    format!(
        "results: {}, report: {}",
        input::name(results),
        input::name(report)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimate_needs_an_ended_item_and_one_that_is_left() {
        for (ended, left, text) in [
            (0, 20, ""),
            (20, 0, ""),
            (5, 15, "; 30.0 per minute, about 30s left"),
            (1, u64::MAX, "; 6.0 per minute, about "),
        ] {
            let elapsed = Duration::from_secs(10);
            let shown = estimate(ended, left, elapsed);
            assert!(shown.starts_with(text), "{shown}");
            assert_eq!(shown.is_empty(), text.is_empty(), "{shown}");
        }
    }
}
