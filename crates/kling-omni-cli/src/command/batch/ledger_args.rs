//! The options that name a ledger, and the batches in it.

use std::path::{Path, PathBuf};

use clap::Args;
use kling_omni_batch::Batches;

use super::explain::explain;
use crate::failure::Failure;
use crate::input;
use crate::next::{CommandOption, ConnectionOptions, NextCommand};

/// The name of the ledger in the folder of the videos.
const LEDGER: &str = "batch.db";

#[derive(Args, Clone, Debug)]
pub(super) struct LedgerArgs {
    /// The folder of the videos [default: the folder of --db, or the current folder]
    #[arg(long, value_name = "DIR", value_parser = input::file())]
    pub(super) out: Option<PathBuf>,

    /// The ledger [default: batch.db in the folder of the videos]
    #[arg(long, value_name = "FILE", value_parser = input::file())]
    pub(super) db: Option<PathBuf>,
}

impl LedgerArgs {
    /// Returns the path of the ledger.
    pub(super) fn path(&self) -> PathBuf {
        self.db
            .clone()
            .unwrap_or_else(|| self.folder().join(LEDGER))
    }

    /// Returns the folder of the videos.
    pub(super) fn folder(&self) -> PathBuf {
        let of_ledger = || self.db.as_deref()?.parent().map(Path::to_owned);
        self.out.clone().or_else(of_ledger).unwrap_or_default()
    }

    /// Returns the options that select the same ledger.
    pub(super) fn options(&self) -> Vec<CommandOption> {
        let out = self.out.iter().map(|out| ("--out", out.into()));
        out.chain(self.db.iter().map(|db| ("--db", db.into())))
            .collect()
    }

    /// Opens a ledger that exists.
    pub(super) async fn open(&self) -> Result<Batches, Failure> {
        let path = self.path();
        input::refuse_special(&path)
            .map_err(|error| input::unreadable(&input::name(&path), error))?;
        if let Ok(false) = path.try_exists() {
            let message = format!("the ledger {} does not exist", input::name(&path));
            return Err(Failure::usage(message)
                .with_help("name the folder of the videos with --out, or the ledger with --db"));
        }
        Batches::open(path).await.map_err(explain)
    }

    /// Returns the name of a batch: the given one, or that of the only batch.
    pub(super) async fn find(
        &self,
        batches: &Batches,
        name: Option<String>,
    ) -> Result<String, Failure> {
        if let Some(name) = name {
            return Ok(name);
        }
        let mut all = batches.ledger().batches().await.map_err(explain)?;
        match (all.pop(), all.len()) {
            (Some(only), 0) => Ok(only.name),
            (None, _) => Err(Failure::usage("the ledger has no batches")),
            (Some(last), _) => {
                let names = all.iter().map(|batch| batch.name.as_str());
                let names: Vec<_> = names.chain([last.name.as_str()]).collect();
                let message = format!("the ledger has {} batches", names.len());
                Err(Failure::usage(message).with_help(format!(
                    "give the name of one of them: {}",
                    names.join(", ")
                )))
            }
        }
    }

    /// Returns a command about a batch of this ledger that does not contact the service.
    pub(super) fn command(
        &self,
        verb: &'static str,
        operands: &[&str],
        flags: &[&'static str],
    ) -> String {
        NextCommand::Batch {
            verb,
            operands,
            flags,
            options: &self.options(),
        }
        .to_shell(&ConnectionOptions::new())
    }
}
