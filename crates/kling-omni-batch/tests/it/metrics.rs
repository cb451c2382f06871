//! What an operator watches: the values are those of the ledger and of the service, in OpenMetrics text without secrets.

use kling_omni_batch::ledger::LedgerMetrics;
use kling_omni_batch::{BatchState, Batches, ItemState, RunOptions};
use kling_omni_sandbox::Host;
use kling_omni_test_support::openmetrics::{self, Samples};
use kling_omni_test_support::setup::KEY;

use crate::bench::{BATCH, BatchBench};
use crate::ledger::new_item;

async fn samples(bench: &BatchBench) -> Samples {
    let metrics = bench.batches.metrics().await.unwrap();
    openmetrics::parse(&metrics.with_requests_of(&bench.client).to_string())
}

/// The name of an operation in the client.
fn snake_case(operation: &str) -> String {
    let mut name = String::new();
    for c in operation.chars() {
        if c.is_uppercase() {
            name.push('_');
        }
        name.extend(c.to_lowercase());
    }
    name
}

#[tokio::test]
async fn values_are_those_of_the_ledger_and_the_service() {
    let bench = BatchBench::new(|sandbox| sandbox).await;
    let items = (0..5).map(|number| {
        let prompt = ["A cat, take", "[sandbox:fail=a blizzard] A cat"][usize::from(number == 3)];
        bench.item(number, prompt)
    });
    bench.import_items(items).await;
    let before = samples(&bench).await;
    let state = |state| [("batch", BATCH), ("state", state)];
    assert_eq!(before.get("kling_omni_batch_items", &state("planned")), 5.0);
    assert_eq!(
        before.get("kling_omni_batch_tasks", &[("batch", BATCH)]),
        0.0
    );
    bench.sandbox.inject("create:429@1".parse().unwrap());
    let status = bench.run(RunOptions::default()).await;
    let after = samples(&bench).await;
    for item in ItemState::ALL {
        let count = status.count(*item) as f64;
        assert_eq!(
            after.get("kling_omni_batch_items", &state(item.as_str())),
            count
        );
    }
    for batch in BatchState::ALL {
        let is_current = f64::from(u8::from(*batch == status.state));
        assert_eq!(
            after.get("kling_omni_batch_state", &state(batch.as_str())),
            is_current
        );
    }
    let batch = [("batch", BATCH)];
    let charges = bench.charges() as f64;
    assert_eq!(after.get("kling_omni_batch_tasks", &batch), charges);
    assert_eq!(
        after.get("kling_omni_batch_video_seconds", &batch),
        charges * 3.0
    );
    assert_eq!(after.get("kling_omni_batch_recent_videos", &batch), 4.0);

    // Each request of the client, by its operation.
    let requests = bench.sandbox.requests();
    let requests: Vec<_> = requests
        .iter()
        .filter(|one| one.host() == Host::Api)
        .collect();
    assert_eq!(
        after.sum("kling_omni_client_requests_total"),
        requests.len() as f64
    );
    for request in &requests {
        let operation = request.operation_id().unwrap();
        let of_operation = || {
            requests
                .iter()
                .filter(|one| one.operation_id() == Some(operation))
        };
        let failed = of_operation().filter(|one| !one.status().unwrap().is_success());
        for (name, count) in [
            ("kling_omni_client_requests_total", of_operation().count()),
            ("kling_omni_client_failed_requests_total", failed.count()),
        ] {
            assert_eq!(
                after.get(name, &[("operation", &snake_case(operation))]),
                count as f64,
                "{operation}"
            );
        }
    }
    assert_eq!(after.sum("kling_omni_client_failed_requests_total"), 1.0);
}

#[tokio::test]
async fn delays_are_those_of_the_events() {
    let bench = BatchBench::new(|sandbox| sandbox).await;
    bench.import(4).await;
    bench.run(RunOptions::default()).await;
    // The clock of the ledger is not the test's, so the test sets the times of its events.
    let events = rusqlite::Connection::open(bench.folder.path().join("batch.db")).unwrap();
    let set = "update event set at = case state
            when 'created' then 1000 when 'ended' then 11000 + 1000 * item_id when 'saved' then 60000 else 0 end";
    events.execute(set, []).unwrap();
    let after = samples(&bench).await;
    let quantile = |quantile| [("batch", BATCH), ("quantile", quantile)];
    for (label, task, save) in [("0.5", 12.0, 46.0), ("0.9", 14.0, 48.0), ("1", 14.0, 48.0)] {
        assert_eq!(
            after.get("kling_omni_batch_recent_task_seconds", &quantile(label)),
            task
        );
        assert_eq!(
            after.get("kling_omni_batch_recent_save_seconds", &quantile(label)),
            save
        );
    }
}

#[tokio::test]
async fn labels_are_escaped() {
    let bench = BatchBench::new(|sandbox| sandbox).await;
    let names = [
        "a\"b",
        "back\\slash\\n",
        "two\nlines",
        "{x=\"1\"} 2 # EOF",
        "Käse, 猫",
        "\r\t\u{7f}",
    ];
    for name in names {
        bench.batches.import(name, [new_item(0)]).await.unwrap();
    }
    let samples = samples(&bench).await;
    for name in names {
        let planned = [("batch", name), ("state", "planned")];
        assert_eq!(samples.get("kling_omni_batch_items", &planned), 1.0);
    }
}

#[tokio::test]
async fn text_has_no_secrets() {
    let bench = BatchBench::new(|sandbox| sandbox).await;
    bench.import(2).await;
    bench.run(RunOptions::default()).await;
    let metrics = bench.batches.metrics().await.unwrap();
    let text = metrics.with_requests_of(&bench.client).to_string();
    let fingerprint = bench
        .client
        .key_fingerprint(&bench.batches.ledger().salt().await.unwrap());
    for secret in [
        KEY,
        &fingerprint[..16],
        "A cat",
        "://",
        bench.sandbox.base_url(),
        "hmac",
    ] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    assert!(text.contains("holder=\"process "), "{text}");
}

#[tokio::test]
async fn empty_ledger_has_an_empty_text() {
    let folder = tempfile::tempdir().unwrap();
    let batches = Batches::open(folder.path().join("batch.db")).await.unwrap();
    let metrics = batches.metrics().await.unwrap();
    assert_eq!(metrics.ledger, LedgerMetrics::default());
    assert_eq!(metrics.to_string(), "# EOF\n");
}
