//! The options of a run.

use std::num::{NonZeroU32, NonZeroUsize};
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use kling_omni::polling::PollSchedule;
use kling_omni_batch::RunOptions;

use super::super::file_args::FileArgs;
#[cfg(feature = "object-store")]
use super::bucket;
use super::explain::not_charged;
use super::ledger_args::LedgerArgs;
use super::metrics_args::MetricsArgs;
use super::spend_args::SpendArgs;
use super::webhook_args::WebhookArgs;
use crate::connect::ConnectArgs;
use crate::failure::Failure;
use crate::faults::SeededFaultArgs;
use crate::next::CommandOption;
use crate::task_runner::{SANDBOX_POLL_INTERVAL, poll_interval_help};
use crate::{duration, failpoint};

const DEFAULT_IN_FLIGHT: NonZeroUsize =
    NonZeroUsize::new(RunOptions::DEFAULT_IN_FLIGHT).expect("not zero");

#[derive(Args, Debug)]
pub(super) struct RunSettings {
    /// Number of tasks in flight at once
    #[arg(long, value_name = "N", default_value_t = DEFAULT_IN_FLIGHT, help_heading = "Run")]
    in_flight: NonZeroUsize,

    /// Maximum number of creates per time, such as 60/min, 1/s or 500/h
    #[arg(long, value_name = "RATE", help_heading = "Run")]
    rate: Option<CreateRate>,

    /// Create an item again whose task failed, up to N times; each time may cost money
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Cost")]
    retry_failed: u32,

    #[command(flatten)]
    pub(super) files: FileArgs,

    #[command(flatten)]
    pub(super) spend: SpendArgs,

    #[command(flatten)]
    pub(super) webhook: WebhookArgs,

    #[command(flatten)]
    pub(super) metrics: MetricsArgs,

    /// Do not ask before something is paid for
    #[arg(short, long, help_heading = "Cost")]
    pub(super) yes: bool,

    /// Leave the batch to the workers of its ledger (`batch worker`), and return; needs a ledger in Postgres
    #[arg(long, help_heading = "Run")]
    pub(super) detach: bool,

    /// How long to wait for a task before its item fails; it can be fetched later with `retry`, at no cost [default: 2h]
    #[arg(long, value_name = "TIME", value_parser = duration::parse, help_heading = "Run")]
    task_timeout: Option<Duration>,

    #[arg(long, value_name = "TIME", value_parser = duration::parse, help = poll_interval_help(), help_heading = "Run")]
    poll_interval: Option<Duration>,

    /// How long the task of a lost response may take to appear on the service's list; a shorter time risks paying twice
    /// [default: 5m]
    #[arg(long, value_name = "TIME", value_parser = duration::parse, help_heading = "Run")]
    settle_time: Option<Duration>,

    /// Print one JSON object per event, one per line
    #[arg(long, help_heading = "Output")]
    pub(super) json: bool,

    #[command(flatten, next_help_heading = "Connection")]
    pub(super) faults: SeededFaultArgs,
}

impl RunSettings {
    /// Returns the options of the library.
    pub(super) fn to_options(&self, is_sandbox: bool) -> RunOptions {
        let mut options = RunOptions::default()
            .in_flight(self.in_flight.get())
            .retry_failed(self.retry_failed)
            .media_checks(self.files.checks())
            .allow_private_networks(self.files.allows_private_networks())
            .on_step(|step| async move { failpoint::block_at(&step) });
        #[cfg(feature = "object-store")]
        {
            options = options.video_store(bucket::video_store());
        }
        if let Some(rate) = &self.rate {
            options = options.create_interval(rate.interval);
        }
        let of_sandbox = is_sandbox.then_some(SANDBOX_POLL_INTERVAL);
        if let Some(interval) = self.poll_interval.or(of_sandbox) {
            options = options.poll_schedule(PollSchedule::fixed(interval));
        }
        if let Some(timeout) = self.task_timeout {
            options = options.task_timeout(timeout);
        }
        if let Some(time) = self.settle_time {
            options = options.settle_time(time);
        }
        options
    }

    /// Fails if `--detach` is given, and workers cannot run the batch.
    pub(super) fn check_detach(
        &self,
        ledger: &LedgerArgs,
        connect: &ConnectArgs,
    ) -> Result<(), Failure> {
        if !self.detach {
            return Ok(());
        }
        let problem = if !ledger.is_in_postgres() {
            "--detach needs a ledger in Postgres, with --db postgres://…"
        } else if connect.sandbox {
            "--detach cannot be used with --sandbox: the sandbox ends with this process"
        } else if self.metrics.is_set() {
            "--detach cannot be used with --metrics-file or --metrics-listen: workers publish metrics"
        } else {
            return Ok(());
        };
        Err(not_charged(Failure::usage(problem)))
    }

    /// Returns how often an item is created again whose task failed.
    pub(super) fn retry_failed(&self) -> u32 {
        self.retry_failed
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.get()
    }

    /// Returns the flags and the options of the same run.
    pub(super) fn command_options(&self) -> (Vec<&'static str>, Vec<CommandOption>) {
        let (flags, mut options) = self.files.command_options();
        if self.in_flight != DEFAULT_IN_FLIGHT {
            options.push(("--in-flight", self.in_flight.to_string().into()));
        }
        if let Some(rate) = &self.rate {
            options.push(("--rate", rate.text.clone().into()));
        }
        if self.retry_failed > 0 {
            options.push(("--retry-failed", self.retry_failed.to_string().into()));
        }
        options.extend(self.spend.options());
        let times = [
            ("--task-timeout", self.task_timeout),
            ("--poll-interval", self.poll_interval),
            ("--settle-time", self.settle_time),
        ];
        options.extend(
            times
                .into_iter()
                .filter_map(|(name, time)| Some((name, duration::text(time?).into()))),
        );
        options.extend(self.webhook.command_options());
        options.extend(self.metrics.command_options());
        (flags, options)
    }
}

/// A number of creates per time, as an interval.
#[derive(Clone, Debug, PartialEq, Eq)]
struct CreateRate {
    text: String,
    interval: Duration,
}

impl FromStr for CreateRate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (number, unit) = text.split_once('/')?;
            let unit = match unit.trim() {
                "s" | "sec" | "second" => 1,
                "m" | "min" | "minute" => 60,
                "h" | "hour" => 3600,
                _ => return None,
            };
            let number: NonZeroU32 = number.trim().parse().ok()?;
            Some(Duration::from_secs(unit) / number.get())
        };
        let interval =
            parse().ok_or_else(|| "expected a rate such as 60/min, 1/s or 500/h".to_owned())?;
        Ok(Self {
            text: text.to_owned(),
            interval,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_is_the_interval_between_creates() {
        for (text, milliseconds) in [
            ("60/min", Some(1_000)),
            ("1/s", Some(1_000)),
            ("4/s", Some(250)),
            ("500/h", Some(7_200)),
            ("30 / minute", Some(2_000)),
            ("0/s", None),
            ("-1/s", None),
            ("60", None),
            ("60/fortnight", None),
            ("/min", None),
            ("", None),
        ] {
            let rate = text.parse::<CreateRate>().ok();
            let expected = milliseconds.map(Duration::from_millis);
            assert_eq!(rate.map(|rate| rate.interval), expected, "{text:?}");
        }
    }
}
