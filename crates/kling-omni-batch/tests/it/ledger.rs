//! The ledger: conformance, and what is particular to a SQLite file.

mod model;

use std::fs;
use std::sync::Arc;

use kling_omni::TextToVideo;
use kling_omni::request::Request;
use kling_omni_batch::ledger::{ItemQuery, Ledger, NewItem, SqliteLedger, conformance};
use kling_omni_batch::{BatchError, BatchResult, Batches, RunOptions};
use tempfile::TempDir;

use crate::bench::BatchBench;
use crate::crash::run_until_step;

pub(crate) fn new_item(number: usize) -> BatchResult<NewItem> {
    let request = TextToVideo::builder().prompt(format!("take {number} {}", "of many ".repeat(90)));
    let request = request.build().map_err(kling_omni::Error::from)?;
    NewItem::new(
        format!("item-{number}"),
        &Request::from(request),
        format!("/videos/{number}.mp4"),
    )
}

#[tokio::test]
async fn conforms() {
    let folder = TempDir::new().unwrap();
    let open = |case: &'static str| {
        let path = folder.path().join(format!("{case}.db"));
        async { Ok(Arc::new(SqliteLedger::open(path).await?) as Arc<dyn Ledger>) }
    };
    let failed = conformance::check(open).await.err().unwrap_or_default();
    kling_omni_test_support::fail_on(failed);
}

/// Each of them is checksummed, written and copied, which is a good part of the time of an item.
#[tokio::test]
async fn item_takes_few_pages_of_the_log() {
    const ITEMS: u64 = 20;
    const PAGE: u64 = 4096 + 24;
    let bench = BatchBench::new(|sandbox| sandbox).await;
    bench.import(ITEMS as usize).await;
    let log = bench.folder.path().join("batch.db-wal");
    let pages = || fs::metadata(&log).unwrap().len() / PAGE;
    let before = pages();
    bench.run(RunOptions::default()).await;
    let each = (pages() - before) as f64 / ITEMS as f64;
    // 49 in most runs, and more if each record rewrites the indexes of its attempt.
    assert!(each < 58.0, "{each}");
}

#[tokio::test]
async fn imported_items_are_small_and_counted() {
    const ITEMS: usize = 2_000;
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("batch.db");
    let ledger = SqliteLedger::open(&path).await.unwrap();
    let imported = ledger
        .import("large", Box::new((0..ITEMS).map(new_item)))
        .await
        .unwrap();
    assert_eq!(imported.added as usize, ITEMS);
    let batch = ledger.batch("large").await.unwrap();
    let counts = ledger.counts(batch.id).await.unwrap();
    assert_eq!(counts.values().sum::<u64>() as usize, ITEMS);
    let request = serde_json::to_string(&new_item(0).unwrap().request).unwrap();
    let bytes_per_item = fs::metadata(&path).unwrap().len() as usize / ITEMS;
    assert!(bytes_per_item < request.len() + 4096, "{bytes_per_item}");
    // All items are paid for, which is the most that a status has to count.
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "insert into account (service, key_fingerprint) values ('s', 'k');
             insert into attempt (item_id, account_id, number, epoch, state, task_id)
             select id, 1, 1, 1, 'created', id from item",
        )
        .unwrap();
    let batches = Batches::open(&path).await.unwrap();
    let status = batches.status("large").await.unwrap();
    assert_eq!(status.tasks() as usize, ITEMS);
}

#[tokio::test]
async fn newer_schema_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("batch.db");
    SqliteLedger::open(&path)
        .await
        .unwrap()
        .import("b", Box::new((0..2).map(new_item)))
        .await
        .unwrap();
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute(
            "update meta set schema = 99, oldest_program = 98, written_by = '7.0.0'",
            [],
        )
        .unwrap();
    // What is in the write-ahead log goes into the file.
    drop(connection);
    let before = fs::read(&path).unwrap();
    let error = SqliteLedger::open(&path).await.unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("has schema 98, written by 7.0.0, but this version supports up to 3"),
        "{error}"
    );
    assert_eq!(fs::read(&path).unwrap(), before);
}

/// A newer program that only added something says so, and both work side by side.
#[tokio::test]
async fn newer_schema_that_permits_this_program_is_opened() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("batch.db");
    SqliteLedger::open(&path).await.unwrap();
    let connection = rusqlite::Connection::open(&path).unwrap();
    let newer = "alter table item add column colour text; update meta set schema = 4";
    connection.execute_batch(newer).unwrap();
    let ledger = SqliteLedger::open(&path).await.unwrap();
    let items = Box::new((0..2).map(new_item));
    assert_eq!(ledger.import("b", items).await.unwrap().added, 2);
    assert_eq!(ledger.facts().await.unwrap().schema, 4);
}

