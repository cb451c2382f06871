//! Workers that share the batches of a ledger.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::future::join_all;
use kling_omni::ApiKey;
use kling_omni::polling::PollSchedule;
use kling_omni::spend::SpendGuard;
use kling_omni_batch::ledger::{ItemQuery, Job, JobQuery, NewItem, PostgresLedger, Step};
use kling_omni_batch::{
    BatchError, BatchState, Batches, ItemState, JobSender, RunEvent, RunOptions, StepResult,
    Worker, WorkerEvent, WorkerOptions, WorkerRun,
};
use kling_omni_test_bucket::Server as Bucket;
use kling_omni_test_support::postgres::{PostgresDatabase, PostgresServer};
use kling_omni_test_support::setup::client;

use crate::bench::{BATCH, BatchBench};
use crate::bucket;

/// A ledger with a queue.
async fn open(database: &PostgresDatabase) -> Batches {
    let ledger = PostgresLedger::open(&database.url).await.unwrap();
    Batches::new(ledger.with_queue().await.unwrap())
}

async fn bench(database: &PostgresDatabase) -> BatchBench {
    let mut bench = BatchBench::new(|sandbox| sandbox).await;
    bench.batches = open(database).await;
    bench
}

/// A batch that is left to workers.
async fn submitted(server: &PostgresServer, items: usize) -> (PostgresDatabase, BatchBench) {
    let database = server.new_database();
    let bench = bench(&database).await;
    bench.import(items).await;
    let submit = bench
        .batches
        .submit(BATCH, &bench.client, RunOptions::default());
    submit.await.unwrap();
    (database, bench)
}

/// Starts a worker with a handle and a client of its own, as another process has.
async fn start(
    bench: &BatchBench,
    database: &PostgresDatabase,
    options: WorkerOptions,
) -> WorkerRun {
    let worker = open(database).await.worker(&bench.new_client(), options);
    worker.start().await.unwrap()
}

/// Waits until a batch is done. A test that fails says what became of its items.
async fn until_done(bench: &BatchBench) {
    let done = async {
        while bench.batches.status(BATCH).await.unwrap().state != BatchState::Done {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(Duration::from_secs(120), done)
        .await
        .is_err()
    {
        let mut items = Vec::new();
        for row in bench.batches.report(BATCH, 0).await.unwrap() {
            items.push(bench.batches.show(BATCH, &row.key).await.unwrap());
        }
        panic!("the batch is not done: {items:#?}");
    }
}

/// Stops a worker, and returns its events.
async fn stop(mut run: WorkerRun) -> Vec<WorkerEvent> {
    run.stop();
    let mut events = Vec::new();
    while let Some(event) = run.next_event().await {
        events.push(event);
    }
    run.await.unwrap();
    events
}

/// Leaves a batch to a worker until it is done.
async fn complete(bench: &BatchBench, database: &PostgresDatabase) {
    let submit = bench
        .batches
        .submit(BATCH, &bench.client, RunOptions::default());
    submit.await.unwrap();
    let run = start(bench, database, WorkerOptions::default()).await;
    until_done(bench).await;
    stop(run).await;
}

fn conducted(events: &[WorkerEvent]) -> usize {
    let conducting = |event: &&WorkerEvent| matches!(event, WorkerEvent::Conducting { .. });
    events.iter().filter(conducting).count()
}

/// The keys of the items that a worker saved.
fn saved(events: &[WorkerEvent]) -> Vec<String> {
    let keys = events.iter().filter_map(|event| match event {
        WorkerEvent::Run {
            event: RunEvent::Item { key, state, .. },
            ..
        } if *state == ItemState::Saved => Some(key.clone()),
        _ => None,
    });
    keys.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_worker_completes_a_batch() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.new_database();
    let bench = bench(&database).await;
    bench.import(3).await;
    let options = RunOptions::default().in_flight(2);
    let submit = bench.batches.submit(BATCH, &bench.client, options);
    submit.await.unwrap();
    let run = start(&bench, &database, WorkerOptions::default()).await;
    until_done(&bench).await;
    let events = stop(run).await;
    bench.check_saved(3).await;
    assert_eq!(bench.charges(), 3);
    let batch = BATCH.to_owned();
    assert_eq!(
        events[0],
        WorkerEvent::Conducting {
            batch: batch.clone()
        }
    );
    let error = None;
    let last = events.last().unwrap();
    assert_eq!(*last, WorkerEvent::Released { batch, error });
    for left in [
        "select count(*) from job",
        "select count(*) from apalis.jobs where status <> 'Done'",
    ] {
        assert_eq!(server.query(&database.name, left), "0", "{left}");
    }
}

/// The worker that saves a video reads its task once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_task_is_read_by_the_worker_that_saves_it() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let items = 40;
    let database = server.new_database();
    let bench = bench(&database).await;
    bench.import(items).await;
    let options = RunOptions::default().in_flight(items);
    let submit = bench.batches.submit(BATCH, &bench.client, options);
    submit.await.unwrap();
    let conducts = start(&bench, &database, WorkerOptions::default().without_steps()).await;
    let prepares = WorkerOptions::default().only([Step::Prepare]);
    let prepares = start(&bench, &database, prepares).await;
    until_ended(&bench, items).await;
    let client = bench.new_client();
    let options = WorkerOptions::default().only([Step::Fetch]).max_fetches(16);
    let fetches = open(&database).await.worker(&client, options);
    let fetches = fetches.start().await.unwrap();
    until_done(&bench).await;
    for run in [conducts, prepares, fetches] {
        stop(run).await;
    }
    bench.check_saved(items).await;
    let counts = client.request_counts();
    let counts: Vec<_> = counts.values().map(|count| count.requests).collect();
    assert_eq!(counts, [items as u64], "reads");
}

/// Waits until the tasks of so many items are completed.
async fn until_ended(bench: &BatchBench, items: usize) {
    let ended = async {
        let status = async || bench.batches.status(BATCH).await.unwrap();
        while status().await.count(ItemState::Ended) < items as u64 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), ended)
        .await
        .unwrap();
}

