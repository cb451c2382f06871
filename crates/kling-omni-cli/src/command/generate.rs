//! `generate`: from a request to a video on disk.

mod files;
mod journalled;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use files::FileArgs;
use journalled::JournalArgs;
use kling_omni::preflight::PreflightReport;
use kling_omni::request::Route;
use kling_omni::validation::Finding;
use kling_omni::{Charged, Create, Mode, Task, Tier};
use serde::Serialize;
use serde_json::Value;

use crate::choice::one_of;
use crate::connect::ConnectArgs;
use crate::failure::Failure;
use crate::faults::SeededFaultArgs;
use crate::output::OutputArgs;
use crate::progress::Progress;
use crate::report;
use crate::request::{Request, RequestArgs};
use crate::task_runner::{TaskRunner, WaitArgs};

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct GenerateArgs {
    #[command(flatten)]
    request: RequestArgs,

    /// Which of the service's routes creates the task: the older one and then its successor (auto), or just one
    /// [default: auto]
    #[arg(
        long,
        value_name = "ROUTE",
        value_parser = one_of(Route::ALL, Route::as_str),
        help_heading = "From a reference video"
    )]
    route: Option<Route>,

    /// Check everything that can be checked here, print the request as JSON, and send nothing
    #[arg(long, help_heading = "Request")]
    dry_run: bool,

    #[command(flatten)]
    files: FileArgs,

    #[command(flatten)]
    output: OutputArgs,

    /// Print one JSON object on stdout, whether it goes well or not
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,

    #[command(flatten)]
    wait: WaitArgs,

    #[command(flatten, next_help_heading = "Connection")]
    faults: SeededFaultArgs,

    #[command(flatten)]
    journal: JournalArgs,

    /// Print the id of the new task and leave it alone
    #[arg(long, help_heading = "Waiting", conflicts_with_all = ["timeout", "poll_interval", "output", "force", "sidecar"])]
    no_wait: bool,
}

const EXAMPLES: &str = "\
Examples:
  Try it, without a key and at no cost:
    kling-omni generate --sandbox -p 'The dancer of @Video1' --video https://example.com/dance.mp4

  A reference video that guides the motion:
    kling-omni generate -p 'The dancer of @Video1 as a paper puppet' \\
      --video https://example.com/dance.mp4 -d 8 -a 16:9 -o puppet.mp4

  The same from a file, with another length:
    kling-omni generate -r puppet.yaml -d 10

  Two shots of one character, with sound:
    kling-omni generate --shot '@Element1 wakes up' --shot '@Element1 climbs the stairs' \\
      --element 'https://example.com/puppet.png https://example.com/puppet-left.png' --audio -d 10";

/// The parts of an answer to `--dry-run` for scripts.
#[derive(Serialize)]
struct DryRun {
    request: Value,
    mode: Mode,
    tier: Tier,
    /// There is no choice but for a reference video.
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<Route>,
    findings: Vec<Finding>,
}

/// A task that was left alone, for scripts.
#[derive(Serialize)]
struct Created<'a> {
    task_id: &'a str,
    status: Option<String>,
    request_id: Option<&'a str>,
}

pub(super) async fn run(
    args: GenerateArgs,
    connect: &ConnectArgs,
    verbose: bool,
) -> Result<(), Failure> {
    if let Some(mode) = args.journal.mode() {
        return journalled::run(mode, args, connect, verbose).await;
    }
    let GenerateArgs {
        request,
        route,
        dry_run,
        files,
        output,
        json,
        wait,
        faults,
        no_wait,
        journal: _,
    } = args;
    let request = request.into_request(route.is_some()).map_err(unpaid)?;
    request.warnings().iter().for_each(report::warn_of);
    // A task that is paid for must not fail for want of a place to put its video.
    if !no_wait {
        connect.refuse_shared(&output).map_err(unpaid)?;
        output.check(None).await.map_err(unpaid)?;
    }
    if dry_run {
        request.check(route)?;
    }
    let preflight = files.preflight(&request, route).await.map_err(unpaid)?;
    let found = preflight
        .as_ref()
        .map_or(&[][..], PreflightReport::findings);
    found.iter().for_each(report::warn_of);
    if dry_run {
        let body = request.body();
        if !json {
            return report::pretty_json(&body);
        }
        return report::json_line(&DryRun {
            request: body,
            mode: request.mode(),
            tier: request.tier(),
            route: (request.mode() == Mode::Reference).then(|| route.unwrap_or_default()),
            findings: [request.warnings(), found].concat(),
        });
    }
    if no_wait && connect.sandbox {
        return Err(unpaid(Failure::usage(
            "--sandbox ends with this command, so that --no-wait would leave nothing to come back to",
        )));
    }

    let body = output.sidecar.then(|| request.body());
    let connection = connect.open(faults).await.map_err(unpaid)?;
    let mut runner = TaskRunner::new(&connection, &output, Progress::new(verbose));
    runner.request = body;
    let sent_flag = SentFlag::default();
    let create = create_of(&runner, request, preflight, route, &files, &sent_flag);
    let sent = send(&mut runner, create.into_future(), &sent_flag).await?;
    let task = sent.answer.map_err(|error| runner.explain_create(error))?;
    if sent.is_interrupted {
        return Err(interrupted_after(&runner, &task));
    }
    tell(&runner, &task, no_wait);
    if no_wait {
        drop(runner);
        return leave(&task, json);
    }
    let video = runner.wait(&task, &wait).await?;
    runner.save(&task, &video, json).await
}

