//! Sets of known tasks: how they are read, what a create with one is compared with, and what they cost.

mod account;
mod groups;
mod interleavings;
mod restart;

use std::time::Duration;

use kling_omni::recovery::{AmbiguityReason, KnownTasks, Reconciled, UnconfirmedCreate};
use kling_omni::request::Route;
use kling_omni::{Client, ClientBuilder, CreateOutcome, ErrorKind, Mode, Task, TextToVideo};
use kling_omni_test_support::setup::{self, client, valid_request};
use kling_omni_test_support::virtual_clock::VirtualClock;

use account::{Account, AccountAnswer, Change, Order};

const SETTLED: Duration = Duration::from_secs(300);

fn client_of(account: &Account, clock: &VirtualClock) -> ClientBuilder {
    client(account.base_url(), clock)
        .route(Route::ReferenceToVideo)
        .max_retries(0)
}

async fn refresh(known: &KnownTasks, client: &Client) {
    known.refresh(client, Mode::Reference).await.unwrap();
}

async fn outcome(client: &Client, known: &KnownTasks) -> CreateOutcome {
    let create = client.create(valid_request().build().unwrap());
    create.with_known_tasks(known).outcome().await
}

async fn create(client: &Client, known: &KnownTasks) -> Task {
    outcome(client, known).await.into_result().unwrap()
}

/// A list of 12,000 tasks that is known to have new tasks first. Its requests are not counted yet.
async fn long_list(clock: &VirtualClock) -> (Account, Client, KnownTasks) {
    let account = Account::start(Order::NewestFirst, 12_050, 100).await;
    let client = client_of(&account, clock).build().unwrap();
    let known = KnownTasks::new();
    refresh(&known, &client).await;
    create(&client, &known).await;
    refresh(&known, &client).await;
    account.take_list_requests();
    (account, client, known)
}

/// Creates a task without receiving the response.
async fn lose(
    account: &Account,
    next: AccountAnswer,
    client: &Client,
    known: &KnownTasks,
) -> UnconfirmedCreate {
    account.next(next);
    match outcome(client, known).await {
        CreateOutcome::Unknown { unconfirmed, .. } => unconfirmed,
        other => panic!("the outcome is not unknown: {other:?}"),
    }
}

