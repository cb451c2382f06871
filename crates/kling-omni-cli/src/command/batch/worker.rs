//! `batch worker`: runs the batches of a ledger that were left to workers.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use kling_omni::Charged;
use kling_omni::polling::PollSchedule;
use kling_omni_batch::ledger::Step;
use kling_omni_batch::{Batches, WorkerEvent, WorkerOptions, WorkerRun};
use serde::Serialize;

use super::super::file_args::UploadArgs;
#[cfg(feature = "object-store")]
use super::bucket;
use super::explain::{explain, not_charged};
use super::ledger_args::{self, without_password};
use super::metrics_args::MetricsArgs;
use super::run_events::BatchEvent;
use super::run_view::describe_event;
use crate::choice::one_of;
use crate::connect::{ConnectArgs, sandbox_help};
use crate::failure::Failure;
use crate::interrupt::Interrupts;
use crate::known_tasks_file::state_folder;
use crate::report::printable;
use crate::{duration, failpoint, input, report};

const DEFAULT_AT_ONCE: NonZeroUsize = NonZeroUsize::new(4).expect("not zero");

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct BatchWorkerArgs {
    /// The ledger that the workers share: postgres://…
    #[arg(long, value_name = "LEDGER", value_parser = ledger_args::ledger())]
    db: PathBuf,

    /// Run only these steps of items, and create no tasks: prepare, fetch
    #[arg(long, value_name = "STEP", value_delimiter = ',', value_parser = one_of(Step::ALL, |step| step.as_str()))]
    only: Vec<Step>,

    /// Number of items that are inspected and uploaded at once
    #[arg(long, value_name = "N", default_value_t = DEFAULT_AT_ONCE)]
    max_prepares: NonZeroUsize,

    /// Number of videos that are downloaded at once
    #[arg(long, value_name = "N", default_value_t = DEFAULT_AT_ONCE)]
    max_fetches: NonZeroUsize,

    /// Poll each task at this interval [default: when it is likely to be completed]
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    poll_interval: Option<Duration>,

    /// The folder for what the database could not take after a payment, until it is back [default: in the state folder of
    /// the user]
    #[arg(long, value_name = "DIR", value_parser = input::file())]
    spool: Option<PathBuf>,

    /// Print one JSON object per event, one per line
    #[arg(long)]
    pub(super) json: bool,

    #[command(flatten)]
    upload: UploadArgs,

    #[command(flatten)]
    metrics: MetricsArgs,
}

const EXAMPLES: &str = "\
One worker at a time creates the tasks of an account; if it dies, another one continues within seconds. Each worker uploads \
and downloads. Files of rows and --out must mean the same on all machines: a shared folder, URLs, or a bucket.

Examples:
  Start a worker on each machine, with the key of the account:
    kling-omni batch worker --db postgres://kling@db.example/batches

  Leave a batch to them:
    kling-omni batch run clips.jsonl --out /shared/clips --db postgres://kling@db.example/batches --detach

  A worker that only downloads:
    kling-omni batch worker --db postgres://kling@db.example/batches --only fetch";

/// An event of a worker, as JSON.
#[derive(Serialize)]
#[serde(untagged)]
enum WorkerLine<'a> {
    Run {
        batch: &'a str,
        #[serde(flatten)]
        event: BatchEvent<'a>,
    },
    Other(&'a WorkerEvent),
}

pub(super) async fn run(args: BatchWorkerArgs, connect: &ConnectArgs) -> Result<(), Failure> {
    let settings = |client| args.upload.set_on_client(client);
    if connect.sandbox {
        let failure = Failure::usage("--sandbox cannot be used here: workers share a service");
        return Err(not_charged(failure.with_help(sandbox_help())));
    }
    let opened = connect.open_service(settings);
    let connection = opened.map_err(not_charged)?;
    let mut options = WorkerOptions::default()
        .max_prepares(args.max_prepares.get())
        .max_fetches(args.max_fetches.get())
        .on_step(|step| async move { failpoint::block_at(&step) });
    #[cfg(feature = "object-store")]
    {
        options = options.video_store(bucket::video_store());
    }
    if !args.only.is_empty() {
        options = options.only(args.only.iter().copied());
    }
    if let Some(interval) = args.poll_interval {
        options = options.poll_schedule(PollSchedule::fixed(interval));
    }
    if let Some(spool) = args.spool.clone().or_else(spool_in_state_folder) {
        options = options.spool(spool);
    }
    let failed = |error| not_charged(explain(error));
    let batches = Batches::open_with_queue(&args.db).await.map_err(failed)?;
    // Before the first request, so a signal that follows is not lost.
    let interrupts = Interrupts::listen();
    let metrics = args.metrics.publish(&batches, &connection.client).await;
    let metrics = metrics.map_err(not_charged)?;
    let worker = batches.worker(&connection.client, options);
    let run = worker.start().await.map_err(failed)?;
    let ledger = without_password(args.db.clone());
    report::say(format_args!("worker of {} started", input::name(&ledger)));
    let ended = follow(run, interrupts, args.json).await;
    metrics.stop().await;
    connection.save_durations();
    ended
}

/// Returns the folder for what a database could not take after a payment, where there is no folder of videos.
pub(super) fn spool_in_state_folder() -> Option<PathBuf> {
    Some(state_folder()?.join("spool"))
}

/// Prints events until the worker has stopped. The first Ctrl-C stops it, the second one aborts it.
async fn follow(mut run: WorkerRun, mut interrupts: Interrupts, json: bool) -> Result<(), Failure> {
    let mut is_stopping = false;
    // A closed stdout does not stop a worker that may have paid.
    let mut stdout = Ok(());
    loop {
        tokio::select! {
            event = run.next_event() => match event {
                Some(event) => {
                    if json && stdout.is_ok() {
                        stdout = print_json(&event);
                    }
                    if let Some(line) = describe(&event) {
                        report::say(line);
                    }
                }
                None => break,
            },
            () = interrupts.next() => {
                if is_stopping {
                    run.abort();
                    return Err(Failure::interrupted(
                        "stopped at once: a task may exist that the ledger does not know yet",
                    )
                    .with_charged(Charged::Unknown)
                    .with_help("start a worker to find it, and to continue"));
                }
                is_stopping = true;
                run.stop();
                report::say(
                    "stopping: a create, uploads and downloads in progress are completed (press Ctrl-C again to exit now)",
                );
            }
        }
    }
    run.await.map_err(explain)?;
    report::say("worker stopped");
    stdout
}

fn print_json(event: &WorkerEvent) -> Result<(), Failure> {
    match event {
        WorkerEvent::Run { batch, event } => match BatchEvent::new(event) {
            Some(event) => report::json_line(&WorkerLine::Run { batch, event }),
            None => Ok(()),
        },
        other => report::json_line(&WorkerLine::Other(other)),
    }
}

fn describe(event: &WorkerEvent) -> Option<String> {
    Some(match event {
        WorkerEvent::Conducting { batch } => format!("{}: creating tasks", printable(batch)),
        WorkerEvent::Released { batch, error } => match error {
            Some(error) => format!("{}: left: {}", printable(batch), printable(error)),
            None => format!("{}: left", printable(batch)),
        },
        WorkerEvent::NoAccount => {
            "waiting for a batch: the ledger has none for this key and service".to_owned()
        }
        WorkerEvent::Run { batch, event } => {
            format!("{}: {}", printable(batch), describe_event(event)?)
        }
        _ => return None,
    })
}
