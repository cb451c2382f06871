//! The tables that a move copies, as data, and the one function that copies them.

use crate::ledger::sql::session::{SqlFailure, SqlRow, SqlSession, SqlStatement, SqlValue};

/// How many values are read and inserted by one statement. SQLite permits 32,766 parameters.
const MAX_VALUES: usize = 5_000;

/// A table. Its columns are those of the key, the other integers, and the texts, in this order.
#[derive(Debug)]
pub(crate) struct Table {
    pub(super) name: &'static str,
    /// The columns of the primary key, all of them integers.
    key: &'static [&'static str],
    integers: &'static [&'static str],
    texts: &'static [&'static str],
    /// Whether the database gives new rows their key.
    has_identity: bool,
}

/// All tables with what belongs to batches, each after those that it refers to. Jobs are left out: they are queued again.
/// An account has neither its holder nor the end of its lease.
pub(crate) const TABLES: [Table; 8] = [
    Table {
        name: "account",
        key: &["id"],
        integers: &["epoch", "moved_epoch"],
        texts: &["service", "key_fingerprint", "known_facts"],
        has_identity: true,
    },
    Table {
        name: "known_task",
        key: &["account_id", "position"],
        integers: &[],
        texts: &["entry"],
        has_identity: false,
    },
    Table {
        name: "batch",
        key: &["id"],
        integers: &["account_id", "created_at"],
        texts: &["name", "state", "reason", "policy"],
        has_identity: true,
    },
    Table {
        name: "item",
        key: &["id"],
        integers: &[
            "batch_id",
            "position",
            "seconds",
            "reference_video",
            "not_before",
            "failures",
            "attempts",
        ],
        texts: &[
            "key",
            "path",
            "request",
            "request_sha256",
            "mode",
            "tier",
            "state",
            "uploads",
            "error_kind",
            "error",
        ],
        has_identity: true,
    },
    Table {
        name: "attempt",
        key: &["id"],
        integers: &["item_id", "account_id", "number", "epoch"],
        texts: &["state", "task_id", "candidates", "failed_request"],
        has_identity: true,
    },
    Table {
        name: "record",
        key: &["attempt_id", "number"],
        integers: &[],
        texts: &["json"],
        has_identity: false,
    },
    Table {
        name: "file",
        key: &["item_id"],
        integers: &["bytes"],
        texts: &["path", "sha256"],
        has_identity: false,
    },
    Table {
        name: "event",
        key: &["number"],
        integers: &["batch_id", "item_id", "at"],
        texts: &["state", "detail"],
        has_identity: true,
    },
];

impl Table {
    fn columns(&self) -> impl Iterator<Item = &'static str> {
        let integers = self.key.iter().chain(self.integers);
        integers.chain(self.texts).copied()
    }

    fn column_list(&self) -> String {
        self.columns().collect::<Vec<_>>().join(", ")
    }

    /// Reads the next rows after a key, in the order of the keys. Without one, the first rows.
    pub(crate) fn read(
        &self,
        source: &mut dyn SqlSession,
        after: Option<&SqlRow>,
    ) -> Result<Vec<SqlRow>, SqlFailure> {
        let key = self.key.join(", ");
        let marks = (1..=self.key.len()).map(|mark| format!("${mark}"));
        let marks = marks.collect::<Vec<_>>().join(", ");
        let select = format!(
            "select {} from {} where ({key}) > ({marks}) order by {key} limit {}",
            self.column_list(),
            self.name,
            MAX_VALUES / self.columns().count()
        );
        let after = match after {
            Some(row) => row.0[..self.key.len()].to_vec(),
            None => vec![SqlValue::from(i64::MIN); self.key.len()],
        };
        source.query(&select, &after)
    }

    /// Inserts rows as they are.
    pub(crate) fn insert(
        &self,
        target: &mut dyn SqlSession,
        rows: &[SqlRow],
    ) -> Result<(), SqlFailure> {
        let into = format!("{} ({})", self.name, self.column_list());
        let values = rows.iter().flat_map(|row| self.typed(row)).collect();
        let insert = SqlStatement::insert_rows(&into, self.columns().count(), values);
        target.execute(&insert.sql, &insert.values)?;
        Ok(())
    }

    /// Lets the next row that the database gives a key follow those that were inserted.
    pub(crate) fn set_identity(&self, target: &mut dyn SqlSession) -> Result<(), SqlFailure> {
        let Some(set) = target.dialect().set_identity.filter(|_| self.has_identity) else {
            return Ok(());
        };
        let set = set.replace("$table", self.name);
        target.query(&set.replace("$column", self.key[0]), &[])?;
        Ok(())
    }

    /// The values of a row. SQLite does not say of which type a null is, and Postgres has to know.
    fn typed(&self, row: &SqlRow) -> impl Iterator<Item = SqlValue> {
        let integers = self.key.len() + self.integers.len();
        row.0
            .iter()
            .enumerate()
            .map(move |(column, value)| match value {
                SqlValue::Text(None) if column < integers => SqlValue::Integer(None),
                value => value.clone(),
            })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use rusqlite::Connection;

    use super::TABLES;
    use crate::ledger::sql::schema::MIGRATIONS;

    /// What a ledger has that a move leaves behind, or does otherwise.
    const NOT_COPIED: [(&str, &[&str]); 3] = [
        ("account", &["holder", "lease_until"]),
        ("job", &["item_id", "step", "queued_at"]),
        (
            "meta",
            &[
                "schema",
                "written_by",
                "salt",
                "oldest_program",
                "moved_to",
                "moved_to_salt",
            ],
        ),
    ];

    #[test]
    fn all_columns_of_the_schema_are_moved() {
        let ledger = Connection::open_in_memory().unwrap();
        for migration in MIGRATIONS {
            ledger.execute_batch(migration).unwrap();
        }
        let columns = "select tables.name, columns.name from pragma_table_list as tables
            join pragma_table_info(tables.name) as columns
            where tables.schema = 'main' and tables.name not like 'sqlite_%'";
        let mut statement = ledger.prepare(columns).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        let mut schema = BTreeMap::<String, BTreeSet<String>>::new();
        for row in rows.unwrap() {
            let (table, column): (String, String) = row.unwrap();
            schema.entry(table).or_default().insert(column);
        }
        let mut known = BTreeMap::<String, BTreeSet<String>>::new();
        for table in &TABLES {
            let columns = known.entry(table.name.to_owned()).or_default();
            columns.extend(table.columns().map(str::to_owned));
        }
        for (table, columns) in NOT_COPIED {
            let known = known.entry(table.to_owned()).or_default();
            known.extend(columns.iter().copied().map(str::to_owned));
        }
        assert_eq!(known, schema);
    }
}
