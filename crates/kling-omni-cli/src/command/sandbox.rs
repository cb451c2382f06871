//! `sandbox`: runs the sandbox, a local stand-in for the service.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::time::Duration;

use clap::Args;
use kling_omni::{Host, printable};
use kling_omni_sandbox::{
    DEFAULT_WEBHOOK_SECRET, Delivery, DeliveryOutcome, FaultRule, ReceivedRequest, Sandbox,
    SandboxBuilder, StartError,
};
use serde::Serialize;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::faults::{FaultArgs, GRAMMAR};
use crate::interrupt::Interrupts;
use crate::{duration, report};

/// The window of `--rate-limit`.
const RATE_WINDOW: Duration = Duration::from_secs(60);
/// The interval at which new records of the sandbox are printed.
const PRINT_INTERVAL: Duration = Duration::from_millis(100);

#[derive(Args, Debug)]
#[command(after_help = format!("{DIRECTIVES}\n\n{GRAMMAR}"))]
pub(crate) struct SandboxArgs {
    /// Port of the API; 0 chooses a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,

    /// Port of the result host; 0 chooses a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    result_port: u16,

    /// Port of the storage host for uploads; 0 chooses a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    storage_port: u16,

    /// Port of the console, a web page on this machine that shows what a program did; 0 chooses a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    console_port: u16,

    /// Do not serve the console
    #[arg(long, conflicts_with = "console_port")]
    no_console: bool,

    /// Approximate duration of a task
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "5s")]
    task_time: Duration,

    /// Maximum number of requests per minute; more get a 429
    #[arg(long, value_name = "N", default_value_t = 300)]
    rate_limit: u32,

    /// How long a result can be downloaded after its task completed
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "1h")]
    result_lifetime: Duration,

    /// Delay after which a new task is listed
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "0s")]
    list_delay: Duration,

    /// Accepted API key, instead of `sandbox-key`; may be repeated
    #[arg(long = "api-key", value_name = "TEXT")]
    api_keys: Vec<String>,

    /// Give each API key its own account; other keys get a 404 for its tasks
    #[arg(long)]
    account_per_key: bool,

    /// Secret to sign webhooks with
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, default_value = DEFAULT_WEBHOOK_SECRET)]
    webhook_secret: String,

    /// Deliver webhooks to other machines, too
    #[arg(long)]
    remote_webhooks: bool,

    #[command(flatten)]
    faults: FaultArgs,

    /// Seed for task ids, task durations and the probability of faults
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Print one JSON object per event
    #[arg(long)]
    pub(crate) json: bool,
}

const DIRECTIVES: &str = "\
Directives in a prompt control its task:
  [sandbox:fail]           Fails
  [sandbox:fail=TEXT]      Fails with the reason TEXT
  [sandbox:fail-silently]  Fails without a reason
  [sandbox:empty]          Completes without a video
  [sandbox:status=NAME]    Has the status NAME for a while
  [sandbox:seconds=N]      Takes N seconds";

/// The JSON output for an event.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum SandboxEvent<'a> {
    Started {
        base_url: &'a str,
        result_base_url: &'a str,
        storage_base_url: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        console_url: Option<&'a str>,
        api_key: &'a str,
        webhook_secret: &'a str,
        seed: u64,
    },
    Request {
        method: &'a str,
        path: &'a str,
        http_status: u16,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        faults: Vec<String>,
    },
    /// The number of charged creates by route.
    Ended { charges: BTreeMap<String, usize> },
    Delivery {
        task_id: &'a str,
        status: &'a str,
        outcome: &'a str,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        faults: Vec<String>,
    },
}

pub(super) async fn run(args: SandboxArgs) -> Result<(), Failure> {
    let json = args.json;
    // Before the first output, so a reader of it can interrupt the program.
    let mut interrupts = Interrupts::listen();
    let sandbox = args.into_builder().start().await.map_err(start_failure)?;
    print_started(&sandbox, json)?;
    let mut printer = RecordPrinter::new(json);
    let mut interval = tokio::time::interval(PRINT_INTERVAL);
    loop {
        tokio::select! {
            _ = interval.tick() => printer.print_new(&sandbox)?,
            () = interrupts.next() => break,
        }
    }
    printer.print_new(&sandbox)?;
    let tasks = sandbox.charges();
    let charges = sandbox.charges_by_route();
    sandbox.shutdown().await;
    report::say(format_args!("the sandbox stopped (tasks: {tasks})"));
    if !charges.is_empty() {
        let routes: Vec<_> = charges
            .iter()
            .map(|(route, count)| format!("{route} {count}"))
            .collect();
        report::say(format_args!("charged: {tasks} ({})", routes.join(", ")));
    }
    match json {
        true => report::json_line(&SandboxEvent::Ended { charges }),
        false => Ok(()),
    }
}

impl SandboxArgs {
    fn into_builder(self) -> SandboxBuilder {
        let builder = Sandbox::builder()
            .port(self.port)
            .result_port(self.result_port)
            .storage_port(self.storage_port)
            .task_time(self.task_time)
            .rate_limit(self.rate_limit)
            .rate_window(RATE_WINDOW)
            .list_delay(self.list_delay)
            .result_lifetime(self.result_lifetime)
            .webhook_secret(self.webhook_secret)
            .remote_webhooks(self.remote_webhooks);
        let builder = builder.account_per_key(self.account_per_key);
        let builder = match self.api_keys.is_empty() {
            true => builder,
            false => builder.api_keys(self.api_keys),
        };
        let builder = match self.no_console {
            true => builder,
            false => builder.console(self.console_port),
        };
        let builder = self.faults.add_to(builder);
        match self.seed {
            Some(seed) => builder.seed(seed),
            None => builder,
        }
    }
}

