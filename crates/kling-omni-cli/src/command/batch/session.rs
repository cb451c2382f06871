//! A run of a batch: asks, starts it, shows it, and says how it ended.

use std::path::PathBuf;
use std::time::Duration;

use kling_omni::Charged;
use kling_omni::spend::Spent;
use kling_omni_batch::manifest::ManifestTotals;
use kling_omni_batch::{BatchError, BatchRun, BatchState, BatchStatus, Batches, RunEvent};

use super::check::describe_totals;
use super::confirm::confirm;
use super::explain::{charged, explain, not_charged};
use super::ledger_args::{LedgerArgs, RESULTS};
use super::new_rows::NewRows;
use super::outcome::{self, EarlyEnd, without_sandbox_charges};
use super::run_events::BatchEvent;
use super::run_settings::RunSettings;
use super::run_view::{DRAW_INTERVAL, RunView, name_files};
use super::spend_args::{SpendLimit, count};
use super::webhook_args::WebhookServer;
use super::worker::spool_in_state_folder;
use crate::connect::{ConnectArgs, Connection};
use crate::failure::Failure;
use crate::interrupt::Interrupts;
use crate::next::NextCommand;
use crate::report;

/// Is refused at once if another run has the account.
const NO_WAIT: Option<Duration> = Some(Duration::ZERO);

/// A batch of a ledger, about to be run.
pub(super) struct RunSession {
    pub(super) batches: Batches,
    pub(super) name: String,
    pub(super) ledger: LedgerArgs,
    pub(super) settings: RunSettings,
    pub(super) limit: SpendLimit,
    /// Whether the videos go into a bucket. Neither results nor report are written then.
    pub(super) is_in_bucket: bool,
    /// The rows of the manifest, if there is one.
    pub(super) rows: Option<NewRows>,
}

impl RunSession {
    pub(super) async fn run(mut self, connect: &ConnectArgs, verbose: bool) -> Result<(), Failure> {
        let (mut planned, spent, mut left) = self.read_ledger().await?;
        let is_known = left.is_some();
        self.limit.guard = self.limit.guard.with_spent(spent);
        let faults = self.settings.faults.clone();
        let connection = connect.open_with(faults, |client| {
            let client = self.settings.files.set_on_client(client);
            client.spend_guard(self.limit.guard.clone())
        });
        let connection = connection.await.map_err(not_charged)?;
        if let Some(rows) = self.rows.take() {
            let name = is_known.then_some(self.name.as_str());
            let new = rows.add_to(&mut planned, &self.batches, name).await?;
            left = Some(left.unwrap_or_default() + new);
            match new {
                // Adds nothing, and finds rows that were changed.
                0 => rows.import(&self.batches, &self.name).await?,
                _ => self.rows = Some(rows),
            }
        }
        let is_done = left == Some(0);
        // A sandbox never is the account of an earlier run.
        if is_known && !(is_done && connection.is_sandbox()) {
            self.check_account(&connection).await?;
        }
        if is_done {
            let status = self.status().await?;
            return self
                .end(&connection, status, &EarlyEnd::default(), None)
                .await;
        }
        describe_totals(&planned, &self.limit)
            .iter()
            .for_each(report::say);
        if planned.all.tasks > 0 && !self.settings.yes && !connection.is_sandbox() {
            confirm(&self.question(planned.all))?;
        }
        // Not before: a run of another process would create new items at once.
        if let Some(rows) = self.rows.take() {
            rows.import(&self.batches, &self.name).await?;
        }
        if self.settings.detach {
            return self.submit(&connection, planned.all, spent).await;
        }
        let status = self.status().await?;
        report::say(format_args!(
            "{}: {}",
            report::printable(&self.name),
            outcome::describe_items(&status)
        ));
        let mut view = self.view(&status, verbose);
        view.print_json(&BatchEvent::Started {
            batch: &self.name,
            ledger: &self.ledger.shown(),
            items: status.items,
            planned: planned.all,
            spent,
        });
        if let Some(resume) = self.resume_command(&connection) {
            report::say(format_args!("to resume: {resume}"));
        }
        // Before the first request, so a signal that follows is not lost.
        let interrupts = Interrupts::listen();
        let settings = &self.settings;
        let webhooks = settings.webhook.listen(&connection, settings.in_flight());
        let webhooks = webhooks.await.map_err(not_charged)?;
        let metrics = (settings.metrics).publish(&self.batches, &connection.client);
        let metrics = metrics.await.map_err(not_charged)?;
        let mut started = self.start(&connection, webhooks.as_ref(), NO_WAIT).await;
        if let Err(BatchError::InUse { holder }) = &started
            && self.ledger.is_in_postgres()
        {
            // The lease of a run that has died lasts for some seconds.
            report::say(format_args!(
                "waiting for the lease of another run ({})",
                report::printable(holder)
            ));
            view.print_json(&BatchEvent::WaitingForLease { holder });
            started = self.start(&connection, webhooks.as_ref(), None).await;
        }
        let run = match started {
            Ok(run) => run,
            Err(BatchError::InUse { .. }) if status.state == BatchState::Paused => {
                let resumed = self.batches.resume(&self.name).await;
                resumed.map_err(|error| not_charged(explain(error)))?;
                report::say("resumed: the run of another process continues");
                return Ok(());
            }
            Err(error) => return Err(self.explain(&connection, error).await),
        };
        let (run, early) = match self.follow(run, &mut view, interrupts).await {
            Some(followed) => followed,
            None => return Err(self.interrupted_twice(&connection).await),
        };
        let ended = run.await;
        if let Some(webhooks) = webhooks {
            webhooks.stop().await;
        }
        metrics.stop().await;
        connection.save_durations();
        match ended {
            Ok(status) => self.end(&connection, status, &early, Some(view)).await,
            Err(error) => {
                drop(view);
                Err(self.explain(&connection, error).await)
            }
        }
    }

