//! `generate`: creates a task, waits for it and saves its video.

mod account_tasks;
mod journalled;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use journalled::JournalArgs;
use kling_omni::preflight::PreflightReport;
use kling_omni::request::Route;
use kling_omni::validation::Finding;
use kling_omni::{Charged, Create, Mode, Task, Tier};
use serde::Serialize;
use serde_json::Value;

use super::file_args::FileArgs;
use crate::choice::one_of;
use crate::connect::ConnectArgs;
use crate::failure::Failure;
use crate::faults::SeededFaultArgs;
use crate::output::OutputArgs;
use crate::progress::Progress;
use crate::report;
use crate::request::{Request, RequestArgs};
use crate::task_page::TaskPageArgs;
use crate::task_runner::{TaskRunner, WaitArgs};

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct GenerateArgs {
    #[command(flatten)]
    request: RequestArgs,

    /// The route that creates the task; auto tries the older route first, then its successor [default: auto]
    #[arg(
        long,
        value_name = "ROUTE",
        value_parser = one_of(Route::ALL, Route::as_str),
        help_heading = "From a reference video"
    )]
    route: Option<Route>,

    /// Validate the request and its files, print the request as JSON, and send nothing
    #[arg(long, help_heading = "Request")]
    dry_run: bool,

    #[command(flatten)]
    files: FileArgs,

    #[command(flatten)]
    output: OutputArgs,

    #[command(flatten)]
    page: TaskPageArgs,

    /// Print one JSON object on stdout, on success and on failure
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,

    #[command(flatten)]
    wait: WaitArgs,

    #[command(flatten, next_help_heading = "Connection")]
    faults: SeededFaultArgs,

    #[command(flatten)]
    journal: JournalArgs,

    /// Print the id of the new task and exit
    #[arg(long, help_heading = "Waiting", conflicts_with_all = ["timeout", "poll_interval", "output", "force", "sidecar"])]
    no_wait: bool,
}

const EXAMPLES: &str = "\
Examples:
  Try it without a key, at no cost:
    kling-omni generate --sandbox -p 'The dancer of @Video1' --video https://example.com/dance.mp4

  A reference video that guides the motion:
    kling-omni generate -p 'The dancer of @Video1 as a paper puppet' \\
      --video https://example.com/dance.mp4 -d 8 -a 16:9 -o puppet.mp4

  The same from a file, with another duration:
    kling-omni generate -r puppet.yaml -d 10

  Two shots of one character, with sound:
    kling-omni generate --shot '@Element1 wakes up' --shot '@Element1 climbs the stairs' \\
      --element 'https://example.com/puppet.png https://example.com/puppet-left.png' --audio -d 10";

/// The JSON output of `--dry-run`.
#[derive(Serialize)]
struct DryRunOutput {
    request: Value,
    mode: Mode,
    tier: Tier,
    /// Only requests with a reference video have a choice of routes.
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<Route>,
    findings: Vec<Finding>,
}

/// The JSON output of `--no-wait`.
#[derive(Serialize)]
struct CreatedOutput<'a> {
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
        page,
        json,
        wait,
        faults,
        no_wait,
        journal: _,
    } = args;
    let request = request.into_request(route.is_some()).map_err(not_charged)?;
    request.warnings().iter().for_each(report::warn_finding);
    // A file that cannot be saved is found before the task is paid for.
    if !no_wait {
        connect.refuse_shared(&output).map_err(not_charged)?;
        output.check(None).await.map_err(not_charged)?;
        page.check(&output).await.map_err(not_charged)?;
    }
    if dry_run {
        request.check(route)?;
    }
    let preflight = files
        .preflight(&request, route)
        .await
        .map_err(not_charged)?;
    let findings = preflight
        .as_ref()
        .map_or(&[][..], PreflightReport::findings);
    findings.iter().for_each(report::warn_finding);
    if dry_run {
        let body = request.body();
        if !json {
            return report::pretty_json(&body);
        }
        return report::json_line(&DryRunOutput {
            request: body,
            mode: request.mode(),
            tier: request.tier(),
            route: (request.mode() == Mode::Reference).then(|| route.unwrap_or_default()),
            findings: [request.warnings(), findings].concat(),
        });
    }
    if no_wait && connect.sandbox {
        return Err(not_charged(Failure::usage(
            "--no-wait cannot be used with --sandbox, which stops with this command",
        )));
    }

    let body = output.sidecar.then(|| request.body());
    let connection = connect.open(faults).await.map_err(not_charged)?;
    let mut runner = TaskRunner::new(&connection, &output, Progress::new(verbose));
    runner.request = body;
    runner.page = page.page(Some(&request));
    let sent_flag = SentFlag::default();
    let create = build_create(&runner, request, preflight, route, &files, &sent_flag);
    let sent = send(&mut runner, create.into_future(), &sent_flag).await?;
    let task = sent.result.map_err(|error| runner.explain_create(error))?;
    if sent.is_interrupted {
        return Err(interrupted_after_create(&runner, &task));
    }
    report_task(&runner, &task, no_wait);
    if no_wait {
        drop(runner);
        return print_created(&task, json);
    }
    let video = runner.wait(&task, &wait).await?;
    runner.save(&task, &video, json).await
}

