//! Runs of a batch against the sandbox, which counts what was paid for.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use kling_omni::request::Request;
use kling_omni::spend::SpendGuard;
use kling_omni::{ApiKey, TextToVideo};
use kling_omni_batch::ledger::{NewItem, SqliteLedger};
use kling_omni_batch::{
    BatchError, BatchState, BatchStatus, Batches, ItemState, Retried, RetrySelection, RunEvent,
    RunOptions,
};
use kling_omni_sandbox::TaskScript;
use kling_omni_test_support::setup::{self, valid_request};
use tokio::sync::Semaphore;

use crate::bench::{BATCH, BatchBench, text};

#[tokio::test]
async fn each_item_is_paid_once_and_saved() {
    let bench = BatchBench::new(|sandbox| sandbox).await;
    bench.import(20).await;
    let results = bench.folder.path().join("results.jsonl");
    let status = bench
        .run(RunOptions::default().in_flight(5).results(&results))
        .await;
    assert_eq!(status.state, BatchState::Done);
    assert_eq!((bench.charges(), status.tasks()), (20, 20));
    bench.check_saved(20).await;
    bench.check_secrets();
    // The same command again does nothing.
    let lines = fs::read_to_string(&results).unwrap();
    assert_eq!(lines.lines().count(), 20);
    bench.import(20).await;
    bench.run(RunOptions::default().results(&results)).await;
    assert_eq!(bench.charges(), 20);
    assert_eq!(fs::read_to_string(&results).unwrap(), lines);
    // Damage is repaired from the ledger.
    fs::write(&results, &lines[10..lines.len() - 5]).unwrap();
    bench.batches.write_results(BATCH, &results).await.unwrap();
    assert_eq!(fs::read_to_string(&results).unwrap(), lines);
    let csv = bench.folder.path().join("report.csv");
    bench.batches.write_csv(BATCH, &csv).await.unwrap();
    assert_eq!(fs::read_to_string(csv).unwrap().lines().count(), 21);
}

