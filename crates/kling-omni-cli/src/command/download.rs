//! `download`: saves the video of a completed task.

use clap::Args;
use kling_omni::Charged;

use crate::connect::ConnectArgs;
use crate::failure::Failure;
use crate::next::NextCommand;
use crate::output::OutputArgs;
use crate::progress::Progress;
use crate::report;
use crate::task_runner::TaskRunner;

use super::task_args::TaskArgs;

#[derive(Args, Debug)]
pub(crate) struct DownloadArgs {
    #[command(flatten)]
    task: TaskArgs,

    #[command(flatten)]
    output: OutputArgs,

    /// Print one JSON object on stdout, on success and on failure
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

pub(super) async fn run(
    args: DownloadArgs,
    connect: &ConnectArgs,
    verbose: bool,
) -> Result<(), Failure> {
    let connection = connect.open_existing()?;
    args.output.check(Some(&args.task.id)).await?;
    let task = args.task.task(&connection.client);
    let progress = Progress::new(verbose);
    progress.set_activity("reading the status");
    let explain = |error| connection.explain(error, args.output.given());
    let state = task.refresh().await.map_err(explain)?;
    if !state.status().is_terminal() {
        let status = state.status();
        let failure = Failure::unfinished(format!(
            "task {} is not completed (status {status})",
            report::printable(task.id())
        ))
        .with_task_id(task.id())
        .with_charged(Charged::Yes);
        let wait = connection.resume(NextCommand::Wait {
            id: task.id(),
            output: args.output.given(),
        });
        return Err(match wait {
            Some(wait) => {
                failure.with_help(format!("run `{wait}` to wait for it and save its video"))
            }
            None => failure,
        });
    }
    let video = task.video().map_err(explain)?;
    let runner = TaskRunner::new(&connection, &args.output, progress);
    runner.save(&task, &video, args.json).await
}
