//! `batch doctor`: checks what a batch depends on, and changes nothing.

mod ledger;

use clap::Args;
use kling_omni_batch::ledger::LedgerFacts;
use kling_omni_batch::{BatchError, Batches};
use serde::Serialize;

use super::explain::explain;
use super::ledger_args::LedgerArgs;
use super::list_reach::{ListReach, known_tasks, read_list};
use super::spend_args::count;
use crate::command::doctor::check::{Check, Checks};
use crate::command::doctor::machine::{check_disk, free_bytes};
use crate::command::doctor::service::{check_clock, clock_ahead};
use crate::connect::{ConnectArgs, Connection};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report;

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
    #[serde(flatten)]
    checks: Checks,
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
        checks: Checks::default(),
        ledger: facts,
    };
    let ledger = ledger::check(&output.ledger, &accounts, &args.ledger.shown());
    output.checks.extend(ledger);
    if let Some(free) = output.free_bytes {
        output.checks.push(check_disk(free));
    }
    match connect.open_existing() {
        Ok(connection) => check_service(&batches, &connection, &mut output).await?,
        Err(failure) => output.checks.push(Check::from_failure("key", &failure)),
    }
    match args.json {
        true => report::json_line(&output)?,
        false => output.checks.print()?,
    }
    output.checks.into_result()
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
                output.checks.push(Check::from_failure("list", &failure));
            }
        }
    }
    Ok(())
}

fn check_list(reach: &ListReach) -> Check {
    let missing = reach.known - reach.known_listed;
    match missing {
        0 => Check::ok(
            "list",
            format!(
                "{}: {}, with {} of the {} of this ledger",
                reach.mode,
                count(reach.listed as u64, "task"),
                reach.known_listed,
                reach.known
            ),
        ),
        _ => Check::broken(
            "list",
            Exit::Unexpected,
            format!(
                "the list of mode {} lacks {} of the ledger: a create whose response is lost may not be found",
                reach.mode,
                count(missing as u64, "task")
            ),
        ),
    }
}
