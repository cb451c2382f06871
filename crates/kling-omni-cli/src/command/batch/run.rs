//! `batch run` and `batch resume`.

use std::path::{Path, PathBuf};

use clap::Args;
use kling_omni::request::MediaSource;
use kling_omni_batch::ledger::ItemQuery;
use kling_omni_batch::{Batches, ItemState};

use super::super::file_args::FileArgs;
use super::bucket;
use super::check::{check_rows, refuse_errors};
use super::explain::{explain, not_charged};
use super::ledger_args::{self, LedgerArgs, RESULTS};
use super::manifest_args::ManifestArgs;
use super::new_rows::NewRows;
use super::run_settings::RunSettings;
use super::session::RunSession;
use crate::connect::ConnectArgs;
use crate::failure::Failure;
use crate::{input, report};

#[derive(Args, Debug)]
pub(super) struct BatchRunArgs {
    #[command(flatten)]
    manifest: ManifestArgs,

    /// The folder of the videos, of results.jsonl and of report.csv, which is created; or your own S3 bucket for the videos
    /// (s3://BUCKET/PREFIX), configured by the usual AWS_… variables. A bucket needs --db, and neither results.jsonl nor
    /// report.csv is written; `batch report` prints them
    #[arg(long, value_name = "DIR", value_parser = bucket::folder_or_bucket())]
    out: PathBuf,

    /// The ledger: a file, or postgres://… for several machines [default: batch.db in the folder of the videos]
    #[arg(long, value_name = "LEDGER", value_parser = ledger_args::ledger())]
    db: Option<PathBuf>,

    /// The name of the batch [default: the name of the manifest, without extension]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Add only the first N rows to the batch; the same command without it adds the others
    #[arg(long, value_name = "N", help_heading = "Rows")]
    sample: Option<usize>,

    #[command(flatten)]
    pub(super) settings: RunSettings,
}

#[derive(Args, Debug)]
pub(super) struct BatchResumeArgs {
    /// The name of the batch [default: the only one of the ledger]
    #[arg(value_name = "NAME")]
    name: Option<String>,

    #[command(flatten)]
    ledger: LedgerArgs,

    #[command(flatten)]
    pub(super) settings: RunSettings,
}

pub(super) async fn run(
    args: BatchRunArgs,
    connect: &ConnectArgs,
    verbose: bool,
) -> Result<(), Failure> {
    let BatchRunArgs {
        manifest: rows,
        out,
        db,
        name,
        sample,
        settings,
    } = args;
    input::refuse_sharing(settings.webhook.uses_of_stdin()).map_err(not_charged)?;
    let limit = settings.spend.limit().map_err(not_charged)?;
    let manifest = rows.open(limit.guard.clone())?;
    let folder = (!bucket::is_url(&out)).then(|| out.clone());
    if folder.is_none() && db.is_none() {
        let failure = Failure::usage("a bucket cannot have the ledger");
        return Err(not_charged(failure.with_help("name the ledger with --db")));
    }
    let ledger = LedgerArgs {
        out: folder.clone(),
        db,
    };
    settings.check_detach(&ledger, connect)?;
    let name = name.unwrap_or_else(|| rows.default_name());
    let (opened, is_new) = find_batch(&ledger, &name).await?;
    let new_folder = folder.as_deref().filter(|_| is_new);
    let checked = check_rows(&manifest, &settings.files, new_folder).await?;
    refuse_errors(&checked, rows.deny_warnings)?;
    if let Some(folder) = &folder {
        std::fs::create_dir_all(folder).map_err(|error| {
            let message = format!("cannot create the folder {}", input::name(folder));
            not_charged(Failure::file(message).with_cause(error))
        })?;
    }
    let batches = match opened {
        Some(batches) => batches,
        None => {
            let created = Batches::open(ledger.path()).await;
            created.map_err(|error| not_charged(explain(error)))?
        }
    };
    let batch = RunSession {
        batches,
        name,
        ledger,
        settings,
        limit,
        is_in_bucket: folder.is_none(),
        rows: Some(NewRows {
            manifest,
            sample,
            out,
        }),
    };
    batch.run(connect, verbose).await
}

