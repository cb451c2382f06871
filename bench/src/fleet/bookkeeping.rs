//! Bookkeeping on Postgres: what a run writes, without requests, and the move of a large ledger.

use std::time::{Duration, Instant};

use anyhow::Result;
use futures_util::future::try_join_all;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use kling_omni::request::Request;
use kling_omni_batch::ledger::{ItemQuery, KnownUpdate, Ledger, NewItem};
use kling_omni_batch::{Batches, ItemState};
use kling_omni_test_support::postgres::PostgresServer;

use crate::batch::ledger_file::LedgerFile;
use crate::batch::transitions::{self, Transitions};
use crate::cost::load::request;

/// The number of tasks of each writer.
const TASKS: usize = 500;
const MOVED_ITEMS: u32 = 100_000;
const MOVED_SAVED: u64 = 10_000;

/// Tasks per second from import to saved video, by so many writers with so many items in progress each.
pub fn measure(
    server: &PostgresServer,
    writers: usize,
    in_progress: usize,
    seed: u64,
) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let recorded = transitions::record(seed, &folder.path().join("recorded"))?;
    let database = server.new_database();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        // A connection for each, as in processes of their own.
        let mut ledgers = Vec::new();
        for writer in 0..writers {
            let batches = Batches::open(&database.url).await?;
            import(&batches, &name(writer)).await?;
            ledgers.push(batches);
        }
        let began = Instant::now();
        let ends = ledgers.iter().enumerate();
        let ends =
            ends.map(|(writer, batches)| write(batches.ledger(), writer, in_progress, &recorded));
        try_join_all(ends).await?;
        let rate = (writers * TASKS) as f64 / began.elapsed().as_secs_f64();
        eprintln!("bookkeeping, {writers}, {in_progress} in progress: {rate:.0} tasks/s");
        Ok(rate)
    })
}

fn name(writer: usize) -> String {
    format!("bench-{writer}")
}

async fn import(batches: &Batches, name: &str) -> Result<()> {
    let request = Request::from(request(90.0)?);
    let items = (0..TASKS).map(|number| {
        NewItem::new(
            number.to_string(),
            &request,
            format!("/videos/{number}.mp4"),
        )
    });
    let items: Vec<_> = items.collect();
    batches.import(name, items).await?;
    Ok(())
}

/// Writes what a run writes about its items. Each writer has an account of its own.
async fn write(
    ledger: &dyn Ledger,
    writer: usize,
    in_progress: usize,
    recorded: &Transitions,
) -> Result<()> {
    let batch = ledger.batch(&name(writer)).await?.id;
    let service = "http://127.0.0.1:9";
    let account = ledger.assign(batch, service, &name(writer)).await?;
    let lease = ledger.acquire(account, "bench").await?;
    let items = ledger.items(ItemQuery::new(batch)).await?;
    let creating = tokio::sync::Mutex::new(());
    let saved = ItemState::Saved;
    let writes = items
        .iter()
        .map(|item| recorded.write(ledger, &lease, item.id, item.position, saved, &creating));
    let mut writes = stream::iter(writes).buffer_unordered(in_progress);
    let mut renewed = Instant::now();
    while writes.try_next().await?.is_some() {
        // As a run does.
        if renewed.elapsed() > Duration::from_secs(1) {
            ledger.renew(&lease).await?;
            renewed = Instant::now();
        }
    }
    let none = KnownUpdate::default();
    ledger.add_known_tasks(&lease, none).await?;
    Ok(())
}

/// The seconds that the move of a ledger of many items takes.
pub fn measure_move(server: &PostgresServer, seed: u64) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let recorded = transitions::record(seed, &folder.path().join("recorded"))?;
    let path = folder.path().join("batch.db");
    let file = LedgerFile::new(&path, MOVED_ITEMS, "http://127.0.0.1:9")?;
    file.end(&recorded, 0..MOVED_SAVED)?;
    drop(file);
    let database = server.new_database();
    let runtime = tokio::runtime::Runtime::new()?;
    let began = Instant::now();
    runtime.block_on(Batches::move_ledger(&path, &database.url))?;
    let seconds = began.elapsed().as_secs_f64();
    eprintln!("move: {seconds:.1} s");
    Ok(seconds)
}
