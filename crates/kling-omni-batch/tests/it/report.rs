//! The page of a report: its data, and its HTML without a browser.

use std::fs;
use std::path::Path;

use kling_omni::spend::{Amount, PriceTable, SpendGuard, Spent};
use kling_omni::{Mode, Tier};
use kling_omni_batch::ledger::{ItemError, Reopening};
use kling_omni_batch::report::{ReportItem, ReportPage};
use kling_omni_batch::{BatchState, ItemState, RetrySelection, RunOptions};
use kling_omni_test_support::snapshots::Snapshots;
use serde_json::json;

use crate::bench::{BATCH, BatchBench};

fn guard() -> SpendGuard {
    let prices: PriceTable = r#"{"currency": "EUR", "valid_until": "2099-12-31",
        "prices": [{"mode": "text", "tier": "pro", "per_second": "0.5"}]}"#
        .parse()
        .unwrap();
    let guard = SpendGuard::new().max_tasks(20);
    guard.max_money(Amount::from_micros(50_000_000), prices)
}

/// Items that are saved at once, fail, fail and are created again, complete without a video, and are rejected.
async fn mixed() -> BatchBench {
    let bench = BatchBench::new(|sandbox| sandbox).await;
    let prompts = [
        "A cat",
        "[sandbox:fail]",
        "[sandbox:empty]",
        "A dog",
        "A cow",
    ];
    let items = prompts.iter().enumerate();
    let items = items.map(|(number, prompt)| bench.item(number, prompt));
    bench.import_items(items.collect::<Vec<_>>()).await;
    bench.sandbox.inject("create:400@5".parse().unwrap());
    bench.run(RunOptions::default().in_flight(1)).await;
    let failed = RetrySelection::Keys(vec!["1".to_owned()]);
    bench.batches.retry(BATCH, &failed).await.unwrap();
    bench.run(RunOptions::default()).await;
    bench
}

#[tokio::test]
async fn page_has_what_the_ledger_has() {
    let bench = mixed().await;
    let page = bench.batches.report_page(BATCH, &guard()).await.unwrap();
    let status = bench.batches.status(BATCH).await.unwrap();
    let rows = bench.batches.report(BATCH, 0).await.unwrap();
    assert_eq!(page.state, Some(status.state));
    assert_eq!(page.items.len(), rows.len());
    for (item, row) in page.items.iter().zip(&rows) {
        assert_eq!(
            (
                &item.key,
                item.state,
                item.attempts,
                item.seconds,
                &item.task_id
            ),
            (&row.key, row.state, row.attempts, row.seconds, &row.task_id)
        );
        assert_eq!(item.video, row.file.as_ref().map(|file| file.path.clone()));
        assert_eq!(item.error, row.error);
    }
    let prompts: Vec<_> = page.items.iter().map(|item| item.prompt.as_str()).collect();
    assert_eq!(prompts[..2], ["A cat 0", "[sandbox:fail] 1"]);
    // Each attempt that made a task was paid for, and nothing else.
    let spent = bench.batches.spent(BATCH, &guard()).await.unwrap();
    assert_eq!(page.spend.spent, spent);
    let tasks: Vec<_> = page.items.iter().map(|item| item.spent.tasks).collect();
    assert_eq!(tasks, [1, 2, 1, 1, 0]);
    assert_eq!(page.spend.max_tasks, Some(20));
    assert_eq!(page.spend.max_money, Some(Amount::from_micros(50_000_000)));
    assert_eq!(page.spend.currency.as_deref(), Some("EUR"));
    let saved = &page.items[0];
    assert!(saved.times.task_ms.is_some() && saved.times.save_ms.is_some());
    assert_eq!(page.items[4].times.task_ms, None);
}

#[tokio::test]
async fn timeline_adds_up_to_the_events() {
    let bench = mixed().await;
    let page = bench.batches.report_page(BATCH, &guard()).await.unwrap();
    let timeline = page.timeline.unwrap();
    let sum = |value: fn(&kling_omni_batch::report::TimelineBin) -> u64| {
        timeline.bins.iter().map(value).sum::<u64>()
    };
    // The rejected create was sent, too, and the failed item ended twice.
    assert_eq!(sum(|bin| bin.creates), 6);
    assert_eq!(sum(|bin| bin.saved), 2);
    assert_eq!(sum(|bin| bin.failed), 4);
    assert!(timeline.bins.iter().any(|bin| bin.in_flight >= 1));
}

#[tokio::test]
async fn page_of_a_batch_that_was_not_run_has_no_timeline() {
    let bench = BatchBench::new(|sandbox| sandbox).await;
    bench.import(2).await;
    let page = bench.batches.report_page(BATCH, &SpendGuard::new()).await;
    let page = page.unwrap();
    assert_eq!(page.timeline, None);
    assert_eq!(page.spend.spent, Spent::default());
    let html = page.to_html(bench.folder.path()).unwrap();
    assert!(html.contains("Not prepared yet"), "{html}");
}