/// What a task ended with is the same for an item of a run and for one of workers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_end_is_that_of_a_run() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let prompts = ["A cat", "[sandbox:fail=out of film]", "[sandbox:empty]"];
    let mut ends = Vec::new();
    for is_run in [true, false] {
        let database = server.new_database();
        let bench = bench(&database).await;
        let items = prompts.iter().enumerate();
        bench
            .import_items(items.map(|(number, prompt)| bench.item(number, prompt)))
            .await;
        if is_run {
            bench.run(RunOptions::default()).await;
        } else {
            complete(&bench, &database).await;
        }
        let mut states = Vec::new();
        for number in 0..prompts.len() {
            let item = bench
                .batches
                .show(BATCH, &number.to_string())
                .await
                .unwrap();
            let failed = "select count(failed_request) from attempt where item_id = (select id from item where key = '{number}')";
            let failed = failed.replace("{number}", &number.to_string());
            let failed = server.query(&database.name, &failed);
            states.push((item.state, item.error.map(|error| error.kind), failed));
        }
        ends.push(states);
    }
    let states = ends[0].iter().map(|(state, ..)| *state);
    let expected = [ItemState::Saved, ItemState::Failed, ItemState::Failed];
    assert!(states.eq(expected), "{:?}", ends[0]);
    assert_eq!(ends[0], ends[1]);
}

/// One conducts, and each runs steps.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_workers_share_a_batch() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let items = 12;
    let (database, bench) = submitted(server, items).await;
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(start(&bench, &database, WorkerOptions::default()).await);
    }
    until_done(&bench).await;
    let (mut conductors, mut keys) = (0, Vec::new());
    for run in runs {
        let events = stop(run).await;
        conductors += conducted(&events);
        keys.extend(saved(&events));
    }
    bench.check_saved(items).await;
    assert_eq!(bench.charges(), items);
    assert_eq!(conductors, 1);
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), items);
}

/// A worker that only runs steps creates nothing, and one that only conducts downloads nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steps_are_run_by_those_that_offer_them() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let (database, bench) = submitted(server, 2).await;
    let only = |steps: &[Step]| WorkerOptions::default().only(steps.iter().copied());
    let prepares = start(&bench, &database, only(&[Step::Prepare])).await;
    let fetches = start(&bench, &database, only(&[Step::Fetch])).await;
    let conducts = start(&bench, &database, WorkerOptions::default().without_steps()).await;
    until_done(&bench).await;
    bench.check_saved(2).await;
    assert_eq!(conducted(&stop(prepares).await), 0);
    let fetched = stop(fetches).await;
    assert_eq!((conducted(&fetched), saved(&fetched).len()), (0, 2));
    let events = stop(conducts).await;
    assert_eq!((conducted(&events), saved(&events).len()), (1, 0));
}

