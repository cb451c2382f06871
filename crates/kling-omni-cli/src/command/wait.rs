//! `wait`: waits for a task and saves its video.

use clap::Args;

use crate::connect::ConnectArgs;
use crate::failure::Failure;
use crate::output::OutputArgs;
use crate::progress::Progress;
use crate::task_runner::{TaskRunner, WaitArgs};

use super::status;
use super::task_args::TaskArgs;

#[derive(Args, Debug)]
pub(crate) struct WaitForArgs {
    #[command(flatten)]
    task: TaskArgs,

    #[command(flatten)]
    wait: WaitArgs,

    /// Do not save the video; print the status
    #[arg(long, conflicts_with_all = ["output", "force", "sidecar"], help_heading = "Waiting")]
    no_download: bool,

    #[command(flatten)]
    output: OutputArgs,

    /// Print one JSON object on stdout, on success and on failure
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

pub(super) async fn run(
    args: WaitForArgs,
    connect: &ConnectArgs,
    verbose: bool,
) -> Result<(), Failure> {
    let connection = connect.open_existing()?;
    if !args.no_download {
        args.output.check(Some(&args.task.id)).await?;
    }
    let task = args.task.task(&connection.client);
    let mut runner = TaskRunner::new(&connection, &args.output, Progress::new(verbose));
    runner.progress.set_activity("reading the status");
    let video = runner.wait(&task, &args.wait).await?;
    if args.no_download {
        drop(runner);
        return status::print(&connection, &task, video.state(), args.json);
    }
    runner.save(&task, &video, args.json).await
}
