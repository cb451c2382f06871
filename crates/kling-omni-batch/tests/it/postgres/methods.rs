//! A connection that is lost at the commit of each writing method: the method did what it says.

use std::fmt::Debug;

use futures_util::future::BoxFuture;
use kling_omni::request::Request;
use kling_omni_batch::ledger::{
    Announcement, Attempt, BatchItem, ItemChange, ItemError, ItemQuery, KnownUpdate, Lease, Ledger,
    NewItem, NewRecord, PostgresLedger, Reopening,
};
use kling_omni_batch::{AttemptState, BatchError, BatchResult, BatchState, ItemState};
use kling_omni_test_support::postgres::{PostgresDatabase, PostgresServer};
use kling_omni_test_support::postgres_proxy::{PostgresFault, PostgresProxy};

use crate::bench::{BATCH, text};

/// What a ledger has, apart from times, random numbers, what belongs to a connection, and ids, of which a transaction that is
/// repeated uses others.
const ROWS: &str = "
    select 'account', service, key_fingerprint, holder, epoch, known_facts, lease_until is null from account order by service;
    select 'known', service, position, entry from known_task join account on account.id = account_id order by 2, 3;
    select 'batch', name, service, state, reason from batch left join account on account.id = account_id order by name;
    select 'item', name, position, key, path, request, item.state, uploads, not_before, failures, attempts, error_kind, error
        from item join batch on batch.id = batch_id order by name, position;
    select 'attempt', key, number, epoch, attempt.state, task_id, candidates, failed_request
        from attempt join item on item.id = item_id order by key, number;
    select 'record', key, record.number, json
        from record join attempt on attempt.id = attempt_id join item on item.id = item_id order by 2, 3;
    select 'file', key, file.path, bytes, sha256 from file join item on item.id = item_id order by 2;
    select 'event', name, key, event.state, detail
        from event join item on item.id = item_id join batch on batch.id = event.batch_id order by number";

/// A ledger with what each method needs.
struct Prepared {
    batch: kling_omni_batch::ledger::Batch,
    lease: Lease,
    /// The first one has an attempt.
    items: Vec<BatchItem>,
    announced: Attempt,
}

type Method = for<'a> fn(&'a dyn Ledger, &'a Prepared) -> BoxFuture<'a, BatchResult<String>>;

/// What a method returns, without ids.
fn said<T: Debug>(value: BatchResult<T>) -> BatchResult<String> {
    value.map(|value| {
        let text = format!("{value:?}");
        let mut parts = text.split("Id(");
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |text, part| {
            text + "Id" + part.trim_start_matches(|digit: char| digit.is_ascii_digit())
        })
    })
}

const METHODS: &[(&str, Method)] = &[
    ("import", |ledger, _| {
        Box::pin(async { said(ledger.import("new", Box::new((0..3).map(item))).await) })
    }),
    ("set_batch_state", |ledger, prepared| {
        let reason = Some("a pause".to_owned());
        Box::pin(async {
            said(
                ledger
                    .set_batch_state(prepared.batch.id, BatchState::Paused, reason)
                    .await,
            )
        })
    }),
    ("assign", |ledger, _| {
        Box::pin(async {
            let other = ledger.batch("other").await?;
            said(
                ledger
                    .assign(other.id, "https://other.example", "key")
                    .await,
            )
        })
    }),
    ("acquire", |ledger, prepared| {
        Box::pin(async {
            ledger.release(prepared.lease.clone()).await?;
            said(ledger.acquire(prepared.lease.account, "another").await)
        })
    }),
    ("renew", |ledger, prepared| {
        Box::pin(async { said(ledger.renew(&prepared.lease).await) })
    }),
    ("release", |ledger, prepared| {
        Box::pin(async { said(ledger.release(prepared.lease.clone()).await) })
    }),
    ("add_known_tasks", |ledger, prepared| {
        let update = KnownUpdate {
            from: 0,
            entries: vec!["one".to_owned(), "two".to_owned()],
            facts: Some("{}".to_owned()),
        };
        Box::pin(async { said(ledger.add_known_tasks(&prepared.lease, update).await) })
    }),
    ("change_item", |ledger, prepared| {
        let change = ItemChange::new(prepared.items[1].id, ItemState::Prepared, ItemState::Failed);
        Box::pin(async { said(ledger.change_item(change).await) })
    }),
    ("announce", |ledger, prepared| {
        Box::pin(async {
            let lease = &prepared.lease;
            // An account has one unconfirmed create.
            ledger
                .append(Some(lease), created(&prepared.announced))
                .await?;
            let announced = ledger.announce(lease, prepared.items[1].id, announcement());
            said(announced.await)
        })
    }),
    ("append", |ledger, prepared| {
        let record = created(&prepared.announced);
        Box::pin(async { said(ledger.append(Some(&prepared.lease), record).await) })
    }),
    ("set_undecided", |ledger, prepared| {
        let candidates = vec!["task-a".to_owned(), "task-b".to_owned()];
        Box::pin(async {
            said(
                ledger
                    .set_undecided(&prepared.lease, prepared.announced.id, candidates, why())
                    .await,
            )
        })
    }),
    ("reopen", |ledger, prepared| {
        let item = prepared.items[1].id;
        Box::pin(async move {
            let change = ItemChange::new(item, ItemState::Prepared, ItemState::Rejected);
            ledger.change_item(change.because(why())).await?;
            said(
                ledger
                    .reopen(item, ItemState::Rejected, Reopening::Create)
                    .await,
            )
        })
    }),
];