/// Delivers each job several times: at once, in reverse order, and again when all have ended.
#[derive(Clone, Debug, Default)]
struct RepeatedDelivery {
    worker: Arc<OnceLock<Worker>>,
    results: Arc<Mutex<Vec<StepResult>>>,
}

#[async_trait]
impl JobSender for RepeatedDelivery {
    async fn send(&self, jobs: Vec<Job>) {
        let worker = self.worker.get().unwrap();
        let doubled = jobs.iter().chain(jobs.iter().rev());
        let at_once = join_all(doubled.map(|job| worker.run_step(*job))).await;
        let again = join_all(jobs.iter().rev().map(|job| worker.run_step(*job))).await;
        let results = at_once.into_iter().chain(again);
        self.results.lock().unwrap().extend(results.flatten());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_may_be_delivered_several_times() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let items = 6;
    let (database, bench) = submitted(server, items).await;
    let delivery = RepeatedDelivery::default();
    let options = WorkerOptions::default().job_sender(delivery.clone());
    // Without a queue of its own.
    let batches = Batches::open(&database.url).await.unwrap();
    let worker = batches.worker(&bench.new_client(), options);
    delivery.worker.set(worker.clone()).unwrap();
    let run = worker.start().await.unwrap();
    until_done(&bench).await;
    stop(run).await;
    bench.check_saved(items).await;
    assert_eq!(bench.charges(), items);
    let results = delivery.results.lock().unwrap();
    assert!(results.contains(&StepResult::NotNeeded), "{results:?}");
}

/// Uploads of one video at the same time leave one complete object.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_of_objects_may_be_delivered_several_times() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.new_database();
    let bench = bench(&database).await;
    let bucket = Bucket::start().await;
    let items = 4;
    bucket::import(&bench, items).await;
    let submit = bench
        .batches
        .submit(BATCH, &bench.client, RunOptions::default());
    submit.await.unwrap();
    let delivery = RepeatedDelivery::default();
    let options = WorkerOptions::default().video_store(bucket::video_store(&bucket));
    let options = options.job_sender(delivery.clone());
    let batches = Batches::open(&database.url).await.unwrap();
    let worker = batches.worker(&bench.new_client(), options);
    delivery.worker.set(worker.clone()).unwrap();
    let run = worker.start().await.unwrap();
    until_done(&bench).await;
    stop(run).await;
    bucket::check_saved(&bench, &bucket, items).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_key_is_refused() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let (_database, bench) = submitted(server, 1).await;
    let other = client(bench.sandbox.base_url(), &bench.clock)
        .api_key(ApiKey::new("FPSX-another").unwrap());
    let worker = bench
        .batches
        .worker(&other.build().unwrap(), WorkerOptions::default());
    let mut run = worker.start().await.unwrap();
    assert_eq!(run.next_event().await, Some(WorkerEvent::NoAccount));
    let item = bench.batches.ledger().batch(BATCH).await.unwrap().id;
    let item = bench
        .batches
        .ledger()
        .items(ItemQuery::new(item))
        .await
        .unwrap()[0]
        .id;
    let step = Step::Prepare;
    let result = worker.run_step(Job { item, step }).await.unwrap();
    assert_eq!(result, StepResult::OtherAccount);
    assert_eq!(stop(run).await, []);
    assert_eq!(
        (bench.state("0").await, bench.charges()),
        (ItemState::Planned, 0)
    );
}

/// The limits of a batch apply to all workers together, and another one takes them over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spend_guard_is_shared() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.new_database();
    let bench = bench(&database).await;
    bench.import(4).await;
    let limited = RunOptions::default().spend_guard(SpendGuard::new().max_tasks(2));
    let submit = bench.batches.submit(BATCH, &bench.client, limited);
    submit.await.unwrap();
    for _ in 0..2 {
        let mut run = start(&bench, &database, WorkerOptions::default()).await;
        loop {
            if let WorkerEvent::Released { error, .. } = run.next_event().await.unwrap() {
                break assert_eq!(error, None);
            }
        }
        stop(run).await;
        let status = bench.batches.status(BATCH).await.unwrap();
        assert_eq!(status.state, BatchState::Paused);
        assert_eq!((status.count(ItemState::Saved), bench.charges()), (2, 2));
        bench.batches.resume(BATCH).await.unwrap();
    }
    complete(&bench, &database).await;
    bench.check_saved(4).await;
    assert_eq!(bench.charges(), 4);
}

