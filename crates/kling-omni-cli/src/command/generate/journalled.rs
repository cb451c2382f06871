//! `generate` with a journal: creates a task, and resumes it from any state after a crash.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::Args;
use kling_omni::journal::{Journal, RequestFingerprint, State};
use kling_omni::preflight::PreflightReport;
use kling_omni::recovery::{AmbiguityReason, Reconciled, UnconfirmedCreate};
use kling_omni::request::Route;
use kling_omni::{Charged, Create, CreateOutcome, Error, Task};

use super::{
    GenerateArgs, SentFlag, build_create, interrupted_after_create, print_created, report_task,
    send,
};
use crate::connect::{ConnectArgs, sandbox_help};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::next::NextCommand;
use crate::progress::Progress;
use crate::request::{Request, RequestArgs};
use crate::task_runner::{TaskRunner, WaitArgs, timestamp, warn_write_error};
use crate::{duration, failpoint, input, report};

/// How long a task may take to be listed, by default.
const SETTLE_TIME: Duration = Duration::from_secs(300);

#[derive(Args, Debug)]
#[command(next_help_heading = "Journal")]
pub(super) struct JournalArgs {
    /// Record each step in this new file before it is taken, for --resume after a crash
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
        duration::text(SETTLE_TIME)
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
    if output.sidecar {
        runner.request = request.as_ref().map(Request::body);
    }
    let sent_flag = SentFlag::default();
    let create =
        request.map(|request| build_create(&runner, request, preflight, route, &files, &sent_flag));
    JournalledTask {
        journal: journal.on_step(failpoint::block_at_record),
        create,
        sent_flag,
        has_sent: false,
        destination,
        settle_time: settings.settle_time.unwrap_or(SETTLE_TIME),
        no_wait,
        runner,
    }
    .run(
        settings.task.as_deref(),
        settings.create_anyway,
        &wait,
        json,
    )
    .await
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

/// Marks a failure after the task was created as charged. A failed task may be refunded, and stays unknown.
fn mark_charged(failure: Failure, id: &str) -> Failure {
    match (failure.charged(), failure.exit()) {
        (Some(Charged::Unknown), exit) if exit != Exit::NoVideo => {
            failure.with_charged(Charged::Yes).with_task_id(id)
        }
        _ => failure,
    }
}

fn validate_request(request: RequestArgs, route: Option<Route>) -> Result<Request, Failure> {
    let request = request.into_request(route.is_some())?;
    request.check(route)?;
    request.warnings().iter().for_each(report::warn_finding);
    Ok(request)
}

/// The task of a journal, in one run of the program.
struct JournalledTask<'a> {
    journal: Journal,
    runner: TaskRunner<'a>,
    /// The create, if the options of the request were given. It is sent at most once in a run.
    create: Option<Create>,
    sent_flag: SentFlag,
    has_sent: bool,
    destination: PathBuf,
    settle_time: Duration,
    no_wait: bool,
}

