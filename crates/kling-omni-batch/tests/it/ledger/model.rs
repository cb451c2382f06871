//! Random operations on a ledger, compared with a plain map.

use std::collections::BTreeMap;
use std::sync::Arc;

use kling_omni_batch::ledger::{
    Announcement, Attempt, ItemChange, ItemError, ItemId, ItemQuery, KnownUpdate, Lease, Ledger,
    NewRecord, PostgresLedger, Reopening, SqliteLedger,
};
use kling_omni_batch::{AttemptState, BatchError, BatchResult, ItemState};
use kling_omni_test_support::postgres::PostgresServer;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tempfile::TempDir;

use super::new_item;

const ITEMS: usize = 3;

/// An operation on one item. None of them looks at the state first, as a faulty caller.
#[derive(Clone, Copy, Debug)]
enum LedgerOperation {
    Prepare(usize),
    Announce(usize),
    Append(usize, AttemptState),
    SetUndecided(usize),
    Reopen(usize, Reopening),
    Decide(usize, bool),
    /// Another run acquires the account.
    Reacquire,
    /// An announcement by the run before.
    LateAnnounce(usize),
    /// An append by the run before.
    LateAppend(usize, AttemptState),
}

fn operations() -> impl Strategy<Value = Vec<LedgerOperation>> {
    let item = 0..ITEMS;
    let state = prop::sample::select(AttemptState::ALL);
    let operation = prop_oneof![
        2 => item.clone().prop_map(LedgerOperation::Prepare),
        3 => item.clone().prop_map(LedgerOperation::Announce),
        6 => (item.clone(), state.clone()).prop_map(|(item, state)| LedgerOperation::Append(item, state)),
        1 => item.clone().prop_map(LedgerOperation::SetUndecided),
        2 => item.clone().prop_map(|item| LedgerOperation::Reopen(item, Reopening::Create)),
        1 => item.clone().prop_map(|item| LedgerOperation::Reopen(item, Reopening::Fetch)),
        1 => (item.clone(), any::<bool>()).prop_map(|(item, is_created)| LedgerOperation::Decide(item, is_created)),
        1 => Just(LedgerOperation::Reacquire),
        1 => item.clone().prop_map(LedgerOperation::LateAnnounce),
        1 => (item, state).prop_map(|(item, state)| LedgerOperation::LateAppend(item, state)),
    ];
    prop::collection::vec(operation, 1..60)
}

/// What is expected of one attempt.
#[derive(Clone, Copy, Debug)]
struct ModelAttempt {
    item: usize,
    state: AttemptState,
    records: u64,
}

fn announcement() -> Announcement {
    Announcement {
        records: vec!["{}".to_owned(); 2],
        known: KnownUpdate::default(),
    }
}

struct Model {
    ledger: Arc<dyn Ledger>,
    items: Vec<ItemId>,
    lease: Lease,
    late: Option<Lease>,
    attempts: BTreeMap<i64, ModelAttempt>,
    latest: BTreeMap<usize, Attempt>,
}

impl Model {
    /// The state in which an append leaves an attempt, or `None` if it has to be refused.
    fn expected(&self, id: i64, to: AttemptState, has_lease: bool) -> Option<AttemptState> {
        let attempt = self.attempts[&id];
        let stays = attempt.state == AttemptState::Undecided && to.is_unconfirmed();
        let to = if stays { attempt.state } else { to };
        let may_write = match has_lease {
            true => attempt.state != AttemptState::Closed,
            // A person decides, or a worker records what becomes of a task.
            false => match attempt.state {
                AttemptState::Undecided => true,
                state => state == AttemptState::Created && to == state,
            },
        };
        (may_write && self.may_be(Some(id), attempt.item, to)).then_some(to)
    }

    /// Whether the rules permit an attempt of an item to be in a state. It is a new one if it has no id.
    fn may_be(&self, id: Option<i64>, item: usize, state: AttemptState) -> bool {
        let mut others = self
            .attempts
            .iter()
            .filter(|(other, _)| Some(**other) != id);
        others.all(|(_, other)| {
            let both_paid = other.item == item && other.state.may_be_paid() && state.may_be_paid();
            let both_unconfirmed = other.state.is_unconfirmed() && state.is_unconfirmed();
            !both_paid && !both_unconfirmed
        })
    }