/// A worker that is gone at once keeps the account until its lease has ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_worker_takes_over() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let (database, bench) = submitted(server, 2).await;
    let only_conducts = WorkerOptions::default().without_steps();
    let mut first = start(&bench, &database, only_conducts).await;
    assert!(matches!(
        first.next_event().await,
        Some(WorkerEvent::Conducting { .. })
    ));
    first.abort();
    assert!(matches!(first.await, Err(BatchError::Aborted)));
    let end_lease = "update account set lease_until = 0";
    server.query(&database.name, end_lease);
    let second = start(&bench, &database, WorkerOptions::default()).await;
    until_done(&bench).await;
    assert_eq!(conducted(&stop(second).await), 1);
    bench.check_saved(2).await;
    assert_eq!(bench.charges(), 2);
}

/// What is not submitted, or is paused, is left alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_batches_are_left_alone() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.new_database();
    let bench = bench(&database).await;
    bench.import(1).await;
    let options = RunOptions::default();
    for name in ["paused", "next"] {
        let item = NewItem {
            path: bench.folder.path().join(format!("{name}.mp4")),
            ..bench.item(0, name)
        };
        bench.batches.import(name, [Ok(item)]).await.unwrap();
        let submit = bench.batches.submit(name, &bench.client, options.clone());
        submit.await.unwrap();
    }
    bench.batches.pause("paused").await.unwrap();
    let run = start(&bench, &database, WorkerOptions::default()).await;
    while bench.batches.status("next").await.unwrap().state != BatchState::Done {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop(run).await;
    assert_eq!(bench.charges(), 1);
    let states = bench.batches.list().await.unwrap();
    let states: Vec<_> = states.iter().map(|batch| batch.state).collect();
    use BatchState::{Done, Paused, Running};
    assert_eq!(states, [Running, Paused, Done]);
}

/// Options that a worker cannot have are refused, and nothing is submitted.
#[tokio::test]
async fn options_of_one_process_are_refused() {
    let bench = BatchBench::new(|sandbox| sandbox).await;
    bench.import(1).await;
    let schedule = PollSchedule::fixed(Duration::from_secs(1));
    for (options, option) in [
        (
            RunOptions::default().results("results.jsonl"),
            "a results file",
        ),
        (
            RunOptions::default().poll_schedule(schedule),
            "a poll schedule",
        ),
    ] {
        let submitted = bench.batches.submit(BATCH, &bench.client, options).await;
        let error = submitted.unwrap_err().to_string();
        assert_eq!(error, format!("{option} cannot be left to workers"));
    }
    assert_eq!(
        bench.batches.ledger().batch(BATCH).await.unwrap().policy,
        None
    );
    let worker = bench
        .batches
        .worker(&bench.client, WorkerOptions::default());
    assert!(matches!(worker.start().await, Err(BatchError::NoQueue)));
}

/// Jobs that the queue does not have any more are queued again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_jobs_are_queued_again() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let (database, bench) = submitted(server, 2).await;
    let ledger = bench.batches.ledger();
    let batch = ledger.batch(BATCH).await.unwrap();
    let lease = ledger
        .acquire(batch.account.unwrap(), "test")
        .await
        .unwrap();
    let query = JobQuery {
        batch: batch.id,
        step: Step::Prepare,
        max_jobs: 10,
        ready_at: SystemTime::now(),
    };
    assert_eq!(
        ledger
            .queue_jobs(&lease, query.clone())
            .await
            .unwrap()
            .len(),
        2
    );
    let jobs = "select count(*) from apalis.jobs";
    assert_eq!(server.query(&database.name, jobs), "2");
    assert_eq!(ledger.remove_lost_jobs(&lease).await.unwrap(), 0);
    for lose in [
        "delete from apalis.jobs where ctid = (select min(ctid) from apalis.jobs)",
        "update apalis.jobs set status = 'Killed' where ctid = (select min(ctid) from apalis.jobs)",
    ] {
        server.query(&database.name, lose);
        assert_eq!(ledger.remove_lost_jobs(&lease).await.unwrap(), 1, "{lose}");
        assert_eq!(server.query(&database.name, jobs), "1");
        let queued = ledger.queue_jobs(&lease, query.clone()).await.unwrap();
        assert_eq!(queued.len(), 1, "{lose}");
    }
    assert_eq!(server.query(&database.name, jobs), "2");
}
