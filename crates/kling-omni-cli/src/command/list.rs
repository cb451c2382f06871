use std::collections::HashSet;
use std::io::{self, IsTerminal};

use clap::Args;
use kling_omni::TaskSummary;
use kling_omni::raw::Field;
use kling_omni::raw::limits::list_reference_to_video_tasks::{PAGE, PAGE_SIZE};
use serde::Serialize;

use crate::connect::ConnectArgs;
use crate::failure::Failure;
use crate::report::{self, Style};

#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    #[arg(long, value_name = "N", help = page_help())]
    page: Option<u32>,

    #[arg(long, value_name = "N", help = page_size_help())]
    page_size: Option<u32>,

    /// List every page, from the first or from --page on
    #[arg(long)]
    all: bool,

    /// Print one JSON object for each task, on a line of its own
    #[arg(long)]
    pub(crate) json: bool,
}

fn page_help() -> String {
    format!("Number of the page, from 1{}", default(&PAGE))
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
}

pub(super) async fn run(args: ListArgs, connect: &ConnectArgs) -> Result<(), Failure> {
    let connection = connect.open_existing()?;
    let mut page = args.page;
    let mut seen: HashSet<String> = HashSet::new();
    loop {
        let mut list = connection.client.list();
        if let Some(page) = page {
            list = list.page(page);
        }
        if let Some(size) = args.page_size {
            list = list.page_size(size);
        }
        let mut tasks = list
            .await
            .map_err(|error| connection.explain(error, None))?;
        // A task that is created meanwhile pushes others to the next page, where they would be listed again.
        tasks.retain(|task| seen.insert(task.id.clone()));
        if seen.is_empty() {
            match page {
                None => report::say("the account has no tasks"),
                Some(page) => report::say(format_args!("there are no tasks on page {page}")),
            }
        } else if seen.len() == tasks.len() && !args.json {
            header(&tasks)?;
        }
        for task in &tasks {
            print(task, args.json)?;
        }
        // The service says nowhere how many pages there are.
        if !args.all || tasks.is_empty() {
            return Ok(());
        }
        page = Some(page.unwrap_or(1).saturating_add(1));
    }
}

/// Names the columns for people; scripts that cut lines apart get none.
fn header(tasks: &[TaskSummary]) -> Result<(), Failure> {
    if !io::stdout().is_terminal() {
        return Ok(());
    }
    let width = tasks.iter().map(|task| task.id.len()).max().unwrap_or(0);
    report::line(Style::Heading.paint(&format!("{:width$}  STATUS", "TASK")))
}

fn print(task: &TaskSummary, json: bool) -> Result<(), Failure> {
    if json {
        report::json_line(&Row {
            task_id: &task.id,
            status: task.status.to_string(),
        })
    } else {
        report::line(format_args!("{}  {}", printable(&task.id), task.status))
    }
}

/// An id is the service's text, and must not steer the terminal.
fn printable(id: &str) -> String {
    id.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}
