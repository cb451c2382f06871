use clap::Args;

use crate::connect::ConnectArgs;
use crate::failure::Failure;
use crate::fetch::{Fetch, WaitArgs};
use crate::output::OutputArgs;
use crate::progress::Progress;

use super::status;

#[derive(Args, Debug)]
pub(crate) struct WaitForArgs {
    /// Id of the task
    id: String,

    #[command(flatten)]
    wait: WaitArgs,

    /// Leave the video where it is, and print the status
    #[arg(long, conflicts_with_all = ["output", "force", "sidecar"], help_heading = "Waiting")]
    no_download: bool,

    #[command(flatten)]
    output: OutputArgs,

    /// Print one JSON object on stdout, whether it goes well or not
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
        args.output.check(Some(&args.id)).await?;
    }
    let task = connection.client.task(args.id);
    let mut fetch = Fetch::new(&connection, &args.output, Progress::new(verbose));
    fetch.progress.doing("asking for the status");
    let video = fetch.wait(&task, &args.wait).await?;
    if args.no_download {
        drop(fetch);
        return status::show(&connection, &task, video.state(), args.json);
    }
    fetch.save(&task, &video, args.json).await
}
