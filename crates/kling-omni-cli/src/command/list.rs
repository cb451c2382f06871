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

/// The service does not say how many pages there are, and a broken one may never end.
const MOST_PAGES: NonZeroU32 = NonZeroU32::new(1000).unwrap();

#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    /// Only tasks whose videos are made from this [default: all]
    #[arg(long, value_name = "MODE", value_parser = one_of(Mode::ALL, Mode::as_str))]
    mode: Option<Mode>,

    #[arg(long, value_name = "N", help = page_help())]
    page: Option<u32>,

    #[arg(long, value_name = "N", help = page_size_help())]
    page_size: Option<u32>,

    /// List every page, from the first or from --page on
    #[arg(long)]
    all: bool,

    /// With --all, end with 5 after this many pages if there are more
    #[arg(long, value_name = "N", requires = "all", default_value_t = MOST_PAGES)]
    max_pages: NonZeroU32,

    /// Print one JSON object for each task, on a line of its own
    #[arg(long)]
    pub(crate) json: bool,
}

fn page_help() -> String {
    format!(
        "Number of the page, from 1, of the tasks from a reference video{}",
        default(&PAGE)
    )
}

fn page_size_help() -> String {
    let most = PAGE_SIZE.maximum.map(|most| format!(" [at most {most}]"));
    format!(
        "Number of tasks on a page{}{}",
        most.unwrap_or_default(),
        default(&PAGE_SIZE)
    )
}

fn default(field: &Field) -> String {
    field
        .default
        .map(|default| format!(" [default: {default}]"))
        .unwrap_or_default()
}

/// A task of the list, for scripts: named as `status` and `generate` name it.
#[derive(Serialize)]
struct Row<'a> {
    task_id: &'a str,
    status: String,
    mode: Mode,
}

pub(super) async fn run(args: ListArgs, connect: &ConnectArgs) -> Result<(), Failure> {
    let connection = connect.open_existing()?;
    // Only tasks from a reference video are listed in pages, so that a page is one of theirs.
    let modes = match args.mode {
        Some(mode) => vec![mode],
        None if args.page.is_some() => vec![Mode::Reference],
        None => Mode::ALL.to_vec(),
    };
    let mut listing = Listing {
        args: &args,
        connection: &connection,
        seen: HashSet::new(),
        unreadable: 0,
    };
    for mode in &modes {
        listing.run(*mode).await?;
    }
    if listing.unreadable > 0 {
        report::warn(format_args!(
            "{} on the list without an id that can be read",
            match listing.unreadable {
                1 => "there is a task".to_owned(),
                more => format!("there are {more} tasks"),
            }
        ));
    } else if listing.seen.is_empty() {
        match (args.mode, args.page) {
            (_, Some(page)) => report::say(format_args!("there are no tasks on page {page}")),
            (Some(mode), None) => {
                report::say(format_args!("the account has no tasks of the mode {mode}"));
            }
            (None, None) => report::say("the account has no tasks"),
        }
    }
    Ok(())
}

/// What goes through the lists of the service and prints them as one.
struct Listing<'a> {
    args: &'a ListArgs,
    connection: &'a Connection,
    seen: HashSet<String>,
    /// Tasks that are listed without an id.
    unreadable: usize,
}

impl Listing<'_> {
    async fn run(&mut self, mode: Mode) -> Result<(), Failure> {
        let has_pages = mode == Mode::Reference;
        let mut page = self.args.page;
        for _ in 0..self.args.max_pages.get() {
            let mut list = self.connection.client.list().mode(mode);
            if let Some(page) = page {
                list = list.page(page);
            }
            // Asked for all modes, a size is one for the pages that there are.
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
            // A task that is created meanwhile pushes others to the next page, where they would be listed again.
            tasks.retain(|task| self.seen.insert(task.id.clone()));
            if is_first && !tasks.is_empty() && !self.args.json {
                header(&tasks)?;
            }
            for task in &tasks {
                print(task, mode, self.args.json)?;
            }
            // A page without a new task, be it empty or a repeated one, is the last.
            if !self.args.all || !has_pages || tasks.is_empty() {
                return Ok(());
            }
            page = Some(page.unwrap_or(1).saturating_add(1));
        }
        let (most, next) = (self.args.max_pages, page.unwrap_or(1));
        Err(
            Failure::unfinished(format!("there are more than {most} pages of tasks")).with_help(
                format!("--page {next} goes on from there; --max-pages allows more"),
            ),
        )
    }
}

/// Names the columns for people; scripts that cut lines apart get none.
fn header(tasks: &[TaskSummary]) -> Result<(), Failure> {
    if !io::stdout().is_terminal() {
        return Ok(());
    }
    let width = tasks.iter().map(|task| task.id.len()).max().unwrap_or(0);
    report::line(Style::Heading.paint(&format!("{:width$}  STATUS  MODE", "TASK")))
}

fn print(task: &TaskSummary, mode: Mode, json: bool) -> Result<(), Failure> {
    if json {
        report::json_line(&Row {
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