fn why() -> ItemError {
    ItemError {
        kind: "ambiguous".to_owned(),
        text: "two candidates".to_owned(),
    }
}

fn item(number: usize) -> BatchResult<NewItem> {
    let request = text(&format!("A cat, take {number}")).build().unwrap();
    NewItem::new(
        number.to_string(),
        &Request::from(request),
        format!("/videos/{number}.mp4"),
    )
}

fn announcement() -> Announcement {
    Announcement {
        records: vec!["{\"record\":1}".to_owned(), "{\"record\":2}".to_owned()],
        known: KnownUpdate {
            from: 0,
            entries: vec!["one".to_owned(), "two".to_owned()],
            facts: Some("{}".to_owned()),
        },
    }
}

fn created(attempt: &Attempt) -> NewRecord {
    NewRecord {
        attempt: attempt.id,
        number: 2,
        json: "{\"record\":3}".to_owned(),
        attempt_state: AttemptState::Created,
        item_state: ItemState::Created,
        task_id: Some("task".to_owned()),
        file: None,
        error: None,
        known: KnownUpdate::default(),
    }
}

async fn prepare(ledger: &dyn Ledger) -> Prepared {
    for batch in [BATCH, "other"] {
        let items = Box::new((0..2).map(item));
        ledger.import(batch, items).await.unwrap();
    }
    let batch = ledger.batch(BATCH).await.unwrap();
    let account = ledger
        .assign(batch.id, "https://service.example", "key")
        .await
        .unwrap();
    let lease = ledger.acquire(account, "test").await.unwrap();
    let items = ledger.items(ItemQuery::new(batch.id)).await.unwrap();
    for item in &items {
        let change = ItemChange::new(item.id, ItemState::Planned, ItemState::Prepared);
        ledger.change_item(change).await.unwrap();
    }
    let first = Announcement {
        known: KnownUpdate::default(),
        ..announcement()
    };
    let announced = ledger.announce(&lease, items[0].id, first).await.unwrap();
    Prepared {
        batch,
        lease,
        items,
        announced,
    }
}

/// A prepared ledger, and another handle to it through a proxy.
struct Case {
    server: &'static PostgresServer,
    database: PostgresDatabase,
    prepared: Prepared,
    proxy: PostgresProxy,
    ledger: PostgresLedger,
}

impl Case {
    async fn new(server: &'static PostgresServer) -> Self {
        let database = server.new_database();
        let direct = PostgresLedger::open(&database.url).await.unwrap();
        let prepared = prepare(&direct).await;
        let proxy = PostgresProxy::start(server.port()).await;
        let url = server.url(proxy.port(), &database.name);
        let ledger = PostgresLedger::open(&url).await.unwrap();
        Self {
            server,
            database,
            prepared,
            proxy,
            ledger,
        }
    }

