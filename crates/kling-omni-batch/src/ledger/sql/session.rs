//! What the SQL of a ledger needs of a database: a transaction, its values, and what differs between databases.

use std::error::Error;
use std::str::FromStr;

use serde::de::DeserializeOwned;

use crate::error::BatchError;
use crate::ledger::{AccountId, ItemId, Step};

/// A parameter of a statement, or a column of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SqlValue {
    Integer(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

impl SqlValue {
    fn name(&self) -> &'static str {
        match self {
            Self::Integer(None) | Self::Text(None) | Self::Bytes(None) => "null",
            Self::Integer(_) => "an integer",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
        }
    }
}

impl From<Vec<u8>> for SqlValue {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(Some(bytes))
    }
}

/// Declares conversions to values, each also for an `Option`.
macro_rules! into_value {
    ($($from:ty => $variant:ident by $convert:expr,)+) => {$(
        impl From<$from> for SqlValue {
            fn from(value: $from) -> Self {
                Self::$variant(Some($convert(value)))
            }
        }

        impl From<Option<$from>> for SqlValue {
            fn from(value: Option<$from>) -> Self {
                Self::$variant(value.map($convert))
            }
        }
    )+};
}

into_value! {
    i64 => Integer by i64::from,
    u32 => Integer by i64::from,
    bool => Integer by i64::from,
    u64 => Integer by u64::cast_signed,
    &str => Text by str::to_owned,
    &String => Text by String::clone,
    String => Text by String::from,
}

/// A type of a column.
pub(crate) trait FromSqlValue: Sized {
    fn from_value(value: SqlValue) -> Result<Self, SqlValue>;
}

impl FromSqlValue for i64 {
    fn from_value(value: SqlValue) -> Result<Self, SqlValue> {
        match value {
            SqlValue::Integer(Some(number)) => Ok(number),
            other => Err(other),
        }
    }
}

impl FromSqlValue for u64 {
    fn from_value(value: SqlValue) -> Result<Self, SqlValue> {
        i64::from_value(value).map(i64::unsigned_abs)
    }
}

impl FromSqlValue for u32 {
    fn from_value(value: SqlValue) -> Result<Self, SqlValue> {
        Self::try_from(u64::from_value(value.clone())?).map_err(|_| value)
    }
}

impl FromSqlValue for bool {
    fn from_value(value: SqlValue) -> Result<Self, SqlValue> {
        i64::from_value(value).map(|number| number != 0)
    }
}

impl FromSqlValue for String {
    fn from_value(value: SqlValue) -> Result<Self, SqlValue> {
        match value {
            SqlValue::Text(Some(text)) => Ok(text),
            other => Err(other),
        }
    }
}

impl FromSqlValue for Vec<u8> {
    fn from_value(value: SqlValue) -> Result<Self, SqlValue> {
        match value {
            SqlValue::Bytes(Some(bytes)) => Ok(bytes),
            other => Err(other),
        }
    }
}

impl<T: FromSqlValue> FromSqlValue for Option<T> {
    fn from_value(value: SqlValue) -> Result<Self, SqlValue> {
        match value {
            SqlValue::Integer(None) | SqlValue::Text(None) | SqlValue::Bytes(None) => Ok(None),
            value => T::from_value(value).map(Some),
        }
    }
}

/// A row.
#[derive(Debug)]
pub struct SqlRow(pub(crate) Vec<SqlValue>);

impl SqlRow {
    pub(crate) fn get<T: FromSqlValue>(&self, column: usize) -> Result<T, SqlFailure> {
        let value = self.0.get(column).cloned();
        let value = value.ok_or_else(|| SqlFailure::column(column, "it does not exist"))?;
        T::from_value(value).map_err(|value| SqlFailure::column(column, value.name()))
    }

    /// Parses a text.
    pub(super) fn parse<T: FromStr<Err: Error + Send + Sync + 'static>>(
        &self,
        column: usize,
    ) -> Result<T, SqlFailure> {
        let text: String = self.get(column)?;
        text.parse()
            .map_err(|error| SqlFailure::column(column, error))
    }

    /// Reads JSON.
    pub(super) fn json<T: DeserializeOwned>(&self, column: usize) -> Result<T, SqlFailure> {
        let text: String = self.get(column)?;
        serde_json::from_str(&text).map_err(|error| SqlFailure::column(column, error))
    }
}

/// A statement with its parameters.
#[derive(Debug)]
pub struct SqlStatement {
    pub(crate) sql: String,
    pub(crate) values: Vec<SqlValue>,
}

impl SqlStatement {
    pub(crate) fn new(sql: impl Into<String>, values: &[SqlValue]) -> Self {
        Self {
            sql: sql.into(),
            values: values.to_vec(),
        }
    }

    /// Inserts rows. `into` names the table and its columns, and `values` has those of one row after the other.
    pub(crate) fn insert_rows(into: &str, columns: usize, values: Vec<SqlValue>) -> Self {
        let rows = (1..=values.len()).step_by(columns).map(|first| {
            let marks = (first..first + columns).map(|mark| format!("${mark}"));
            format!("({})", marks.collect::<Vec<_>>().join(", "))
        });
        let rows = rows.collect::<Vec<_>>().join(", ");
        Self {
            sql: format!("insert into {into} values {rows}"),
            values,
        }
    }
}

