//! A database that goes away between and inside of transactions.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt as _;
use kling_omni_batch::{BatchError, Batches, RunEvent, RunOptions};
use kling_omni_test_support::postgres::{Fsync, PostgresServer};

use crate::bench::{BATCH, BatchBench};

/// Runs a batch on a server, and lets something happen at each step of the run.
async fn run_through(
    server: &PostgresServer,
    happen: impl Fn(usize, &str) + Send + Sync + 'static,
) {
    const ITEMS: usize = 2;
    let database = server.new_database();
    let bench = BatchBench::new(|sandbox| sandbox).await;
    let bench = BatchBench {
        batches: Batches::open(&database.url).await.unwrap(),
        ..bench
    };
    bench.import(ITEMS).await;
    let steps = AtomicUsize::new(0);
    let name = database.name.clone();
    let happen = Arc::new(move |step| happen(step, &name));
    let options = RunOptions::default().on_step(move |_| {
        let (step, happen) = (steps.fetch_add(1, Ordering::Relaxed), Arc::clone(&happen));
        async move {
            tokio::task::spawn_blocking(move || happen(step))
                .await
                .unwrap()
        }
    });
    bench.run(options).await;
    bench.check_saved(ITEMS).await;
    assert_eq!(bench.charges(), ITEMS);
}

#[tokio::test(flavor = "multi_thread")]
async fn run_survives_connections_that_are_ended_at_each_step() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let ended = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&ended);
    run_through(server, move |_, database| {
        counted.fetch_add(server.terminate_backends(database), Ordering::Relaxed);
    })
    .await;
    assert!(ended.load(Ordering::Relaxed) > 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn run_survives_crashes_of_the_server() {
    let Some(server) = PostgresServer::create(Fsync::On) else {
        return;
    };
    let server = Arc::new(server);
    let crashed = Arc::clone(&server);
    // Two steps may be reached at once.
    let restarts = Mutex::new(());
    run_through(&server, move |step, _| {
        if step % 5 == 4 {
            let _restarts = restarts.lock().unwrap();
            crashed.immediate_stop();
            crashed.start();
        }
    })
    .await;
}

/// Waits until something is true.
async fn until<F: Future<Output = bool>>(is: impl Fn() -> F) {
    while !is().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn record_of_a_paid_task_survives_the_process_while_the_server_is_away() {
    let Some(server) = PostgresServer::create(Fsync::On) else {
        return;
    };
    let server = Arc::new(server);
    let database = server.new_database();
    let bench = BatchBench::new(|sandbox| sandbox).await;
    let bench = BatchBench {
        batches: Batches::open(&database.url).await.unwrap(),
        ..bench
    };
    bench.import(1).await;
    let results = bench.folder.path().join("results.jsonl");
    let spool = bench.folder.path().join(".kling-omni-spool");
    let is_away = Arc::new(AtomicBool::new(false));
    let (stopped, away) = (Arc::clone(&server), Arc::clone(&is_away));
    // The response of the create has arrived.
    let options = RunOptions::default()
        .results(&results)
        .on_step(move |step| {
            let (stopped, away) = (Arc::clone(&stopped), Arc::clone(&away));
            async move {
                if step == "before created" {
                    tokio::task::spawn_blocking(move || stopped.immediate_stop())
                        .await
                        .unwrap();
                    away.store(true, Ordering::Release);
                }
            }
        });
    let run = bench.batches.run(BATCH, &bench.client, options).await;
    let run = run.unwrap();
    let spooled = || std::fs::read_dir(&spool).map_or(0, Iterator::count) == 1;
    until(async || spooled()).await;
    assert!(is_away.load(Ordering::Acquire));
    run.abort();
    assert!(matches!(run.await, Err(BatchError::Aborted)));
    server.start();
    // The lease of the process that has gone ends by itself.
    server.query(&database.name, "update account set lease_until = null");
    let batches = Batches::open(&database.url).await.unwrap();
    let options = RunOptions::default().results(&results);
    let mut run = batches.run(BATCH, &bench.client, options).await.unwrap();
    let mut events = Vec::new();
    while let Some(event) = run.next().await {
        events.push(event);
    }
    run.await.unwrap();
    // The task was not searched for: its id was in the file.
    let is_search = |event: &RunEvent| matches!(event, RunEvent::Settling { .. });
    assert!(!events.iter().any(is_search), "{events:?}");
    assert!(!spool.exists());
    let bench = BatchBench { batches, ..bench };
    bench.check_saved(1).await;
    assert_eq!(bench.charges(), 1);
}
