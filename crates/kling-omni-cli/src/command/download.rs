//! `download`: saves the video of a task that has ended.

use clap::Args;
use kling_omni::Charged;

use crate::connect::ConnectArgs;
use crate::failure::Failure;
use crate::next::Next;
use crate::output::OutputArgs;
use crate::progress::Progress;
use crate::task_runner::TaskRunner;

use super::task_args::TaskArgs;

#[derive(Args, Debug)]
pub(crate) struct DownloadArgs {
    #[command(flatten)]
    task: TaskArgs,

    #[command(flatten)]
    output: OutputArgs,

    /// Print one JSON object on stdout, whether it goes well or not
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
    progress.doing("asking for the status");
    let explain = |error| connection.explain(error, args.output.given());
    let state = task.refresh().await.map_err(explain)?;
    if !state.status().is_terminal() {
        let status = state.status();
        let failure = Failure::unfinished(format!("the task is {status}, and has no video yet"))
            .with_task_id(task.id())
            .with_charged(Charged::Yes);
        let wait = connection.resume(Next::Wait {
            id: task.id(),
            output: args.output.given(),
        });
        return Err(match wait {
            Some(wait) => failure.with_help(format!("`{wait}` waits for it and saves the video")),
            None => failure,
        });
    }
    let video = task.video().map_err(explain)?;
    let runner = TaskRunner::new(&connection, &args.output, progress);
    runner.save(&task, &video, args.json).await
}