#[tokio::test]
async fn page_replaces_a_file_and_leaves_no_other() {
    let bench = mixed().await;
    let page = bench.batches.report_page(BATCH, &guard()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    fs::write(&path, "an older page").unwrap();
    page.write(&path).await.unwrap();
    let html = fs::read_to_string(&path).unwrap();
    assert!(
        html.ends_with("</html>\n") || html.ends_with("</html>"),
        "{html}"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let nowhere = page.write(folder.path().join("missing/report.html")).await;
    let error = nowhere.unwrap_err().to_string();
    assert!(error.contains("missing"), "{error}");
}

/// What a killed process has left is removed, and what another one is writing is not.
#[tokio::test]
async fn page_removes_the_temporary_files_of_killed_processes_only() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in [".report-orphan.part", ".report-own", "clip.part"] {
        fs::write(at(name), "half").unwrap();
    }
    let in_use = fs::File::create(at(".report-in-use.part")).unwrap();
    in_use.lock().unwrap();
    small_page().write(at("page.html")).await.unwrap();
    let names = fs::read_dir(&folder).unwrap();
    let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(
        names,
        [
            ".report-in-use.part",
            ".report-own",
            "clip.part",
            "page.html"
        ]
    );
}

/// A rename would replace them.
#[cfg(unix)]
#[tokio::test]
async fn page_replaces_nothing_but_a_regular_file() {
    use std::os::unix::fs::symlink;

    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    symlink(at("socket"), at("link")).unwrap();
    fs::create_dir(at("folder")).unwrap();
    let kind = |name: &str| at(name).symlink_metadata().unwrap().file_type();
    for name in ["socket", "link", "folder"] {
        let before = kind(name);
        let error = small_page().write(at(name)).await.unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
        assert_eq!(kind(name), before, "{name}");
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 3);
}

/// The data may come from a file.
#[test]
fn html_of_extreme_numbers() {
    let mut page = small_page();
    page.read_at_ms = u64::MAX;
    let most =
        json!({"in_flight": u64::MAX, "creates": u64::MAX, "saved": u64::MAX, "failed": u64::MAX});
    for bins in [
        json!([]),
        json!([most, most, {"in_flight": 1, "creates": 1, "saved": 1, "failed": 1}]),
    ] {
        let timeline = json!({"start_ms": u64::MAX, "width_ms": u64::MAX, "bins": bins});
        page.timeline = serde_json::from_value(timeline).unwrap();
        let html = page.to_html(Path::new("/clips")).unwrap();
        assert_eq!(
            html.matches(r#"y="0" width="0.8" height="100""#).count(),
            bins.as_array().unwrap().len() / 3 * 8
        );
    }
}

#[tokio::test]
async fn picture_beside_a_video_is_its_poster() {
    let bench = mixed().await;
    let picture = bench.video(0).with_extension("png");
    fs::write(&picture, "a picture").unwrap();
    let page = bench.batches.report_page(BATCH, &guard()).await.unwrap();
    assert_eq!(page.items[0].poster, Some(picture));
    assert_eq!(page.items[3].poster, None);
    let html = page.to_html(bench.folder.path()).unwrap();
    assert!(html.contains(r#"poster="videos/0.png""#), "{html}");
}

#[test]
fn data_survives_json() {
    let page = small_page();
    let text = serde_json::to_string(&page).unwrap();
    assert_eq!(serde_json::from_str::<ReportPage>(&text).unwrap(), page);
}

#[test]
fn html_of_a_small_batch() {
    let html = small_page().to_html(Path::new("/clips")).unwrap();
    // Style and script have files of their own.
    let html = without(&html, "<style>", "</style>");
    let html = without(&html, "<script>", "</script>");
    let html = without(&html, "script-src &#39;sha256-", "&#39;");
    let html = without(&html, "style-src &#39;sha256-", "&#39;");
    let html = html.replace(env!("CARGO_PKG_VERSION"), "[version]");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots");
    let mut snapshots = Snapshots::all_of(folder);
    snapshots.check("report-page", &html);
    snapshots.finish();
}

/// Replaces what is between the first `begin` and `end` after it.
fn without(text: &str, begin: &str, end: &str) -> String {
    let (before, rest) = text.split_once(begin).unwrap();
    let (_, after) = rest.split_once(end).unwrap();
    format!("{before}{begin}…{end}{after}")
}

fn small_page() -> ReportPage {
    let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_764_547_200);
    let mut page = ReportPage::new("cats & dogs", at);
    page.state = Some(BatchState::Paused);
    page.reason = Some("the account is out of credits".to_owned());
    page.spend.max_tasks = Some(4);
    page.spend.spent.tasks = 2;
    page.spend.spent.seconds = 8;
    page.timeline = serde_json::from_value(json!({
        "start_ms": 1_764_547_200_000_u64, "width_ms": 10_000,
        "bins": [
            {"in_flight": 2, "creates": 2, "saved": 0, "failed": 0},
            {"in_flight": 0, "creates": 0, "saved": 0, "failed": 0},
            {"in_flight": 1, "creates": 0, "saved": 1, "failed": 1},
        ],
    }))
    .unwrap();
    let item = |key: &str, state| ReportItem::new(key, state, Mode::Text, Tier::Pro);
    let mut saved = item("<cat>", ItemState::Saved);
    saved.prompt = "A cat \"by\" the window".to_owned();
    saved.seconds = 5;
    saved.has_exact_length = true;
    saved.attempts = 1;
    saved.spent.tasks = 1;
    saved.video = Some("/clips/a #1.mp4".into());
    saved.bytes = Some(1_234_567);
    saved.task_id = Some("046b6c7f".to_owned());
    saved.findings = vec!["4.9 s instead of 5 s".to_owned()];
    saved.times =
        serde_json::from_value(json!({"waited_ms": 800, "task_ms": 61_000, "save_ms": 1_200}))
            .unwrap();
    let mut failed = item("dog", ItemState::Failed);
    failed.seconds = 3;
    failed.attempts = 1;
    failed.spent.tasks = 1;
    failed.reopening = Some(Reopening::Create);
    failed.error = Some(ItemError {
        kind: "task_failed".to_owned(),
        text: "a face & a <name>".to_owned(),
    });
    let mut object = item("cow", ItemState::Saved);
    object.video = Some("s3://clips/cow 1.mp4".into());
    page.items = vec![saved, failed, object, item("hen", ItemState::Planned)];
    page
}