    /// Leaves the batch to workers.
    async fn submit(
        &self,
        connection: &Connection,
        planned: Spent,
        spent: Spent,
    ) -> Result<(), Failure> {
        let options = self.settings.to_options(connection.is_sandbox());
        let options = options.spend_guard(self.limit.guard.clone());
        let submit = self.batches.submit(&self.name, &connection.client, options);
        submit.await.map_err(|error| not_charged(explain(error)))?;
        let status = self.status().await?;
        if self.settings.json {
            report::json_line(&BatchEvent::Submitted {
                batch: &self.name,
                ledger: &self.ledger.shown(),
                items: status.items,
                planned,
                spent,
            })?;
        }
        let command = self.ledger.command("status", &[&self.name], &["--watch"]);
        report::say(format_args!(
            "{}: left to workers; to watch it: {command}",
            report::printable(&self.name)
        ));
        Ok(())
    }

    /// Returns what the items of the ledger would pay for and have paid for, and how many have not ended; `None` for a batch
    /// that does not exist yet.
    async fn read_ledger(&self) -> Result<(ManifestTotals, Spent, Option<u64>), Failure> {
        let read = async {
            let all = self.batches.ledger().batches().await?;
            if all.iter().all(|batch| batch.name != self.name) {
                return Ok((ManifestTotals::default(), Spent::default(), None));
            }
            let guard = &self.limit.guard;
            let planned = self.batches.plan(&self.name, guard).await?;
            let spent = self.batches.spent(&self.name, guard).await?;
            let status = self.batches.status(&self.name).await?;
            Ok((planned, spent, Some(outcome::left(&status))))
        };
        let read: Result<_, BatchError> = read.await;
        read.map_err(|error| not_charged(explain(error)))
    }

    fn question(&self, planned: Spent) -> String {
        let again = match self.settings.retry_failed() {
            0 => String::new(),
            times => format!(
                ", and each task that fails up to {} more",
                count(times.into(), "time")
            ),
        };
        format!("would pay for {}{again}", self.limit.describe(planned))
    }

