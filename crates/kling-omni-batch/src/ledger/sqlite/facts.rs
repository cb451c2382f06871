//! What a ledger says about itself.

use rusqlite::Connection;
use serde::Serialize;

use crate::ledger::sqlite::SqliteFailure;

/// Facts about a ledger in a SQLite file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LedgerFacts {
    /// The version of the SQLite library that is linked.
    pub sqlite_version: String,
    /// The schema of the ledger.
    pub schema: u32,
    /// The version of this crate that wrote the schema.
    pub written_by: String,
    /// The journal mode: `wal`.
    pub journal_mode: String,
    /// How the last commit of this handle reached the disk: `full`, or `normal` if its loss costs nothing.
    pub synchronous: String,
    /// The size in bytes, without the write-ahead log.
    pub bytes: u64,
    /// What is damaged, by SQLite's integrity check.
    pub problem: Option<String>,
}

pub(super) fn inspect(ledger: &Connection) -> Result<LedgerFacts, SqliteFailure> {
    let number = |name: &str| -> rusqlite::Result<u64> {
        let number: i64 = ledger.pragma_query_value(None, name, |row| row.get(0))?;
        Ok(number.unsigned_abs())
    };
    let (schema, written_by) =
        ledger.query_row("select schema, written_by from meta", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let check: String = ledger.query_row("pragma integrity_check(1)", [], |row| row.get(0))?;
    Ok(LedgerFacts {
        sqlite_version: rusqlite::version().to_owned(),
        schema,
        written_by,
        journal_mode: ledger.pragma_query_value(None, "journal_mode", |row| row.get(0))?,
        synchronous: match number("synchronous")? {
            0 => "off",
            1 => "normal",
            2 => "full",
            _ => "extra",
        }
        .to_owned(),
        bytes: number("page_count")? * number("page_size")?,
        problem: (check != "ok").then_some(check),
    })
}
