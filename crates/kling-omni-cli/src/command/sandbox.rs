//! `sandbox`: the service on this machine.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Display;
use std::hash::Hash;
use std::time::{Duration, SystemTime};

use clap::Args;
use kling_omni::{Host, printable};
use kling_omni_sandbox::{
    DEFAULT_WEBHOOK_SECRET, Delivery, DeliveryOutcome, FaultRule, Sandbox, SandboxBuilder,
    StartError,
};
use serde::Serialize;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::faults::{FaultArgs, GRAMMAR};
use crate::interrupt::Interrupts;
use crate::{duration, report};

/// The time that `--rate-limit` counts in.
const RATE_WINDOW: Duration = Duration::from_secs(60);
/// How often the sandbox is asked what has happened since.
const LOOK: Duration = Duration::from_millis(100);
/// How many requests, and how many deliveries, it keeps between two looks.
const KEPT: usize = 1000;

#[derive(Args, Debug)]
#[command(after_help = format!("{DIRECTIVES}\n\n{GRAMMAR}"))]
pub(crate) struct SandboxArgs {
    /// Port of the API; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,

    /// Port of the results; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    result_port: u16,

    /// Port of the host that takes uploads; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    storage_port: u16,

    /// About how long a task takes
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "5s")]
    task_time: Duration,

    /// Requests a minute, beyond which the answer is 429
    #[arg(long, value_name = "N", default_value_t = 300)]
    rate_limit: u32,

    /// How long a result can be downloaded, from the end of its task
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "1h")]
    result_lifetime: Duration,

    /// How long after its creation a task appears on the list
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "0s")]
    list_delay: Duration,

    /// Key that is right, in place of `sandbox-key`; may be given several times
    #[arg(long = "api-key", value_name = "TEXT")]
    api_keys: Vec<String>,

    /// Give each key an account of its own, whose tasks another key gets 404 for
    #[arg(long)]
    account_per_key: bool,

    /// Secret that webhooks are signed with
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, default_value = DEFAULT_WEBHOOK_SECRET)]
    webhook_secret: String,

    /// Deliver webhooks to other machines, too
    #[arg(long)]
    remote_webhooks: bool,

    #[command(flatten)]
    faults: FaultArgs,

    /// Make task ids, times and the luck of faults repeatable
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Print one JSON object for each event
    #[arg(long)]
    pub(crate) json: bool,
}

const DIRECTIVES: &str = "\
A prompt can say how its task goes:
  [sandbox:fail]           It fails
  [sandbox:fail=TEXT]      It fails, for the reason TEXT
  [sandbox:fail-silently]  It fails without a reason
  [sandbox:empty]          It is completed without a video
  [sandbox:status=NAME]    It has the status NAME for a while
  [sandbox:seconds=N]      It takes N seconds";

/// Something that happened, for scripts.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event<'a> {
    Started {
        base_url: &'a str,
        result_base_url: &'a str,
        storage_base_url: &'a str,
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
    /// What was paid for, by route.
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
    // Before the first word, so that whoever has read it may end the sandbox.
    let mut interrupts = Interrupts::listen();
    let sandbox = args.into_builder().start().await.map_err(not_started)?;
    started(&sandbox, json)?;
    let mut feed = Feed::new(json);
    let mut looks = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            _ = looks.tick() => feed.look(&sandbox)?,
            () = interrupts.next() => break,
        }
    }
    feed.look(&sandbox)?;
    let tasks = sandbox.charges();
    let charges = sandbox.charges_by_route();
    sandbox.shutdown().await;
    report::say(format_args!(
        "the sandbox has ended, and its tasks ({tasks}) with it"
    ));
    if !charges.is_empty() {
        let routes: Vec<_> = charges
            .iter()
            .map(|(route, count)| format!("{route} {count}"))
            .collect();
        report::say(format_args!("charged: {tasks} ({})", routes.join(", ")));
    }
    match json {
        true => report::json_line(&Event::Ended { charges }),
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
            .remote_webhooks(self.remote_webhooks)
            .record_limit(KEPT);
        let builder = builder.account_per_key(self.account_per_key);
        let builder = match self.api_keys.is_empty() {
            true => builder,
            false => builder.api_keys(self.api_keys),
        };
        let builder = self.faults.add_to(builder);
        match self.seed {
            Some(seed) => builder.seed(seed),
            None => builder,
        }
    }
}

fn not_started(error: StartError) -> Failure {
    let failure = Failure::unexpected(error.to_string());
    let failure = match &error {
        StartError::Bind { source, .. } => failure.with_cause(source),
        _ => failure,
    };
    match error {
        StartError::Bind { .. } | StartError::Setting { .. } => failure.with_exit(Exit::Usage),
        _ => failure,
    }
}

