//! Batches whose videos go into a bucket.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use kling_omni::download::VideoStore;
use kling_omni::request::Request;
use kling_omni_batch::ledger::NewItem;
use kling_omni_batch::{BatchState, BatchStatus, ItemState, RetrySelection, RunOptions};
use kling_omni_test_bucket::{KEY_ID, SECRET, Server};

use crate::bench::{BATCH, BatchBench, text};
use crate::crash::run_until_step;

fn url(number: usize) -> String {
    format!("s3://clips/for/take {number}.mp4")
}

fn name(number: usize) -> String {
    format!("for/take {number}.mp4")
}

pub(crate) fn video_store(server: &Server) -> VideoStore {
    VideoStore::from_s3(server.settings())
}

fn options(server: &Server) -> RunOptions {
    RunOptions::default().video_store(video_store(server))
}

/// A bench with items for objects, and a bucket.
async fn bench(items: usize) -> (BatchBench, Server) {
    let bench = BatchBench::new(|sandbox| sandbox).await;
    import(&bench, items).await;
    (bench, Server::start().await)
}

/// Adds items whose videos are objects.
pub(crate) async fn import(bench: &BatchBench, items: usize) {
    let items = (0..items).map(|number| {
        let request = text(&format!("A cat, take {number}")).build().unwrap();
        NewItem::new(number.to_string(), &Request::from(request), url(number)).unwrap()
    });
    bench.import_items(items).await;
}

/// All videos are complete objects, and nothing else is in the bucket.
pub(crate) async fn check_saved(bench: &BatchBench, server: &Server, items: usize) {
    let status = bench.batches.status(BATCH).await.unwrap();
    assert_eq!(status.count(ItemState::Saved), items as u64, "{status:?}");
    assert_eq!(bench.charges(), items);
    let objects = server.objects();
    assert_eq!(objects.len(), items);
    for row in bench.batches.report(BATCH, 0).await.unwrap() {
        let number = row.position as usize;
        let file = row.file.unwrap();
        assert_eq!(file.path.to_str(), Some(&*url(number)));
        let (_, content) = objects.iter().find(|one| one.0 == name(number)).unwrap();
        assert_eq!(content.len() as u64, file.bytes);
    }
    assert!(server.parts().is_empty());
}

fn count(operations: &[String], operation: &str) -> usize {
    let found = operations.iter().filter(|one| *one == operation);
    found.count()
}

#[tokio::test]
async fn batch_needs_no_folder_for_its_videos() {
    let (bench, server) = bench(6).await;
    let results = bench.folder.path().join("results.jsonl");
    let status = bench.run(options(&server).results(&results)).await;
    assert_eq!(status.state, BatchState::Done);
    check_saved(&bench, &server, 6).await;
    let csv = bench.folder.path().join("report.csv");
    bench.batches.write_csv(BATCH, &csv).await.unwrap();
    for file in [&results, &csv] {
        let text = fs::read_to_string(file).unwrap();
        assert!(text.contains(&url(5)), "{text}");
    }
    let shown = bench.batches.show(BATCH, "5").await.unwrap();
    assert_eq!(shown.path, Path::new(&url(5)));
    bench.check_secrets();
    let mut names = fs::read_dir(bench.folder.path()).unwrap();
    for entry in names.by_ref().map(|entry| entry.unwrap()) {
        assert!(entry.file_type().unwrap().is_file(), "{entry:?}");
        let bytes = fs::read(entry.path()).unwrap();
        for secret in [KEY_ID, SECRET] {
            let mut windows = bytes.windows(secret.len());
            assert!(
                !windows.any(|bytes| bytes == secret.as_bytes()),
                "{entry:?}"
            );
        }
    }
    // The same command again sends nothing to the bucket.
    server.operations();
    bench.run(options(&server)).await;
    assert_eq!(server.operations(), Vec::<String>::new());
}