/// Whether the request may have been sent. Set immediately before it is.
#[derive(Clone, Debug, Default)]
struct SentFlag(Arc<AtomicBool>);

fn build_create(
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
    let SentFlag(is_sent) = sent_flag.clone();
    let create = files
        .set_on(create, preflight, &runner.progress)
        .before_send(move |_| {
            is_sent.store(true, Ordering::SeqCst);
            Ok(())
        });
    match route {
        Some(route) => create.route(route),
        None => create,
    }
}

/// Prints the id of a new task, and the command that resumes it, before anything else can fail.
fn report_task(runner: &TaskRunner<'_>, task: &Task, no_wait: bool) {
    if !no_wait {
        let id = report::printable(task.id());
        runner.progress.say(format_args!("task {id}"));
    }
    let resume = runner.connection.resume(runner.wait_command(task));
    if let Some(resume) = resume {
        runner.progress.say(format_args!("to resume: {resume}"));
    }
}

/// Prints the id of a task that continues without this program.
fn print_created(task: &Task, json: bool) -> Result<(), Failure> {
    if !json {
        return report::line(report::printable(task.id()));
    }
    report::json_line(&CreatedOutput {
        task_id: task.id(),
        status: task.status().map(String::from),
        request_id: task.request_id(),
    })
}

fn interrupted_after_create(runner: &TaskRunner<'_>, task: &Task) -> Failure {
    let what = format!("task {} was created", report::printable(task.id()));
    runner.interrupted(task, &what, runner.wait_command(task))
}

/// Marks a failure from before the request was sent.
fn not_charged(failure: Failure) -> Failure {
    failure.with_charged(Charged::No)
}

const STOPPED_BEFORE_SENDING: &str = "stopped before the request was sent";
const STOPPED_BEFORE_RESPONSE: &str =
    "stopped before the response arrived, so a paid task may exist";
const WAITING_FOR_RESPONSE: &str =
    "request sent: waiting for the response with the task id (press Ctrl-C again to exit now)";

/// The result of a create, and whether Ctrl-C was pressed meanwhile.
struct SendResult<T> {
    result: T,
    is_interrupted: bool,
}

/// Creates the task. After the request was sent, the first Ctrl-C still waits for the response, which has the id of
/// the paid task; the second one gives up.
async fn send<T>(
    runner: &mut TaskRunner<'_>,
    create: impl Future<Output = T>,
    sent_flag: &SentFlag,
) -> Result<SendResult<T>, Failure> {
    runner.progress.set_activity("sending the request");
    let mut create = pin!(create);
    tokio::select! {
        result = &mut create => return Ok(SendResult { result, is_interrupted: false }),
        () = runner.interrupts.next() => {}
    }
    if !sent_flag.0.load(Ordering::SeqCst) {
        return Err(not_charged(Failure::interrupted(STOPPED_BEFORE_SENDING)));
    }
    runner.progress.say(WAITING_FOR_RESPONSE);
    tokio::select! {
        result = &mut create => Ok(SendResult { result, is_interrupted: true }),
        () = runner.interrupts.next() => {
            Err(runner.connection.ambiguous(Failure::interrupted(STOPPED_BEFORE_RESPONSE)))
        }
    }
}