/// Whether a request may have gone out: from just before that on.
#[derive(Clone, Debug, Default)]
struct SentFlag(Arc<AtomicBool>);

fn create_of(
    runner: &TaskRunner<'_>,
    request: Request,
    preflight: Option<PreflightReport>,
    route: Option<Route>,
    files: &FileArgs,
    sent_flag: &SentFlag,
) -> Create {
    let client = &runner.connection.client;
    let create = match request {
        Request::Checked { request, .. } => client.create(*request),
        Request::Unchecked { mode, tier, body } => client.create_unchecked(tier, body).mode(mode),
    };
    let SentFlag(is_over) = sent_flag.clone();
    let create = files
        .set_on(create, preflight, &runner.progress)
        .before_send(move |_| {
            is_over.store(true, Ordering::SeqCst);
            Ok(())
        });
    match route {
        Some(route) => create.route(route),
        None => create,
    }
}

/// Says what the task is as soon as there is one, so that it can be found again whatever happens next.
fn tell(runner: &TaskRunner<'_>, task: &Task, no_wait: bool) {
    if !no_wait {
        let id = report::printable(task.id());
        runner.progress.say(format_args!("task {id}"));
    }
    let resume = runner.connection.resume(runner.wait_again(task));
    if let Some(resume) = resume {
        runner
            .progress
            .say(format_args!("to come back to it: {resume}"));
    }
}

/// Prints a task that goes on without this program.
fn leave(task: &Task, json: bool) -> Result<(), Failure> {
    if !json {
        return report::line(report::printable(task.id()));
    }
    report::json_line(&Created {
        task_id: task.id(),
        status: task.status().map(String::from),
        request_id: task.request_id(),
    })
}

fn interrupted_after(runner: &TaskRunner<'_>, task: &Task) -> Failure {
    let what = format!("task {} was created", report::printable(task.id()));
    runner.left_alone(task, &what, runner.wait_again(task))
}

/// Says what everything means for money that happens before the request is sent.
fn unpaid(failure: Failure) -> Failure {
    failure.with_charged(Charged::No)
}

/// What came of a create, and whether Ctrl-C was pressed meanwhile.
struct Sent<T> {
    answer: T,
    is_interrupted: bool,
}

/// Creates the task. Once the request is under way, a first Ctrl-C waits for the answer, since without it nobody knows the
/// id of a task that may be paid for; a second one gives up on that.
async fn send<T>(
    runner: &mut TaskRunner<'_>,
    create: impl Future<Output = T>,
    sent_flag: &SentFlag,
) -> Result<Sent<T>, Failure> {
    runner.progress.doing("sending the request");
    let mut create = pin!(create);
    tokio::select! {
        answer = &mut create => return Ok(Sent { answer, is_interrupted: false }),
        () = runner.interrupts.next() => {}
    }
    if !sent_flag.0.load(Ordering::SeqCst) {
        return Err(unpaid(Failure::interrupted(
            "stopped before the request was sent; there is no task",
        )));
    }
    runner.progress.say(
        "the request is under way: waiting for its answer, so that no paid task is lost; Ctrl-C again ends at once",
    );
    tokio::select! {
        answer = &mut create => Ok(Sent { answer, is_interrupted: true }),
        () = runner.interrupts.next() => Err(runner.connection.ambiguous(Failure::interrupted(
            "ended before the service answered; there may be a paid task or not",
        ))),
    }
}
