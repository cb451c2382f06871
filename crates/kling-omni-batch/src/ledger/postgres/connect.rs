//! Opens and migrates a ledger.

use std::str::FromStr as _;

use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;

use crate::error::{BatchError, BatchResult};
use crate::ledger::postgres::session::PostgresSession;
use crate::ledger::sql::{SqlFailure, SqlSession, migrate, values};

/// The table of the marks of sessions, which only Postgres needs.
const COMMIT_MARK: &str = "create table if not exists commit_mark (
    id text primary key,
    number bigint not null,
    at bigint not null
)";

/// Parses a URL. `search_path` is a setting of the session.
pub(super) fn parse(url: &str) -> BatchResult<PgConnectOptions> {
    let url = match url.split_once('?') {
        Some((base, query)) => {
            let settings =
                query
                    .split('&')
                    .map(|setting| match setting.strip_prefix("search_path=") {
                        Some(path) => format!("options[search_path]={path}"),
                        None => setting.to_owned(),
                    });
            format!("{base}?{}", settings.collect::<Vec<_>>().join("&"))
        }
        None => url.to_owned(),
    };
    let options = PgConnectOptions::from_str(&url);
    let options = options.map_err(|error| BatchError::Ledger(error.into()))?;
    let options = match options.get_application_name() {
        Some(_) => options,
        None => options.application_name("kling-omni"),
    };
    Ok(options.disable_statement_logging())
}

/// Chooses the cryptography for TLS, unless the program has. To verify certificates, sqlx takes that of the process, and panics
/// if rustls was compiled with more than one and none was chosen.
#[cfg(any(feature = "rustls", feature = "rustls-ring"))]
fn choose_cryptography() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        #[cfg(feature = "rustls-ring")]
        let provider = rustls::crypto::ring::default_provider();
        #[cfg(not(feature = "rustls-ring"))]
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        // Fails only if another thread has chosen meanwhile.
        let _ = provider.install_default();
    }
}

/// Names a database without its user and password.
pub(super) fn location(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or(options.get_username());
    match options.get_socket() {
        Some(socket) => format!("postgres://{}/{database}", socket.display()),
        None => format!(
            "postgres://{}:{}/{database}",
            options.get_host(),
            options.get_port()
        ),
    }
}

/// Connects, and creates or migrates the ledger in one transaction, which other processes wait for.
pub(super) fn open(
    options: &PgConnectOptions,
    location: &str,
) -> Result<PostgresSession, SqlFailure> {
    #[cfg(any(feature = "rustls", feature = "rustls-ring"))]
    choose_cryptography();
    let mut session = PostgresSession::connect_only(options)?;
    session.begin()?;
    let ledger = &mut session;
    let schema = ledger.row("select current_schema()::text", &[])?;
    let Some(schema) = schema.get::<Option<String>>(0)? else {
        let text = "no schema of the search path exists";
        return Err(BatchError::Ledger(text.into()).into());
    };
    ledger.query(
        "select pg_advisory_xact_lock(hashtext('kling-omni ledger'), hashtext($1))",
        values![&schema],
    )?;
    let tables =
        "select count(*) from pg_catalog.pg_tables where schemaname = $1 and tablename = 'meta'";
    let tables: u32 = ledger.row(tables, values![&schema])?.get(0)?;
    migrate(ledger, location, tables == 0)?;
    ledger.execute_all(COMMIT_MARK)?;
    let day = 24 * 3600 * 1000_i64;
    let forget = format!(
        "delete from commit_mark where at < {} - $1",
        ledger.dialect().now
    );
    ledger.execute(&forget, values![day])?;
    session.insert_mark()?;
    session.end("commit")?;
    Ok(session)
}
