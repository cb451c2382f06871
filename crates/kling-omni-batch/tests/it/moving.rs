//! Ledgers that move to another location.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use kling_omni::request::Request;
use kling_omni_batch::ledger::{
    ItemQuery, Ledger, NewItem, PostgresLedger, SqliteLedger, move_ledger,
};
use kling_omni_batch::{
    BatchError, Batches, Decision, ItemState, RetrySelection, RunOptions, WorkerOptions,
};
use kling_omni_test_support::postgres::PostgresServer;

use crate::bench::{BATCH, BatchBench, text};
use crate::crash::run_until_step;
use crate::decisions::undecided;

/// The number of items, of which one fails.
const ITEMS: usize = 8;
/// What others have created on the account.
const STRANGE: usize = 2;

/// A batch with an undecided, a failed and saved items, whose run was killed at a step of a create whose response was lost.
async fn interrupted(step: &'static str) -> BatchBench {
    let bench = undecided("create:drop@1").await;
    let fails = text("[sandbox:fail] A cat, take 3").build().unwrap();
    let request = Request::from(fails);
    let failing = NewItem::new("3", &request, bench.video(3)).unwrap();
    bench.import_items([failing]).await;
    bench.run(RunOptions::default()).await;
    let others = (4..ITEMS).map(|number| bench.item(number, "A cat, take"));
    bench.import_items(others).await;
    bench.sandbox.inject("create:drop@2".parse().unwrap());
    let (creates, is_creating) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (_, ended) = run_until_step(&bench, RunOptions::default(), move |_, reached| {
        match reached {
            "before sending" => {
                creates.fetch_add(1, Ordering::SeqCst);
                is_creating.store(true, Ordering::SeqCst);
            }
            "after created" | "after unconfirmed" => is_creating.store(false, Ordering::SeqCst),
            _ => {}
        }
        // Another create whose response is lost, too, could only be settled by a person.
        let is_of_create = ["after sending", "before unconfirmed"].contains(&step);
        let is_other_open = !is_of_create && is_creating.load(Ordering::SeqCst);
        creates.load(Ordering::SeqCst) > 1 && !is_other_open && reached == step
    });
    assert!(!ended, "{step} was not reached");
    bench
}

/// Everything that a ledger says about its batches.
async fn contents(ledger: &dyn Ledger) -> String {
    let mut text = String::new();
    for batch in ledger.batches().await.unwrap() {
        writeln!(text, "{batch:?}").unwrap();
        for item in ledger.items(ItemQuery::new(batch.id)).await.unwrap() {
            writeln!(text, "{item:?}").unwrap();
            writeln!(text, "{:?}", ledger.events(item.id).await.unwrap()).unwrap();
            if let Some(attempt) = ledger.latest_attempt(item.id).await.unwrap() {
                writeln!(text, "{attempt:?}").unwrap();
                writeln!(text, "{:?}", ledger.records(attempt.id).await.unwrap()).unwrap();
            }
        }
        writeln!(text, "{:?}", ledger.report(batch.id, 0, 100).await.unwrap()).unwrap();
        writeln!(
            text,
            "{:?}",
            ledger.end_events(batch.id, 0, 100).await.unwrap()
        )
        .unwrap();
        if let Some(account) = batch.account {
            writeln!(text, "{:?}", ledger.known_tasks(account).await.unwrap()).unwrap();
        }
    }
    writeln!(text, "{:?}", ledger.salt().await.unwrap()).unwrap();
    text
}

