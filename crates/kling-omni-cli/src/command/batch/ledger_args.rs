//! The options that name a ledger, and the batches in it.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{PathBufValueParser, TypedValueParser};
use kling_omni_batch::Batches;

use super::explain::explain;
use crate::failure::Failure;
use crate::input;
use crate::next::{CommandOption, ConnectionOptions, NextCommand};

/// The name of the ledger in the folder of the videos.
const LEDGER: &str = "batch.db";

/// The name of the results in the folder of the videos.
pub(super) const RESULTS: &str = "results.jsonl";

#[derive(Args, Clone, Debug)]
pub(super) struct LedgerArgs {
    /// The folder of the videos [default: the folder of --db, or the current folder]
    #[arg(long, value_name = "DIR", value_parser = input::file())]
    pub(super) out: Option<PathBuf>,

    /// The ledger: a file, or postgres://… for several machines [default: batch.db in the folder of the videos]
    #[arg(long, value_name = "LEDGER", value_parser = ledger())]
    pub(super) db: Option<PathBuf>,
}

/// Returns a parser for an option that takes a ledger.
pub(super) fn ledger() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|location| match is_url(&location) {
        true => Ok(location),
        false => input::local_file(location),
    })
}

/// Returns whether a ledger is in Postgres.
pub(super) fn is_url(location: &Path) -> bool {
    let schemes = ["postgres://", "postgresql://"];
    let is_of = |location: &str| schemes.iter().any(|scheme| location.starts_with(scheme));
    location.to_str().is_some_and(is_of)
}

/// Removes the password from a URL. `PGPASSWORD` and `.pgpass` have it for another command.
pub(super) fn without_password(location: PathBuf) -> PathBuf {
    if !is_url(&location) {
        return location;
    }
    let Ok(mut url) = reqwest::Url::parse(&location.to_string_lossy()) else {
        return PathBuf::from("postgres://");
    };
    // Fails only for URLs without a host, which have no password.
    let _ = url.set_password(None);
    if let Some(query) = url.query() {
        let others = query
            .split('&')
            .filter(|pair| !pair.starts_with("password="));
        let others = others.collect::<Vec<_>>().join("&");
        url.set_query((!others.is_empty()).then_some(&others));
    }
    PathBuf::from(String::from(url))
}

impl LedgerArgs {
    /// Returns the path of the ledger.
    pub(super) fn path(&self) -> PathBuf {
        self.db
            .clone()
            .unwrap_or_else(|| self.folder().join(LEDGER))
    }

    /// Whether there is a file of this name, or the ledger is in Postgres.
    pub(super) fn exists(&self) -> bool {
        self.is_in_postgres() || self.path().exists()
    }

    pub(super) fn is_in_postgres(&self) -> bool {
        is_url(&self.path())
    }

    /// Returns the location of the ledger as messages show it, without a password.
    pub(super) fn shown(&self) -> PathBuf {
        without_password(self.path())
    }

    /// Returns the folder of the videos.
    pub(super) fn folder(&self) -> PathBuf {
        let file = self.db.as_deref().filter(|db| !is_url(db));
        let of_ledger = || file?.parent().map(Path::to_owned);
        self.out.clone().or_else(of_ledger).unwrap_or_default()
    }

    /// Returns the options that select the same ledger.
    pub(super) fn options(&self) -> Vec<CommandOption> {
        let out = self.out.iter().map(|out| ("--out", out.into()));
        let db = self.db.iter().map(|_| ("--db", self.shown().into()));
        out.chain(db).collect()
    }

    /// Opens a ledger that exists.
    pub(super) async fn open(&self) -> Result<Batches, Failure> {
        let path = self.path();
        if is_url(&path) {
            return Batches::open(path).await.map_err(explain);
        }
        input::refuse_special(&path)
            .map_err(|error| input::unreadable(&input::name(&path), error))?;
        if let Ok(false) = path.try_exists() {
            let message = format!("the ledger {} does not exist", input::name(&path));
            let help = match self.db {
                Some(_) => "name a ledger that `batch run` has created",
                None => "name the folder of the videos with --out, or the ledger with --db",
            };
            return Err(Failure::usage(message).with_help(help));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        for (location, shown) in [
            ("batch.db", "batch.db"),
            ("postgres://db.example/cats", "postgres://db.example/cats"),
            (
                "postgres://tom:pa%20ss@db.example:5433/cats?sslmode=require&password=pass&search_path=s",
                "postgres://tom@db.example:5433/cats?sslmode=require&search_path=s",
            ),
            ("postgresql:///cats?password=pass", "postgresql:///cats"),
            ("postgres://tom:pass@[bad/cats", "postgres://"),
        ] {
            let found = without_password(PathBuf::from(location));
            assert_eq!(found, Path::new(shown), "{location}");
        }
    }
}
