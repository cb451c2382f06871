//! The page about one task: `generate --report`.

use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use clap::Args;
use kling_omni::download::Saved;
use kling_omni_batch::ItemState;
use kling_omni_batch::ledger::ItemError;
use kling_omni_batch::report::{ReportItem, ReportPage, ReportSpend};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, OutputArgs};
use crate::request::Request;
use crate::{input, report};

#[derive(Args, Clone, Debug)]
pub(crate) struct TaskPageArgs {
    /// Write a page with the video, its prompt and its times to this file, which replaces an older page
    #[arg(
        long,
        value_name = "FILE",
        value_parser = input::file(),
        conflicts_with_all = ["dry_run", "no_wait"],
        help_heading = "Output"
    )]
    report: Option<PathBuf>,
}

impl TaskPageArgs {
    /// Checks whether the page can be written, before the task is paid for.
    pub(crate) async fn check(&self, output: &OutputArgs) -> Result<(), Failure> {
        let Some(path) = &self.report else {
            return Ok(());
        };
        output.refuse_shared("--report", path)?;
        output::refuse_other_content(path, "--report", output::PAGE)?;
        output::check_replaceable(path)
            .await
            .map_err(|failure| failure.with_help("use another path with --report"))
    }

    /// Returns the page of a task that is about to be created. The request is not known for a journal that is resumed.
    pub(crate) fn page(&self, request: Option<&Request>) -> Option<TaskPage> {
        let path = self.report.clone()?;
        let mode = request.map(Request::mode).unwrap_or_default();
        let tier = request.map(Request::tier).unwrap_or_default();
        let mut item = ReportItem::new("", ItemState::Created, mode, tier);
        if let Some(request) = request {
            let body = request.body();
            let checked = request.checked();
            item.seconds = checked
                .map(|request| request.max_seconds())
                .unwrap_or_default();
            item = item.with_fields(&body);
        }
        item.attempts = 1;
        item.spent.tasks = 1;
        item.spent.seconds = item.seconds.into();
        Some(TaskPage {
            path,
            item,
            created: None,
            ended: None,
        })
    }
}

/// The page about one task.
#[derive(Debug)]
pub(crate) struct TaskPage {
    path: PathBuf,
    item: ReportItem,
    /// When this run created the task, and when it noticed its end.
    created: Option<Instant>,
    ended: Option<Instant>,
}

impl TaskPage {
    pub(crate) fn set_created(&mut self) {
        self.created = Some(Instant::now());
    }

    pub(crate) fn set_ended(&mut self) {
        self.ended = Some(Instant::now());
    }

    /// Writes the page of a task whose video is saved.
    pub(crate) async fn write_saved(mut self, id: &str, saved: &Saved) {
        self.item.state = ItemState::Saved;
        self.item.video = Some(saved.path.clone());
        self.item.bytes = Some(saved.bytes);
        self.item.findings = saved.findings.iter().map(ToString::to_string).collect();
        self.item.times.save_ms = self.ended.map(elapsed_ms);
        self.write(id).await;
    }

    /// Writes the page of a task without a video.
    pub(crate) async fn write_failed(mut self, id: &str, failure: &Failure) {
        if failure.exit() == Exit::NoVideo {
            self.item.state = ItemState::Failed;
        }
        self.item.error = Some(ItemError {
            kind: String::new(),
            text: failure.message().to_owned(),
        });
        self.write(id).await;
    }

    /// The task has its end already: a page that cannot be written is a warning.
    async fn write(mut self, id: &str) {
        let file = self.item.video.as_deref().and_then(Path::file_name);
        let name = file.map_or(id.into(), |name| name.to_string_lossy());
        self.item.key = name.into_owned();
        self.item.task_id = Some(id.to_owned());
        let task = self.created.zip(self.ended);
        let task = task.map(|(created, ended)| ended.saturating_duration_since(created));
        self.item.times.task_ms = task.map(|task| task.as_millis().try_into().unwrap_or(u64::MAX));
        // Another file may be there by now, such as the journal of the task.
        if let Err(failure) = output::refuse_other_content(&self.path, "--report", output::PAGE) {
            return report::warn(failure.message());
        }
        let mut page = ReportPage::new(self.item.key.as_str(), SystemTime::now());
        page.spend = ReportSpend::default();
        page.spend.spent = self.item.spent;
        page.items.push(self.item);
        match page.write(&self.path).await {
            Ok(()) => report::say(format_args!("report: {}", input::name(&self.path))),
            Err(error) => report::warn(error),
        }
    }
}

fn elapsed_ms(since: Instant) -> u64 {
    since.elapsed().as_millis().try_into().unwrap_or(u64::MAX)
}
