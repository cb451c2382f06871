//! Leases, by a clock of the database that the test sets.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use kling_omni::clock::Clock as _;
use kling_omni_batch::ledger::{
    Announcement, Attempt, ItemChange, ItemId, ItemQuery, KnownUpdate, Lease, Ledger, NewRecord,
    PostgresLedger,
};
use kling_omni_batch::{AttemptState, BatchError, Batches, ItemState, RunEvent, RunOptions};
use kling_omni_test_support::log::Log;
use kling_omni_test_support::postgres::{PostgresDatabase, PostgresServer};

use crate::bench::{BATCH, BatchBench};
use crate::ledger::new_item;

/// A schema whose `clock_timestamp` is behind `pg_catalog`'s by nothing, and ahead by what the test adds.
const CLOCK: &str = "create schema s;
    create table s.clock (ahead interval not null);
    insert into s.clock values ('0');
    create function s.clock_timestamp() returns timestamptz language sql volatile
        as 'select timestamptz ''2030-01-01'' + ahead from s.clock'";

pub(super) struct ClockedDatabase {
    pub(super) server: &'static PostgresServer,
    pub(super) database: PostgresDatabase,
}

impl ClockedDatabase {
    pub(super) fn new(server: &'static PostgresServer) -> Self {
        let database = server.new_database();
        server.query(&database.name, CLOCK);
        Self { server, database }
    }

    pub(super) async fn open(&self) -> PostgresLedger {
        let url = format!("{}&search_path=s,pg_catalog", self.database.url);
        PostgresLedger::open(&url).await.unwrap()
    }

    pub(super) fn advance(&self, seconds: &str) {
        let advance = format!("update s.clock set ahead = ahead + interval '{seconds} s'");
        self.server.query(&self.database.name, &advance);
    }
}

/// Imports an item, acquires its account and prepares the item.
pub(super) async fn prepare(ledger: &PostgresLedger) -> (Lease, ItemId) {
    ledger
        .import("b", Box::new(std::iter::once(new_item(0))))
        .await
        .unwrap();
    let batch = ledger.batch("b").await.unwrap().id;
    let account = ledger.assign(batch, "service", "key").await.unwrap();
    let lease = ledger.acquire(account, "first").await.unwrap();
    let item = ledger.items(ItemQuery::new(batch)).await.unwrap()[0].id;
    let change = ItemChange::new(item, ItemState::Planned, ItemState::Prepared);
    ledger.change_item(change).await.unwrap();
    (lease, item)
}

pub(super) fn announcement() -> Announcement {
    Announcement {
        records: vec!["{}".to_owned()],
        known: KnownUpdate::default(),
    }
}

fn record(attempt: &Attempt, to: AttemptState, item: ItemState) -> NewRecord {
    NewRecord {
        attempt: attempt.id,
        number: 1,
        json: "{}".to_owned(),
        attempt_state: to,
        item_state: item,
        task_id: (to == AttemptState::Created).then(|| "task".to_owned()),
        file: None,
        error: None,
        known: KnownUpdate::default(),
    }
}

#[tokio::test]
async fn lease_that_is_not_renewed_passes_to_another_run() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let clock = ClockedDatabase::new(server);
    let (first, second) = (clock.open().await, clock.open().await);
    let (lease, item) = prepare(&first).await;
    assert!(!lease.earlier_senders_ended);
    for _ in 0..3 {
        clock.advance("9.9");
        let error = second.acquire(lease.account, "second").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the account is in use by another run (first)"
        );
        assert!(first.renew(&lease).await.unwrap().is_some());
    }
    clock.advance("10");
    let next = second.acquire(lease.account, "second").await.unwrap();
    assert_eq!(next.epoch, lease.epoch + 1);
    let error = first.announce(&lease, item, announcement()).await;
    assert!(matches!(error, Err(BatchError::LeaseLost)), "{error:?}");
    let error = first.renew(&lease).await;
    assert!(matches!(error, Err(BatchError::LeaseLost)), "{error:?}");
    // The one that lost it does not release it.
    first.release(lease).await.unwrap();
    second.announce(&next, item, announcement()).await.unwrap();
    second.release(next.clone()).await.unwrap();
    first.acquire(next.account, "first").await.unwrap();
}

#[tokio::test]
async fn lease_that_ended_announces_nothing_and_records_what_was_paid() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let clock = ClockedDatabase::new(server);
    let ledger = clock.open().await;
    let (lease, item) = prepare(&ledger).await;
    clock.advance("10");
    let error = ledger.announce(&lease, item, announcement()).await;
    assert!(matches!(error, Err(BatchError::LeaseLost)), "{error:?}");
    ledger.renew(&lease).await.unwrap();
    let announced = ledger.announce(&lease, item, announcement()).await;
    let attempt = announced.unwrap();
    clock.advance("100");
    // The same create on another route is a payment, too.
    let again = record(&attempt, AttemptState::Announced, ItemState::Sending);
    let error = ledger.append(Some(&lease), again).await;
    assert!(matches!(error, Err(BatchError::LeaseLost)), "{error:?}");
    let created = record(&attempt, AttemptState::Created, ItemState::Created);
    ledger.append(Some(&lease), created).await.unwrap();
}

