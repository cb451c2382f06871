//! The statements of a ledger in SQLite.

use std::path::Path;

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, ErrorCode, ToSql, params_from_iter};

use crate::error::BatchError;
use crate::ledger::sql::{Dialect, SqlFailure, SqlRow, SqlSession, SqlValue};

const SQLITE: Dialect = Dialect {
    now: "cast(unixepoch('subsec') * 1000 as integer)",
    // A lock on a file keeps others away, and ends with its process.
    lease_end: "null",
    lease_is_current: "true",
    // There is one writing transaction at a time.
    lock_row: "",
    lock_events: "",
    has_index_hints: true,
    json_numbers: "select value from json_each($1)",
    lock_tables: None,
    // A new key is one more than the largest.
    set_identity: None,
    types: &[],
};

/// A connection, in a transaction or not.
pub(super) struct SqliteSession<'a> {
    pub(super) connection: &'a Connection,
    pub(super) path: &'a Path,
}

impl SqliteSession<'_> {
    fn fail(&self, error: rusqlite::Error) -> SqlFailure {
        let code = error.sqlite_error().map(|error| error.extended_code);
        let is_unique = matches!(
            code,
            Some(
                rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE
                    | rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY
            )
        );
        let index = error.to_string();
        let error = failure(self.path, error);
        match is_unique {
            true => SqlFailure::Unique { index, error },
            false => error.into(),
        }
    }

    fn rows(&self, sql: &str, values: &[SqlValue]) -> rusqlite::Result<Vec<SqlRow>> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let columns = statement.column_count();
        let mut rows = statement.query(params_from_iter(values))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let values = (0..columns).map(|column| match row.get(column)? {
                Value::Null => Ok(SqlValue::Text(None)),
                Value::Integer(number) => Ok(SqlValue::Integer(Some(number))),
                Value::Text(text) => Ok(SqlValue::Text(Some(text))),
                Value::Blob(bytes) => Ok(SqlValue::Bytes(Some(bytes))),
                Value::Real(_) => Err(rusqlite::Error::InvalidQuery),
            });
            found.push(SqlRow(values.collect::<rusqlite::Result<_>>()?));
        }
        Ok(found)
    }
}

impl SqlSession for SqliteSession<'_> {
    fn dialect(&self) -> &'static Dialect {
        &SQLITE
    }

    fn query(&mut self, sql: &str, values: &[SqlValue]) -> Result<Vec<SqlRow>, SqlFailure> {
        self.rows(sql, values).map_err(|error| self.fail(error))
    }

    fn execute(&mut self, sql: &str, values: &[SqlValue]) -> Result<u64, SqlFailure> {
        let statement = self.connection.prepare_cached(sql);
        let changed = statement.and_then(|mut one| one.execute(params_from_iter(values)));
        let changed = changed.map_err(|error| self.fail(error))?;
        Ok(changed as u64)
    }

    fn execute_all(&mut self, sql: &str) -> Result<(), SqlFailure> {
        let executed = self.connection.execute_batch(sql);
        executed.map_err(|error| self.fail(error))
    }
}

impl ToSql for SqlValue {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match self {
            Self::Integer(number) => number.map_or(ValueRef::Null, ValueRef::Integer),
            Self::Text(Some(text)) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(Some(bytes)) => ValueRef::Blob(bytes),
            Self::Text(None) | Self::Bytes(None) => ValueRef::Null,
        };
        Ok(ToSqlOutput::Borrowed(value))
    }
}

/// The error for a failure of SQLite.
pub(super) fn failure(path: &Path, error: rusqlite::Error) -> BatchError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => BatchError::Full,
        Some(ErrorCode::DatabaseBusy) => BatchError::Locked,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => BatchError::Damaged {
            path: path.to_owned(),
            problem: error.to_string(),
        },
        _ => BatchError::Ledger(Box::new(error)),
    }
}
