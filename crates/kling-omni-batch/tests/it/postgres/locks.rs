//! Transactions that wait for another one, because both would be right alone and wrong together.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use kling_omni_batch::ledger::{
    AttemptId, ItemChange, ItemError, ItemQuery, Ledger, PostgresLedger, Reopening,
};
use kling_omni_batch::{BatchState, ItemState};
use kling_omni_test_support::postgres::PostgresServer;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::ledger::new_item;
use crate::postgres::lease::{ClockedDatabase, announcement, prepare};

type Start = Box<dyn FnOnce() -> JoinHandle<()> + Send>;

/// A ledger that starts another transaction when the next one of its own is about to commit, and commits after the other one
/// has begun to wait, or has ended.
struct Overlap {
    ledger: PostgresLedger,
    next: Arc<Mutex<Option<Start>>>,
    has_waited: Arc<AtomicBool>,
    started: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Overlap {
    async fn new(clock: &ClockedDatabase) -> Self {
        let next = Arc::<Mutex<Option<Start>>>::default();
        let has_waited = Arc::<AtomicBool>::default();
        let started = Arc::<Mutex<_>>::default();
        let (server, database) = (clock.server, clock.database.name.clone());
        let (start, waited, other) = (
            Arc::clone(&next),
            Arc::clone(&has_waited),
            Arc::clone(&started),
        );
        let ledger = clock.open().await.on_commit(move || {
            let Some(start) = start.lock().unwrap().take() else {
                return;
            };
            let running = start();
            let waiting = "select count(*) from pg_stat_activity
                where datname = current_database() and wait_event_type = 'Lock'";
            while !running.is_finished() {
                if server.query(&database, waiting) != "0" {
                    waited.store(true, Ordering::Release);
                    break;
                }
            }
            *other.lock().unwrap() = Some(running);
        });
        Self {
            ledger,
            next,
            has_waited,
            started,
        }
    }

    /// Sets what the next transaction overlaps with.
    fn with(&self, other: impl Future<Output = ()> + Send + 'static) {
        let runtime = Handle::current();
        let start: Start = Box::new(move || runtime.spawn(other));
        *self.next.lock().unwrap() = Some(start);
    }

    /// The other transaction has waited, and ends.
    async fn has_waited(&self) {
        let started = self.started.lock().unwrap().take();
        started.unwrap().await.unwrap();
        assert!(self.has_waited.swap(false, Ordering::AcqRel));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_become_visible_in_the_order_of_their_numbers() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let clock = ClockedDatabase::new(server);
    let (first, second) = (Overlap::new(&clock).await, clock.open().await);
    second
        .import("b", Box::new((0..2).map(new_item)))
        .await
        .unwrap();
    let batch = second.batch("b").await.unwrap().id;
    let items = second.items(ItemQuery::new(batch)).await.unwrap();
    let skip =
        |item: usize| ItemChange::new(items[item].id, ItemState::Planned, ItemState::Skipped);
    let (change, other) = (skip(1), second.clone());
    first.with(async move { assert!(other.change_item(change).await.unwrap()) });
    assert!(first.ledger.change_item(skip(0)).await.unwrap());
    first.has_waited().await;
    let events = second.end_events(batch, 0, 10).await.unwrap();
    let keys: Vec<_> = events.into_iter().map(|event| event.key).collect();
    assert_eq!(keys, ["item-0", "item-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn run_that_acquires_an_account_sees_what_was_announced() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let clock = Arc::new(ClockedDatabase::new(server));
    let (first, second) = (Overlap::new(&clock).await, clock.open().await);
    let (lease, item) = prepare(&first.ledger).await;
    let found = Arc::<Mutex<Vec<AttemptId>>>::default();
    let (other, account, time, open) = (
        second,
        lease.account,
        Arc::clone(&clock),
        Arc::clone(&found),
    );
    first.with(async move {
        time.advance("10");
        other.acquire(account, "second").await.unwrap();
        let attempts = other.open_attempts(account).await.unwrap();
        *open.lock().unwrap() = attempts
            .into_iter()
            .map(|(attempt, _)| attempt.id)
            .collect();
    });
    let announced = first.ledger.announce(&lease, item, announcement()).await;
    first.has_waited().await;
    assert_eq!(*found.lock().unwrap(), [announced.unwrap().id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn batch_is_not_done_while_an_item_is_put_back() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let clock = ClockedDatabase::new(server);
    let (first, second) = (Overlap::new(&clock).await, clock.open().await);
    second
        .import("b", Box::new(std::iter::once(new_item(0))))
        .await
        .unwrap();
    let batch = second.batch("b").await.unwrap().id;
    let item = second.items(ItemQuery::new(batch)).await.unwrap()[0].id;
    let reason = ItemError {
        kind: "validation".to_owned(),
        text: "too long".to_owned(),
    };
    let reject = ItemChange::new(item, ItemState::Planned, ItemState::Rejected).because(reason);
    assert!(second.change_item(reject).await.unwrap());
    let other = second.clone();
    first.with(async move {
        let done = other.set_batch_state(batch, BatchState::Done, None).await;
        assert!(!done.unwrap());
    });
    let back = first
        .ledger
        .reopen(item, ItemState::Rejected, Reopening::Create);
    assert!(back.await.unwrap());
    first.has_waited().await;
    let state = second.batch("b").await.unwrap().state;
    assert_eq!(state, BatchState::Running);
}