pub(super) async fn resume(
    args: BatchResumeArgs,
    connect: &ConnectArgs,
    verbose: bool,
) -> Result<(), Failure> {
    let BatchResumeArgs {
        name,
        ledger,
        settings,
    } = args;
    settings.check_detach(&ledger, connect)?;
    let limit = settings.spend.limit().map_err(not_charged)?;
    let batches = ledger.open().await?;
    let name = ledger.find(&batches, name).await?;
    let found = batches.ledger().batch(&name).await;
    let is_left_to_workers = found.map_err(explain)?.policy.is_some();
    if is_left_to_workers && !settings.detach {
        let resumed = batches.resume(&name).await;
        resumed.map_err(|error| not_charged(explain(error)))?;
        report::say("resumed: workers continue the batch");
        return Ok(());
    }
    refuse_files(&batches, &name, &settings.files).await?;
    let is_in_bucket = bucket::has_objects(&batches, &name).await;
    let is_in_bucket = is_in_bucket.map_err(|error| not_charged(explain(error)))?;
    let batch = RunSession {
        batches,
        name,
        ledger,
        settings,
        limit,
        is_in_bucket,
        rows: None,
    };
    batch.run(connect, verbose).await
}

/// Opens the ledger, if it exists, and returns whether it lacks a batch of this name. Fails if the folder has the results of a batch
/// that the ledger lacks: its tasks would be paid for again.
pub(super) async fn find_batch(
    ledger: &LedgerArgs,
    name: &str,
) -> Result<(Option<Batches>, bool), Failure> {
    let batches = match ledger.exists() {
        true => Some(ledger.open().await.map_err(not_charged)?),
        false => None,
    };
    let mut is_new = true;
    if let Some(batches) = &batches {
        if let Some(folder) = &ledger.out {
            refuse_shared_folder(batches, name, folder).await?;
        }
        let all = batches.ledger().batches().await;
        let all = all.map_err(|error| not_charged(explain(error)))?;
        is_new = all.iter().all(|batch| batch.name != name);
    }
    if let Some(folder) = ledger.out.as_deref().filter(|_| is_new)
        && folder.join(RESULTS).exists()
    {
        let (folder, ledger) = (input::name(folder), input::name(&ledger.shown()));
        let message =
            format!("the folder {folder} has the {RESULTS} of a batch that {ledger} lacks");
        let help = "restore its ledger or name it with --db, or use another --out; a new batch pays for all rows again";
        return Err(not_charged(Failure::usage(message).with_help(help)));
    }
    Ok((batches, is_new))
}

/// Fails if an item has a local file that is still to be uploaded, and files are uploaded nowhere.
async fn refuse_files(batches: &Batches, name: &str, files: &FileArgs) -> Result<(), Failure> {
    let refuse = async {
        let batch = batches.ledger().batch(name).await.map_err(explain)?;
        let mut query = ItemQuery {
            states: vec![ItemState::Planned],
            ..ItemQuery::new(batch.id)
        };
        loop {
            let items = batches.ledger().items(query.clone()).await;
            let items = items.map_err(explain)?;
            let Some(last) = items.last() else {
                return Ok(());
            };
            query.from = last.position + 1;
            for item in &items {
                for (field, path) in item.request.files() {
                    let place = format!("item {:?}, {field}", item.key);
                    files.refuse_file(&place, &MediaSource::File(path.clone()))?;
                }
            }
        }
    };
    match files.refuses_files() {
        true => refuse.await.map_err(not_charged),
        false => Ok(()),
    }
}

/// Fails if another batch of the ledger has its videos in the same folder: its results would be replaced.
async fn refuse_shared_folder(batches: &Batches, name: &str, out: &Path) -> Result<(), Failure> {
    let Ok(folder) = std::path::absolute(out) else {
        return Ok(());
    };
    let all = batches.ledger().batches().await.map_err(explain)?;
    for other in all.into_iter().filter(|other| other.name != name) {
        let rows = batches.report(&other.name, 0).await.map_err(explain)?;
        let Some(first) = rows.first() else { continue };
        let item = batches
            .show(&other.name, &first.key)
            .await
            .map_err(explain)?;
        if item.path.starts_with(&folder) {
            let message = format!(
                "the folder {} has the batch {:?}",
                input::name(out),
                other.name
            );
            let help = format!(
                "use another --out, or add --name {:?} to continue that batch",
                other.name
            );
            return Err(not_charged(Failure::usage(message).with_help(help)));
        }
    }
    Ok(())
}