    fn rows(&self) -> String {
        self.server.query(&self.database.name, ROWS)
    }

    async fn call(&self, method: Method) -> BatchResult<String> {
        method(&self.ledger, &self.prepared).await
    }
}

/// What a method returns and leaves without a fault, and the number of its commits.
struct Expected {
    before: String,
    returned: String,
    after: String,
    commits: usize,
}

async fn expected(server: &'static PostgresServer, name: &str, method: Method) -> Expected {
    let case = Case::new(server).await;
    let before = case.rows();
    case.proxy.set(PostgresFault::Pass);
    let returned = case.call(method).await;
    let commits = case.proxy.commits();
    let after = case.rows();
    assert!(commits > 0, "{name} has no commit");
    Expected {
        returned: returned.unwrap_or_else(|error| panic!("{name}: {error:?}")),
        before,
        after,
        commits,
    }
}

/// Calls a method while a fault happens. It did what it says, once, or says that it did nothing.
fn check(at: &str, expected: &Expected, returned: BatchResult<String>, rows: &str) {
    match returned {
        Ok(returned) => {
            assert_eq!(returned, expected.returned, "{at}");
            assert_eq!(rows, expected.after, "{at}");
        }
        // Its items can be read only once.
        Err(BatchError::Interrupted) if at.starts_with("import") => {
            assert_eq!(rows, expected.before, "{at}");
        }
        Err(error) => panic!("{at}: {error:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_that_are_cut_are_read_back() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    for (name, method) in METHODS {
        let expected = expected(server, name, *method).await;
        for count in 1..=expected.commits {
            for fault in [
                PostgresFault::CutBeforeCommit(count),
                PostgresFault::CutAfterCommit(count),
            ] {
                let at = format!("{name}, {fault:?}");
                let case = Case::new(server).await;
                case.proxy.set(fault);
                let returned = case.call(*method).await;
                assert_eq!(case.proxy.cuts(), 1, "{at}");
                check(&at, &expected, returned, &case.rows());
            }
        }
    }
}

/// After the cut, the database cannot be reached for a while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_that_are_cut_are_read_back_later() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    for (name, method) in METHODS {
        let expected = expected(server, name, *method).await;
        for fault in [
            PostgresFault::CutBeforeCommit(expected.commits),
            PostgresFault::CutAfterCommit(expected.commits),
        ] {
            let at = format!("{name}, {fault:?}, then no connection");
            let case = Case::new(server).await;
            case.proxy.set_with_next(fault, PostgresFault::Reset);
            let opens = async {
                while case.proxy.resets() == 0 {
                    tokio::task::yield_now().await;
                }
                case.proxy.set(PostgresFault::Pass);
            };
            let (returned, ()) = tokio::join!(case.call(*method), opens);
            check(&at, &expected, returned, &case.rows());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn methods_wait_for_the_database() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    for (name, method) in METHODS {
        let expected = expected(server, name, *method).await;
        for fault in [PostgresFault::Silence, PostgresFault::Reset] {
            let at = format!("{name}, {fault:?}");
            let case = Case::new(server).await;
            let happened = || case.proxy.held() + case.proxy.resets() > 0;
            case.proxy.set(fault);
            let opens = async {
                while !happened() {
                    tokio::task::yield_now().await;
                }
                case.proxy.set(PostgresFault::Pass);
            };
            let (returned, ()) = tokio::join!(case.call(*method), opens);
            check(&at, &expected, returned, &case.rows());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_connections_are_an_error_of_their_own() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let proxy = PostgresProxy::start(server.port()).await;
    let database = server.new_database();
    let url = server.url(proxy.port(), &database.name);
    proxy.set(PostgresFault::Refuse);
    let opened = PostgresLedger::open(&url).await;
    assert!(
        matches!(opened, Err(BatchError::Unavailable(_))),
        "{opened:?}"
    );
    proxy.set(PostgresFault::Pass);
    // The proxy listens again a moment later.
    while let Err(error) = PostgresLedger::open(&url).await {
        assert!(matches!(error, BatchError::Unavailable(_)), "{error:?}");
    }
}
