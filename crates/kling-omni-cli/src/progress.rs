//! Shows progress on stderr: a live line on a terminal, plain lines elsewhere.

use std::fmt::{self, Display};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{DecimalBytes, ProgressBar, ProgressState, ProgressStyle};
use kling_omni::download::DownloadEvent;
use kling_omni::polling::{TaskState, TaskStatus};

use crate::{duration, report};

/// Shows the progress of a task on stderr: a live line on a terminal, one line per change elsewhere.
pub(crate) struct Progress {
    started: Instant,
    live: Option<ProgressBar>,
    /// When the task started, and its expected duration.
    task_timing: Option<(Instant, Duration)>,
}

impl Progress {
    /// Starts measuring the elapsed time. With `plain`, a terminal gets plain lines, too, to be mixed with a log.
    pub(crate) fn new(plain: bool) -> Self {
        Self {
            started: Instant::now(),
            live: is_live(plain).then(spinner),
            task_timing: None,
        }
    }

    /// Shows the current activity on the live line.
    pub(crate) fn set_activity(&self, activity: &str) {
        if let Some(bar) = &self.live {
            show_activity(bar, activity);
        }
    }

    /// Prints a permanent line.
    pub(crate) fn say(&self, text: impl Display) {
        say(self.live.as_ref(), text);
    }

    /// Sets the expected duration of a task that starts now. The service reports no progress, only the status.
    pub(crate) fn set_expected_duration(&mut self, expected: Duration) {
        self.task_timing = Some((Instant::now(), expected));
    }

    pub(crate) fn status(&self, state: &TaskState) {
        match &self.live {
            Some(bar) => {
                show_activity(bar, &state.status().to_string());
                if let Some((since, expected)) = self.task_timing {
                    bar.set_style(task_style(since, expected));
                }
            }
            None => report::say(format_args!("{} after {}", state.status(), self.elapsed())),
        }
    }

    /// Warns about an unknown status, which does not end the wait.
    pub(crate) fn warn_unknown_status(&self, status: &TaskStatus) {
        let warn = || report::warn(format_args!("unknown status {status}, still waiting"));
        match &self.live {
            Some(bar) => bar.suspend(warn),
            None => warn(),
        }
    }

    /// Reports a failed poll, which does not end the wait.
    pub(crate) fn poll_failed(&self, reason: &str) {
        self.say(format_args!("poll failed, retrying: {reason}"));
    }

    /// Returns a callback for the progress of uploads. After an upload, the live line shows the activity again.
    pub(crate) fn upload(&self) -> impl FnMut(u64, u64) + Send + 'static {
        let bar = self.live.clone();
        let mut reported = None;
        move |sent, total| {
            let is_complete = sent == total;
            let is_new = reported != Some(is_complete);
            reported = Some(is_complete);
            match &bar {
                None if is_new && is_complete => report::say("uploaded"),
                None if is_new => report::say(format_args!("uploading {}", DecimalBytes(total))),
                None => {}
                Some(bar) if is_complete => show_activity(bar, &bar.message()),
                Some(bar) => {
                    if is_new {
                        bar.set_length(total);
                        bar.set_style(style(
                            "{spinner} uploading [{bar:24}] {decimal_bytes} of {decimal_total_bytes}",
                        ));
                    }
                    bar.set_position(sent);
                }
            }
        }
    }

    /// Returns a callback for the progress of a download.
    pub(crate) fn download(&self) -> impl FnMut(u64, Option<u64>) + Send + 'static {
        let bar = self.live.clone();
        if let Some(bar) = &bar {
            bar.reset();
            bar.set_style(style("{spinner} downloading {decimal_bytes}"));
        }
        let mut length = None;
        move |done, total| {
            let Some(bar) = &bar else { return };
            if let Some(total) = total.filter(|total| length != Some(*total)) {
                length = Some(total);
                bar.set_length(total);
                bar.set_style(style(
                    "{spinner} downloading [{bar:24}] {decimal_bytes} of {decimal_total_bytes}",
                ));
            }
            bar.set_position(done);
        }
    }

    /// Returns a callback for the events of a download, such as retries.
    pub(crate) fn download_events(&self) -> impl FnMut(&DownloadEvent) + Send + 'static {
        let bar = self.live.clone();
        move |event| say(bar.as_ref(), event)
    }

    /// Clears the live line and prints the size of the saved video. The result on stdout follows, and may share the
    /// terminal.
    pub(crate) fn saved(mut self, bytes: u64) {
        self.clear();
        report::say(format_args!(
            "saved {} after {}",
            DecimalBytes(bytes),
            self.elapsed()
        ));
    }

    fn clear(&mut self) {
        if let Some(bar) = self.live.take() {
            bar.finish_and_clear();
        }
    }

    fn elapsed(&self) -> String {
        elapsed(self.started.elapsed())
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Returns whether stderr is a terminal that can show live lines. With `plain`, it gets plain lines.
pub(crate) fn is_live(plain: bool) -> bool {
    let is_dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
    !plain && !is_dumb && std::io::stderr().is_terminal()
}

/// Formats a time since the start, with a fraction while it is short.
pub(crate) fn elapsed(elapsed: Duration) -> String {
    match elapsed.as_secs() {
        0..10 => format!("{:.1}s", elapsed.as_secs_f64()),
        _ => duration::text(elapsed),
    }
}

fn say(live: Option<&ProgressBar>, text: impl Display) {
    match live {
        Some(bar) => bar.suspend(|| report::say(text)),
        None => report::say(text),
    }
}

/// Shows an activity instead of a progress bar.
fn show_activity(bar: &ProgressBar, activity: &str) {
    bar.set_style(style(ACTIVITY));
    bar.set_message(activity.to_owned());
}

/// The width of a bar, in characters.
const WIDTH: usize = 24;

/// Returns a style with the elapsed and the expected time. The bar is never full, because a task may take longer.
fn task_style(since: Instant, expected: Duration) -> ProgressStyle {
    let about = duration::text(Duration::from_secs(expected.as_secs_f64().round() as u64));
    let template = format!("{{spinner}} {{msg}} [{{task}}] {{elapsed}}, usually about {about}");
    style(&template).with_key(
        "task",
        move |_: &ProgressState, out: &mut dyn fmt::Write| {
            let fraction = since.elapsed().as_secs_f64() / expected.as_secs_f64().max(1.0);
            let done = ((fraction * WIDTH as f64) as usize).min(WIDTH - 1);
            // A bar that cannot be drawn is not an error.
            let _ = write!(
                out,
                "{}>{:width$}",
                "=".repeat(done),
                "",
                width = WIDTH - 1 - done
            );
        },
    )
}

const ACTIVITY: &str = "{spinner} {msg}, {elapsed}";

fn spinner() -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_style(style(ACTIVITY));
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

pub(crate) fn style(template: &str) -> ProgressStyle {
    // The templates are constants of this file. An invalid one falls back to the default.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .progress_chars("=> ")
}