/// Decides and runs what is left of an [`interrupted`] batch.
async fn complete(bench: &BatchBench) {
    let own = bench.sandbox.tasks();
    let own = own
        .iter()
        .find(|task| task.request()["prompt"] == "A cat, take 0");
    let decision = Decision::Task(own.unwrap().id().to_owned());
    bench.batches.settle(BATCH, "0", decision).await.unwrap();
    let client = bench.new_client();
    let run = bench.batches.run(BATCH, &client, RunOptions::default());
    let status = run.await.unwrap().await.unwrap();
    let counts = (
        status.count(ItemState::Saved),
        status.count(ItemState::Failed),
    );
    assert_eq!(counts, (ITEMS as u64 - 1, 1), "{status:?}");
    assert_eq!(bench.charges(), ITEMS + STRANGE);
    let rows = bench.batches.report(BATCH, 0).await.unwrap();
    let mut tasks: Vec<_> = rows.iter().map(|row| row.task_id.clone()).collect();
    tasks.sort();
    tasks.dedup();
    assert_eq!(tasks.len(), ITEMS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interrupted_batch_moves_both_ways() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    for step in [
        "after sending",
        "before unconfirmed",
        "after unconfirmed",
        "after created",
        "after ended",
        "after publishing",
    ] {
        for comes_back in [false, true] {
            let mut bench = interrupted(step).await;
            let database = server.new_database();
            let path = bench.folder.path().join("batch.db");
            let before = contents(bench.batches.ledger()).await;
            let moved = Batches::move_ledger(&path, &database.url).await.unwrap();
            assert_eq!((moved.batches, moved.items as usize), (1, ITEMS));
            let mut location = PathBuf::from(&database.url);
            if comes_back {
                let back = bench.folder.path().join("back.db");
                Batches::move_ledger(&location, &back).await.unwrap();
                location = back;
            }
            bench.batches = Batches::open(location).await.unwrap();
            assert_eq!(contents(bench.batches.ledger()).await, before, "{step}");
            complete(&bench).await;
        }
    }
}

/// The lock of a file says nothing about a run that had the account in Postgres.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sender_of_another_ledger_may_still_run() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let mut bench = interrupted("after unconfirmed").await;
    let database = server.new_database();
    let first = bench.folder.path().join("batch.db");
    let back = bench.folder.path().join("back.db");
    Batches::move_ledger(first, &database.url).await.unwrap();
    Batches::move_ledger(&database.url, &back).await.unwrap();
    bench.batches = Batches::open(&back).await.unwrap();
    let account = bench.batches.ledger().batch(BATCH).await.unwrap().account;
    for ended in [false, true] {
        let lease = bench.batches.ledger().acquire(account.unwrap(), "test");
        let lease = lease.await.unwrap();
        assert_eq!(lease.earlier_senders_ended, ended);
        drop(lease);
        if !ended {
            complete(&bench).await;
        }
    }
}