#[tokio::test]
async fn ledger_of_the_first_schema_is_migrated() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("batch.db");
    let ledger = SqliteLedger::open(&path).await.unwrap();
    let items = Box::new((0..2).map(new_item));
    ledger.import("b", items).await.unwrap();
    drop(ledger);
    let connection = rusqlite::Connection::open(&path).unwrap();
    let first = "drop table job; alter table batch drop column policy;
        alter table meta drop column oldest_program; alter table meta drop column moved_to;
        alter table meta drop column moved_to_salt; alter table account drop column moved_epoch;
        update meta set schema = 1";
    connection.execute_batch(first).unwrap();
    drop(connection);
    let ledger = SqliteLedger::open(&path).await.unwrap();
    assert_eq!(ledger.facts().await.unwrap().schema, 3);
    let batch = ledger.batch("b").await.unwrap();
    assert_eq!(batch.policy, None);
    assert_eq!(
        ledger.items(ItemQuery::new(batch.id)).await.unwrap().len(),
        2
    );
}

/// Older programs began an attempt in a transaction of its own, before the announcement.
#[tokio::test(flavor = "multi_thread")]
async fn attempt_that_an_older_program_began_is_closed() {
    let bench = BatchBench::new(|sandbox| sandbox).await;
    bench.import(2).await;
    let (_, ended) = tokio::task::block_in_place(|| {
        run_until_step(&bench, RunOptions::default(), |_, step| {
            step == "before sending"
        })
    });
    assert!(!ended);
    let ledger = rusqlite::Connection::open(bench.folder.path().join("batch.db")).unwrap();
    // One of them also has its first record.
    ledger
        .execute_batch(
            "insert into attempt (item_id, account_id, number, epoch, state)
                select id, 1, 1, 1, 'prepared' from item;
             update item set attempts = 1;
             insert into record (attempt_id, number, json) values (1, 0, '{\"record\":\"prepared\"}')",
        )
        .unwrap();
    bench.run(RunOptions::default()).await;
    bench.check_saved(2).await;
    assert_eq!(bench.charges(), 2);
    let closed = "select count(*) from attempt where number = 1 and state = 'closed'";
    let closed: u32 = ledger.query_row(closed, [], |row| row.get(0)).unwrap();
    assert_eq!(closed, 2);
}

#[tokio::test]
async fn other_files_are_refused() {
    let folder = TempDir::new().unwrap();
    let text = folder.path().join("notes.txt");
    fs::write(&text, "notes ".repeat(1000)).unwrap();
    let foreign = folder.path().join("foreign.db");
    rusqlite::Connection::open(&foreign)
        .unwrap()
        .execute("create table t (a)", [])
        .unwrap();
    for path in [text, foreign] {
        let before = fs::read(&path).unwrap();
        let error = SqliteLedger::open(&path).await.unwrap_err();
        assert!(matches!(error, BatchError::Damaged { .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), before, "{}", path.display());
    }
    let error = SqliteLedger::open(folder.path().join("no/such/folder.db"))
        .await
        .unwrap_err();
    assert!(matches!(error, BatchError::File { .. }), "{error}");
}

#[tokio::test]
async fn damaged_file_is_refused_by_a_run() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("batch.db");
    let ledger = SqliteLedger::open(&path).await.unwrap();
    let items = Box::new((0..200).map(new_item));
    ledger.import("b", items).await.unwrap();
    let batch = ledger.batch("b").await.unwrap().id;
    let account = ledger.assign(batch, "service", "key").await.unwrap();
    drop(ledger);
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.len() - 4096;
    for page in bytes[8192..end].chunks_mut(4096).step_by(3) {
        page[..64].fill(0xa5);
    }
    fs::write(&path, bytes).unwrap();
    let acquired = async {
        SqliteLedger::open(&path)
            .await?
            .acquire(account, "run")
            .await
    };
    let error = acquired.await.unwrap_err();
    assert!(matches!(error, BatchError::Damaged { .. }), "{error:?}");
    assert!(error.help().is_some());
}

#[tokio::test]
async fn full_disk_keeps_the_ledger_intact() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("batch.db");
    let ledger = SqliteLedger::open(&path).await.unwrap();
    ledger
        .import("b", Box::new((0..10).map(new_item)))
        .await
        .unwrap();
    ledger.limit_pages(60).await.unwrap();
    let error = ledger
        .import("b", Box::new((0..1000).map(new_item)))
        .await
        .unwrap_err();
    assert!(matches!(error, BatchError::Full), "{error:?}");
    let batch = ledger.batch("b").await.unwrap();
    assert_eq!(
        ledger.counts(batch.id).await.unwrap().values().sum::<u64>(),
        10
    );
    drop(ledger);
    let ledger = SqliteLedger::open(&path).await.unwrap();
    assert_eq!(ledger.facts().await.unwrap().problem, None);
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("batch.db");
    let ledger = SqliteLedger::open(&path).await.unwrap();
    ledger
        .import("b", Box::new((0..2).map(new_item)))
        .await
        .unwrap();
    let batch = ledger.batch("b").await.unwrap();
    let account = ledger.assign(batch.id, "s", "k").await.unwrap();
    let _lease = ledger.acquire(account, "test").await.unwrap();
    let mut names = Vec::new();
    for entry in fs::read_dir(folder.path()).unwrap().flatten() {
        assert_eq!(
            entry.metadata().unwrap().permissions().mode() & 0o777,
            0o600,
            "{entry:?}"
        );
        names.push(entry.file_name());
    }
    assert!(names.len() >= 3, "{names:?}");
}