/// A process that stands still between its announcement and its request, until the lease may have ended.
#[tokio::test(flavor = "multi_thread")]
async fn create_is_not_sent_after_the_end_of_the_lease() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.new_database();
    let bench = BatchBench::new(|sandbox| sandbox).await;
    let bench = BatchBench {
        batches: Batches::open(&database.url).await.unwrap(),
        ..bench
    };
    bench.import(1).await;
    let was_stopped = Arc::new(AtomicBool::new(false));
    let (clock, stopped) = (bench.clock.clone(), was_stopped);
    let options = RunOptions::default().on_step(move |step| {
        let is_sending = step == "after sending";
        let is_first = is_sending && !stopped.swap(true, Ordering::AcqRel);
        let clock = clock.clone();
        async move {
            if is_first {
                clock.sleep(Duration::from_secs(10)).await;
            }
        }
    });
    bench.run(options).await;
    bench.check_saved(1).await;
    let rows = bench.batches.report(BATCH, 0).await.unwrap();
    assert_eq!((rows[0].attempts, bench.charges()), (2, 1));
}

/// The lease ends while the create waits for its announcement. No other run has the account, so the run renews it.
#[tokio::test(flavor = "multi_thread")]
async fn create_whose_lease_ended_before_its_announcement_is_sent_later() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.new_database();
    let mut bench = BatchBench::new(|sandbox| sandbox).await;
    bench.batches = Batches::open(&database.url).await.unwrap();
    bench.import(1).await;
    let (name, had_ended) = (database.name.clone(), AtomicBool::new(false));
    let options = RunOptions::default().on_step(move |step| {
        let is_first = step == "before sending" && !had_ended.swap(true, Ordering::AcqRel);
        let name = name.clone();
        async move {
            if is_first {
                // The tick of the run may extend it in between.
                let trigger = "create function ended() returns trigger language plpgsql as
                        'begin new.lease_until = 0; return new; end';
                    create trigger ended before update on account for each row execute function ended();
                    update account set lease_until = 0";
                server.query(&name, trigger);
            }
        }
    });
    let run = bench.batches.run(BATCH, &bench.client, options).await;
    let mut run = run.unwrap();
    let mut reasons = Vec::new();
    while let Some(event) = run.next().await {
        if let RunEvent::Waiting { reason, .. } = event {
            let remove = "drop trigger if exists ended on account";
            server.query(&database.name, remove);
            reasons.push(reason.kind);
        }
    }
    run.await.unwrap();
    let is_lease = |reason: &String| reason == "lease";
    assert!(
        !reasons.is_empty() && reasons.iter().all(is_lease),
        "{reasons:?}"
    );
    bench.check_saved(1).await;
    let rows = bench.batches.report(BATCH, 0).await.unwrap();
    assert_eq!((rows[0].attempts, bench.charges()), (1, 1));
}

/// A batch whose account is held by a process that has died. The clock of the database stands still.
async fn dead_holder(server: &'static PostgresServer) -> (ClockedDatabase, BatchBench, Lease) {
    let clock = ClockedDatabase::new(server);
    let mut bench = BatchBench::new(|sandbox| sandbox).await;
    bench.batches = Batches::new(clock.open().await);
    bench.import(1).await;
    let refused = bench.batches.check_account(BATCH, &bench.client).await;
    refused.unwrap();
    let submitted = bench
        .batches
        .submit(BATCH, &bench.client, RunOptions::default());
    submitted.await.unwrap();
    let account = bench.batches.ledger().batch(BATCH).await.unwrap().account;
    let lease = bench
        .batches
        .ledger()
        .acquire(account.unwrap(), "the dead")
        .await;
    (clock, bench, lease.unwrap())
}

#[tokio::test]
async fn run_waits_for_the_lease_of_a_dead_process() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let (clock, bench, _) = dead_holder(server).await;
    let log = Log::default();
    let _logging = tracing::subscriber::set_default(log.subscriber());
    let options = RunOptions::default().lease_wait(Duration::from_secs(3600));
    let run = bench.batches.run(BATCH, &bench.client, options);
    let end_lease = async {
        while !log.text().contains("waiting for the end of a lease") {
            tokio::task::yield_now().await;
        }
        clock.advance("10");
    };
    let (run, ()) = tokio::join!(run, end_lease);
    run.unwrap().await.unwrap();
    bench.check_saved(1).await;
}

#[tokio::test]
async fn run_is_refused_when_the_lease_is_extended() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let (clock, bench, lease) = dead_holder(server).await;
    let no_wait = RunOptions::default().lease_wait(Duration::ZERO);
    let refused = bench.batches.run(BATCH, &bench.client, no_wait).await;
    assert!(
        matches!(refused, Err(BatchError::InUse { .. })),
        "{refused:?}"
    );
    let log = Log::default();
    let _logging = tracing::subscriber::set_default(log.subscriber());
    let options = RunOptions::default().lease_wait(Duration::from_secs(3600));
    let run = bench.batches.run(BATCH, &bench.client, options);
    let extend = async {
        while !log.text().contains("waiting for the end of a lease") {
            tokio::task::yield_now().await;
        }
        clock.advance("1");
        bench.batches.ledger().renew(&lease).await.unwrap();
    };
    let (refused, ()) = tokio::join!(run, extend);
    assert!(
        matches!(refused, Err(BatchError::InUse { .. })),
        "{refused:?}"
    );
}