/// Asserts that a ledger that was moved refuses everything that changes it, and can be read.
async fn check_refuses(bench: &BatchBench, batches: &Batches) {
    let client = bench.new_client();
    let options = RunOptions::default;
    let failed = RetrySelection::States(vec![ItemState::Failed]);
    let refused = [
        (
            "run",
            batches.run(BATCH, &client, options()).await.map(drop),
        ),
        ("submit", batches.submit(BATCH, &client, options()).await),
        ("pause", batches.pause(BATCH).await),
        ("retry", batches.retry(BATCH, &failed).await.map(drop)),
        (
            "settle",
            batches.settle(BATCH, "0", Decision::NotCreated).await,
        ),
        (
            "import",
            batches
                .import("new", [Ok(bench.item(50, "New"))])
                .await
                .map(drop),
        ),
    ];
    for (name, refused) in refused {
        match refused {
            Err(BatchError::Moved { .. }) => {}
            Err(BatchError::Client(error)) if format!("{error:?}").contains("moved to") => {}
            other => panic!("{name}: {other:?}"),
        }
    }
    let facts = batches.ledger().facts().await.unwrap();
    assert!(
        facts
            .problem
            .unwrap()
            .starts_with("the ledger was moved to ")
    );
    assert_eq!(batches.status(BATCH).await.unwrap().items as usize, ITEMS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moved_ledger_refuses_changes() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let bench = interrupted("after created").await;
    let databases = [server.new_database(), server.new_database()];
    let path = bench.folder.path().join("batch.db");
    Batches::move_ledger(&path, &databases[0].url)
        .await
        .unwrap();
    check_refuses(&bench, &bench.batches).await;
    // The same move again does nothing, and another one is refused.
    let again = Batches::move_ledger(&path, &databases[0].url).await;
    assert_eq!(again.unwrap().items as usize, ITEMS);
    let other = Batches::move_ledger(&path, &databases[1].url).await;
    assert!(matches!(other, Err(BatchError::Moved { .. })), "{other:?}");
    let moved = PostgresLedger::open(&databases[0].url).await.unwrap();
    let moved = Batches::new(moved.with_queue().await.unwrap());
    // One that waits, and one that is started later.
    let options = WorkerOptions::default().without_steps();
    let worker = moved.worker(&bench.new_client(), options);
    let waiting = worker.start().await.unwrap();
    Batches::move_ledger(&databases[0].url, &databases[1].url)
        .await
        .unwrap();
    check_refuses(&bench, &moved).await;
    for worker in [waiting, worker.start().await.unwrap()] {
        let ended = worker.await;
        assert!(matches!(ended, Err(BatchError::Moved { .. })), "{ended:?}");
    }
}

/// Whether a run could spend money by a ledger.
async fn can_spend(ledger: &dyn Ledger) -> bool {
    let Ok(accounts) = ledger.accounts().await else {
        return false;
    };
    for account in accounts {
        if let Ok(lease) = ledger.acquire(account.id, "test").await {
            ledger.release(lease).await.unwrap();
            return true;
        }
    }
    false
}

/// Where a move is killed: immediately before a commit of one of the ledgers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kill {
    BeforeMark,
    BeforeCopy,
}

#[derive(Clone, Debug)]
enum Location {
    File(PathBuf),
    Url(String),
}

impl Location {
    async fn open(&self) -> Batches {
        let location = match self {
            Self::File(path) => path.clone(),
            Self::Url(url) => PathBuf::from(url),
        };
        Batches::open(location).await.unwrap()
    }
}

/// Moves a ledger, and kills the move.
async fn move_until(from: Location, to: Location, kill: Option<Kill>) {
    let at = |place: Kill| move || assert!(kill != Some(place), "killed");
    let (mark, copy) = (at(Kill::BeforeMark), at(Kill::BeforeCopy));
    match (from, to) {
        (Location::File(from), Location::Url(to)) => {
            let from = SqliteLedger::open(from).await.unwrap().on_commit(mark);
            let to = PostgresLedger::open(&to).await.unwrap().on_commit(copy);
            move_ledger(&from, &to).await.unwrap();
        }
        (Location::Url(from), Location::File(to)) => {
            let from = PostgresLedger::open(&from).await.unwrap().on_commit(mark);
            let to = SqliteLedger::open(to).await.unwrap().on_commit(copy);
            move_ledger(&from, &to).await.unwrap();
        }
        other => panic!("{other:?}"),
    }
}

async fn spenders(from: &Location, to: &Location) -> (bool, bool) {
    let (from, to) = (from.open().await, to.open().await);
    (can_spend(from.ledger()).await, can_spend(to.ledger()).await)
}

/// At each time, at most one of both can spend, and the same move again completes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn move_that_is_killed_is_completed_by_the_next() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    for (kill, expected) in [
        (Kill::BeforeMark, (true, false)),
        (Kill::BeforeCopy, (false, false)),
    ] {
        let mut bench = interrupted("after unconfirmed").await;
        let database = server.new_database();
        let file = |name| Location::File(bench.folder.path().join(name));
        let way = [
            file("batch.db"),
            Location::Url(database.url.clone()),
            file("back.db"),
        ];
        let before = contents(bench.batches.ledger()).await;
        for pair in way.windows(2) {
            let (from, to) = (&pair[0], &pair[1]);
            let killed = tokio::spawn(move_until(from.clone(), to.clone(), Some(kill)));
            assert!(killed.await.unwrap_err().is_panic());
            assert_eq!(spenders(from, to).await, expected, "{kill:?}, {from:?}");
            // What was killed after its end is the same as what is run again.
            for _ in 0..2 {
                move_until(from.clone(), to.clone(), None).await;
                let spenders = spenders(from, to).await;
                assert_eq!(spenders, (false, true), "{kill:?}, {from:?}");
            }
        }
        bench.batches = way[2].open().await;
        assert_eq!(contents(bench.batches.ledger()).await, before, "{kill:?}");
        complete(&bench).await;
    }
}