impl JournalledTask<'_> {
    /// Continues from the state of the journal until the video is saved.
    async fn run(
        mut self,
        task: Option<&str>,
        create_anyway: bool,
        wait: &WaitArgs,
        json: bool,
    ) -> Result<(), Failure> {
        // A request that differs from the journal's is an error even if the task is already created.
        if self.create.is_some() || create_anyway {
            self.begin_journal().await?;
        }
        if let Some(id) = task {
            self.resolve_as(id).await?;
        } else if create_anyway {
            self.journal.resolve_not_created().await?;
        }
        let task = loop {
            let state = self.journal.state();
            let task = match (&state, state.task_id()) {
                (State::Unconfirmed(unconfirmed), _) => self.reconcile(unconfirmed).await?,
                (_, Some(id)) => Some(self.task(id)),
                (_, None) => self.create().await?,
            };
            // A known task is continued even if it could not be written to the journal.
            if let Some(task) = task {
                break task;
            }
        };
        let state = self.journal.state();
        if let Some(saved) = self.journal.verify_saved().await {
            return self.runner.report_saved(task.id(), &saved, json);
        }
        if let State::Saved { file, .. } = state {
            self.runner.progress.say(format_args!(
                "{} is missing or changed: saving the video again",
                file.path.display()
            ));
        }
        if self.no_wait {
            drop(self.runner);
            return print_created(&task, json);
        }
        self.runner.journal = Some(self.journal);
        let charged = |failure: Failure| mark_charged(failure, task.id());
        let video = self.runner.wait(&task, wait).await.map_err(charged)?;
        self.runner.save(&task, &video, json).await.map_err(charged)
    }

    /// Returns the command that resumes this journal.
    fn resume_command(&self) -> String {
        let connection = self.runner.connection;
        connection.command(NextCommand::Resume {
            journal: connection.journal(),
        })
    }

    /// Writes the fingerprint of the request to the journal. Fails without a request, or if the journal has another one.
    async fn begin_journal(&mut self) -> Result<(), Failure> {
        let Some(create) = &self.create else {
            let failure =
                Failure::usage("cannot create the task: the journal does not contain the request");
            return Err(failure
                .with_charged(self.journal.state().charged())
                .with_help("give the options of the request again"));
        };
        let fingerprint = create.fingerprint().with_destination(&self.destination);
        Ok(self.journal.begin(fingerprint).await?)
    }

    /// Creates the task. Returns `None` if the outcome is unknown.
    async fn create(&mut self) -> Result<Option<Task>, Failure> {
        if self.has_sent {
            let resume = self.resume_command();
            return Err(
                Failure::unfinished("the request was lost and created no task")
                    .with_charged(Charged::No)
                    .with_help(format!(
                        "run `{resume}` with the options of the request to create it again"
                    )),
            );
        }
        self.begin_journal().await?;
        let Some(create) = self.create.take() else {
            return Ok(None);
        };
        self.has_sent = true;
        let sent = send(
            &mut self.runner,
            self.journal.create(create),
            &self.sent_flag,
        )
        .await?;
        warn_write_error(&self.journal);
        match sent.result? {
            CreateOutcome::Created(task) => {
                report_task(&self.runner, &task, self.no_wait);
                match sent.is_interrupted {
                    true => Err(interrupted_after_create(&self.runner, &task)),
                    false => Ok(Some(task)),
                }
            }
            CreateOutcome::Rejected(error) => Err(self.runner.explain_create(error)),
            CreateOutcome::Unknown { error, .. } if sent.is_interrupted => {
                Err(self.runner.explain_create(error))
            }
            CreateOutcome::Unknown { error, .. } => {
                self.runner.progress.say(format_args!(
                    "no response to the request: {}",
                    error.summary()
                ));
                Ok(None)
            }
        }
    }

    /// Reconciles an unconfirmed create with its task. Returns `None` if it created none.
    async fn reconcile(
        &mut self,
        unconfirmed: &UnconfirmedCreate,
    ) -> Result<Option<Task>, Failure> {
        let connection = self.runner.connection;
        let (settle_time, progress) = (self.settle_time, &self.runner.progress);
        let search = self.journal.reconcile(&connection.client, |search| {
            let search = search.settle_time(settle_time).until_settled();
            let until = SystemTime::now() + search.time_left();
            progress.say(format_args!(
                "{unconfirmed}: searching for its task until {}",
                timestamp(until).unwrap_or_default()
            ));
            progress.set_activity("searching for the task");
            search
        });
        let reconciled = tokio::select! {
            reconciled = search => reconciled.map_err(|error| self.runner.explain_create(error))?,
            () = self.runner.interrupts.next() => {
                return Err(connection.ambiguous(Failure::interrupted("stopped searching for the task")));
            }
        };
        warn_write_error(&self.journal);
        match reconciled {
            Reconciled::Found { task, matched_by } => {
                self.runner.progress.say(format_args!(
                    "found task {}: {matched_by}",
                    report::printable(task.id())
                ));
                Ok(Some(task))
            }
            Reconciled::NotCreated => {
                self.runner.progress.say("the request created no task");
                Ok(None)
            }
            Reconciled::Ambiguous { candidates, reason } => {
                Err(self.ambiguous_failure(candidates, &reason))
            }
            _ => Err(
                Failure::unexpected("cannot determine whether the request created a task")
                    .with_exit(Exit::Ambiguous)
                    .with_charged(Charged::Unknown),
            ),
        }
    }

    /// Explains why the outcome of the create is ambiguous, and how the user resolves it.
    fn ambiguous_failure(&self, candidates: Vec<String>, reason: &AmbiguityReason) -> Failure {
        let reason = match reason {
            AmbiguityReason::MultipleCandidates => "the account's list has several new tasks",
            AmbiguityReason::ListIncomplete => {
                "the account's list of tasks is too long, or changed while it was read"
            }
            AmbiguityReason::ListShrank => {
                "tasks have disappeared from the account's list, possibly the one of this request"
            }
            AmbiguityReason::NoListBefore => {
                "the account's list of tasks was empty or missing before the request, so a listed task may be older"
            }
            AmbiguityReason::NoListNow => {
                "the account's list of tasks is empty or missing, which does not prove that no task exists"
            }
            AmbiguityReason::RouteNotListed => {
                "the account's list has no new task, but the service may not list tasks of this route"
            }
            AmbiguityReason::OtherCreates => "another create of this program is unconfirmed",
            AmbiguityReason::TooEarly { .. } => "the account's list has no new task yet",
            _ => "the account's list of tasks is inconclusive",
        };
        let connection = self.runner.connection;
        let resume = connection.command(NextCommand::ResumeWithTask {
            journal: connection.journal(),
        });
        Failure::ambiguous(
            "cannot determine whether the request created a task",
            candidates,
        )
        .with_cause(reason)
        .with_help(format!(
            "check the tasks and usage of the account, then run `{resume}` to resume a task you found, or add \
             --create-anyway and the options of the request to create one, at the risk of paying twice"
        ))
    }

    /// Returns a task in the mode of the journal.
    fn task(&self, id: &str) -> Task {
        let client = &self.runner.connection.client;
        match self.journal.fingerprint() {
            Some(fingerprint) => client.task_of_mode(id, fingerprint.mode()),
            None => client.task(id),
        }
    }

    /// Resolves an unconfirmed create as a task of the user. A typo in its id would lose the real task, so the task is
    /// read first.
    async fn resolve_as(&mut self, id: &str) -> Result<(), Failure> {
        let task = self.task(id);
        if let State::Unconfirmed(_) = self.journal.state() {
            task.refresh()
                .await
                .map_err(|error| self.runner.explain(error))?;
        }
        Ok(self.journal.resolve_as(id).await?)
    }
}