/// The run ends at a step, and is started again. Nothing is paid again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crash_around_the_upload_is_settled() {
    // At "before saved", the object exists, and the ledger does not know it yet.
    for step in [
        "before publishing",
        "after publishing",
        "before saved",
        "after saved",
    ] {
        let (bench, server) = bench(1).await;
        let crash = |crashes| {
            let options = options(&server);
            tokio::task::block_in_place(|| {
                run_until_step(&bench, options, move |_, reached| {
                    crashes && reached == step
                })
            })
        };
        let (_, ended) = crash(true);
        assert!(!ended, "{step}");
        let was_published = matches!(step, "before saved" | "after saved");
        assert_eq!(server.objects().len(), usize::from(was_published), "{step}");
        let (_, ended) = crash(false);
        assert!(ended, "{step}");
        check_saved(&bench, &server, 1).await;
        let operations = server.operations();
        let completed = count(&operations, "CompleteMultipartUpload");
        assert_eq!(completed, 1, "{step}: {operations:?}");
    }
}

#[tokio::test]
async fn existing_object_is_not_paid_for() {
    let (bench, server) = bench(3).await;
    server.put(&name(1), b"mine");
    let status = bench.run(options(&server)).await;
    assert_eq!(
        (
            status.count(ItemState::Saved),
            status.count(ItemState::Rejected)
        ),
        (2, 1)
    );
    assert_eq!(bench.charges(), 2);
    let rejected = bench.batches.show(BATCH, "1").await.unwrap();
    let error = rejected.error.unwrap();
    assert_eq!(error.text, format!("{} already exists", url(1)));
    let objects = server.objects();
    assert!(objects.contains(&(name(1), b"mine".to_vec())));
}

fn assert_paused(status: &BatchStatus, reason: &str) {
    assert_eq!(status.state, BatchState::Paused, "{status:?}");
    let text = status.reason.as_deref().unwrap();
    assert!(text.contains(reason), "{text}");
    assert!(!text.contains("canary"), "{text}");
}

#[tokio::test]
async fn wrong_credentials_pause_the_batch_before_anything_is_paid() {
    let (bench, server) = bench(3).await;
    let settings = server.settings().with_secret_access_key("wrong-canary");
    let wrong = RunOptions::default().video_store(VideoStore::from_s3(settings));
    for (options, reason) in [
        (wrong, "SignatureDoesNotMatch"),
        (RunOptions::default(), "this run has no store"),
    ] {
        assert_paused(&bench.run(options).await, reason);
        assert_eq!(bench.charges(), 0);
    }
    bench.run(options(&server)).await;
    check_saved(&bench, &server, 3).await;
}

/// The permission is lost between the payment and the download.
#[tokio::test]
async fn lost_permission_pauses_the_batch_and_pays_nothing_more() {
    let (bench, server) = bench(10).await;
    let server = Arc::new(server);
    let bucket = Arc::clone(&server);
    let options = options(&server).in_flight(1).on_step(move |step| {
        if step == "after created" {
            bucket.refuse("CreateMultipartUpload");
        }
        std::future::ready(())
    });
    assert_paused(&bench.run(options).await, "AccessDenied");
    let paid = bench.charges();
    assert!(paid < 10, "{paid}");
    assert!(server.objects().is_empty());
    server.accept();
    let failed = RetrySelection::States(vec![ItemState::Failed]);
    let retried = bench.batches.retry(BATCH, &failed).await.unwrap();
    assert_eq!(retried.creates, 0);
    bench.run(self::options(&server)).await;
    check_saved(&bench, &server, 10).await;
}

#[tokio::test]
async fn interrupted_upload_is_repeated() {
    for operation in ["HeadObject", "UploadPart", "CompleteMultipartUpload"] {
        let (bench, server) = bench(2).await;
        server.fail(operation, 3);
        let status = bench.run(options(&server)).await;
        assert_eq!(status.state, BatchState::Done, "{operation}: {status:?}");
        check_saved(&bench, &server, 2).await;
    }
}
