//! Progress on stderr: a live line on a terminal, plain lines elsewhere.

use std::fmt::{self, Display};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{DecimalBytes, ProgressBar, ProgressState, ProgressStyle};
use kling_omni::download::DownloadEvent;
use kling_omni::polling::{TaskState, TaskStatus};

use crate::{duration, report};

/// Shows on stderr how a task is doing: a line that is alive on a terminal, a line for each change elsewhere.
pub(crate) struct Progress {
    started: Instant,
    live: Option<ProgressBar>,
    /// Since when a task goes on, and how long it is likely to take.
    life: Option<(Instant, Duration)>,
}

impl Progress {
    /// Starts the clock that is shown. With `plain`, even a terminal gets lines, such as between those of a log.
    pub(crate) fn new(plain: bool) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        let live = (!plain && !dumb && std::io::stderr().is_terminal()).then(spinner);
        Self {
            started: Instant::now(),
            live,
            life: None,
        }
    }

    /// Shows what is being done, until something else is.
    pub(crate) fn doing(&self, what: &str) {
        if let Some(bar) = &self.live {
            turn(bar, what);
        }
    }

    /// Adds a line that stays.
    pub(crate) fn say(&self, text: impl Display) {
        say(self.live.as_ref(), text);
    }

    /// A task goes on from now that is likely to take so long. The service tells no more of its progress.
    pub(crate) fn begins(&mut self, typical: Duration) {
        self.life = Some((Instant::now(), typical));
    }

    pub(crate) fn status(&self, state: &TaskState) {
        match &self.live {
            Some(bar) => {
                turn(bar, &state.status().to_string());
                if let Some((since, typical)) = self.life {
                    bar.set_style(living(since, typical));
                }
            }
            None => report::say(format_args!("{} after {}", state.status(), self.elapsed())),
        }
    }

    /// A status is shown that nobody has heard of, which ends nothing.
    pub(crate) fn strange(&self, status: &TaskStatus) {
        let warn = || {
            report::warn(format_args!(
                "this version does not know the status {status}; the wait goes on"
            ))
        };
        match &self.live {
            Some(bar) => bar.suspend(warn),
            None => warn(),
        }
    }

    /// A poll failed, which says nothing about the task.
    pub(crate) fn no_news(&self, reason: &str) {
        self.say(format_args!("no news of the task, asking again: {reason}"));
    }

    /// Takes the progress of uploads, after which what was being done goes on.
    pub(crate) fn upload(&self) -> impl FnMut(u64, u64) + Send + 'static {
        let bar = self.live.clone();
        let mut told = None;
        move |sent, whole| {
            let is_over = sent == whole;
            let is_news = told != Some(is_over);
            told = Some(is_over);
            match &bar {
                None if is_news && is_over => report::say("uploaded"),
                None if is_news => report::say(format_args!("uploading {}", DecimalBytes(whole))),
                None => {}
                Some(bar) if is_over => turn(bar, &bar.message()),
                Some(bar) => {
                    if is_news {
                        bar.set_length(whole);
                        bar.set_style(style(
                            "{spinner} uploading [{bar:24}] {decimal_bytes} of {decimal_total_bytes}",
                        ));
                    }
                    bar.set_position(sent);
                }
            }
        }
    }

    /// Takes the progress of a download.
    pub(crate) fn download(&self) -> impl FnMut(u64, Option<u64>) + Send + 'static {
        let bar = self.live.clone();
        if let Some(bar) = &bar {
            bar.reset();
            bar.set_style(style("{spinner} downloading {decimal_bytes}"));
        }
        let mut known = None;
        move |done, whole| {
            let Some(bar) = &bar else { return };
            if let Some(whole) = whole.filter(|whole| known != Some(*whole)) {
                known = Some(whole);
                bar.set_length(whole);
                bar.set_style(style(
                    "{spinner} downloading [{bar:24}] {decimal_bytes} of {decimal_total_bytes}",
                ));
            }
            bar.set_position(done);
        }
    }

    /// Takes what a download gets over.
    pub(crate) fn setbacks(&self) -> impl FnMut(&DownloadEvent) + Send + 'static {
        let bar = self.live.clone();
        move |setback| say(bar.as_ref(), setback)
    }

    /// Ends with a line that stays. The result on stdout comes after it, and may share the terminal.
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
        let elapsed = self.started.elapsed();
        match elapsed.as_secs() {
            0..10 => format!("{:.1}s", elapsed.as_secs_f64()),
            _ => duration::text(elapsed),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

fn say(live: Option<&ProgressBar>, text: impl Display) {
    match live {
        Some(bar) => bar.suspend(|| report::say(text)),
        None => report::say(text),
    }
}

/// Shows what is being done, in the place of how far something has come.
fn turn(bar: &ProgressBar, what: &str) {
    bar.set_style(style(DOING));
    bar.set_message(what.to_owned());
}

/// How wide a bar is.
const WIDTH: usize = 24;

/// The time that has passed, beside what is usual. The bar is never full: what takes longer goes on all the same.
fn living(since: Instant, typical: Duration) -> ProgressStyle {
    let about = duration::text(Duration::from_secs(typical.as_secs_f64().round() as u64));
    let template = format!("{{spinner}} {{msg}} [{{life}}] {{elapsed}}, usually about {about}");
    style(&template).with_key(
        "life",
        move |_: &ProgressState, out: &mut dyn fmt::Write| {
            let part = since.elapsed().as_secs_f64() / typical.as_secs_f64().max(1.0);
            let done = ((part * WIDTH as f64) as usize).min(WIDTH - 1);
            // Nobody is told when a bar cannot be drawn.
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

const DOING: &str = "{spinner} {msg}, {elapsed}";

fn spinner() -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_style(style(DOING));
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn style(template: &str) -> ProgressStyle {
    // The templates are in this file; a wrong one shows as the plain default.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .progress_chars("=> ")
}
