//! The ledger in Postgres: conformance, and what is particular to it.

use std::sync::Arc;

use kling_omni_batch::ledger::{BatchId, ItemQuery, Ledger, PostgresLedger, conformance};
use kling_omni_batch::{BatchError, Batches};
use kling_omni_test_support::postgres::PostgresServer;

use crate::ledger::new_item;

#[tokio::test(flavor = "multi_thread")]
async fn conforms() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.new_database();
    let open = |case: &'static str| {
        let create = format!("create schema if not exists {case}");
        server.query(&database.name, &create);
        let url = format!("{}&search_path={case}", database.url);
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
    let newer = "update meta set schema = 99, oldest_program = 99, written_by = '7.0.0'";
    server.query(&database.name, newer);
    let error = PostgresLedger::open(&database.url).await.unwrap_err();
    assert!(
        matches!(error, BatchError::NewerSchema { found: 99, .. }),
        "{error}"
    );
}

/// The first schema has no jobs and no policies.
#[tokio::test(flavor = "multi_thread")]
async fn ledger_of_the_first_schema_is_migrated_once() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.new_database();
    let batches = Batches::open(&database.url).await.unwrap();
    batches.import("cats", [new_item(0)]).await.unwrap();
    server.query(
        &database.name,
        "drop table job; alter table batch drop column policy;
         alter table meta drop column oldest_program; alter table meta drop column moved_to;
         alter table meta drop column moved_to_salt; alter table account drop column moved_epoch;
         update meta set schema = 1",
    );
    // A program of the first schema that has the ledger open goes on.
    batches
        .ledger()
        .items(ItemQuery::new(BatchId(1)))
        .await
        .unwrap();
    let opened = (0..4).map(|_| PostgresLedger::open(&database.url));
    for ledger in futures_util::future::try_join_all(opened).await.unwrap() {
        assert_eq!(ledger.facts().await.unwrap().schema, 3);
        assert_eq!(ledger.batch("cats").await.unwrap().policy, None);
    }
}

#[tokio::test]
async fn new_ledger_is_opened_by_several_at_once() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.new_database();
    let opened = (0..8).map(|_| PostgresLedger::open(&database.url));
    let ledgers = futures_util::future::try_join_all(opened).await.unwrap();
    let mut salts = Vec::new();
    for ledger in ledgers {
        salts.push(ledger.salt().await.unwrap());
    }
    salts.dedup();
    assert_eq!(salts.len(), 1);
}

#[tokio::test]
async fn schemas_have_ledgers_of_their_own() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.new_database();
    server.query(&database.name, "create schema cats; create schema dogs");
    let settings = ["search_path=cats", "options=-csearch_path%3Ddogs"];
    let mut found = Vec::new();
    for (setting, batch) in settings.iter().zip(["cats", "dogs"]) {
        let batches = Batches::open(format!("{}&{setting}", database.url)).await;
        let batches = batches.unwrap();
        batches.import(batch, [new_item(0)]).await.unwrap();
        let names = batches.ledger().batches().await.unwrap();
        found.extend(names.into_iter().map(|batch| batch.name));
        let tables = format!("select count(*) from {batch}.item");
        assert_eq!(server.query(&database.name, &tables), "1");
    }
    assert_eq!(found, ["cats", "dogs"]);
    let missing = format!("{}&search_path=nowhere", database.url);
    assert!(PostgresLedger::open(&missing).await.is_err());
}

#[tokio::test]
async fn commits_are_durable_whatever_the_server_says() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.new_database();
    let off = format!(
        "alter database {} set synchronous_commit = off",
        database.name
    );
    server.query(&database.name, &off);
    let ledger = PostgresLedger::open(&database.url).await.unwrap();
    let facts = ledger.facts().await.unwrap();
    assert_eq!(facts.settings["synchronous_commit"], "on");
    assert!(facts.database.starts_with("Postgres "), "{facts:?}");
    assert!(facts.bytes > 0 && facts.schema == 3, "{facts:?}");
    // The shared server does not wait for the disk, which a person has to know.
    let problem = (facts.settings["fsync"] == "off").then_some("fsync is off");
    assert_eq!(facts.problem.as_deref().map(|text| &text[..12]), problem);
}

/// Marks of connections are deleted after a day without a transaction.
#[tokio::test]
async fn connection_without_a_mark_is_replaced() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.new_database();
    let ledger = PostgresLedger::open(&database.url).await.unwrap();
    server.query(&database.name, "update commit_mark set at = 0");
    PostgresLedger::open(&database.url).await.unwrap();
    assert_eq!(
        server.query(&database.name, "select count(*) from commit_mark"),
        "1"
    );
    let batches = Batches::new(ledger);
    batches.import("b", [new_item(0)]).await.unwrap();
}

#[tokio::test]
async fn passwords_are_not_shown() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.new_database();
    let (start, rest) = database.url.split_once('@').unwrap();
    let with_password = format!("{start}:sesame@{rest}");
    let ledger = PostgresLedger::open(&with_password).await.unwrap();
    assert!(!format!("{ledger:?} {}", ledger.location()).contains("sesame"));
    let closed = with_password.replace(&server.port().to_string(), "1");
    for url in [closed.as_str(), "postgres://tom:sesame@[bad/cats"] {
        let error = Batches::open(url).await.unwrap_err();
        let mut text = format!("{error} {error:?}");
        let mut cause = std::error::Error::source(&error);
        while let Some(found) = cause {
            text += &found.to_string();
            cause = found.source();
        }
        assert!(!text.contains("sesame"), "{text}");
    }
}