/// A failed move that certainly wrote nothing leaves the source as it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn source_goes_on_after_a_failed_move() {
    let mut bench = interrupted("after created").await;
    let path = bench.folder.path().join("batch.db");
    let full = bench.folder.path().join("full.db");
    let source = SqliteLedger::open(&path).await.unwrap();
    let target = SqliteLedger::open(&full).await.unwrap();
    target.limit_pages(30).await.unwrap();
    let failed = move_ledger(&source, &target).await;
    assert!(matches!(failed, Err(BatchError::Full)), "{failed:?}");
    assert!(can_spend(&source).await && !can_spend(&target).await);
    assert_eq!(source.facts().await.unwrap().problem, None);
    target.limit_pages(1_000).await.unwrap();
    move_ledger(&source, &target).await.unwrap();
    bench.batches = Batches::open(full).await.unwrap();
    complete(&bench).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ledger_that_is_in_use_or_not_empty_is_refused() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let bench = interrupted("after created").await;
    let database = server.new_database();
    let path = bench.folder.path().join("batch.db");
    let source = bench.batches.ledger();
    let account = source.batch(BATCH).await.unwrap().account.unwrap();
    let lease = source.acquire(account, "a run").await.unwrap();
    let moved = Batches::move_ledger(&path, &database.url).await;
    assert!(matches!(moved, Err(BatchError::InUse { .. })), "{moved:?}");
    drop(lease);
    let to_itself = Batches::move_ledger(&path, &path).await;
    assert!(
        matches!(to_itself, Err(BatchError::NotEmpty { .. })),
        "{to_itself:?}"
    );
    let other = bench.folder.path().join("other.db");
    let batches = Batches::open(&other).await.unwrap();
    batches
        .import("other", [Ok(bench.item(60, "Other"))])
        .await
        .unwrap();
    let moved = Batches::move_ledger(&path, &other).await;
    assert!(
        matches!(moved, Err(BatchError::NotEmpty { .. })),
        "{moved:?}"
    );
    assert!(can_spend(source).await);
    // The lease of a run in Postgres.
    Batches::move_ledger(&path, &database.url).await.unwrap();
    let source = Batches::open(&database.url).await.unwrap();
    let lease = source.ledger().acquire(account, "a run").await.unwrap();
    let new = bench.folder.path().join("new.db");
    let moved = Batches::move_ledger(&database.url, &new).await;
    assert!(matches!(moved, Err(BatchError::InUse { .. })), "{moved:?}");
    assert!(source.ledger().renew(&lease).await.is_ok());
    source.ledger().release(lease).await.unwrap();
    Batches::move_ledger(&database.url, &new).await.unwrap();
}

/// Rows that are added later have keys after those that were moved.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_rows_follow_moved_ones() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let bench = interrupted("after created").await;
    let database = server.new_database();
    let path = bench.folder.path().join("batch.db");
    Batches::move_ledger(&path, &database.url).await.unwrap();
    let batches = Batches::open(&database.url).await.unwrap();
    let item = bench.item(50, "New");
    batches.import("next", [Ok(item)]).await.unwrap();
    let last = "select max(id) from item where batch_id = 1";
    let last: i64 = server.query(&database.name, last).parse().unwrap();
    let next = batches.ledger().batch("next").await.unwrap();
    let items = batches
        .ledger()
        .items(ItemQuery::new(next.id))
        .await
        .unwrap();
    assert_eq!((next.id.0, items[0].id.0), (2, last + 1));
}