    fn view(&self, status: &BatchStatus, verbose: bool) -> RunView<'_> {
        let ended = status.items - outcome::left(status);
        RunView::new(
            &self.batches,
            &self.name,
            &self.limit,
            self.settings.json,
            verbose,
            ended,
        )
    }

    async fn status(&self) -> Result<BatchStatus, Failure> {
        self.batches.status(&self.name).await.map_err(explain)
    }

    /// Fails if the batch belongs to another key or service. Nothing is changed for a batch that was not run yet.
    async fn check_account(&self, connection: &Connection) -> Result<(), Failure> {
        let checked = self
            .batches
            .check_account(&self.name, &connection.client)
            .await;
        checked.map_err(|error| {
            let is_other = matches!(error, BatchError::OtherAccount { .. });
            let failure = not_charged(explain(error));
            match is_other && connection.is_sandbox() {
                true => {
                    failure.with_help("the tasks of a sandbox end with its run: use another --out")
                }
                false if is_other => failure.adding_help("or another --out for a new batch"),
                false => failure,
            }
        })
    }

    async fn start(
        &self,
        connection: &Connection,
        webhooks: Option<&WebhookServer>,
        lease_wait: Option<Duration>,
    ) -> Result<BatchRun, BatchError> {
        let mut options = self.settings.to_options(connection.is_sandbox());
        if let Some(time) = lease_wait {
            options = options.lease_wait(time);
        }
        if let Some(webhooks) = webhooks {
            options = webhooks.set_on(options);
        }
        if let Some(results) = self.beside_videos(RESULTS) {
            options = options.results(results);
        } else if let Some(spool) = spool_in_state_folder() {
            options = options.spool(spool);
        }
        let options = options.spend_guard(self.limit.guard.clone());
        self.batches
            .run(&self.name, &connection.client, options)
            .await
    }

    /// Returns the path of a file in the folder of the videos.
    fn beside_videos(&self, name: &str) -> Option<PathBuf> {
        (!self.is_in_bucket).then(|| self.ledger.folder().join(name))
    }

    /// Shows the run until it ends. The first Ctrl-C stops it, the second one aborts it; returns `None` then.
    async fn follow(
        &self,
        mut run: BatchRun,
        view: &mut RunView<'_>,
        mut interrupts: Interrupts,
    ) -> Option<(BatchRun, EarlyEnd)> {
        let mut early = EarlyEnd::default();
        let mut drawing = tokio::time::interval(DRAW_INTERVAL);
        drawing.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = run.next_event() => match event {
                    Some(event) => {
                        match &event {
                            RunEvent::Paused { reason } => early.paused = reason.clone(),
                            RunEvent::Resumed => early.paused = None,
                            _ => {}
                        }
                        view.show(&event);
                    }
                    None => return Some((run, early)),
                },
                () = interrupts.next() => {
                    if early.is_interrupted {
                        run.abort();
                        return None;
                    }
                    early.is_interrupted = true;
                    run.stop();
                    view.say(
                        "stopping: nothing more is created, a create and downloads in progress are completed (press \
                         Ctrl-C again to exit now)",
                    );
                }
                _ = drawing.tick() => view.draw().await,
            }
        }
    }

    /// Returns the command that continues this run. A sandbox ends with its run.
    fn resume_command(&self, connection: &Connection) -> Option<String> {
        let mut options = self.ledger.options();
        let (flags, settings) = self.settings.command_options();
        options.extend(settings);
        (!connection.is_sandbox()).then(|| {
            connection.command(NextCommand::Batch {
                verb: "resume",
                operands: &[&self.name],
                flags: &flags,
                options: &options,
            })
        })
    }

    /// Explains an error of a run: what was charged, and how to continue.
    async fn explain(&self, connection: &Connection, error: BatchError) -> Failure {
        let has_help = error.help().is_some();
        let mut failure = explain(error);
        if let Ok(status) = self.batches.status(&self.name).await {
            failure = failure.with_charged(charged(&status));
        }
        if let Some(resume) = self.resume_command(connection) {
            let then = if has_help { "then " } else { "" };
            failure = failure.adding_help(&format!("{then}run `{resume}` to continue"));
        }
        without_sandbox_charges(failure, connection.is_sandbox())
    }

    async fn interrupted_twice(&self, connection: &Connection) -> Failure {
        let failure = Failure::interrupted(
            "stopped at once: a task may exist that the ledger does not know yet",
        )
        .with_charged(Charged::Unknown);
        match self.resume_command(connection) {
            Some(resume) => {
                failure.with_help(format!("run `{resume}` to find it, and to continue"))
            }
            None => failure,
        }
    }

    /// Writes the report, and returns the result of the run.
    async fn end(
        &self,
        connection: &Connection,
        status: BatchStatus,
        early: &EarlyEnd,
        view: Option<RunView<'_>>,
    ) -> Result<(), Failure> {
        let mut view = view.unwrap_or_else(|| self.view(&status, true));
        view.end(&status);
        let files = [RESULTS, "report.csv"].map(|name| self.beside_videos(name));
        if let [Some(results), Some(report)] = files {
            let written = async {
                self.batches.write_results(&self.name, &results).await?;
                self.batches.write_csv(&self.name, &report).await
            };
            match written.await {
                Ok(()) => report::say(name_files(&results, &report)),
                Err(error) => report::warn(explain(error).message()),
            }
        }
        let resume = self.resume_command(connection);
        let result = outcome::result(&status, early, &self.ledger, resume.as_deref());
        let result =
            result.map_err(|failure| without_sandbox_charges(failure, connection.is_sandbox()));
        view.print_json(&BatchEvent::Ended {
            status: &status,
            spent: self.limit.guard.spent(),
            exit_code: result
                .as_ref()
                .map_or_else(Failure::exit, |()| crate::exit::Exit::Done),
        });
        // A closed stdout is not an error of the batch.
        result.and(view.into_stdout_result())
    }
}
