//! The schema of a ledger, and its migrations.

use crate::error::BatchError;
use crate::ledger::sql::mark;
use crate::ledger::sql::session::{SqlFailure, SqlSession, values};

/// The migrations, each from one schema to the next, forward only. One that older programs cannot work with sets
/// `oldest_program` to its own number; the others only add what older programs do not use.
pub(super) const MIGRATIONS: [&str; 3] = [
    include_str!("schema_1.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
];

/// The first schema that says which programs can use it.
const HAS_OLDEST_PROGRAM: u32 = 2;

/// The newest schema.
const SCHEMA: u32 = MIGRATIONS.len() as u32;

/// Migrates a ledger, in the transaction of the caller.
pub(crate) fn migrate(
    ledger: &mut dyn SqlSession,
    location: &str,
    is_new: bool,
) -> Result<(), SqlFailure> {
    let (found, written_by): (u32, String) = match is_new {
        true => (0, String::new()),
        false => {
            let row = ledger.row("select schema, written_by from meta", &[])?;
            (row.get(0)?, row.get(1)?)
        }
    };
    let oldest_program = match found < HAS_OLDEST_PROGRAM {
        true => 0,
        false => ledger.row("select oldest_program from meta", &[])?.get(0)?,
    };
    if oldest_program > SCHEMA {
        return Err(BatchError::NewerSchema {
            path: location.into(),
            found: oldest_program,
            supported: SCHEMA,
            written_by,
        }
        .into());
    }
    if found >= SCHEMA {
        return Ok(());
    }
    for migration in MIGRATIONS.iter().skip(found as usize) {
        let types = ledger.dialect().types.iter();
        let text = types.fold((*migration).to_owned(), |text, (from, to)| {
            text.replace(from, to)
        });
        ledger.execute_all(&text)?;
    }
    if is_new {
        let salt = mark::new_salt();
        let insert = "insert into meta (schema, written_by, salt) values (0, '', $1)";
        ledger.execute(insert, values![salt.to_vec()])?;
    }
    let set = "update meta set schema = $1, written_by = $2";
    ledger.execute(set, values![SCHEMA, env!("CARGO_PKG_VERSION")])?;
    Ok(())
}