fn describe(reconciled: &Reconciled) -> String {
    match reconciled {
        Reconciled::Found { task, .. } => format!("found {}", task.id()),
        Reconciled::NotCreated => "absent".to_owned(),
        Reconciled::Ambiguous { candidates, reason } => {
            let reason = format!("{reason:?}");
            let reason = reason.split(' ').next().unwrap();
            format!("{reason} {}", candidates.join(","))
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn refresh_takes_one_request_once_the_order_is_proven() {
    // 121 pages and the empty one, twice; and the first page, to try the order.
    let all = 2 * 122;
    for (order, second, third) in [
        (Order::NewestFirst, 1, 1),
        (Order::OldestFirst, 1 + all, 1 + all),
        (Order::ById, 1 + all, 1 + all),
    ] {
        let clock = VirtualClock::new();
        let account = Account::start(order, 12_050, 100).await;
        let client = client_of(&account, &clock).build().unwrap();
        let known = KnownTasks::new();
        refresh(&known, &client).await;
        assert_eq!(account.take_list_requests(), all, "{order:?}");
        create(&client, &known).await;
        assert_eq!(account.take_list_requests(), 0, "{order:?}");
        refresh(&known, &client).await;
        assert_eq!(account.take_list_requests(), second, "{order:?}");
        // Tasks of other clients become known.
        let foreign: Vec<_> = (0..3).map(|_| account.make()).collect();
        refresh(&known, &client).await;
        assert_eq!(account.take_list_requests(), third, "{order:?}");
        assert!(foreign.iter().all(|id| known.contains(id)), "{order:?}");

        let unconfirmed = lose(&account, AccountAnswer::ResponseLost, &client, &known).await;
        let json = serde_json::to_string(&unconfirmed).unwrap();
        assert!(json.len() < 1024, "{json}");
        let reconciled = client.reconcile(&unconfirmed).known_tasks(&known).await;
        let id = account.newest();
        assert_eq!(describe(&reconciled.unwrap()), format!("found {id}"));
        assert_eq!(account.take_list_requests(), third, "{order:?}");
    }
}

#[tokio::test]
async fn refresh_extends_over_several_pages() {
    let clock = VirtualClock::new();
    let (account, client, known) = long_list(&clock).await;
    let foreign: Vec<_> = (0..160).map(|_| account.make()).collect();
    refresh(&known, &client).await;
    assert_eq!(account.take_list_requests(), 3);
    assert!(foreign.iter().all(|id| known.contains(id)));
}

#[tokio::test]
async fn changed_list_is_read_to_its_end() {
    type Edit = fn(&Account);
    let changes: [(&str, Edit); 3] = [
        ("a task of the first page disappears", |account| {
            account.remove_newest()
        }),
        ("a task is inserted behind the newest", |account| {
            account.insert_second()
        }),
        ("an old task moves to the front", |account| {
            account.move_oldest_to_front()
        }),
    ];
    for (name, change) in changes {
        let clock = VirtualClock::new();
        let (account, client, known) = long_list(&clock).await;
        change(&account);
        refresh(&known, &client).await;
        assert_eq!(account.take_list_requests(), 1 + 2 * 122, "{name}");
        assert!(account.all().iter().all(|id| known.contains(id)), "{name}");
        // The order has to be proven again, by a task of the set.
        create(&client, &known).await;
        refresh(&known, &client).await;
        assert_eq!(account.take_list_requests(), 1, "{name}");
    }
}

#[tokio::test]
async fn list_that_changes_while_it_is_read_is_never_misread() {
    let mut certain = 0;
    for order in [Order::NewestFirst, Order::OldestFirst, Order::ById] {
        for change in [Change::Made, Change::OldestRemoved, Change::NewestRemoved] {
            for (requests, next) in (0..14).zip(
                [AccountAnswer::RequestLost, AccountAnswer::ResponseLost]
                    .iter()
                    .cycle(),
            ) {
                let name = format!("{order:?}, {change:?} after {requests}, {next:?}");
                let clock = VirtualClock::new();
                let account = Account::start(order, 45, 10).await;
                let client = client_of(&account, &clock).build().unwrap();
                let known = KnownTasks::new();
                account.change_after(requests, change);
                refresh(&known, &client).await;
                // A task of another client that is made during the last refresh counts as new.
                refresh(&known, &client).await;
                let unconfirmed = lose(&account, next.clone(), &client, &known).await;
                clock.advance(SETTLED);
                let reconciled = client.reconcile(&unconfirmed).known_tasks(&known).await;
                let is_made = matches!(next, AccountAnswer::ResponseLost);
                match reconciled.unwrap() {
                    Reconciled::Found { task, .. } => {
                        assert_eq!((task.id(), is_made), (&*account.newest(), true), "{name}");
                        certain += 1;
                    }
                    Reconciled::NotCreated => {
                        assert!(!is_made, "{name}");
                        certain += 1;
                    }
                    Reconciled::Ambiguous { .. } => {}
                    other => panic!("{name}: {other:?}"),
                }
            }
        }
    }
    assert!(certain > 20, "{certain}");
}

#[tokio::test]
async fn short_list_needs_several_tasks_as_a_proof() {
    let clock = VirtualClock::new();
    let account = Account::start(Order::NewestFirst, 120, 100).await;
    let client = client_of(&account, &clock).build().unwrap();
    let known = KnownTasks::new();
    refresh(&known, &client).await;
    let mut requests = Vec::new();
    for _ in 0..3 {
        create(&client, &known).await;
        account.take_list_requests();
        refresh(&known, &client).await;
        requests.push(account.take_list_requests());
    }
    // Two pages and the empty one, twice.
    assert_eq!(requests, [6, 1, 1]);
}

#[tokio::test]
async fn create_with_a_set_that_was_never_read_sends_nothing() {
    let clock = VirtualClock::new();
    let account = Account::start(Order::NewestFirst, 3, 100).await;
    let client = client_of(&account, &clock).build().unwrap();
    let known = KnownTasks::new();
    known.refresh(&client, Mode::Text).await.unwrap();
    let CreateOutcome::Rejected(error) = outcome(&client, &known).await else {
        panic!("the create was sent");
    };
    assert_eq!(error.kind(), ErrorKind::InvalidState);
    assert!(
        error.help().unwrap().contains("KnownTasks::refresh"),
        "{error:?}"
    );
    assert_eq!(account.all().len(), 3);
}

#[tokio::test]
async fn absence_is_settled_by_the_whole_list() {
    for (change, expected) in [
        (None, "absent"),
        (Some(Account::remove_oldest as fn(&Account)), "ListShrank "),
    ] {
        let clock = VirtualClock::new();
        let (account, client, known) = long_list(&clock).await;
        let unconfirmed = lose(&account, AccountAnswer::RequestLost, &client, &known).await;
        if let Some(change) = change {
            change(&account);
        }
        account.take_list_requests();
        let search = || client.reconcile(&unconfirmed).known_tasks(&known);
        assert_eq!(describe(&search().await.unwrap()), "TooEarly ");
        assert_eq!(account.take_list_requests(), 1);
        clock.advance(SETTLED);
        // A repeated search has the same result.
        for _ in 0..2 {
            assert_eq!(describe(&search().await.unwrap()), expected);
        }
    }
}

#[tokio::test]
async fn task_that_disappeared_before_the_create_is_not_missed() {
    let clock = VirtualClock::new();
    let account = Account::start(Order::OldestFirst, 30, 10).await;
    let client = client_of(&account, &clock).build().unwrap();
    let known = KnownTasks::new();
    refresh(&known, &client).await;
    account.remove_oldest();
    refresh(&known, &client).await;
    let unconfirmed = lose(&account, AccountAnswer::RequestLost, &client, &known).await;
    clock.advance(SETTLED);
    let reconciled = client.reconcile(&unconfirmed).known_tasks(&known).await;
    assert_eq!(describe(&reconciled.unwrap()), "absent");
}

/// A list that lacks a task that the set created would lack the one of a lost create, too.
#[tokio::test]
async fn list_without_own_tasks_proves_nothing() {
    let clock = VirtualClock::new();
    let sandbox = setup::sandbox(&clock).start().await.unwrap();
    let client = setup::client(sandbox.base_url(), &clock).max_retries(0);
    let client = client.build().unwrap();
    let request = || TextToVideo::builder().prompt("A cat").build().unwrap();
    client.create(request()).await.unwrap();
    let known = KnownTasks::new();
    known.refresh(&client, Mode::Text).await.unwrap();
    sandbox.inject("list:hide-newest=9".parse().unwrap());
    let create = client.create(request()).with_known_tasks(&known);
    create.outcome().await.into_result().unwrap();
    // The list has lost the older task before the create.
    known.refresh(&client, Mode::Text).await.unwrap();
    sandbox.inject("create:drop".parse().unwrap());
    let create = client.create(request()).with_known_tasks(&known);
    let CreateOutcome::Unknown { unconfirmed, .. } = create.outcome().await else {
        panic!("the outcome is known");
    };
    clock.advance(SETTLED);
    let reconcile = || client.reconcile(&unconfirmed).known_tasks(&known);
    let reconciled = reconcile().await.unwrap();
    let reason = AmbiguityReason::ListIncomplete;
    assert!(
        matches!(&reconciled, Reconciled::Ambiguous { reason: found, .. } if *found == reason),
        "{reconciled:?}"
    );
    sandbox.clear_faults();
    let reconciled = reconcile().await.unwrap();
    assert_eq!(
        describe(&reconciled),
        format!("found {}", sandbox.tasks()[2].id())
    );
}

#[tokio::test]
async fn account_without_tasks_is_as_doubtful_as_before() {
    for (next, expected) in [
        (AccountAnswer::RequestLost, "NoListNow "),
        (AccountAnswer::ResponseLost, "NoListBefore "),
    ] {
        let clock = VirtualClock::new();
        let account = Account::start(Order::NewestFirst, 0, 100).await;
        let client = client_of(&account, &clock).build().unwrap();
        let known = KnownTasks::new();
        refresh(&known, &client).await;
        let unconfirmed = lose(&account, next, &client, &known).await;
        clock.advance(SETTLED);
        let reconciled = client.reconcile(&unconfirmed).known_tasks(&known).await;
        let expected = format!("{expected}{}", account.all().join(""));
        assert_eq!(describe(&reconciled.unwrap()), expected);
    }
}

#[tokio::test]
async fn lists_of_a_new_account_exist_after_its_first_task() {
    let clock = VirtualClock::new();
    let account = Account::start(Order::NewestFirst, 0, 100).await;
    let client = client_of(&account, &clock).build().unwrap();
    let known = KnownTasks::new();
    let has_lists = || known.has_lists(&client, Mode::Reference);
    assert!(!has_lists(), "before a refresh");
    refresh(&known, &client).await;
    assert!(!has_lists(), "without a task");
    create(&client, &known).await;
    account.take_list_requests();
    let only_missing = async || {
        let refresh = known.refresh(&client, Mode::Reference).only_missing();
        refresh.await.unwrap();
        account.take_list_requests()
    };
    assert_eq!(only_missing().await, 2, "a page and the empty one");
    assert!(has_lists());
    assert_eq!(only_missing().await, 0);
}

#[tokio::test]
async fn response_with_a_known_task_leaves_the_outcome_unknown() {
    let clock = VirtualClock::new();
    let account = Account::start(Order::NewestFirst, 3, 100).await;
    let client = client_of(&account, &clock).build().unwrap();
    let known = KnownTasks::new();
    refresh(&known, &client).await;
    let own = create(&client, &known).await;
    for id in [account.all()[0].clone(), own.id().to_owned()] {
        let unconfirmed = lose(
            &account,
            AccountAnswer::AnsweredWith(id.clone()),
            &client,
            &known,
        )
        .await;
        assert!(known.rules_out(&unconfirmed, &id));
        assert!(!known.rules_out(&unconfirmed, "another"));
    }
}

#[tokio::test]
async fn lists_that_the_client_reads_are_added() {
    let clock = VirtualClock::new();
    let account = Account::start(Order::NewestFirst, 3, 100).await;
    let known = KnownTasks::new();
    let client = client_of(&account, &clock)
        .known_tasks(&known)
        .build()
        .unwrap();
    client.list().await.unwrap();
    assert_eq!(known.len(), 3);
    refresh(&known, &client).await;
    assert_eq!(known.len(), 3);
    let foreign = account.make();
    client.list().await.unwrap();
    assert!(known.contains(&foreign));
    // It was known before the create.
    let unconfirmed = lose(&account, AccountAnswer::ResponseLost, &client, &known).await;
    client.list().await.unwrap();
    let reconciled = client.reconcile(&unconfirmed).known_tasks(&known).await;
    assert_eq!(
        describe(&reconciled.unwrap()),
        format!("found {}", account.newest())
    );
}

#[tokio::test]
async fn number_of_pages_is_limited_by_the_client() {
    for (pages, expected) in [(5, "absent"), (3, "ListIncomplete ")] {
        let clock = VirtualClock::new();
        let account = Account::start(Order::NewestFirst, 31, 10).await;
        let client = client_of(&account, &clock)
            .max_list_pages(pages)
            .build()
            .unwrap();
        let known = KnownTasks::new();
        refresh(&known, &client).await;
        let unconfirmed = lose(&account, AccountAnswer::RequestLost, &client, &known).await;
        clock.advance(SETTLED);
        let reconciled = client.reconcile(&unconfirmed).known_tasks(&known).await;
        assert_eq!(describe(&reconciled.unwrap()), expected, "{pages} pages");
    }
    let account = Account::start(Order::NewestFirst, 0, 10).await;
    let built = client_of(&account, &VirtualClock::new())
        .max_list_pages(0)
        .build();
    assert_eq!(built.unwrap_err().kind(), ErrorKind::Configuration);
}
