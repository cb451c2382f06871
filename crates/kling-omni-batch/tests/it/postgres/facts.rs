//! What a ledger says about its server: clock, TLS, connections, and the queue.

use std::time::Duration;

use kling_omni_batch::BatchError;
use kling_omni_batch::ledger::{Ledger as _, PostgresLedger, QueueFacts, ServerFacts};
use kling_omni_test_support::postgres::PostgresServer;

use crate::postgres::lease::ClockedDatabase;

async fn server_facts(url: &str) -> ServerFacts {
    let ledger = PostgresLedger::open(url).await.unwrap();
    ledger.facts().await.unwrap().server.unwrap()
}

#[tokio::test]
async fn clocks_are_compared() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.new_database();
    let facts = server_facts(&database.url).await;
    // Both clocks are this machine's. A busy one takes long between two of its statements.
    assert!(facts.clock_ahead_ms.abs() < 30_000, "{facts:?}");
    let clock = ClockedDatabase::new(server);
    let ledger = clock.open().await;
    let ahead = async || ledger.facts().await.unwrap().server.unwrap().clock_ahead_ms;
    let before = ahead().await;
    clock.advance("86400");
    let day = Duration::from_secs(86_400).as_millis() as i64;
    assert!((ahead().await - before - day).abs() < 60_000);
}

#[tokio::test]
async fn connections_are_counted() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.new_database();
    let facts = server_facts(&database.url).await;
    assert_eq!(facts.max_connections, 297);
    assert!(facts.connections >= 1 && facts.is_local, "{facts:?}");
    assert_eq!(facts.tls, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn queue_is_found_and_not_created() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.new_database();
    let exists = || {
        let schemas = "select count(*) from pg_namespace where nspname = 'apalis'";
        server.query(&database.name, schemas)
    };
    let facts = server_facts(&database.url).await;
    assert_eq!(
        (facts.queue, exists().as_str()),
        (QueueFacts::CanBeCreated, "0")
    );

    // A role that owns a schema for its ledger, and nothing else.
    let role = format!("role_of_{}", database.name);
    let create = format!(
        "drop role if exists {role}; create role {role} login; create schema l authorization {role}"
    );
    server.query(&database.name, &create);
    let url = database.url.replace("postgres@", &format!("{role}@"));
    let url = format!("{url}&search_path=l");
    let reason = |queue| match queue {
        QueueFacts::Unusable { reason } => reason,
        other => panic!("{other:?}"),
    };
    let facts = server_facts(&url).await;
    assert!(reason(facts.queue).contains("neither"), "cannot create");
    let ledger = PostgresLedger::open(&url).await.unwrap();
    assert!(ledger.with_queue().await.is_err());

    let ledger = PostgresLedger::open(&database.url).await.unwrap();
    ledger.with_queue().await.unwrap();
    let facts = server_facts(&database.url).await;
    assert_eq!((facts.queue, exists().as_str()), (QueueFacts::Exists, "1"));
    let facts = server_facts(&url).await;
    assert!(reason(facts.queue).contains("may not use"), "cannot use");
    let drop = format!("drop owned by {role}; drop role {role}");
    server.query(&database.name, &drop);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_encrypted_and_verified() {
    let Some(server) = PostgresServer::with_tls() else {
        return;
    };
    let database = server.new_database();
    let (base, _) = database.url.split_once('?').unwrap();
    let root = server.root_certificate();
    let root = root.to_str().unwrap();
    let localhost = base.replace("127.0.0.1", "localhost");
    for (base, options, is_accepted) in [
        (base, "sslmode=require".to_owned(), true),
        (base, format!("sslmode=verify-ca&sslrootcert={root}"), true),
        (
            base,
            format!("sslmode=verify-full&sslrootcert={root}"),
            true,
        ),
        // The certificate is for the address, not for the name.
        (
            &localhost,
            format!("sslmode=verify-ca&sslrootcert={root}"),
            true,
        ),
        (
            &localhost,
            format!("sslmode=verify-full&sslrootcert={root}"),
            false,
        ),
        // No authority of the platform has signed it.
        (base, "sslmode=verify-full".to_owned(), false),
    ] {
        let url = format!("{base}?{options}");
        match PostgresLedger::open(&url).await {
            Ok(ledger) => {
                assert!(is_accepted, "{options}");
                let facts = ledger.facts().await.unwrap().server.unwrap();
                let tls = facts.tls.unwrap_or_default();
                assert!(tls.starts_with("TLSv1."), "{options}: {tls}");
                // The connections of a queue, too.
                ledger.with_queue().await.unwrap();
            }
            Err(error) => {
                assert!(!is_accepted, "{options}: {error:?}");
                // Trying again is of no use.
                assert!(
                    matches!(error, BatchError::Ledger(_)),
                    "{options}: {error:?}"
                );
            }
        }
    }
    assert_eq!(server_facts(&database.url).await.tls, None);
}

#[tokio::test]
async fn server_without_tls_is_refused_if_it_is_required() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.new_database();
    let url = database.url.replace("sslmode=disable", "sslmode=require");
    let refused = PostgresLedger::open(&url).await.unwrap_err();
    assert!(matches!(refused, BatchError::Ledger(_)), "{refused:?}");
}
