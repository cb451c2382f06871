//! `status`: prints the status of a task.

use std::time::{Duration, SystemTime};

use clap::Args;
use kling_omni::polling::TaskState;
use kling_omni::{Error, Task};
use serde::Serialize;

use crate::connect::{ConnectArgs, Connection};
use crate::failure::Failure;
use crate::next::NextCommand;
use crate::{duration, report, task_runner};

use super::task_args::TaskArgs;

#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    task: TaskArgs,

    /// Print one JSON object on stdout, on success and on failure
    #[arg(long)]
    pub(crate) json: bool,
}

/// The JSON output, without the URL of the result, which is enough to read the file.
#[derive(Serialize)]
struct StatusOutput<'a> {
    task_id: &'a str,
    status: String,
    error: Option<&'a str>,
    results: usize,
    url_expires_at: Option<String>,
}

pub(super) async fn run(args: StatusArgs, connect: &ConnectArgs) -> Result<(), Failure> {
    let connection = connect.open_existing()?;
    let task = args.task.task(&connection.client);
    let state = task
        .refresh()
        .await
        .map_err(|error| connection.explain(error, None))?;
    print(&connection, &task, &state, args.json)
}

/// Prints the status on stdout, and the next command on stderr.
pub(super) fn print(
    connection: &Connection,
    task: &Task,
    state: &TaskState,
    json: bool,
) -> Result<(), Failure> {
    let ended = state.status().is_terminal().then(|| task.video());
    if json {
        let video = ended.as_ref().and_then(|result| result.as_ref().ok());
        let error = ended.as_ref().and_then(|result| result.as_ref().err());
        return report::json_line(&StatusOutput {
            task_id: state.id(),
            status: state.status().to_string(),
            error: error.map(Error::summary),
            results: state.generated().len(),
            url_expires_at: video.and_then(task_runner::expiry),
        });
    }
    report::line(state.status())?;
    let (id, output) = (task.id(), None);
    let next = |next| connection.resume(next).unwrap_or_default();
    let wait = || next(NextCommand::Wait { id, output });
    let download = || next(NextCommand::Download { id, output });
    match ended {
        None => report::say(format_args!("to wait for the video: {}", wait())),
        Some(Err(error)) => report::say(error.summary()),
        Some(Ok(video)) => match video.expires_at().map(time_until) {
            None => report::say(format_args!("to save the video: {}", download())),
            Some(Ok(left)) => report::say(format_args!(
                "to save the video, within {}: {}",
                duration::text(left),
                download()
            )),
            Some(Err(past)) => report::say(format_args!(
                "the URL of the video expired {} ago",
                duration::text(past)
            )),
        },
    }
    Ok(())
}

/// Returns the time until `expiry`, or the time since then as the error.
fn time_until(expiry: SystemTime) -> Result<Duration, Duration> {
    expiry
        .duration_since(SystemTime::now())
        .map_err(|past| past.duration())
}
