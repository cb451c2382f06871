//! The task of a journal, in one run of the program: the run of the library, with progress and Ctrl-C.

use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use kling_omni::download::Destination;
use kling_omni::journal::{Journal, JournalEvent, JournalOutcome, State};
use kling_omni::recovery::AmbiguityReason;
use kling_omni::{Charged, Create, Error, Task, Video};
use tokio::sync::mpsc;

use super::super::account_tasks::AccountTasks;
use super::super::{
    STOPPED_BEFORE_RESPONSE, STOPPED_BEFORE_SENDING, SentFlag, WAITING_FOR_RESPONSE,
    interrupted_after_create, not_charged, print_created, report_task,
};
use crate::failure::Failure;
use crate::next::NextCommand;
use crate::task_runner::{TaskRunner, WaitArgs, timestamp};
use crate::{failpoint, report};

/// The task of a journal.
pub(super) struct JournalledTask<'a> {
    pub(super) journal: Journal,
    pub(super) runner: TaskRunner<'a>,
    /// The create, if the options of the request were given. It is sent at most once in a run.
    pub(super) create: Option<Create>,
    pub(super) sent_flag: SentFlag,
    pub(super) account_tasks: AccountTasks,
    pub(super) destination: PathBuf,
    pub(super) settle_time: Duration,
    pub(super) no_wait: bool,
}

/// Shows how many bytes were received, and of how many.
type OnReceived = Box<dyn FnMut(u64, Option<u64>)>;

/// What the run is doing, which decides what Ctrl-C and an error mean.
enum Phase {
    /// Between the others. Ctrl-C is handled in the next one.
    Between,
    Searching,
    Sending {
        is_interrupted: bool,
    },
    Waiting(Task),
    Downloading(Task, Box<Video>),
}

/// What the events of a run have shown.
struct Observer<'a, 'r> {
    runner: &'r mut TaskRunner<'a>,
    phase: Phase,
    sent_flag: SentFlag,
    no_wait: bool,
    has_sent: bool,
    /// Whether the create of this run made no task.
    is_lost: bool,
    is_already_saved: bool,
    on_received: Option<OnReceived>,
    journal_path: Option<PathBuf>,
}

