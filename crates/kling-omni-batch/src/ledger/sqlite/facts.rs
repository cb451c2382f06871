//! What a SQLite file says about itself.

use std::collections::BTreeMap;

use rusqlite::Connection;

use crate::ledger::LedgerFacts;

pub(super) fn inspect(ledger: &Connection) -> rusqlite::Result<LedgerFacts> {
    let number = |name: &str| -> rusqlite::Result<u64> {
        let number: i64 = ledger.pragma_query_value(None, name, |row| row.get(0))?;
        Ok(number.unsigned_abs())
    };
    let meta = "select schema, written_by, oldest_program from meta";
    let (schema, written_by, oldest_program) =
        ledger.query_row(meta, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let check: String = ledger.query_row("pragma integrity_check(1)", [], |row| row.get(0))?;
    let journal_mode: String = ledger.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    let synchronous = match number("synchronous")? {
        0 => "off",
        1 => "normal",
        2 => "full",
        _ => "extra",
    };
    Ok(LedgerFacts {
        database: format!("SQLite {}", rusqlite::version()),
        schema,
        written_by,
        settings: BTreeMap::from([
            ("journal_mode".to_owned(), journal_mode),
            ("synchronous".to_owned(), synchronous.to_owned()),
        ]),
        bytes: number("page_count")? * number("page_size")?,
        oldest_program,
        server: None,
        problem: (check != "ok").then(|| format!("the ledger is damaged: {check}")),
    })
}