    async fn announce(&mut self, item: usize) {
        let announced = self
            .ledger
            .announce(&self.lease, self.items[item], announcement())
            .await;
        let may_be = self.may_be(None, item, AttemptState::Announced);
        let attempt = match announced {
            Ok(attempt) => attempt,
            // The model does not know the states of items.
            Err(BatchError::ItemIs { .. }) => return,
            Err(BatchError::Forbidden { .. }) if !may_be => return,
            Err(error) => panic!("{error:?}"),
        };
        assert!(may_be, "{attempt:?}");
        for old in self.attempts.values_mut().filter(|old| old.item == item) {
            if matches!(old.state, AttemptState::Prepared | AttemptState::Rejected) {
                old.state = AttemptState::Closed;
            }
        }
        let new = ModelAttempt {
            item,
            state: AttemptState::Announced,
            records: announcement().records.len() as u64,
        };
        self.attempts.insert(attempt.id.0, new);
        self.latest.insert(item, attempt);
    }

    async fn append(
        &mut self,
        item: usize,
        to: AttemptState,
        lease: Option<Lease>,
        is_current: bool,
    ) {
        let Some(attempt) = self.latest.get(&item).cloned() else {
            return;
        };
        let id = attempt.id.0;
        let record = NewRecord {
            attempt: attempt.id,
            number: self.attempts[&id].records,
            json: "{}".to_owned(),
            attempt_state: to,
            item_state: ItemState::Sending,
            task_id: (to == AttemptState::Created).then(|| format!("task-{id}")),
            file: None,
            error: None,
            known: KnownUpdate::default(),
        };
        let appended = self.ledger.append(lease.as_ref(), record).await;
        let expected = self
            .expected(id, to, lease.is_some())
            .filter(|_| is_current);
        assert_eq!(
            appended.is_ok(),
            expected.is_some(),
            "{appended:?} {expected:?}"
        );
        if let Some(state) = expected {
            let attempt = self.attempts.get_mut(&id).unwrap();
            *attempt = ModelAttempt {
                state,
                records: attempt.records + 1,
                ..*attempt
            };
        }
    }

    async fn apply(&mut self, operation: LedgerOperation) {
        let ledger = Arc::clone(&self.ledger);
        // As a run does: a busy machine takes longer than a lease lasts.
        ledger.renew(&self.lease).await.unwrap();
        match operation {
            LedgerOperation::Prepare(item) => {
                for from in ItemState::ALL {
                    let change = ItemChange::new(self.items[item], *from, ItemState::Prepared);
                    ledger.change_item(change).await.unwrap();
                }
            }
            LedgerOperation::Announce(item) => self.announce(item).await,
            LedgerOperation::LateAnnounce(item) => {
                if let Some(late) = &self.late {
                    let announced = ledger.announce(late, self.items[item], announcement());
                    let announced = announced.await;
                    assert!(
                        matches!(announced, Err(BatchError::LeaseLost)),
                        "{announced:?}"
                    );
                }
            }
            LedgerOperation::Append(item, to) => {
                self.append(item, to, Some(self.lease.clone()), true).await
            }
            LedgerOperation::LateAppend(item, to) => {
                if let Some(late) = self.late.clone() {
                    self.append(item, to, Some(late), false).await;
                }
            }
            LedgerOperation::Decide(item, is_created) => {
                let to = if is_created {
                    AttemptState::Created
                } else {
                    AttemptState::Prepared
                };
                self.append(item, to, None, true).await;
            }
            LedgerOperation::SetUndecided(item) => {
                let Some(attempt) = self.latest.get(&item) else {
                    return;
                };
                let reason = ItemError {
                    kind: "ambiguous".to_owned(),
                    text: String::new(),
                };
                let set = ledger
                    .set_undecided(&self.lease, attempt.id, Vec::new(), reason)
                    .await;
                let model = self.attempts.get_mut(&attempt.id.0).unwrap();
                let may_be = model.state.is_unconfirmed() || model.state == AttemptState::Undecided;
                assert_eq!(set.is_ok(), may_be, "{set:?}");
                if may_be {
                    model.state = AttemptState::Undecided;
                }
            }
            LedgerOperation::Reopen(item, as_) => {
                for from in ItemState::ALL {
                    let reopened = ledger.reopen(self.items[item], *from, as_).await.unwrap();
                    let latest = self.latest.get(&item).map(|attempt| attempt.id.0);
                    if let (true, Some(id), Reopening::Create) = (reopened, latest, as_) {
                        let attempt = self.attempts.get_mut(&id).unwrap();
                        assert!(
                            !attempt.state.is_unconfirmed()
                                && attempt.state != AttemptState::Undecided
                        );
                        attempt.state = AttemptState::Closed;
                    }
                }
            }
            LedgerOperation::Reacquire => {
                let account = self.lease.account;
                let late = Lease::new(account, self.lease.epoch, None);
                let lease = std::mem::replace(&mut self.lease, Lease::new(account, 0, None));
                ledger.release(lease).await.unwrap();
                self.lease = ledger.acquire(account, "next").await.unwrap();
                self.late = Some(late);
            }
        }
    }