impl JournalledTask<'_> {
    /// Applies the options with which a user resolves an unconfirmed create.
    pub(super) async fn resolve(
        &mut self,
        task: Option<&str>,
        create_anyway: bool,
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
        Ok(())
    }

    /// Continues from the state of the journal until the video is saved.
    pub(super) async fn run(mut self, wait: &WaitArgs, json: bool) -> Result<(), Failure> {
        let output = self.runner.output;
        let has_create = self.create.is_some();
        let state = self.journal.state();
        let known = tokio::select! {
            known = self.account_tasks.read(self.runner.connection, &state) => known,
            () = self.runner.interrupts.next() => {
                let failure = Failure::interrupted(STOPPED_BEFORE_SENDING);
                return Err(failure.with_charged(state.charged()));
            }
        };
        let create = self
            .create
            .map(|create| self.account_tasks.store_before(create));
        let destination = Destination::new(&self.destination)
            .overwrite(output.force)
            .sidecar(output.sidecar);
        let mut observer = Observer {
            phase: Phase::Between,
            sent_flag: self.sent_flag,
            no_wait: self.no_wait,
            has_sent: false,
            is_lost: false,
            is_already_saved: false,
            on_received: None,
            journal_path: self.journal.path().map(ToOwned::to_owned),
            runner: &mut self.runner,
        };
        let (sender, mut events) = mpsc::unbounded_channel();
        let path = output.clone();
        let client = &observer.runner.connection.client;
        let mut run = self
            .journal
            .run(client, create, destination)
            // It was checked with the messages of this program.
            .check_destination(false)
            .path_by_task(move |id| path.path(id))
            .settle_time(self.settle_time)
            .on_event(move |event| {
                if let JournalEvent::Received { .. } = event {
                    failpoint::block_at("downloading");
                }
                // Without a receiver, the run is about to be dropped.
                let _ = sender.send(event);
            });
        if let Some(known) = &known {
            run = run.known_tasks(known);
        }
        if let Some(timeout) = wait.timeout {
            run = run.timeout(timeout);
        }
        if let Some(schedule) = observer.runner.schedule(wait) {
            run = run.schedule(schedule);
        }
        let ended = {
            let mut run = pin!(run.into_future());
            loop {
                let is_interruptible = !matches!(observer.phase, Phase::Between);
                tokio::select! {
                    biased;
                    Some(event) = events.recv() => {
                        let has_task = is_about_new_task(&event);
                        let created = observer.observe(event);
                        if has_task {
                            self.account_tasks.store_own().await;
                        }
                        if let Some(created) = created? {
                            drop(observer);
                            drop(self.runner);
                            return print_created(&created, json);
                        }
                    }
                    ended = &mut run => break ended,
                    () = observer.runner.interrupts.next(), if is_interruptible => observer.interrupt()?,
                }
            }
        };
        while let Ok(event) = events.try_recv() {
            observer.observe(event)?;
        }
        let state = self.journal.state();
        let saved = match ended {
            Ok(JournalOutcome::Saved(saved)) => saved,
            Ok(JournalOutcome::NeedsDecision {
                candidates, reason, ..
            }) => return Err(observer.ambiguous_failure(candidates, &reason)),
            Err(_) if !has_create && state.may_create() => return Err(without_request(&state)),
            Err(error) => {
                let failure = observer.explain(error);
                if let Some(id) = state.task_id() {
                    self.runner.write_failed_page(id, &failure).await;
                }
                return Err(failure);
            }
        };
        let Observer {
            phase,
            is_already_saved,
            ..
        } = observer;
        match phase {
            Phase::Downloading(task, video) if !is_already_saved => {
                self.runner.report_new(&task, &video, &saved, json).await
            }
            _ => {
                let id = state.task_id().unwrap_or_default();
                self.runner.report_saved(id, &saved, json).await
            }
        }
    }

    /// Writes the fingerprint of the request to the journal. Fails without a request, or if the journal has another one.
    async fn begin_journal(&mut self) -> Result<(), Failure> {
        let Some(create) = &self.create else {
            return Err(without_request(&self.journal.state()));
        };
        let fingerprint = create.fingerprint().with_destination(&self.destination);
        Ok(self.journal.begin(fingerprint).await?)
    }

    /// Resolves an unconfirmed create as a task of the user. A typo in its id would lose the real task, so the task is
    /// read first.
    async fn resolve_as(&mut self, id: &str) -> Result<(), Failure> {
        if let State::Unconfirmed(unconfirmed) = self.journal.state() {
            if self.account_tasks.rules_out(&unconfirmed, id).await {
                return Err(Failure::usage(format!(
                    "task {} existed before the create or belongs to another one",
                    report::printable(id)
                ))
                .with_charged(Charged::Unknown)
                .with_help("choose a newer task"));
            }
            let client = &self.runner.connection.client;
            let task = match self.journal.fingerprint() {
                Some(fingerprint) => client.task_of_mode(id, fingerprint.mode()),
                None => client.task(id),
            };
            let read = task.refresh().await;
            read.map_err(|error| self.runner.explain(error))?;
        }
        Ok(self.journal.resolve_as(id).await?)
    }
}

fn without_request(state: &State) -> Failure {
    Failure::usage("cannot create the task: the journal does not contain the request")
        .with_charged(state.charged())
        .with_help("give the options of the request again")
}

impl Observer<'_, '_> {
    /// Shows an event. Returns the task with which the program ends if it does not wait.
    fn observe(&mut self, event: JournalEvent) -> Result<Option<Task>, Failure> {
        let progress = &self.runner.progress;
        let phase = std::mem::replace(&mut self.phase, Phase::Between);
        match event {
            JournalEvent::Searching {
                unconfirmed,
                time_left,
                ..
            } => {
                let until = SystemTime::now() + time_left;
                progress.say(format_args!(
                    "{unconfirmed}: searching for its task until {}",
                    timestamp(until).unwrap_or_default()
                ));
                progress.set_activity("searching for the task");
                self.phase = Phase::Searching;
            }
            JournalEvent::Found {
                task, matched_by, ..
            } => progress.say(format_args!(
                "found task {}: {matched_by}",
                report::printable(task.id())
            )),
            JournalEvent::NotCreated => {
                progress.say("the request created no task");
                self.is_lost = self.has_sent;
            }
            JournalEvent::Sending => {
                progress.set_activity("sending the request");
                self.has_sent = true;
                self.phase = Phase::Sending {
                    is_interrupted: false,
                };
            }
            JournalEvent::Unanswered { error, .. } => {
                if is_interrupted(&phase) {
                    return Err(self.runner.explain_create(error));
                }
                progress.say(format_args!(
                    "no response to the request: {}",
                    error.summary()
                ));
            }
            JournalEvent::Created { task, .. } => {
                report_task(self.runner, &task, self.no_wait);
                if is_interrupted(&phase) {
                    return Err(interrupted_after_create(self.runner, &task));
                }
            }
            JournalEvent::Waiting { task, .. } => {
                if self.no_wait {
                    return Ok(Some(task));
                }
                self.runner.expect(&task);
                self.phase = Phase::Waiting(task);
            }
            JournalEvent::Downloading { video, .. } => {
                self.runner.connection.save_durations();
                self.on_received = Some(Box::new(progress.download()));
                let Phase::Waiting(task) = phase else {
                    return Ok(None);
                };
                self.phase = Phase::Downloading(task, Box::new(video));
            }
            JournalEvent::SavedFileChanged { path, .. } => progress.say(format_args!(
                "{} is missing or changed: saving the video again",
                path.display()
            )),
            event => {
                self.phase = phase;
                self.observe_detail(event);
            }
        }
        Ok(None)
    }