/// A failure inside of a transaction. Nothing of the transaction is kept.
#[derive(Debug)]
pub enum SqlFailure {
    /// The ledger refuses it.
    Batch(BatchError),
    /// A unique index refuses it.
    Unique {
        /// The name of the index, or of its columns.
        index: String,
        /// The error of the database.
        error: BatchError,
    },
    /// The same transaction may succeed later.
    Transient(BatchError),
}

impl SqlFailure {
    fn column(column: usize, problem: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let problem = problem.into();
        let text = format!("column {column} of a row cannot be read: {problem}");
        Self::Batch(BatchError::Ledger(text.into()))
    }

    pub(crate) fn into_error(self) -> BatchError {
        match self {
            Self::Batch(error) | Self::Unique { error, .. } | Self::Transient(error) => error,
        }
    }
}

impl From<BatchError> for SqlFailure {
    fn from(error: BatchError) -> Self {
        Self::Batch(error)
    }
}

impl From<serde_json::Error> for SqlFailure {
    fn from(error: serde_json::Error) -> Self {
        Self::Batch(BatchError::Ledger(error.into()))
    }
}

/// What differs between databases. The statements are otherwise the same. Their parameters are `$1`, `$2` and so on, and the
/// first uses are in this order, because SQLite counts them.
#[derive(Debug)]
pub struct Dialect {
    /// The current time, in milliseconds since 1970.
    pub(crate) now: &'static str,
    /// The end of a lease that begins now; `null` if a lease has no end.
    pub(crate) lease_end: &'static str,
    /// The condition under which the lease of a row of `account` has not ended.
    pub(crate) lease_is_current: &'static str,
    /// Follows a `select` whose row no other transaction may change until the end of this one.
    pub(crate) lock_row: &'static str,
    /// Follows `from item` in a `select` that takes the numbers of events: makes those of a batch visible in the order of their
    /// numbers. Two transactions may otherwise commit in another order than they took their numbers.
    pub(crate) lock_events: &'static str,
    /// Whether statements name the index that they use.
    pub(crate) has_index_hints: bool,
    /// Selects the numbers of a JSON array, which is the parameter `$1`.
    pub(crate) json_numbers: &'static str,
    /// Keeps other transactions from locking or writing rows of batches, items and accounts until the end of this one.
    pub(crate) lock_tables: Option<&'static str>,
    /// Lets the keys that the database gives continue after those in `$column` of `$table`.
    pub(crate) set_identity: Option<&'static str>,
    /// What to replace in the text of a migration.
    pub(crate) types: &'static [(&'static str, &'static str)],
}

impl Dialect {
    /// Returns the clause that names an index.
    pub(super) fn indexed_by(&self, index: &str) -> String {
        match self.has_index_hints {
            true => format!("indexed by {index}"),
            false => String::new(),
        }
    }

    /// Returns the query that selects the numbers of a JSON array.
    pub(super) fn json_numbers(&self, parameter: &str) -> String {
        self.json_numbers.replace("$1", parameter)
    }
}

/// A connection to a database, in a transaction or not.
pub trait SqlSession {
    /// What differs in this database.
    fn dialect(&self) -> &'static Dialect;

    /// Runs a statement, and returns its rows. Its parameters, from `$1` on, appear in the order of their numbers.
    fn query(&mut self, sql: &str, values: &[SqlValue]) -> Result<Vec<SqlRow>, SqlFailure>;

    /// Runs a statement, and returns the number of rows that it changed.
    fn execute(&mut self, sql: &str, values: &[SqlValue]) -> Result<u64, SqlFailure>;

    /// Runs several statements without parameters.
    fn execute_all(&mut self, sql: &str) -> Result<(), SqlFailure>;

    /// Whether the database delivers jobs to consumers.
    fn has_queue(&self) -> bool {
        false
    }

    /// Delivers jobs to the consumers of a queue, once the transaction is committed.
    fn push_jobs(&mut self, _queue: &str, _items: &[ItemId]) -> Result<(), SqlFailure> {
        Ok(())
    }

    /// Removes the jobs of a step that the queue has lost, and what it keeps of finished ones. Returns how many were lost.
    fn remove_lost_jobs(
        &mut self,
        _queue: &str,
        _account: AccountId,
        _step: Step,
    ) -> Result<u64, SqlFailure> {
        Ok(0)
    }

    /// Keeps other transactions from changing a row until the end of this one. `row` is the text between `select id from` and
    /// the lock, with the parameter `$1`. A database with one writer at a time has nothing to do.
    fn lock_row(&mut self, _row: &str, _id: i64) -> Result<(), SqlFailure> {
        Ok(())
    }

    /// Runs inserts and updates of different rows, in one round trip where the database can do that. None may read what
    /// another one writes.
    fn execute_each(&mut self, statements: &[SqlStatement]) -> Result<(), SqlFailure> {
        for SqlStatement { sql, values } in statements {
            self.execute(sql, values)?;
        }
        Ok(())
    }

    /// Returns the first row, if there is one.
    fn find_row(&mut self, sql: &str, values: &[SqlValue]) -> Result<Option<SqlRow>, SqlFailure> {
        Ok(self.query(sql, values)?.into_iter().next())
    }

    /// Returns the first row.
    fn row(&mut self, sql: &str, values: &[SqlValue]) -> Result<SqlRow, SqlFailure> {
        let row = self.find_row(sql, values)?;
        row.ok_or_else(|| BatchError::Ledger("a row of the ledger is missing".into()).into())
    }
}

/// The parameters of a statement.
macro_rules! values {
    ($($value:expr),* $(,)?) => { &[$($crate::ledger::sql::SqlValue::from($value)),*] };
}
pub(crate) use values;