    /// The ledger has what the model has, and its rules hold.
    async fn check(&self) {
        let mut paid = BTreeMap::<_, u32>::new();
        let mut unconfirmed = 0;
        for (item, attempt) in &self.latest {
            let stored = self
                .ledger
                .latest_attempt(attempt.item)
                .await
                .unwrap()
                .unwrap();
            assert_eq!(stored.state, self.attempts[&attempt.id.0].state, "{item}");
            let records = self.ledger.records(attempt.id).await.unwrap();
            assert_eq!(records.len() as u64, self.attempts[&attempt.id.0].records);
        }
        for attempt in self.attempts.values() {
            *paid.entry(attempt.item).or_default() += u32::from(attempt.state.may_be_paid());
            unconfirmed += u32::from(attempt.state.is_unconfirmed());
        }
        assert!(paid.values().all(|paid| *paid <= 1), "{paid:?}");
        assert!(unconfirmed <= 1);
    }
}

/// Compares a ledger without batches with the model.
async fn run(ledger: Arc<dyn Ledger>, operations: Vec<LedgerOperation>) {
    ledger
        .import("b", Box::new((0..ITEMS).map(new_item)))
        .await
        .unwrap();
    let batch = ledger.batch("b").await.unwrap();
    let account = ledger.assign(batch.id, "s", "k").await.unwrap();
    let items = ledger.items(ItemQuery::new(batch.id)).await.unwrap();
    let mut model = Model {
        lease: ledger.acquire(account, "first").await.unwrap(),
        items: items.iter().map(|item| item.id).collect(),
        ledger,
        late: None,
        attempts: BTreeMap::new(),
        latest: BTreeMap::new(),
    };
    for operation in operations {
        model.apply(operation).await;
        model.check().await;
    }
}

/// Runs random cases, each with a ledger of its own.
fn check(cases: u32, open: impl AsyncFn() -> BatchResult<Arc<dyn Ledger>>) {
    let config = ProptestConfig {
        cases,
        source_file: Some(file!()),
        ..ProptestConfig::default()
    };
    let mut runner = TestRunner::new(config);
    let checked = runner.run(&operations(), |operations| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async { run(open().await.unwrap(), operations).await });
        Ok(())
    });
    if let Err(failure) = checked {
        panic!("{failure}");
    }
}

#[test]
fn ledger_behaves_as_the_model() {
    let folder = TempDir::new().unwrap();
    let number = std::sync::atomic::AtomicU32::new(0);
    check(60, async || {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = folder.path().join(format!("{number}.db"));
        Ok(Arc::new(SqliteLedger::open(path).await?) as Arc<dyn Ledger>)
    });
}

#[test]
fn postgres_ledger_behaves_as_the_model() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    // One after the other.
    let database = std::cell::Cell::new(None);
    check(15, async || {
        database.set(None);
        let new = server.new_database();
        let ledger = PostgresLedger::open(&new.url).await?;
        database.set(Some(new));
        Ok(Arc::new(ledger) as Arc<dyn Ledger>)
    });
}
