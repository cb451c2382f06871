//! A task that outlives the program: with each step in a journal, and taken up again wherever it stands.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::Args;
use kling_omni::journal::{Journal, RequestFingerprint, State};
use kling_omni::preflight::PreflightReport;
use kling_omni::recovery::{AmbiguityReason, Reconciled, UnconfirmedCreate};
use kling_omni::request::Route;
use kling_omni::{Charged, Create, CreateOutcome, Error, Task};

use super::{GenerateArgs, SentFlag, create_of, interrupted_after, leave, send, tell};
use crate::connect::{ConnectArgs, start_a_sandbox};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::next::Next;
use crate::progress::Progress;
use crate::request::{Request, RequestArgs};
use crate::task_runner::{TaskRunner, WaitArgs, timestamp, warn_of_trouble};
use crate::{duration, failpoint, input, report};

/// How long a task may take to be listed, unless the person says otherwise.
const SETTLED_AFTER: Duration = Duration::from_secs(300);

#[derive(Args, Debug)]
#[command(next_help_heading = "Journal")]
pub(super) struct JournalArgs {
    /// Write each step to a new file first, so that --resume can go on after a crash without paying twice
    #[arg(long, value_name = "FILE", value_parser = input::file(), group = "kept", conflicts_with = "dry_run")]
    state: Option<PathBuf>,

    /// Go on with the task of such a file: create it if that has certainly not happened, look for it if that is not
    /// known, wait for it, save its video. A create needs the options of the request again
    #[arg(long, value_name = "FILE", value_parser = input::file(), group = "kept", conflicts_with = "dry_run")]
    resume: Option<PathBuf>,

    /// Where --resume cannot tell which task it is: this one
    #[arg(
        long,
        value_name = "ID",
        allow_hyphen_values = true,
        requires = "resume",
        conflicts_with = "state"
    )]
    task: Option<String>,

    /// Where --resume cannot tell whether there is a task: you have looked, there is none, and it is to be created. If
    /// there is one after all, you pay twice
    #[arg(long, requires = "resume", conflicts_with_all = ["task", "state"])]
    create_anyway: bool,

    #[arg(long, value_name = "TIME", value_parser = duration::parse, requires = "kept", help = settle_help())]
    settle: Option<Duration>,
}

fn settle_help() -> String {
    format!(
        "How long after a request whose answer was lost its task may still appear on the service's list; a shorter time risks paying twice [default: {}]",
        duration::text(SETTLED_AFTER)
    )
}

/// Which journal is asked for.
pub(super) enum JournalMode {
    New(PathBuf),
    Existing(PathBuf),
}