#[tokio::test]
async fn difference_from_the_request_is_in_results_and_report() {
    let bench = BatchBench::new(|sandbox| sandbox).await;
    bench
        .sandbox
        .inject("create:clip-seconds=4@2".parse().unwrap());
    bench.import(3).await;
    let results = bench.folder.path().join("results.jsonl");
    bench.run(RunOptions::default().results(&results)).await;
    bench.check_saved(3).await;
    let text = "the video is 4 s long instead of 3 s";
    let lines = fs::read_to_string(&results).unwrap();
    let found = lines
        .lines()
        .filter(|line| line.contains(r#""kind":"length""#));
    assert_eq!(found.count(), 1, "{lines}");
    let rows = bench.batches.report(BATCH, 0).await.unwrap();
    let findings = rows
        .iter()
        .flat_map(|row| &row.file.as_ref().unwrap().findings);
    let findings: Vec<_> = findings.map(ToString::to_string).collect();
    assert_eq!(findings, [text]);
    let page = bench.batches.report_page(BATCH, &SpendGuard::new()).await;
    let items = page.unwrap().items.into_iter();
    let findings: Vec<_> = items.flat_map(|item| item.findings).collect();
    assert_eq!(findings, [text]);
    let csv = bench.folder.path().join("report.csv");
    bench.batches.write_csv(BATCH, &csv).await.unwrap();
    let csv = fs::read_to_string(csv).unwrap();
    let found = csv.lines().filter(|line| line.ends_with(text));
    assert_eq!(found.count(), 1, "{csv}");
}

#[tokio::test]
async fn no_more_tasks_run_than_allowed() {
    let bench = BatchBench::new(|sandbox| sandbox).await;
    bench.import(12).await;
    bench.run(RunOptions::default().in_flight(3)).await;
    let tasks = bench.sandbox.tasks();
    for task in &tasks {
        let others = tasks.iter().filter(|other| {
            other.created_at() <= task.created_at() && task.created_at() < other.ends_at()
        });
        assert!(others.count() <= 3 + 1, "with the older task of the bench");
    }
}

#[tokio::test]
async fn lost_response_is_not_paid_again() {
    for (fault, name) in [("create:drop@3", "made"), ("create:lost@3", "not made")] {
        let bench = BatchBench::new(|sandbox| sandbox).await;
        bench.sandbox.inject(fault.parse().unwrap());
        bench.import(5).await;
        bench.run(RunOptions::default()).await;
        assert_eq!(bench.charges(), 5, "{name}");
        bench.check_saved(5).await;
    }
}

/// The service has no list for an account without tasks. It is read again when a task exists.
#[tokio::test]
async fn lost_response_of_a_new_account_is_found_from_the_second_create_on() {
    for (lost, unknown) in [(1, 1), (2, 0), (3, 0)] {
        let bench = BatchBench::with_new_account(|sandbox| sandbox).await;
        let fault = format!("create:drop@{lost}");
        bench.sandbox.inject(fault.parse().unwrap());
        bench.import(4).await;
        let status = bench.run(RunOptions::default()).await;
        let counts = [ItemState::Saved, ItemState::Unknown].map(|state| status.count(state));
        assert_eq!(counts, [4 - unknown, unknown], "{fault}: {status:?}");
        assert_eq!(bench.sandbox.charges(), 4, "{fault}");
    }
}

/// An account need not have tasks of all lists. The long list is not read again because another one is missing.
#[tokio::test]
async fn only_missing_lists_are_read_again() {
    let bench = BatchBench::with_new_account(|sandbox| sandbox).await;
    let request = || valid_request().build().unwrap();
    for _ in 0..250 {
        bench.client.create(request()).await.unwrap();
    }
    let request = Request::from(request());
    let items =
        (0..4).map(|number| NewItem::new(number.to_string(), &request, bench.video(number)));
    bench.import_items(items.map(Result::unwrap)).await;
    bench.run(RunOptions::default().in_flight(1)).await;
    let requests = bench.sandbox.requests();
    let lists = requests.iter().filter_map(|request| request.operation_id());
    let mut counts = BTreeMap::new();
    for list in lists.filter(|id| id.starts_with("list")) {
        *counts.entry(list.to_owned()).or_insert(0) += 1;
    }
    // Three pages and the empty one, twice.
    let (long, missing) = (
        ("listReferenceToVideoTasks".to_owned(), 8),
        ("listVideoTasks".to_owned(), 3),
    );
    assert_eq!(counts, BTreeMap::from([long, missing]));
}

#[tokio::test]
async fn paid_task_is_saved_while_another_create_is_settled() {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let bench = BatchBench::new(|sandbox| sandbox.result_lifetime(minutes(50))).await;
    bench.sandbox.inject("create:lost@2".parse().unwrap());
    bench.import(3).await;
    bench
        .run(RunOptions::default().settle_time(minutes(60)))
        .await;
    assert!(bench.clock.elapsed() > minutes(60));
    assert_eq!(bench.charges(), 3);
    bench.check_saved(3).await;
}

#[tokio::test]
async fn failed_task_is_repeated_only_if_asked() {
    for (retries, charges, state) in [(0, 1, ItemState::Failed), (1, 2, ItemState::Saved)] {
        let bench = BatchBench::new(|sandbox| sandbox).await;
        bench.import(1).await;
        bench.sandbox.script_next(TaskScript::failed());
        // A create that made no task is not one of the retries.
        bench.sandbox.inject("create:429@1".parse().unwrap());
        let status = bench.run(RunOptions::default().retry_failed(retries)).await;
        assert_eq!(
            (bench.charges(), status.count(state)),
            (charges, 1),
            "{status:?}"
        );
    }
}

#[tokio::test]
async fn request_that_keeps_failing_is_skipped() {
    let bench = BatchBench::new(|sandbox| sandbox).await;
    for (number, prompt) in ["[sandbox:fail=out of film]", "[sandbox:empty]"]
        .into_iter()
        .enumerate()
    {
        let request = Request::from(text(prompt).build().unwrap());
        let items = (0..6).map(|item| {
            let key = format!("{number}-{item}");
            NewItem::new(&key, &request, bench.folder.path().join(&key)).unwrap()
        });
        bench.import_items(items).await;
    }
    let status = bench
        .run(
            RunOptions::default()
                .in_flight(1)
                .max_failures_of_request(2),
        )
        .await;
    assert_eq!(bench.charges(), 4, "{status:?}");
    assert_eq!(
        (
            status.count(ItemState::Failed),
            status.count(ItemState::Skipped)
        ),
        (4, 8)
    );
    let failed = bench.batches.show(BATCH, "0-0").await.unwrap();
    assert!(failed.error.unwrap().text.contains("out of film"));
    let skipped = bench.batches.show(BATCH, "1-5").await.unwrap();
    assert_eq!(
        skipped.error.unwrap().text,
        "tasks of this request failed 2 times, and it is not sent again; add a changed request with another id"
    );
}

#[tokio::test]
async fn expired_result_is_reported_as_paid_and_lost() {
    let bench = BatchBench::new(|sandbox| sandbox.result_lifetime(Duration::ZERO)).await;
    bench.import(1).await;
    let status = bench.run(RunOptions::default()).await;
    assert_eq!(
        (status.count(ItemState::Expired), status.tasks()),
        (1, 1),
        "{status:?}"
    );
    let selection = RetrySelection::States(vec![ItemState::Expired]);
    let planned = bench.batches.plan_retry(BATCH, &selection).await.unwrap();
    let retried = bench.batches.retry(BATCH, &selection).await.unwrap();
    assert_eq!((planned, retried.creates, retried.fetches), (retried, 1, 0));
    assert_eq!(bench.state("0").await, ItemState::Planned);
    let again = bench.batches.retry(BATCH, &selection).await.unwrap();
    assert_eq!(again, Retried::default());
}

#[tokio::test]
async fn interrupted_download_is_fetched_again_at_no_cost() {
    let bench = BatchBench::new(|sandbox| sandbox).await;
    bench.import(2).await;
    bench.sandbox.inject("result:503@1-".parse().unwrap());
    let status = bench.run(RunOptions::default().max_fetches(1)).await;
    let failed = status.count(ItemState::Failed);
    assert_eq!(failed, 2, "{status:?}");
    bench.sandbox.clear_faults();
    let selection = RetrySelection::States(vec![ItemState::Failed]);
    let retried = bench.batches.retry(BATCH, &selection).await.unwrap();
    assert_eq!((retried.fetches, retried.creates), (failed, 0));
    bench.run(RunOptions::default()).await;
    assert_eq!(bench.charges(), 2);
    bench.check_saved(2).await;
}

#[tokio::test]
async fn problem_of_the_account_pauses_the_batch() {
    for fault in [
        "create:401@2",
        "create:402@2",
        "create:403@2",
        "create:404@2",
        "create:plan-limit@2",
    ] {
        let bench = BatchBench::new(|sandbox| sandbox).await;
        bench.import(4).await;
        bench.sandbox.inject(fault.parse().unwrap());
        let status = bench.run(RunOptions::default()).await;
        assert_eq!(status.state, BatchState::Paused, "{fault}");
        assert!(status.reason.is_some());
        let counts = (bench.charges(), status.count(ItemState::Saved));
        assert_eq!(counts, (1, 1), "{fault}: {status:?}");
        bench.run(RunOptions::default()).await;
        assert_eq!(bench.charges(), 4, "{fault}");
        bench.check_saved(4).await;
    }
}

/// There is nothing to resume.
#[tokio::test]
async fn paused_batch_ends_with_its_last_item() {
    let bench = BatchBench::new(|sandbox| sandbox).await;
    bench.import(2).await;
    let may_end = Arc::new(Semaphore::new(0));
    let gate = Arc::clone(&may_end);
    let options = RunOptions::default().in_flight(2).on_step(move |step| {
        let gate = Arc::clone(&gate);
        async move {
            if step == "before ended" {
                gate.acquire().await.unwrap().forget();
            }
        }
    });
    let run = bench.batches.run(BATCH, &bench.client, options);
    let mut run = run.await.unwrap();
    let mut created = 0;
    while created < 2 {
        if let RunEvent::Item { state, .. } = run.next_event().await.unwrap() {
            created += usize::from(state == ItemState::Created);
        }
    }
    bench.batches.pause(BATCH).await.unwrap();
    while !matches!(run.next_event().await.unwrap(), RunEvent::Paused { .. }) {}
    may_end.add_permits(2);
    let status = tokio::time::timeout(Duration::from_secs(60), run).await;
    assert_eq!(status.unwrap().unwrap().state, BatchState::Done);
    bench.check_saved(2).await;
}

/// The host may accept the URL later, at the latest when it expires.
#[tokio::test]
async fn video_that_is_rejected_before_it_expires_is_tried_again() {
    for (fault, state) in [
        ("result:404@1", ItemState::Saved),
        ("result:403@1-3", ItemState::Saved),
        ("result:404@1-100", ItemState::Expired),
    ] {
        let lifetime = Duration::from_secs(120);
        let bench = BatchBench::new(|sandbox| sandbox.result_lifetime(lifetime)).await;
        bench.sandbox.inject(fault.parse().unwrap());
        bench.import(1).await;
        let status = bench.run(RunOptions::default()).await;
        assert_eq!(status.count(state), 1, "{fault}: {status:?}");
        assert_eq!(bench.charges(), 1, "{fault}");
    }
}

#[tokio::test]
async fn budget_holds_over_all_runs() {
    let bench = BatchBench::new(|sandbox| sandbox).await;
    bench.import(6).await;
    // Counted, and given back when it is known to have made nothing.
    bench.sandbox.inject("create:lost@2".parse().unwrap());
    let attempts = async || {
        let rows = bench.batches.report(BATCH, 0).await.unwrap();
        rows.iter().map(|row| row.attempts).sum::<u32>()
    };
    for (tasks, charges, state) in [
        (2, 2, BatchState::Paused),
        (2, 2, BatchState::Paused),
        (4, 4, BatchState::Paused),
        (6, 6, BatchState::Done),
    ] {
        let guard = SpendGuard::new().max_tasks(tasks);
        let client = setup::client(bench.sandbox.base_url(), &bench.clock);
        let client = client
            .max_retries(0)
            .spend_guard(guard.clone())
            .build()
            .unwrap();
        let options = RunOptions::default().spend_guard(guard.clone());
        let before = (bench.charges(), attempts().await);
        let run = bench.batches.run(BATCH, &client, options).await.unwrap();
        let status = run.await.unwrap();
        // A create that the guard refuses is not announced, and the ledger has nothing of it.
        let is_refused = bench.charges() == before.0;
        assert!(!is_refused || attempts().await == before.1, "{status:?}");
        assert_eq!(
            (bench.charges(), status.state),
            (charges, state),
            "{status:?}"
        );
        assert_eq!(guard.spent().tasks, tasks);
        assert_eq!(guard.spent().seconds, tasks * 3);
    }
    bench.check_saved(6).await;
}

#[tokio::test]
async fn throttled_create_is_sent_later() {
    let bench = BatchBench::new(|sandbox| sandbox).await;
    bench.import(3).await;
    bench.sandbox.inject("create:429@2-4".parse().unwrap());
    bench.run(RunOptions::default()).await;
    assert_eq!(bench.charges(), 3);
    bench.check_saved(3).await;
}

#[tokio::test]
async fn rejected_request_does_not_stop_the_others() {
    let bench = BatchBench::new(|sandbox| sandbox).await;
    bench.import(3).await;
    bench.sandbox.inject("create:400@2".parse().unwrap());
    let status = bench.run(RunOptions::default()).await;
    assert_eq!(
        (
            bench.charges(),
            status.count(ItemState::Rejected),
            status.count(ItemState::Saved)
        ),
        (2, 1, 2)
    );
}

#[tokio::test]
async fn second_run_and_other_account_are_refused() {
    let bench = BatchBench::new(|sandbox| sandbox.api_keys([setup::KEY, "FPSX-other"])).await;
    bench.import(1).await;
    let run = bench
        .batches
        .run(BATCH, &bench.client, RunOptions::default())
        .await
        .unwrap();
    let other = Batches::open(bench.folder.path().join("batch.db"))
        .await
        .unwrap();
    let error = other
        .run(BATCH, &bench.client, RunOptions::default())
        .await
        .unwrap_err();
    assert!(matches!(error, BatchError::InUse { .. }), "{error}");
    run.await.unwrap();
    let other_client = setup::client(bench.sandbox.base_url(), &bench.clock);
    let other_client = other_client
        .api_key(ApiKey::new("FPSX-other").unwrap())
        .build()
        .unwrap();
    let error = other
        .run(BATCH, &other_client, RunOptions::default())
        .await
        .unwrap_err();
    assert!(matches!(error, BatchError::OtherAccount { .. }), "{error}");
    other
        .run(BATCH, &bench.client, RunOptions::default())
        .await
        .unwrap()
        .await
        .unwrap();
    assert_eq!(bench.charges(), 1);
}

/// Stops a run when so many tasks are created.
async fn stop_after(bench: &BatchBench, tasks: usize, options: RunOptions) -> BatchStatus {
    let run = bench.batches.run(BATCH, &bench.client, options);
    let mut run = run.await.unwrap();
    let mut created = 0;
    while let Some(event) = run.next_event().await {
        if let RunEvent::Item {
            state: ItemState::Created,
            ..
        } = event
        {
            created += 1;
        }
        if created == tasks {
            run.stop();
        }
    }
    run.await.unwrap()
}

#[tokio::test]
async fn stopped_run_is_resumed_without_paying_again() {
    let bench = BatchBench::new(|sandbox| sandbox).await;
    bench.import(10).await;
    let status = stop_after(&bench, 2, RunOptions::default().in_flight(3)).await;
    assert!(status.count(ItemState::Saved) < 10, "{status:?}");
    let paid = bench.charges();
    assert!((2..10).contains(&paid), "{paid}");
    bench.run(RunOptions::default()).await;
    assert_eq!(bench.charges(), 10);
    bench.check_saved(10).await;
}

#[tokio::test]
async fn batch_stopped_by_another_process_saves_what_is_paid() {
    let bench = BatchBench::new(|sandbox| sandbox).await;
    bench.import(200).await;
    let run = bench
        .batches
        .run(BATCH, &bench.client, RunOptions::default().in_flight(2))
        .await
        .unwrap();
    let other = Batches::open(bench.folder.path().join("batch.db"))
        .await
        .unwrap();
    while other.status(BATCH).await.unwrap().tasks() < 2 {
        tokio::task::yield_now().await;
    }
    other.stop(BATCH).await.unwrap();
    let status = run.await.unwrap();
    assert_eq!(status.state, BatchState::Stopped);
    assert_eq!(
        status.count(ItemState::Saved),
        bench.charges() as u64,
        "{status:?}"
    );
    assert!(bench.charges() < 200);
}

#[tokio::test]
async fn large_batch_starts_at_once() {
    let bench = BatchBench::new(|sandbox| sandbox).await;
    let item = bench.item(0, "A cat, take");
    let folder = bench.folder.path().join("videos");
    let items = (0..3_000).map(move |number| {
        Ok(NewItem {
            key: number.to_string(),
            path: folder.join(format!("{number}.mp4")),
            ..item.clone()
        })
    });
    bench.batches.import(BATCH, items).await.unwrap();
    let status = stop_after(&bench, 50, RunOptions::default().in_flight(100)).await;
    assert!(status.tasks() >= 50, "{status:?}");
    // Tasks are created before the other items are prepared.
    assert!(status.count(ItemState::Planned) > 2_000, "{status:?}");
}

#[tokio::test]
async fn full_ledger_ends_the_run_and_nothing_is_paid_twice() {
    let bench = BatchBench::new(|sandbox| sandbox).await;
    bench.import(40).await;
    let ledger = SqliteLedger::open(bench.folder.path().join("batch.db"))
        .await
        .unwrap();
    let pages = fs::metadata(ledger.path()).unwrap().len() / 4096;
    ledger
        .limit_pages(u32::try_from(pages).unwrap() + 12)
        .await
        .unwrap();
    let limited = Batches::new(ledger);
    let run = limited
        .run(BATCH, &bench.client, RunOptions::default())
        .await
        .unwrap();
    let error = run.await.unwrap_err();
    assert!(bench.charges() < 40, "{error:?}");
    drop(limited);
    bench.run(RunOptions::default()).await;
    assert_eq!(bench.charges(), 40);
    bench.check_saved(40).await;
}

#[tokio::test]
async fn unwritable_folder_pauses_the_batch() {
    let bench = BatchBench::new(|sandbox| sandbox).await;
    bench.import(30).await;
    let video = bench.video(0);
    // The name is taken after it was checked, and before the video is saved.
    let options = RunOptions::default().in_flight(2).on_step(move |step| {
        if step == "before created" && !video.exists() {
            fs::create_dir(&video).unwrap();
        }
        std::future::ready(())
    });
    let status = bench.run(options).await;
    assert_eq!(status.state, BatchState::Paused, "{status:?}");
    assert!(bench.charges() < 30);
    assert_eq!(status.count(ItemState::Failed), 1, "{status:?}");
    fs::remove_dir(bench.video(0)).unwrap();
    let failed = RetrySelection::States(vec![ItemState::Failed]);
    let retried = bench.batches.retry(BATCH, &failed).await.unwrap();
    assert_eq!((retried.fetches, retried.creates), (1, 0));
    bench.run(RunOptions::default()).await;
    assert_eq!(bench.charges(), 30);
    bench.check_saved(30).await;
}

#[tokio::test]
async fn local_files_are_uploaded_once() {
    let bench = BatchBench::new(|sandbox| sandbox).await;
    let image = bench.folder.path().join("cat.png");
    fs::write(&image, kling_omni_test_support::media::png(640, 480)).unwrap();
    let request = TextToVideo::builder()
        .prompt("A cat 0")
        .start_frame(image.as_path())
        .duration(3);
    let request = Request::from(request.build().unwrap());
    let missing = TextToVideo::builder()
        .prompt("A cat 1")
        .start_frame(bench.folder.path().join("no.png"));
    let missing = Request::from(missing.build().unwrap());
    bench
        .import_items([
            NewItem::new("0", &request, bench.video(0)).unwrap(),
            NewItem::new("1", &missing, bench.video(1)).unwrap(),
        ])
        .await;
    let status = bench.run(RunOptions::default()).await;
    assert_eq!(
        (
            status.count(ItemState::Saved),
            status.count(ItemState::Rejected)
        ),
        (1, 1),
        "{status:?}"
    );
    assert_eq!((bench.charges(), bench.sandbox.uploads().len()), (1, 1));
    let rejected = bench.batches.show(BATCH, "1").await.unwrap();
    assert_eq!(rejected.error.unwrap().kind, "validation");
}