    /// Shows an event within a phase.
    fn observe_detail(&mut self, event: JournalEvent) {
        match event {
            JournalEvent::Updated(update) => self.runner.report_update(&update),
            JournalEvent::Received { bytes, total, .. } => {
                if let Some(on_received) = &mut self.on_received {
                    on_received(bytes, total);
                }
            }
            JournalEvent::Recovered(event) => self.runner.progress.say(event),
            JournalEvent::AlreadySaved(_) => self.is_already_saved = true,
            JournalEvent::WriteFailed { reason, .. } => {
                if let Some(path) = &self.journal_path {
                    report::warn(format_args!(
                        "cannot write journal {}, so note the id of the task: {reason}",
                        path.display()
                    ));
                }
            }
            _ => {}
        }
    }

    /// Handles Ctrl-C.
    fn interrupt(&mut self) -> Result<(), Failure> {
        let connection = self.runner.connection;
        match &mut self.phase {
            Phase::Between => Ok(()),
            Phase::Searching => {
                Err(connection.ambiguous(Failure::interrupted("stopped searching for the task")))
            }
            Phase::Sending { .. } if !self.sent_flag.0.load(Ordering::SeqCst) => {
                Err(not_charged(Failure::interrupted(STOPPED_BEFORE_SENDING)))
            }
            Phase::Sending {
                is_interrupted: true,
            } => Err(connection.ambiguous(Failure::interrupted(STOPPED_BEFORE_RESPONSE))),
            Phase::Sending { is_interrupted } => {
                *is_interrupted = true;
                self.runner.progress.say(WAITING_FOR_RESPONSE);
                Ok(())
            }
            Phase::Waiting(task) => Err(self.runner.interrupted_wait(task)),
            Phase::Downloading(task, _) => Err(self.runner.interrupted_download(task)),
        }
    }

    /// Explains the error of the run.
    fn explain(&self, error: Error) -> Failure {
        let connection = self.runner.connection;
        match &self.phase {
            Phase::Waiting(_) => self.runner.explain(error),
            Phase::Downloading(task, video) => self.runner.explain_download(task, video, error),
            _ if self.is_lost => {
                let resume = connection.command(NextCommand::Resume {
                    journal: connection.journal(),
                });
                Failure::unfinished("the request was lost and created no task")
                    .with_charged(Charged::No)
                    .with_help(format!(
                        "run `{resume}` with the options of the request to create it again"
                    ))
            }
            _ => self.runner.explain_create(error),
        }
    }

    /// Explains why the outcome of the create is ambiguous, and how the user resolves it.
    fn ambiguous_failure(&self, candidates: Vec<String>, reason: &AmbiguityReason) -> Failure {
        let reason = match reason {
            AmbiguityReason::NoSnapshot => {
                "the file with the tasks that the account had before the request is missing or was replaced"
            }
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
}

/// Whether an event names the task that the create made.
fn is_about_new_task(event: &JournalEvent) -> bool {
    matches!(
        event,
        JournalEvent::Created { .. } | JournalEvent::Found { .. }
    )
}

fn is_interrupted(phase: &Phase) -> bool {
    matches!(
        phase,
        Phase::Sending {
            is_interrupted: true
        }
    )
}