fn start_failure(error: StartError) -> Failure {
    let failure = Failure::unexpected(error.to_string());
    match error {
        StartError::Bind { source, .. } => failure
            .with_exit(Exit::Usage)
            .with_cause(source)
            .with_help("use another port, or 0 for a free one"),
        StartError::Setting { .. } => failure.with_exit(Exit::Usage),
        _ => failure,
    }
}

fn print_started(sandbox: &Sandbox, json: bool) -> Result<(), Failure> {
    if json {
        return report::json_line(&SandboxEvent::Started {
            base_url: sandbox.base_url(),
            result_base_url: sandbox.result_base_url(),
            storage_base_url: sandbox.storage_base_url(),
            console_url: sandbox.console_url(),
            api_key: sandbox.api_key(),
            webhook_secret: sandbox.webhook_secret(),
            seed: sandbox.seed(),
        });
    }
    let (url, key) = (sandbox.base_url(), sandbox.api_key());
    let console = match sandbox.console_url() {
        Some(url) => format!("  console         {url}\n"),
        None => String::new(),
    };
    report::line(format_args!(
        "The sandbox is listening until Ctrl-C.\n\n\
         {console}  \
         base URL        {url}\n  \
         API key         {key}\n  \
         results         {}\n  \
         uploads         {}\n  \
         webhook secret  {}\n  \
         seed            {}\n\n\
         In another terminal:\n\n  \
         export KLING_OMNI_BASE_URL={url} {}={key}\n  \
         kling-omni generate --prompt 'The dancer of @Video1' --video https://example.com/dance.mp4\n",
        sandbox.result_base_url(),
        sandbox.storage_base_url(),
        sandbox.webhook_secret(),
        sandbox.seed(),
        Host::default().key_variable(),
    ))
}

/// Prints the new records of a sandbox.
struct RecordPrinter {
    json: bool,
    /// All requests up to this number are printed.
    printed_up_to: u64,
    /// The printed requests after an earlier one without a response.
    printed: BTreeSet<u64>,
    /// All deliveries up to this number are printed.
    delivered_up_to: u64,
}

impl RecordPrinter {
    fn new(json: bool) -> Self {
        Self {
            json,
            printed_up_to: 0,
            printed: BTreeSet::new(),
            delivered_up_to: 0,
        }
    }

    /// Prints the records since the last call.
    fn print_new(&mut self, sandbox: &Sandbox) -> Result<(), Failure> {
        let requests = sandbox.requests_after(self.printed_up_to);
        for request in &requests {
            if let Some(status) = request.status()
                && self.printed.insert(request.number())
            {
                self.print_request(request, status.as_u16())?;
            }
        }
        let answered = requests
            .iter()
            .take_while(|request| request.status().is_some());
        if let Some(last) = answered.last() {
            self.printed_up_to = last.number();
            self.printed = self.printed.split_off(&(last.number() + 1));
        }
        for delivery in sandbox.deliveries_after(self.delivered_up_to) {
            self.delivered_up_to = delivery.number();
            self.print_delivery(&delivery)?;
        }
        Ok(())
    }

    fn print_request(&self, request: &ReceivedRequest, http_status: u16) -> Result<(), Failure> {
        let (method, path) = (request.method().as_str(), request.path());
        let faults = texts(request.faults());
        let text = format!(
            "{method} {} {http_status}{}",
            printable(path),
            fault_note(&faults)
        );
        let event = SandboxEvent::Request {
            method,
            path,
            http_status,
            faults,
        };
        self.print(&event, text)
    }

    fn print_delivery(&self, delivery: &Delivery) -> Result<(), Failure> {
        let (status, outcome) = (delivery.status().as_str(), outcome_text(delivery.outcome()));
        let faults = texts(delivery.faults());
        let text = format!(
            "webhook for task {}, {status}: {outcome}{}",
            printable(delivery.task_id()),
            fault_note(&faults)
        );
        let event = SandboxEvent::Delivery {
            task_id: delivery.task_id(),
            status,
            outcome: &outcome,
            faults,
        };
        self.print(&event, text)
    }

    fn print(&self, event: &SandboxEvent<'_>, text: impl Display) -> Result<(), Failure> {
        if self.json {
            report::json_line(event)
        } else {
            report::line(text)
        }
    }
}

fn texts<'a>(rules: impl Iterator<Item = &'a FaultRule>) -> Vec<String> {
    rules.map(FaultRule::to_string).collect()
}

/// Returns the text about the faults of an event, which is empty without faults.
fn fault_note(faults: &[String]) -> String {
    match faults {
        [] => String::new(),
        faults => format!(" (fault {})", faults.join(", ")),
    }
}

fn outcome_text(outcome: &DeliveryOutcome) -> String {
    match outcome {
        DeliveryOutcome::Accepted(status) => format!("accepted with {}", status.as_u16()),
        DeliveryOutcome::Rejected(status) => format!("rejected with {}", status.as_u16()),
        DeliveryOutcome::Failed(reason) => format!("not delivered, {reason}"),
        DeliveryOutcome::Skipped(reason) => format!("not sent, {reason}"),
        _ => "unknown outcome".to_owned(),
    }
}
