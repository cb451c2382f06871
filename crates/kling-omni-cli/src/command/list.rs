//! `list`: the tasks of the account.

use std::collections::HashSet;
use std::io::{self, IsTerminal};
use std::num::NonZeroU32;

use clap::Args;
use kling_omni::Mode;
use kling_omni::polling::TaskSummary;
use kling_omni_api::Field;
use kling_omni_api::limits::list_reference_to_video_tasks::{PAGE, PAGE_SIZE};
use serde::Serialize;

use crate::choice::one_of;
use crate::connect::{ConnectArgs, Connection};
use crate::failure::Failure;
use crate::report::{self, Style};

/// The default limit for `--all`: the service does not report the number of pages, and a faulty one may never stop.
const MAX_PAGES: NonZeroU32 = NonZeroU32::new(1000).unwrap();

#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    /// List only tasks of this mode [default: all]
    #[arg(long, value_name = "MODE", value_parser = one_of(Mode::ALL, Mode::as_str))]
    mode: Option<Mode>,

    #[arg(long, value_name = "N", help = page_help())]
    page: Option<u32>,

    #[arg(long, value_name = "N", help = page_size_help())]
    page_size: Option<u32>,

    /// List all pages, starting at --page or the first
    #[arg(long)]
    all: bool,

    /// With --all, exit with 5 after this many pages if there are more
    #[arg(long, value_name = "N", requires = "all", default_value_t = MAX_PAGES)]
    max_pages: NonZeroU32,

    /// Print one JSON object per task, one per line
    #[arg(long)]
    pub(crate) json: bool,
}

fn page_help() -> String {
    format!(
        "Page number, from 1, of the tasks with a reference video{}",
        default(&PAGE)
    )
}

fn page_size_help() -> String {
    let maximum = PAGE_SIZE
        .maximum
        .map(|maximum| format!(" [at most {maximum}]"));
    format!(
        "Number of tasks per page{}{}",
        maximum.unwrap_or_default(),
        default(&PAGE_SIZE)
    )
}

fn default(field: &Field) -> String {
    field
        .default
        .map(|default| format!(" [default: {default}]"))
        .unwrap_or_default()
}

/// The JSON output for a listed task. The names are those of `status` and `generate`.
#[derive(Serialize)]
struct ListedTask<'a> {
    task_id: &'a str,
    status: String,
    mode: Mode,
}

pub(super) async fn run(args: ListArgs, connect: &ConnectArgs) -> Result<(), Failure> {
    let connection = connect.open_existing()?;
    // Only tasks with a reference video are paginated, so `--page` implies their mode.
    let modes = match args.mode {
        Some(mode) => vec![mode],
        None if args.page.is_some() => vec![Mode::Reference],
        None => Mode::ALL.to_vec(),
    };
    let mut printer = ListPrinter {
        args: &args,
        connection: &connection,
        seen: HashSet::new(),
        unreadable: 0,
    };
    for mode in &modes {
        printer.print_mode(*mode).await?;
    }
    if printer.unreadable > 0 {
        report::warn(format_args!(
            "the list has {} without a readable id",
            match printer.unreadable {
                1 => "a task".to_owned(),
                count => format!("{count} tasks"),
            }
        ));
    } else if printer.seen.is_empty() {
        match (args.mode, args.page) {
            (_, Some(page)) => report::say(format_args!("page {page} has no tasks")),
            (Some(mode), None) => {
                report::say(format_args!("the account has no tasks of mode {mode}"));
            }
            (None, None) => report::say("the account has no tasks"),
        }
    }
    Ok(())
}

/// Reads the lists of the service and prints them as one.
struct ListPrinter<'a> {
    args: &'a ListArgs,
    connection: &'a Connection,
    seen: HashSet<String>,
    /// The number of tasks that are listed without an id.
    unreadable: usize,
}

impl ListPrinter<'_> {
    async fn print_mode(&mut self, mode: Mode) -> Result<(), Failure> {
        let has_pages = mode == Mode::Reference;
        let mut page = self.args.page;
        for _ in 0..self.args.max_pages.get() {
            let mut list = self.connection.client.list().mode(mode);
            if let Some(page) = page {
                list = list.page(page);
            }
            // Without `--mode`, the page size applies to the paginated lists only.
            let size = self.args.page_size;
            if let Some(size) = size.filter(|_| has_pages || self.args.mode.is_some()) {
                list = list.page_size(size);
            }
            let mut tasks = list
                .await
                .map_err(|error| self.connection.explain(error, None))?;
            let listed = tasks.len();
            tasks.retain(|task| !task.id.is_empty());
            self.unreadable += listed - tasks.len();
            let is_first = self.seen.is_empty();
            // A task that is created meanwhile moves others to the next page, where they are listed again.
            tasks.retain(|task| self.seen.insert(task.id.clone()));
            if is_first && !tasks.is_empty() && !self.args.json {
                print_header(&tasks)?;
            }
            for task in &tasks {
                print_task(task, mode, self.args.json)?;
            }
            // A page without a new task is the last one, whether it is empty or a repetition.
            if !self.args.all || !has_pages || tasks.is_empty() {
                return Ok(());
            }
            page = Some(page.unwrap_or(1).saturating_add(1));
        }
        let (maximum, next) = (self.args.max_pages, page.unwrap_or(1));
        Err(
            Failure::unfinished(format!("the list has more than {maximum} pages"))
                .with_help(format!("continue with --page {next}, or raise --max-pages")),
        )
    }
}

/// Prints the column names if stdout is a terminal.
fn print_header(tasks: &[TaskSummary]) -> Result<(), Failure> {
    if !io::stdout().is_terminal() {
        return Ok(());
    }
    let width = tasks.iter().map(|task| task.id.len()).max().unwrap_or(0);
    report::line(Style::Heading.paint(&format!("{:width$}  STATUS  MODE", "TASK")))
}

fn print_task(task: &TaskSummary, mode: Mode, json: bool) -> Result<(), Failure> {
    if json {
        report::json_line(&ListedTask {
            task_id: &task.id,
            status: task.status.to_string(),
            mode,
        })
    } else {
        report::line(format_args!(
            "{}  {}  {mode}",
            report::printable(&task.id),
            task.status
        ))
    }
}
