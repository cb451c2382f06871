//! The ledger in Postgres: conformance, and what is particular to it.

use std::sync::Arc;

use kling_omni_batch::BatchError;
use kling_omni_batch::ledger::{Ledger, PostgresLedger, conformance};
use kling_omni_test_support::postgres::PostgresServer;

/// The URL of a schema in a database.
fn in_schema(url: &str, schema: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}search_path={schema}")
}

#[tokio::test(flavor = "multi_thread")]
async fn conforms() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.new_database();
    let open = |case: &'static str| {
        let create = format!("create schema if not exists {case}");
        server.query(&database.name, &create);
        let url = in_schema(&database.url, case);
        async move { Ok(Arc::new(PostgresLedger::open(&url).await?) as Arc<dyn Ledger>) }
    };
    let failed = conformance::check(open).await.err().unwrap_or_default();
    kling_omni_test_support::fail_on(failed);
}

#[tokio::test]
async fn newer_schema_is_refused() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.new_database();
    PostgresLedger::open(&database.url).await.unwrap();
    let newer = "update meta set schema = 99, written_by = '7.0.0'";
    server.query(&database.name, newer);
    let error = PostgresLedger::open(&database.url).await.unwrap_err();
    assert!(
        matches!(error, BatchError::NewerSchema { found: 99, .. }),
        "{error}"
    );
}