fn started(sandbox: &Sandbox, json: bool) -> Result<(), Failure> {
    if json {
        return report::json_line(&Event::Started {
            base_url: sandbox.base_url(),
            result_base_url: sandbox.result_base_url(),
            storage_base_url: sandbox.storage_base_url(),
            api_key: sandbox.api_key(),
            webhook_secret: sandbox.webhook_secret(),
            seed: sandbox.seed(),
        });
    }
    let (url, key) = (sandbox.base_url(), sandbox.api_key());
    report::line(format_args!(
        "The sandbox listens until Ctrl-C.\n\n  \
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

/// What has been printed of the sandbox's records.
struct Feed {
    json: bool,
    requests: Printed<SystemTime>,
    deliveries: Printed<(String, usize)>,
}

impl Feed {
    fn new(json: bool) -> Self {
        Self {
            json,
            requests: Printed::default(),
            deliveries: Printed::default(),
        }
    }

    /// Prints what is new.
    fn look(&mut self, sandbox: &Sandbox) -> Result<(), Failure> {
        let requests = sandbox.requests();
        let answered = requests.iter().filter_map(|request| {
            let status = request.status()?.as_u16();
            Some((request, status))
        });
        // No two requests come at the same nanosecond, and those to the other hosts have no id.
        for (request, status) in self
            .requests
            .news(answered, |(request, _)| request.received_at())
        {
            let (method, path) = (request.method().as_str(), request.path());
            let faults = texts(request.faults());
            let text = format!("{method} {} {status}{}", printable(path), struck(&faults));
            let event = Event::Request {
                method,
                path,
                http_status: status,
                faults,
            };
            self.print(&event, text)?;
        }
        let deliveries = sandbox.deliveries();
        for (delivery, _) in self.deliveries.news(nth(&deliveries), |(delivery, nth)| {
            (delivery.id().to_owned(), *nth)
        }) {
            let (status, outcome) = (delivery.status().as_str(), outcome(delivery.outcome()));
            let faults = texts(delivery.faults());
            let text = format!(
                "webhook for task {}, {status}: {outcome}{}",
                printable(delivery.task_id()),
                struck(&faults)
            );
            let event = Event::Delivery {
                task_id: delivery.task_id(),
                status,
                outcome: &outcome,
                faults,
            };
            self.print(&event, text)?;
        }
        Ok(())
    }

    fn print(&self, event: &Event<'_>, text: impl Display) -> Result<(), Failure> {
        if self.json {
            report::json_line(event)
        } else {
            report::line(text)
        }
    }
}

/// Each delivery with how many before it had its id: a fault may repeat one.
fn nth(deliveries: &[Delivery]) -> impl Iterator<Item = (&Delivery, usize)> {
    let mut seen = HashMap::new();
    deliveries.iter().map(move |delivery| {
        let times = seen.entry(delivery.id()).or_insert(0);
        *times += 1;
        (delivery, *times)
    })
}

fn texts<'a>(rules: impl Iterator<Item = &'a FaultRule>) -> Vec<String> {
    rules.map(FaultRule::to_string).collect()
}

/// What is said of the faults of an event, if it has any.
fn struck(faults: &[String]) -> String {
    match faults {
        [] => String::new(),
        faults => format!(" (fault {})", faults.join(", ")),
    }
}

fn outcome(outcome: &DeliveryOutcome) -> String {
    match outcome {
        DeliveryOutcome::Accepted(status) => format!("accepted with {}", status.as_u16()),
        DeliveryOutcome::Refused(status) => format!("refused with {}", status.as_u16()),
        DeliveryOutcome::Failed(reason) => format!("not delivered, {reason}"),
        DeliveryOutcome::Skipped(reason) => format!("not sent, {reason}"),
        _ => "of an outcome that this version does not know".to_owned(),
    }
}

/// Tells the new entries of a record from those that were there at the last look.
struct Printed<K>(HashSet<K>);

impl<K: Eq + Hash> Printed<K> {
    fn news<T>(&mut self, entries: impl Iterator<Item = T>, key: impl Fn(&T) -> K) -> Vec<T> {
        let before = std::mem::take(&mut self.0);
        entries
            .filter(|entry| {
                let key = key(entry);
                let new = !before.contains(&key);
                self.0.insert(key);
                new
            })
            .collect()
    }
}

impl<K> Default for Printed<K> {
    fn default() -> Self {
        Self(HashSet::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_is_news_once_even_if_it_is_finished_late() {
        let mut printed = Printed::default();
        for (entries, news) in [
            (&[1, 3][..], &[1, 3][..]),
            (&[1, 2, 3], &[2]),
            (&[2, 3, 4], &[4]),
            (&[2, 3, 4], &[]),
        ] {
            assert_eq!(printed.news(entries.iter().copied(), |entry| *entry), news);
        }
    }
}
