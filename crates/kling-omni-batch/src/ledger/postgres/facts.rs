//! What a database and its server say about themselves.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::ledger::sql::{SqlFailure, SqlSession, to_ms, values};
use crate::ledger::{LedgerFacts, QueueFacts, ServerFacts};

/// Whether the schema and the extension of a queue exist, and whether this role may create what is missing.
const QUEUE: &str = "select
    (to_regnamespace('apalis') is not null)::int::bigint,
    coalesce(has_schema_privilege(to_regnamespace('apalis')::oid, 'USAGE'), false)::int::bigint,
    exists (select 1 from pg_extension where extname = 'hstore')::int::bigint,
    exists (select 1 from pg_available_extensions where name = 'hstore')::int::bigint,
    has_database_privilege(current_database(), 'CREATE')::int::bigint";

/// Connections of clients, and how many of them the server permits.
const CONNECTIONS: &str = "select
    (select count(*) from pg_stat_activity
        where datid is not null and coalesce(backend_type, 'client backend') = 'client backend'),
    current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint";

/// Reads the facts about a ledger.
pub(super) fn inspect(ledger: &mut dyn SqlSession) -> Result<LedgerFacts, SqlFailure> {
    let meta = ledger.row("select schema, written_by, oldest_program from meta", &[])?;
    let version = ledger.row("select current_setting('server_version')", &[])?;
    let version: String = version.get(0)?;
    let mut settings = BTreeMap::new();
    for name in ["synchronous_commit", "fsync", "full_page_writes"] {
        let value = ledger
            .row("select current_setting($1)", values![name])?
            .get(0)?;
        settings.insert(name.to_owned(), value);
    }
    let bytes = "select coalesce(sum(pg_total_relation_size(oid)), 0)::bigint from pg_class
        where relkind = 'r' and relnamespace = current_schema()::regnamespace";
    let bytes = ledger.row(bytes, &[])?.get(0)?;
    let off = settings.iter().find(|(_, value)| *value == "off");
    let problem = off.map(|(name, _)| {
        format!("{name} is off: a crash of the database may lose what the ledger has committed")
    });
    Ok(LedgerFacts {
        database: format!("Postgres {version}"),
        schema: meta.get(0)?,
        written_by: meta.get(1)?,
        settings,
        bytes,
        oldest_program: meta.get(2)?,
        server: Some(inspect_server(ledger)?),
        problem,
    })
}

fn inspect_server(ledger: &mut dyn SqlSession) -> Result<ServerFacts, SqlFailure> {
    let tls =
        "select version || ', ' || cipher from pg_stat_ssl where pid = pg_backend_pid() and ssl";
    let tls = match ledger.find_row(tls, &[])? {
        Some(row) => Some(row.get(0)?),
        None => None,
    };
    let is_local = "select coalesce(inet_client_addr() <<= '127.0.0.0/8' or inet_client_addr() = '::1', true)::int::bigint";
    let connections = ledger.row(CONNECTIONS, &[])?;
    Ok(ServerFacts {
        clock_ahead_ms: clock_ahead_ms(ledger)?,
        is_local: ledger.row(is_local, &[])?.get(0)?,
        tls,
        connections: connections.get(0)?,
        max_connections: connections.get(1)?,
        queue: inspect_queue(ledger)?,
    })
}

/// Compares the clock of the server with this machine's at the middle of a query.
fn clock_ahead_ms(ledger: &mut dyn SqlSession) -> Result<i64, SqlFailure> {
    let query = format!("select {}", ledger.dialect().now);
    let before = to_ms(SystemTime::now());
    let there: i64 = ledger.row(&query, &[])?.get(0)?;
    let after = to_ms(SystemTime::now());
    Ok(there - (before + after) / 2)
}

fn inspect_queue(ledger: &mut dyn SqlSession) -> Result<QueueFacts, SqlFailure> {
    let row = ledger.row(QUEUE, &[])?;
    let (has_schema, may_use, has_extension): (bool, bool, bool) =
        (row.get(0)?, row.get(1)?, row.get(2)?);
    let (is_available, may_create): (bool, bool) = (row.get(3)?, row.get(4)?);
    let unusable = |reason: &str| QueueFacts::Unusable {
        reason: reason.to_owned(),
    };
    Ok(match () {
        () if has_schema && !may_use => unusable("the role may not use the schema apalis"),
        () if has_schema && has_extension => QueueFacts::Exists,
        () if !has_extension && !is_available => {
            unusable("the extension hstore is not installed on the server")
        }
        () if !may_create => unusable(
            "the role may create neither the schema apalis nor the extension hstore in the database",
        ),
        () => QueueFacts::CanBeCreated,
    })
}