impl JournalArgs {
    pub(super) fn mode(&self) -> Option<JournalMode> {
        let new = self.state.clone().map(JournalMode::New);
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
            "--sandbox ends with this command, so that a journal would have nothing to go on with",
        )
        .with_help(start_a_sandbox()));
    }
    let (path, opened) = match mode {
        JournalMode::New(path) => (path, None),
        JournalMode::Existing(path) => {
            let journal = Journal::open(&path)
                .await
                .map_err(|error| unopened(error, &path))?;
            (path, Some(journal))
        }
    };
    let state = opened.as_ref().map_or(State::Empty, Journal::state);
    // What an error means for the money is for the journal to say, until something else is done.
    let known = |failure: Failure| match state.task_id() {
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
    let planned = opened.as_ref().and_then(Journal::fingerprint);
    let output = output.or(planned.as_ref().and_then(RequestFingerprint::destination));
    let request = if opened.is_none() || request.is_given() {
        Some(prepared(request, route).map_err(known)?)
    } else {
        None
    };
    // A task that is paid for must not fail for want of a place to put its video.
    if !no_wait {
        let option = if opened.is_some() {
            "--resume"
        } else {
            "--state"
        };
        output.refuse_shared(option, &path).map_err(known)?;
    }
    if state.may_create() && !no_wait {
        connect.refuse_shared(&output).map_err(known)?;
        output.check(None).await.map_err(known)?;
    }
    let mut preflight = None;
    if let Some(request) = request.as_ref().filter(|_| state.may_create()) {
        preflight = files.preflight(request, route).await.map_err(known)?;
        let found = preflight
            .as_ref()
            .map_or(&[][..], PreflightReport::findings);
        found.iter().for_each(report::warn_of);
    }
    let destination = output.place().map_err(|error| {
        known(Failure::file("the current folder is not known").with_cause(error))
    })?;
    let mut connection = connect.open(faults).await.map_err(known)?;
    if let Some(journal) = &opened {
        journal.check_service(&connection.client).map_err(|error| {
            Failure::from(error)
                .with_help("leave --host, --base-url and KLING_OMNI_BASE_URL as they were at first")
        })?;
    }
    connection.journal = Some(path.clone());
    failpoint::at("before the journal");
    let journal = match opened {
        Some(journal) => journal,
        None => Journal::create_new(&path).await.map_err(|error| {
            let failure = Failure::from(error);
            if !path.is_file() {
                return failure;
            }
            let resume = connection.command(Next::Resume { journal: &path });
            failure.with_help(format!(
                "`{resume}` goes on with what is in it; give a new task a file of its own"
            ))
        })?,
    };
    let mut runner = TaskRunner::new(&connection, &output, Progress::new(verbose));
    if output.sidecar {
        runner.request = request.as_ref().map(Request::body);
    }
    let sent_flag = SentFlag::default();
    let create =
        request.map(|request| create_of(&runner, request, preflight, route, &files, &sent_flag));
    Run {
        journal: journal.on_step(failpoint::around),
        create,
        sent_flag,
        has_sent: false,
        destination,
        settle: settings.settle.unwrap_or(SETTLED_AFTER),
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

/// A journal that cannot be opened. Where there is none, the next step has a name in this program.
fn unopened(error: Error, path: &Path) -> Failure {
    let failure = Failure::from(error);
    match path.try_exists() {
        Ok(false) => failure.with_help(
            "check the path; if the earlier run never got as far as its journal, start with --state",
        ),
        _ => failure,
    }
}

/// What goes wrong with a task that the journal knows leaves it paid for, but that a failed one may be refunded.
fn created(failure: Failure, id: &str) -> Failure {
    match (failure.charged(), failure.exit()) {
        (Some(Charged::Unknown), exit) if exit != Exit::NoVideo => {
            failure.with_charged(Charged::Yes).with_task_id(id)
        }
        _ => failure,
    }
}

fn prepared(request: RequestArgs, route: Option<Route>) -> Result<Request, Failure> {
    let request = request.into_request(route.is_some())?;
    request.check(route)?;
    request.warnings().iter().for_each(report::warn_of);
    Ok(request)
}

/// One run of the program for the task of a journal.
struct Run<'a> {
    journal: Journal,
    runner: TaskRunner<'a>,
    /// What is to be created, unless that was not given. It is sent once in a run at the most.
    create: Option<Create>,
    sent_flag: SentFlag,
    has_sent: bool,
    destination: PathBuf,
    settle: Duration,
    no_wait: bool,
}

impl Run<'_> {
    /// Does what is left to do.
    async fn run(
        mut self,
        task: Option<&str>,
        create_anyway: bool,
        wait: &WaitArgs,
        json: bool,
    ) -> Result<(), Failure> {
        // Another request than the journal's is a mistake, even where none is needed any more.
        if self.create.is_some() || create_anyway {
            self.begin().await?;
        }
        if let Some(id) = task {
            self.attach(id).await?;
        } else if create_anyway {
            self.journal.resolve_not_created().await?;
        }
        let task = loop {
            let state = self.journal.state();
            let task = match (&state, state.task_id()) {
                (State::Unconfirmed(unconfirmed), _) => self.look(unconfirmed).await?,
                (_, Some(id)) => Some(self.task(id)),
                (_, None) => self.create().await?,
            };
            // A task that is known is gone on with, even if the journal could not take it down.
            if let Some(task) = task {
                break task;
            }
        };
        let state = self.journal.state();
        if let Some(saved) = self.journal.verify_saved().await {
            return self.runner.have(task.id(), &saved, json);
        }
        if let State::Saved { file, .. } = state {
            self.runner.progress.say(format_args!(
                "{} is not what was saved there any more: saving the video again",
                file.path.display()
            ));
        }
        if self.no_wait {
            drop(self.runner);
            return leave(&task, json);
        }
        self.runner.journal = Some(self.journal);
        let known = |failure: Failure| created(failure, task.id());
        let video = self.runner.wait(&task, wait).await.map_err(known)?;
        self.runner.save(&task, &video, json).await.map_err(known)
    }

    /// The command that goes on with this journal.
    fn resume(&self) -> String {
        let connection = self.runner.connection;
        connection.command(Next::Resume {
            journal: connection.journal(),
        })
    }

    /// Makes sure that what is to be created was given, and is what the journal is about.
    async fn begin(&mut self) -> Result<(), Failure> {
        let Some(create) = &self.create else {
            let failure = Failure::usage(
                "the task is still to be created, and the journal does not keep the request",
            );
            return Err(failure
                .with_charged(self.journal.state().charged())
                .with_help("give the options of the request again, as before"));
        };
        let plan = create.fingerprint().with_destination(&self.destination);
        Ok(self.journal.begin(plan).await?)
    }

    /// Creates the task, or finds out that it is not known whether there is one.
    async fn create(&mut self) -> Result<Option<Task>, Failure> {
        if self.has_sent {
            let resume = self.resume();
            return Err(
                Failure::unfinished("the request was lost, and made no task")
                    .with_charged(Charged::No)
                    .with_help(format!(
                        "`{resume}` and the options of the request create it again"
                    )),
            );
        }
        self.begin().await?;
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
        warn_of_trouble(&self.journal);
        match sent.answer? {
            CreateOutcome::Created(task) => {
                tell(&self.runner, &task, self.no_wait);
                match sent.is_interrupted {
                    true => Err(interrupted_after(&self.runner, &task)),
                    false => Ok(Some(task)),
                }
            }
            CreateOutcome::Rejected(error) => Err(self.runner.explain_create(error)),
            CreateOutcome::Unknown { error, .. } if sent.is_interrupted => {
                Err(self.runner.explain_create(error))
            }
            CreateOutcome::Unknown { error, .. } => {
                self.runner.progress.say(format_args!(
                    "no answer to the request: {}",
                    error.summary()
                ));
                Ok(None)
            }
        }
    }

    /// Looks for the task of a create whose answer was lost.
    async fn look(&mut self, unconfirmed: &UnconfirmedCreate) -> Result<Option<Task>, Failure> {
        let connection = self.runner.connection;
        let (settle, progress) = (self.settle, &self.runner.progress);
        let search = self.journal.reconcile(&connection.client, |search| {
            let search = search.settle_time(settle).until_settled();
            let until = SystemTime::now() + search.time_left();
            progress.say(format_args!(
                "{unconfirmed}: looking for it until {} at the latest",
                timestamp(until).unwrap_or_default()
            ));
            progress.doing("looking for the task");
            search
        });
        let reconciled = tokio::select! {
            reconciled = search => reconciled.map_err(|error| self.runner.explain_create(error))?,
            () = self.runner.interrupts.next() => {
                return Err(connection.ambiguous(Failure::interrupted("stopped looking for the task")));
            }
        };
        warn_of_trouble(&self.journal);
        match reconciled {
            Reconciled::Found {
                task,
                matched_by: by,
            } => {
                self.runner.progress.say(format_args!(
                    "found task {}: {by}",
                    report::printable(task.id())
                ));
                Ok(Some(task))
            }
            Reconciled::NotCreated => {
                self.runner.progress.say("it made no task");
                Ok(None)
            }
            Reconciled::Ambiguous { candidates, reason } => Err(self.ask(candidates, &reason)),
            _ => Err(
                Failure::unexpected("what became of the request cannot be told")
                    .with_exit(Exit::Ambiguous)
                    .with_charged(Charged::Unknown),
            ),
        }
    }

    /// Leaves it to the person to say what became of the request.
    fn ask(&self, candidates: Vec<String>, reason: &AmbiguityReason) -> Failure {
        let reason = match reason {
            AmbiguityReason::MultipleCandidates => "several tasks are new on the account's list",
            AmbiguityReason::ListIncomplete => {
                "the account's list of tasks is too long, or moved while it was read"
            }
            AmbiguityReason::ListShrank => {
                "tasks have gone from the account's list since, and the one may be among them"
            }
            AmbiguityReason::NoListBefore => {
                "the account's list of tasks was empty or not there before the request, so that the task on it may be an \
                 older one"
            }
            AmbiguityReason::NoListNow => {
                "the account's list of tasks is empty or not there, which does not prove that there is no task"
            }
            AmbiguityReason::RouteNotListed => {
                "nothing is new on the account's list, but the service may not list tasks of this route"
            }
            AmbiguityReason::OtherCreates => "another request of this program is open",
            AmbiguityReason::TooEarly { .. } => "nothing is new on the account's list yet",
            _ => "the account's list of tasks does not tell",
        };
        let connection = self.runner.connection;
        let resume = connection.command(Next::ResumeWithTask {
            journal: connection.journal(),
        });
        Failure::ambiguous("it cannot be told what became of the request", candidates)
            .with_cause(reason)
            .with_help(format!(
                "look at the account's tasks and usage; `{resume}` goes on with a task, and --create-anyway with \
                 the options of the request creates it again, which may be paid for twice"
            ))
    }

    /// Takes up a task of the journal's mode.
    fn task(&self, id: &str) -> Task {
        let client = &self.runner.connection.client;
        match self.journal.fingerprint() {
            Some(plan) => client.task_of_mode(id, plan.mode()),
            None => client.task(id),
        }
    }

    async fn attach(&mut self, id: &str) -> Result<(), Failure> {
        // A slip in the id would lose the task for good.
        let task = self.task(id);
        if let State::Unconfirmed(_) = self.journal.state() {
            task.refresh()
                .await
                .map_err(|error| self.runner.explain(error))?;
        }
        Ok(self.journal.resolve_as(id).await?)
    }
}
