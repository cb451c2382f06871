//! Runs whose commits are cut. Each item is paid once, and saved.

use std::time::Duration;

use kling_omni_batch::{BatchResult, BatchStatus, Batches, ItemState, RunOptions};
use kling_omni_test_support::postgres::{PostgresDatabase, PostgresServer};
use kling_omni_test_support::postgres_proxy::{PostgresFault, PostgresProxy};

use crate::bench::{BATCH, BatchBench};

const ITEMS: usize = 3;

/// A batch whose ledger is at a port of loopback.
async fn bench(server: &PostgresServer, port: u16, database: &PostgresDatabase) -> BatchBench {
    let mut bench = BatchBench::new(|sandbox| sandbox).await;
    let url = server.url(port, &database.name);
    bench.batches = Batches::open(url).await.unwrap();
    bench
}

async fn run(bench: &BatchBench, options: RunOptions) -> BatchResult<BatchStatus> {
    bench
        .batches
        .run(BATCH, &bench.client, options)
        .await?
        .await
}

/// Runs until all items are saved. A run may end with an error that says that the database is away.
async fn finish(at: &str, bench: &BatchBench, options: &RunOptions, items: usize) {
    let mut last = None;
    for _ in 0..3 {
        let ended = run(bench, options.clone()).await;
        if let Ok(status) = &ended
            && status.count(ItemState::Saved) == items as u64
        {
            assert_eq!(bench.charges(), items, "{at}");
            bench.check_saved(items).await;
            return;
        }
        last = Some(ended);
    }
    panic!("{at}: {last:?}");
}

/// The number of commits of a run, from its import on.
async fn commits(server: &PostgresServer) -> usize {
    let (proxy, bench, _database) = proxied(server).await;
    proxy.set(PostgresFault::Pass);
    bench.import(ITEMS).await;
    finish(
        "no fault",
        &bench,
        &RunOptions::default().in_flight(2),
        ITEMS,
    )
    .await;
    proxy.commits()
}

async fn proxied(server: &PostgresServer) -> (PostgresProxy, BatchBench, PostgresDatabase) {
    let database = server.new_database();
    let proxy = PostgresProxy::start(server.port()).await;
    let bench = bench(server, proxy.port(), &database).await;
    (proxy, bench, database)
}

/// Cuts every n-th commit of a run once, before and after the server has it.
async fn cut_each_commit(every: usize) {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let commits = commits(server).await;
    let mut cuts = 0;
    // The import is interrupted by the first one: `methods` has it.
    for count in (1..commits).step_by(every) {
        for fault in [
            PostgresFault::CutBeforeCommit(count),
            PostgresFault::CutAfterCommit(count),
        ] {
            let at = format!("{fault:?} of {commits}");
            let (proxy, bench, _database) = proxied(server).await;
            bench.import(ITEMS).await;
            proxy.set(fault);
            finish(&at, &bench, &RunOptions::default().in_flight(2), ITEMS).await;
            cuts += proxy.cuts();
        }
    }
    println!("{commits} commits, {cuts} cuts");
    assert!(cuts > commits / every, "{cuts} cuts of {commits} commits");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn some_commits_are_cut() {
    cut_each_commit(7).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: cargo xtask ci kill-matrix"]
async fn each_commit_is_cut() {
    cut_each_commit(1).await;
}

/// Everything that passes between ledger and database is late.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn database_is_slow() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let (proxy, bench, _database) = proxied(server).await;
    bench.import(1).await;
    proxy.set(PostgresFault::Delay(Duration::from_millis(10)));
    finish("slow", &bench, &RunOptions::default(), 1).await;
}
