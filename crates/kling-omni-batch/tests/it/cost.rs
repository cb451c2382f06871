//! What a batch would pay for, what it has paid for, and the facts about its ledger.

use kling_omni::spend::{Amount, PriceTable, SpendGuard, Spent};
use kling_omni_batch::ledger::{Ledger as _, SqliteLedger};
use kling_omni_batch::{BatchError, ItemState, RetrySelection, RunOptions};
use kling_omni_test_support::setup;

use crate::bench::{BATCH, BatchBench};

fn guard() -> SpendGuard {
    let prices: PriceTable = r#"{"currency": "EUR", "valid_until": "2099-12-31",
        "prices": [{"mode": "text", "tier": "pro", "per_second": "0.5"}]}"#
        .parse()
        .unwrap();
    SpendGuard::new().max_money(Amount::from_micros(u64::MAX), prices)
}

/// The cost of videos of three seconds.
#[expect(clippy::field_reassign_with_default, reason = "it is non-exhaustive")]
fn cost(tasks: u64) -> Spent {
    let mut cost = Spent::default();
    cost.tasks = tasks;
    cost.seconds = 3 * tasks;
    cost.money = Amount::from_micros(1_500_000 * tasks);
    cost
}

#[tokio::test]
async fn each_task_is_planned_and_then_spent() {
    let bench = BatchBench::new(|sandbox| sandbox).await;
    let prompts = ["A cat, take", "[sandbox:fail] A cat, take", "A dog, take"];
    let items = prompts.iter().enumerate();
    let items = items.map(|(number, prompt)| bench.item(number, prompt));
    bench.import_items(items.collect::<Vec<_>>()).await;
    let plan = bench.batches.plan(BATCH, &guard()).await.unwrap();
    assert_eq!(plan.all, cost(3));
    assert_eq!(plan.by_mode.len(), 1);
    assert_eq!(bench.batches.spent(BATCH, &guard()).await.unwrap(), cost(0));
    bench.run(RunOptions::default()).await;
    assert_eq!(
        bench.batches.plan(BATCH, &guard()).await.unwrap().all,
        cost(0)
    );
    assert_eq!(bench.batches.spent(BATCH, &guard()).await.unwrap(), cost(3));
    // An item that is put back is paid for again.
    let failed = RetrySelection::States(vec![ItemState::Failed]);
    bench.batches.retry(BATCH, &failed).await.unwrap();
    assert_eq!(
        bench.batches.plan(BATCH, &guard()).await.unwrap().all,
        cost(1)
    );
    assert_eq!(bench.batches.spent(BATCH, &guard()).await.unwrap(), cost(3));
}

#[tokio::test]
async fn account_is_checked_once_it_is_known() {
    let bench = BatchBench::new(|sandbox| sandbox).await;
    bench.import(1).await;
    let other = setup::client("http://127.0.0.1:9", &bench.clock)
        .build()
        .unwrap();
    bench.batches.check_account(BATCH, &other).await.unwrap();
    bench.run(RunOptions::default()).await;
    let checked = bench.batches.check_account(BATCH, &other).await;
    assert!(matches!(checked, Err(BatchError::OtherAccount { .. })));
    let own = bench.batches.check_account(BATCH, &bench.client).await;
    own.unwrap();
}

#[tokio::test]
async fn ledger_tells_its_settings() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = SqliteLedger::open(folder.path().join("batch.db")).await;
    let facts = ledger.unwrap().facts().await.unwrap();
    let settings = [("journal_mode", "wal"), ("synchronous", "full")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(facts.settings, settings.into());
    assert_eq!((facts.schema, facts.problem), (3, None));
    assert!(facts.bytes > 0);
}
