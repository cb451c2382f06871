//! `generate` with a journal: creates a task, and resumes it from any state after a crash.

mod task;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use kling_omni::journal::{Journal, RequestFingerprint, State};
use kling_omni::preflight::PreflightReport;
use kling_omni::recovery::Reconcile;
use kling_omni::request::Route;
use kling_omni::{Charged, Error};

use self::task::JournalledTask;
use super::account_tasks::{AccountTasks, Target};
use super::{GenerateArgs, SentFlag, build_create};
use crate::connect::{ConnectArgs, sandbox_help};
use crate::failure::Failure;
use crate::next::NextCommand;
use crate::progress::Progress;
use crate::request::{Request, RequestArgs};
use crate::task_runner::TaskRunner;
use crate::{duration, failpoint, input, report};

#[derive(Args, Debug)]
#[command(next_help_heading = "Journal")]
pub(super) struct JournalArgs {
    /// Record each step in this new file before it is taken, for --resume after a crash. The ids of the account's tasks are
    /// kept in the state folder of the user
    #[arg(long, alias = "state", value_name = "FILE", value_parser = input::file(), group = "journal_file", conflicts_with = "dry_run")]
    journal: Option<PathBuf>,

    /// Resume the task of a journal: create it if it certainly was not created, search for it if that is unknown, wait
    /// for it, save its video. A create needs the options of the request again
    #[arg(long, value_name = "FILE", value_parser = input::file(), group = "journal_file", conflicts_with = "dry_run")]
    resume: Option<PathBuf>,

    /// The task of the journal, if --resume exited with 8
    #[arg(
        long,
        value_name = "ID",
        allow_hyphen_values = true,
        requires = "resume",
        conflicts_with = "journal"
    )]
    task: Option<String>,

    /// Create the task although --resume exited with 8, because you found none on the account. If one exists, you pay
    /// twice
    #[arg(long, requires = "resume", conflicts_with_all = ["task", "journal"])]
    create_anyway: bool,

    #[arg(long, alias = "settle", value_name = "TIME", value_parser = duration::parse, requires = "journal_file", help = settle_time_help())]
    settle_time: Option<Duration>,
}

fn settle_time_help() -> String {
    format!(
        "How long the task of a lost response may take to appear on the service's list; a shorter time risks paying twice [default: {}]",
        duration::text(Reconcile::DEFAULT_SETTLE_TIME)
    )
}

/// Whether to create a journal or to open one.
pub(super) enum JournalMode {
    New(PathBuf),
    Existing(PathBuf),
}

impl JournalArgs {
    pub(super) fn mode(&self) -> Option<JournalMode> {
        let new = self.journal.clone().map(JournalMode::New);
        new.or_else(|| self.resume.clone().map(JournalMode::Existing))
    }
}

pub(super) async fn run(
    mode: JournalMode,
    args: GenerateArgs,
    connect: &ConnectArgs,
    verbose: bool,
) -> Result<(), Failure> {
    if connect.sandbox {
        return Err(Failure::usage(
            "a journal cannot be used with --sandbox, which stops with this command",
        )
        .with_help(sandbox_help()));
    }
    let (path, opened) = match mode {
        JournalMode::New(path) => (path, None),
        JournalMode::Existing(path) => {
            let journal = Journal::open(&path)
                .await
                .map_err(|error| open_failure(error, &path))?;
            (path, Some(journal))
        }
    };
    let state = opened.as_ref().map_or(State::Empty, Journal::state);
    // Until the next step, the journal decides whether a failure was charged.
    let with_charge = |failure: Failure| match state.task_id() {
        Some(id) => failure.with_charged(Charged::Yes).with_task_id(id),
        None => failure.with_charged(state.charged()),
    };
    let GenerateArgs {
        request,
        route,
        files,
        output,
        page,
        json,
        wait,
        faults,
        no_wait,
        journal: settings,
        dry_run: _,
    } = args;
    let fingerprint = opened.as_ref().and_then(Journal::fingerprint);
    let output = output.or(fingerprint
        .as_ref()
        .and_then(RequestFingerprint::destination));
    let request = if opened.is_none() || request.is_given() {
        Some(validate_request(request, route).map_err(with_charge)?)
    } else {
        None
    };
    // A file that cannot be saved is found before the task is paid for.
    if !no_wait {
        let option = if opened.is_some() {
            "--resume"
        } else {
            "--journal"
        };
        output.refuse_shared(option, &path).map_err(with_charge)?;
        page.check(&output).await.map_err(with_charge)?;
    }
    if state.may_create() && !no_wait {
        connect.refuse_shared(&output).map_err(with_charge)?;
        output.check(None).await.map_err(with_charge)?;
    }
    let mut preflight = None;
    if let Some(request) = request.as_ref().filter(|_| state.may_create()) {
        preflight = files.preflight(request, route).await.map_err(with_charge)?;
        let findings = preflight
            .as_ref()
            .map_or(&[][..], PreflightReport::findings);
        findings.iter().for_each(report::warn_finding);
    }
    let destination = output.absolute().map_err(|error| {
        with_charge(Failure::file("cannot determine the current folder").with_cause(error))
    })?;
    let mut connection = connect.open(faults).await.map_err(with_charge)?;
    if let Some(journal) = &opened {
        journal.check_service(&connection.client).map_err(|error| {
            Failure::from(error)
                .with_help("use the --host, --base-url and KLING_OMNI_BASE_URL of the first run")
        })?;
    }
    connection.journal = Some(path.clone());
    failpoint::block_at("before the journal");
    let journal = match opened {
        Some(journal) => journal,
        None => Journal::create_new(&path).await.map_err(|error| {
            let failure = Failure::from(error);
            if !path.is_file() {
                return failure;
            }
            let resume = connection.command(NextCommand::Resume { journal: &path });
            failure.with_help(format!(
                "run `{resume}` to resume its task, or name another file for a new task"
            ))
        })?,
    };
    let mut runner = TaskRunner::new(&connection, &output, Progress::new(verbose));
    runner.page = page.page(request.as_ref());
    let sent_flag = SentFlag::default();
    let target = request.as_ref().map(|request| Target::new(request, route));
    let create =
        request.map(|request| build_create(&runner, request, preflight, route, &files, &sent_flag));
    let mut journalled = JournalledTask {
        journal: journal.on_step(failpoint::block_at_record),
        create,
        sent_flag,
        account_tasks: match state.task_id() {
            Some(_) => AccountTasks::default(),
            None => AccountTasks::open(&connection, target),
        },
        destination,
        settle_time: settings
            .settle_time
            .unwrap_or(Reconcile::DEFAULT_SETTLE_TIME),
        no_wait,
        runner,
    };
    journalled
        .resolve(settings.task.as_deref(), settings.create_anyway)
        .await?;
    journalled.run(&wait, json).await
}

/// Explains why a journal cannot be opened. If it does not exist, the help names the option that creates it.
fn open_failure(error: Error, path: &Path) -> Failure {
    let failure = Failure::from(error);
    match path.try_exists() {
        Ok(false) => failure.with_help(
            "check the path, or start with --journal if no earlier run created the file",
        ),
        _ => failure,
    }
}

fn validate_request(request: RequestArgs, route: Option<Route>) -> Result<Request, Failure> {
    let request = request.into_request(route.is_some())?;
    request.check(route)?;
    request.warnings().iter().for_each(report::warn_finding);
    Ok(request)
}
