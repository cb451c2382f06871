//! Several unconfirmed creates, reconciled together.

use kling_omni::recovery::{KnownTasks, Reconciled, UnconfirmedCreate};
use kling_omni_test_support::virtual_clock::VirtualClock;

use super::account::{Account, AccountAnswer, Order};
use super::{SETTLED, client_of, create, describe, lose, refresh};

/// What is known between two creates of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Between {
    /// The task of the first one.
    Known,
    /// Nothing new.
    Unknown,
}

/// One letter for each task: the order in which they were made.
fn lettered(account: &Account, before: usize, reconciled: &Reconciled) -> String {
    let mut text = describe(reconciled);
    for (letter, id) in ('a'..).zip(account.all().iter().skip(before)) {
        text = text.replace(id, &letter.to_string());
    }
    // Candidates are sorted by id.
    match text.split_once(' ') {
        Some((reason, ids)) => {
            let mut ids: Vec<_> = ids.split(',').collect();
            ids.sort_unstable();
            format!("{reason} {}", ids.join(","))
        }
        None => text,
    }
}

#[tokio::test]
async fn tasks_are_assigned_where_only_one_create_is_possible() {
    use Between::{Known, Unknown};
    // For each create, whether its task is made.
    let cases: [(&[bool], Between, &[&str]); 8] = [
        (&[true], Unknown, &["found a"]),
        (&[false], Unknown, &["absent"]),
        (&[true, true], Known, &["found a", "found b"]),
        (&[true, false], Known, &["found a", "absent"]),
        (&[false, true], Known, &["OtherCreates a", "OtherCreates a"]),
        (
            &[true, true],
            Unknown,
            &["MultipleCandidates a,b", "MultipleCandidates a,b"],
        ),
        (&[false, false], Unknown, &["absent", "absent"]),
        (
            &[true, true, true],
            Known,
            &["found a", "found b", "found c"],
        ),
    ];
    for (made, between, expected) in cases {
        for is_restarted in [false, true] {
            let clock = VirtualClock::new();
            let account = Account::start(Order::NewestFirst, 30, 10).await;
            let mut client = client_of(&account, &clock).build().unwrap();
            let known = KnownTasks::new();
            refresh(&known, &client).await;
            create(&client, &known).await;
            refresh(&known, &client).await;
            let mut open: Vec<UnconfirmedCreate> = Vec::new();
            for is_made in made {
                let next = match is_made {
                    true => AccountAnswer::ResponseLost,
                    false => AccountAnswer::RequestLost,
                };
                open.push(lose(&account, next, &client, &known).await);
                if between == Known {
                    refresh(&known, &client).await;
                }
            }
            if is_restarted {
                client = client_of(&account, &clock).build().unwrap();
            }
            clock.advance(SETTLED);
            let results = client.reconcile_all(&open).known_tasks(&known).await;
            let results = results.unwrap();
            let results: Vec<_> = results
                .iter()
                .map(|result| lettered(&account, 31, result))
                .collect();
            assert_eq!(results, expected, "{made:?}, {between:?}");
        }
    }
}

/// The task may be the one of a create that is not reconciled with it.
#[tokio::test]
async fn new_task_that_other_creates_may_have_made_is_ambiguous() {
    // Whether the other create had its settle time, and whether the list lost a task since.
    for (had_time, lost, expected) in [
        (true, false, "found b"),
        (false, false, "OtherCreates b"),
        (true, true, "OtherCreates b"),
    ] {
        let clock = VirtualClock::new();
        let account = Account::start(Order::ById, 30, 10).await;
        let client = client_of(&account, &clock).build().unwrap();
        let known = KnownTasks::new();
        refresh(&known, &client).await;
        create(&client, &known).await;
        refresh(&known, &client).await;
        let other = lose(&account, AccountAnswer::RequestLost, &client, &known).await;
        if had_time {
            clock.advance(SETTLED);
        }
        if lost {
            account.remove_oldest();
        }
        refresh(&known, &client).await;
        let unconfirmed = lose(&account, AccountAnswer::ResponseLost, &client, &known).await;
        let made = account.newest();
        // A client that sent neither of them.
        let client = client_of(&account, &clock).build().unwrap();
        clock.advance(SETTLED);
        let search = client.reconcile(&unconfirmed).known_tasks(&known);
        let reconciled = search.other_creates([other]).await.unwrap();
        let text = describe(&reconciled).replace(&made, "b");
        assert_eq!(text, expected, "{had_time}, {lost}");
    }
}

#[tokio::test]
async fn one_reading_serves_all_creates() {
    let clock = VirtualClock::new();
    let account = Account::start(Order::NewestFirst, 12_050, 100).await;
    let client = client_of(&account, &clock).build().unwrap();
    let known = KnownTasks::new();
    refresh(&known, &client).await;
    create(&client, &known).await;
    let mut open = Vec::new();
    for _ in 0..20 {
        refresh(&known, &client).await;
        open.push(lose(&account, AccountAnswer::ResponseLost, &client, &known).await);
    }
    account.take_list_requests();
    let results = client.reconcile_all(&open).known_tasks(&known).await;
    let made = account.all().split_off(12_051);
    for (result, id) in results.unwrap().iter().zip(made) {
        assert_eq!(describe(result), format!("found {id}"));
    }
    assert_eq!(account.take_list_requests(), 1);
}

#[tokio::test]
async fn list_snapshots_are_compared_together() {
    let clock = VirtualClock::new();
    let account = Account::start(Order::ById, 3, 10).await;
    let client = client_of(&account, &clock).build().unwrap();
    let mut open = Vec::new();
    for _ in 0..2 {
        account.next(AccountAnswer::ResponseLost);
        let request = kling_omni_test_support::setup::valid_request();
        let create = client.create(request.build().unwrap()).with_list_snapshot();
        let error = create.await.unwrap_err();
        open.push(error.unconfirmed_create().unwrap().clone());
    }
    account.take_list_requests();
    let results = client.reconcile_all(&open).await.unwrap();
    let results = results.iter().map(|result| lettered(&account, 3, result));
    assert_eq!(results.collect::<Vec<_>>(), ["found a", "found b"]);
    assert_eq!(account.take_list_requests(), 2);
    assert!(client.reconcile_all([]).await.unwrap().is_empty());
}
