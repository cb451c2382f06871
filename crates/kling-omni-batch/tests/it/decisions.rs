//! Items whose outcome only a person can decide.

use kling_omni_batch::{AttemptState, BatchError, Decision, ItemState, RunOptions};
use kling_omni_test_support::setup::client;

use crate::bench::{BATCH, BatchBench, text};

/// A run in which the response to the first create is lost, while another program creates two tasks on the account.
pub(crate) async fn undecided(fault: &str) -> BatchBench {
    let bench = BatchBench::new(|sandbox| sandbox).await;
    bench.import(3).await;
    bench.sandbox.inject(fault.parse().unwrap());
    let other_client = client(bench.sandbox.base_url(), &bench.clock)
        .build()
        .unwrap();
    // One at a time, so the first item is the first to be created.
    let options = RunOptions::default().max_prepares(1).on_step(move |step| {
        let other_client = other_client.clone();
        async move {
            if step == "after unconfirmed" {
                for _ in 0..2 {
                    other_client
                        .create(text("Strange").build().unwrap())
                        .await
                        .unwrap();
                }
            }
        }
    });
    let status = bench.run(options).await;
    assert_eq!(
        (
            status.count(ItemState::Unknown),
            status.count(ItemState::Saved)
        ),
        (1, 2),
        "{status:?}"
    );
    bench
}

#[tokio::test]
async fn person_names_the_task() {
    let bench = undecided("create:drop@1").await;
    assert_eq!(bench.charges(), 3 + 2);
    let item = bench.batches.show(BATCH, "0").await.unwrap();
    assert_eq!(item.attempt, Some(AttemptState::Undecided));
    let tasks = bench.sandbox.tasks();
    let own = tasks
        .iter()
        .find(|task| task.request()["prompt"] == "A cat, take 0")
        .unwrap();
    assert!(item.candidates.iter().any(|id| id == own.id()), "{item:?}");
    let other = bench
        .batches
        .show(BATCH, "1")
        .await
        .unwrap()
        .task_id
        .unwrap();
    let error = bench
        .batches
        .settle(BATCH, "0", Decision::Task(other))
        .await;
    assert!(
        matches!(error, Err(BatchError::NotItsTask { .. })),
        "a task of another item"
    );
    bench
        .batches
        .settle(BATCH, "0", Decision::Task(own.id().to_owned()))
        .await
        .unwrap();
    bench.run(RunOptions::default()).await;
    assert_eq!(bench.charges(), 3 + 2);
    bench.check_saved(3).await;
    let error = bench.batches.settle(BATCH, "0", Decision::NotCreated).await;
    assert!(matches!(error, Err(BatchError::ItemIs { .. })), "{error:?}");
}

#[tokio::test]
async fn person_says_that_there_is_no_task() {
    let bench = undecided("create:lost@1").await;
    assert_eq!(bench.charges(), 2 + 2);
    // Another run leaves the item alone.
    let status = bench.run(RunOptions::default()).await;
    assert_eq!(
        (bench.charges(), status.count(ItemState::Unknown)),
        (2 + 2, 1)
    );
    bench
        .batches
        .settle(BATCH, "0", Decision::NotCreated)
        .await
        .unwrap();
    bench.run(RunOptions::default()).await;
    assert_eq!(bench.charges(), 3 + 2);
    bench.check_saved(3).await;
}
