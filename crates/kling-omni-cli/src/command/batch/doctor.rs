//! `batch doctor`: checks what a batch depends on, and changes nothing.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use clap::Args;
use indicatif::DecimalBytes;
use kling_omni_batch::ledger::LedgerFacts;
use kling_omni_batch::{BatchError, Batches};
use serde::Serialize;

use super::explain::explain;
use super::ledger_args::LedgerArgs;
use super::list_reach::{ListReach, known_tasks, read_list};
use crate::connect::{ConnectArgs, Connection, user_agent};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{input, report};

/// Free disk space below this is a problem: a video has a few megabytes, and the ledger must never be full.
const MIN_FREE_BYTES: u64 = 1_000_000_000;
/// Clocks that differ more than this make expiry times wrong.
const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_secs(60);
/// The digits of a fingerprint that are shown.
const FINGERPRINT_DIGITS: usize = 16;

#[derive(Args, Debug)]
pub(super) struct BatchDoctorArgs {
    #[command(flatten)]
    ledger: LedgerArgs,

    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

/// The JSON output.
#[derive(Serialize)]
struct DoctorOutput {
    ledger: LedgerFacts,
    free_bytes: Option<u64>,
    key_fingerprint: Option<String>,
    base_url: Option<String>,
    /// How far the clock of the service is ahead of this machine's.
    clock_ahead_seconds: Option<i64>,
    lists: Vec<ListReach>,
    problems: Vec<String>,
    #[serde(skip)]
    exit: Exit,
}

impl DoctorOutput {
    /// Adds a problem. The first one determines the exit code.
    fn add_problem(&mut self, exit: Exit, problem: impl Into<String>) {
        if self.problems.is_empty() {
            self.exit = exit;
        }
        self.problems.push(problem.into());
    }
}

pub(super) async fn run(args: BatchDoctorArgs, connect: &ConnectArgs) -> Result<(), Failure> {
    let batches = args.ledger.open().await?;
    let facts = batches.ledger().facts().await.map_err(explain)?;
    let mut output = DoctorOutput {
        free_bytes: free_bytes(&args.ledger.folder()).ok().flatten(),
        key_fingerprint: None,
        base_url: None,
        clock_ahead_seconds: None,
        lists: Vec::new(),
        problems: Vec::new(),
        exit: Exit::Done,
        ledger: facts,
    };
    if let Some(problem) = output.ledger.problem.clone() {
        output.add_problem(Exit::File, problem);
    }
    if let Some(free) = output.free_bytes.filter(|free| *free < MIN_FREE_BYTES) {
        output.add_problem(Exit::File, format!("only {} are free", DecimalBytes(free)));
    }
    match connect.open_existing() {
        Ok(connection) => check_service(&batches, &connection, &mut output).await?,
        Err(failure) => output.add_problem(failure.exit(), failure.message()),
    }
    match args.json {
        true => report::json_line(&output)?,
        false => print(&output, &args.ledger)?,
    }
    match output.exit {
        Exit::Done => Ok(()),
        exit => Err(Failure::silent(exit)),
    }
}

async fn check_service(
    batches: &Batches,
    connection: &Connection,
    output: &mut DoctorOutput,
) -> Result<(), Failure> {
    let client = &connection.client;
    let salt = batches.ledger().salt().await.map_err(explain)?;
    let mut fingerprint = client.key_fingerprint(&salt);
    fingerprint.truncate(FINGERPRINT_DIGITS);
    output.key_fingerprint = Some(fingerprint);
    output.base_url = Some(client.base_url().to_owned());
    for batch in batches.ledger().batches().await.map_err(explain)? {
        match batches.check_account(&batch.name, client).await {
            Ok(()) => {}
            Err(error @ BatchError::OtherAccount { .. }) => {
                output.add_problem(Exit::Access, error.to_string());
            }
            Err(error) => return Err(explain(error)),
        }
    }
    match clock_ahead(client.base_url()).await {
        Ok(ahead) => {
            if ahead.is_some_and(|ahead| ahead.unsigned_abs() > MAX_CLOCK_DIFFERENCE.as_secs()) {
                output.add_problem(
                    Exit::Unexpected,
                    "the clock of this machine differs from the service's",
                );
            }
            output.clock_ahead_seconds = ahead;
        }
        Err(error) => {
            let error = error.without_url();
            output.add_problem(
                Exit::Network,
                format!("the service cannot be reached: {error}"),
            );
        }
    }
    for (mode, known) in known_tasks(batches).await?.into_values() {
        match read_list(client, mode, &known).await {
            Ok(reach) => {
                if reach.known_listed < reach.known {
                    let missing = reach.known - reach.known_listed;
                    let problem = format!(
                        "the list of mode {mode} lacks {missing} tasks of the ledger: a create whose response is lost \
                         may not be found"
                    );
                    output.add_problem(Exit::Unexpected, problem);
                }
                output.lists.push(reach);
            }
            Err(error) => {
                let failure = connection.explain(error, None);
                output.add_problem(failure.exit(), failure.message());
            }
        }
    }
    Ok(())
}

fn print(output: &DoctorOutput, ledger: &LedgerArgs) -> Result<(), Failure> {
    let facts = &output.ledger;
    report::line(format_args!(
        "ledger   {}, {}, schema {}, written by {}",
        input::name(&ledger.shown()),
        DecimalBytes(facts.bytes),
        facts.schema,
        report::printable(&facts.written_by)
    ))?;
    let settings = facts.settings.iter();
    let settings: Vec<_> = settings
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    report::line(format_args!(
        "database {}, {}",
        report::printable(&facts.database),
        report::printable(&settings.join(", "))
    ))?;
    if let Some(free) = output.free_bytes {
        report::line(format_args!("disk     {} free", DecimalBytes(free)))?;
    }
    if let (Some(key), Some(url)) = (&output.key_fingerprint, &output.base_url) {
        report::line(format_args!("key      fingerprint {key}"))?;
        let clock = match output.clock_ahead_seconds {
            Some(0) => "its clock agrees with this machine's".to_owned(),
            Some(ahead @ 1..) => format!("its clock is {ahead} s ahead"),
            Some(behind) => format!("its clock is {} s behind", behind.unsigned_abs()),
            None => "its clock is not known".to_owned(),
        };
        report::line(format_args!("service  {}, {clock}", report::printable(url)))?;
    }
    for list in &output.lists {
        report::line(format_args!(
            "list     {}: {} tasks, with {} of the {} of this ledger",
            list.mode, list.listed, list.known_listed, list.known
        ))?;
    }
    for problem in &output.problems {
        report::line(format_args!("problem  {}", report::printable(problem)))?;
    }
    Ok(())
}

/// Returns the free space of a file system, where the platform tells it.
fn free_bytes(folder: &Path) -> io::Result<Option<u64>> {
    let folder = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    #[cfg(unix)]
    {
        let facts = rustix::fs::statvfs(folder)?;
        Ok(Some(facts.f_bavail.saturating_mul(facts.f_frsize)))
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        Ok(None)
    }
}

/// Returns how many seconds the clock of a service is ahead, by the `Date` of a response. The request carries no key.
async fn clock_ahead(base_url: &str) -> Result<Option<i64>, reqwest::Error> {
    let client = kling_omni::accept_malformed_headers(reqwest::Client::builder())
        .user_agent(user_agent())
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(10))
        .build()?;
    let response = client.get(base_url).send().await?;
    let date = response.headers().get("date");
    let date = date.and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
    let now = SystemTime::now();
    Ok(date.map(|date| match date.duration_since(now) {
        Ok(ahead) => ahead.as_secs().cast_signed(),
        // The header has whole seconds, so a part of a second is not a difference.
        Err(behind) => -behind.duration().as_secs().cast_signed(),
    }))
}
