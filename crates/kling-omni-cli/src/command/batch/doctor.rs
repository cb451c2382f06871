//! `batch doctor`: checks what a batch depends on, and changes nothing.

mod check;
mod ledger;

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use clap::Args;
use indicatif::DecimalBytes;
use kling_omni_batch::ledger::LedgerFacts;
use kling_omni_batch::{BatchError, Batches};
use serde::Serialize;

use self::check::Check;
use super::explain::explain;
use super::ledger_args::LedgerArgs;
use super::list_reach::{ListReach, known_tasks, read_list};
use crate::connect::{ConnectArgs, Connection, user_agent};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report;

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
    checks: Vec<Check>,
    /// The texts of the checks that are broken.
    problems: Vec<String>,
}

pub(super) async fn run(args: BatchDoctorArgs, connect: &ConnectArgs) -> Result<(), Failure> {
    let batches = args.ledger.open().await?;
    let facts = batches.ledger().facts().await.map_err(explain)?;
    let accounts = batches.ledger().accounts().await.map_err(explain)?;
    let mut output = DoctorOutput {
        free_bytes: free_bytes(&args.ledger.folder()).ok().flatten(),
        key_fingerprint: None,
        base_url: None,
        clock_ahead_seconds: None,
        lists: Vec::new(),
        checks: ledger::check(&facts, &accounts, &args.ledger.shown()),
        problems: Vec::new(),
        ledger: facts,
    };
    if let Some(free) = output.free_bytes {
        output.checks.push(check_disk(free));
    }
    match connect.open_existing() {
        Ok(connection) => check_service(&batches, &connection, &mut output).await?,
        Err(failure) => output.checks.push(broken_by("key", &failure)),
    }
    let problems: Vec<_> = output.checks.iter().filter_map(Check::problem).collect();
    let exit = problems.first().map(|(_, exit)| *exit);
    output.problems = problems
        .iter()
        .map(|(text, _)| (*text).to_owned())
        .collect();
    match args.json {
        true => report::json_line(&output)?,
        false => output.checks.iter().try_for_each(report::line)?,
    }
    match exit {
        None => Ok(()),
        Some(exit) => Err(Failure::silent(exit)),
    }
}

fn broken_by(subject: &'static str, failure: &Failure) -> Check {
    Check::broken(subject, failure.exit(), failure.message())
}

fn check_disk(free: u64) -> Check {
    match free < MIN_FREE_BYTES {
        false => Check::ok("disk", format!("{} are free", DecimalBytes(free))),
        true => Check::broken(
            "disk",
            Exit::File,
            format!("only {} are free", DecimalBytes(free)),
        )
        .with_help("free some space"),
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
    output
        .checks
        .push(Check::ok("key", format!("fingerprint {fingerprint}")));
    output.key_fingerprint = Some(fingerprint);
    output.base_url = Some(client.base_url().to_owned());
    for batch in batches.ledger().batches().await.map_err(explain)? {
        match batches.check_account(&batch.name, client).await {
            Ok(()) => {}
            Err(error @ BatchError::OtherAccount { .. }) => {
                let check = Check::broken("key", Exit::Access, error.to_string());
                output
                    .checks
                    .push(check.with_help("use its key and service"));
            }
            Err(error) => return Err(explain(error)),
        }
    }
    let ahead = clock_ahead(client.base_url()).await;
    output.clock_ahead_seconds = *ahead.as_ref().unwrap_or(&None);
    output.checks.push(check_clock(client.base_url(), ahead));
    for (mode, known) in known_tasks(batches).await?.into_values() {
        match read_list(client, mode, &known).await {
            Ok(reach) => {
                output.checks.push(check_list(&reach));
                output.lists.push(reach);
            }
            Err(error) => {
                let failure = connection.explain(error, None);
                output.checks.push(broken_by("list", &failure));
            }
        }
    }
    Ok(())
}

fn check_clock(url: &str, ahead: Result<Option<i64>, reqwest::Error>) -> Check {
    let text = match ahead {
        Err(error) => {
            let error = error.without_url();
            let text = format!("{url} cannot be reached: {error}");
            return Check::broken("service", Exit::Network, text);
        }
        Ok(Some(ahead)) if ahead.unsigned_abs() > MAX_CLOCK_DIFFERENCE.as_secs() => {
            let text = format!(
                "{url}: the clock of this machine differs from the service's by {} s",
                ahead.unsigned_abs()
            );
            let check = Check::broken("service", Exit::Unexpected, text);
            return check.with_help("synchronize it with NTP");
        }
        Ok(Some(0)) => "its clock agrees with this machine's".to_owned(),
        Ok(Some(ahead @ 1..)) => format!("its clock is {ahead} s ahead"),
        Ok(Some(behind)) => format!("its clock is {} s behind", behind.unsigned_abs()),
        Ok(None) => "its clock is not known".to_owned(),
    };
    Check::ok("service", format!("{url}, {text}"))
}

fn check_list(reach: &ListReach) -> Check {
    let missing = reach.known - reach.known_listed;
    match missing {
        0 => Check::ok(
            "list",
            format!(
                "{}: {} tasks, with {} of the {} of this ledger",
                reach.mode, reach.listed, reach.known_listed, reach.known
            ),
        ),
        _ => Check::broken(
            "list",
            Exit::Unexpected,
            format!(
                "the list of mode {} lacks {missing} tasks of the ledger: a create whose response is lost may not be found",
                reach.mode
            ),
        ),
    }
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
