//! Reconciling unconfirmed creates.

mod clock_steps;
mod correlated;

use std::time::Duration;

use kling_omni::recovery::{AmbiguityReason, Reconciled, UnconfirmedCreate};
use kling_omni::request::Route;
use kling_omni::webhook::correlation::{self, Token};
use kling_omni::webhook::{Secret, WebhookReceiver};
use kling_omni::{Charged, Client, CreateOutcome};
use kling_omni_test_support::fake::{Fake, Reply};
use kling_omni_test_support::setup::{client, task, valid_request};
use kling_omni_test_support::virtual_clock::VirtualClock;

use crate::webhook as hooks;

const SETTLED: Duration = Duration::from_secs(300);
const EMPTY: &[&str] = &[];

fn page(ids: &[&str]) -> Reply {
    let tasks: Vec<_> = ids
        .iter()
        .map(|id| serde_json::json!({"task_id": id, "status": "IN_PROGRESS"}))
        .collect();
    Reply::json(200, &serde_json::json!({ "data": tasks }).to_string())
}

/// Tasks of received deliveries, each with its token.
type Tokens = &'static [(&'static str, &'static str)];

/// A list of one page.
fn list(ids: &[&str]) -> Vec<Reply> {
    match ids {
        [] => vec![page(&[])],
        ids => vec![page(ids), page(&[])],
    }
}

fn none() -> Reply {
    Reply::json(404, r#"{"message":"Tasks not found"}"#)
}

fn created(id: &str) -> Reply {
    Reply::json(200, &task(id, "CREATED", &[]))
}

/// A fake service with `replies` that loses the response to the create, and a client with a route.
async fn lost(
    replies: Vec<Vec<Reply>>,
    route: Route,
    clock: &VirtualClock,
) -> (Fake, Client, UnconfirmedCreate) {
    let fake = Fake::start(replies.concat()).await;
    let client = client(fake.base_url(), clock)
        .route(route)
        .max_retries(0)
        .build()
        .unwrap();
    let create = client
        .create(valid_request().build().unwrap())
        .with_list_snapshot();
    let unconfirmed = unknown(create.outcome().await);
    (fake, client, unconfirmed)
}

fn unknown(outcome: CreateOutcome) -> UnconfirmedCreate {
    match outcome {
        CreateOutcome::Unknown { unconfirmed, .. } => unconfirmed,
        other => panic!("the outcome is not unknown: {other:?}"),
    }
}

fn describe(reconciled: &Reconciled) -> String {
    match reconciled {
        Reconciled::Found { task, matched_by } => format!("found {} {matched_by:?}", task.id()),
        Reconciled::NotCreated => "absent".to_owned(),
        Reconciled::Ambiguous { candidates, reason } => {
            let reason = match reason {
                AmbiguityReason::TooEarly { .. } => "TooEarly".to_owned(),
                reason => format!("{reason:?}"),
            };
            format!("{reason} {}", candidates.join(","))
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn lists_before_and_after_decide() {
    let full: Vec<_> = (0..100).map(|n| format!("t{n:03}")).collect();
    let full: Vec<_> = full.iter().map(String::as_str).collect();
    let two_pages = |tail: &[&str]| vec![page(&full), page(tail), page(&[])];
    let same_twice = |tail: &[&str]| [two_pages(tail), two_pages(tail)].concat();
    // A task that leaves the first page during the read moves another one to a page that was read already.
    let shifted = || {
        [
            vec![page(&full), page(&["z2"]), page(&[])],
            two_pages(&["z1"]),
            two_pages(&["z2", "new"]),
        ]
        .concat()
    };
    // A new task moves the last one of the first page to the second.
    let pushed = vec![page(&full), page(&["t099", "z1"]), page(&[])];
    let repeating = || vec![page(&["a"]); 6];
    let cases = [
        (
            "nothing before, one now",
            list(EMPTY),
            list(&["new"]),
            "found new OnlyNewTask",
        ),
        (
            "one more",
            list(&["a", "b"]),
            list(&["b", "new", "a"]),
            "found new OnlyNewTask",
        ),
        ("the same", list(&["a", "b"]), list(&["b", "a"]), "absent"),
        ("nothing at all", list(EMPTY), list(EMPTY), "absent"),
        (
            "nothing at all, as for an account without tasks",
            vec![none()],
            vec![none()],
            "NoListNow ",
        ),
        (
            "one more than in an account without tasks, which may be older",
            vec![none()],
            list(&["old"]),
            "NoListBefore old",
        ),
        (
            "an account without tasks, and then an empty list",
            vec![none()],
            list(EMPTY),
            "absent",
        ),
        (
            "a page that was missing temporarily",
            [
                vec![page(&full), none()],
                two_pages(&["z1"]),
                two_pages(&["z1"]),
            ]
            .concat(),
            same_twice(&["z1"]),
            "absent",
        ),
        (
            "pages that end as for an account without tasks",
            vec![vec![page(&["a"]), none()]; 2].concat(),
            vec![vec![page(&["a", "new"]), none()]; 2].concat(),
            "found new OnlyNewTask",
        ),
        (
            "one more, with an id that cannot be read",
            list(&["a"]),
            [list(&["a", ""]), list(&["a", ""]), list(&["a", ""])].concat(),
            "ListIncomplete ",
        ),
        (
            "nothing but an id that cannot be read",
            list(EMPTY),
            vec![page(&[""]); 3],
            "ListIncomplete ",
        ),
        (
            "two more",
            list(&["a"]),
            list(&["a", "n1", "n2"]),
            "MultipleCandidates n1,n2",
        ),
        ("one gone", list(&["a", "b"]), list(&["a"]), "ListShrank "),
        (
            "one gone, one more",
            list(&["a", "b"]),
            list(&["a", "new"]),
            "ListShrank new",
        ),
        (
            "two pages",
            same_twice(&["z1"]),
            same_twice(&["z1", "new"]),
            "found new OnlyNewTask",
        ),
        (
            "two pages, the same",
            same_twice(&["z1"]),
            same_twice(&["z1"]),
            "absent",
        ),
        (
            "pages shift while they are read",
            same_twice(&["z1"]),
            shifted(),
            "MultipleCandidates new,z2",
        ),
        (
            "a task moves to the next page, and then stays",
            same_twice(&["z1"]),
            [pushed, two_pages(&["z1"]), two_pages(&["z1"])].concat(),
            "absent",
        ),
        (
            "pages shifted before",
            shifted(),
            same_twice(&["z1", "z2", "new"]),
            "ListIncomplete ",
        ),
        (
            "pages that repeat",
            repeating(),
            repeating(),
            "ListIncomplete ",
        ),
    ];
    for (name, before, after, expected) in cases {
        let clock = VirtualClock::new();
        let replies = vec![before, vec![Reply::Drop], after];
        let requests = replies.concat().len();
        let (fake, client, unconfirmed) = lost(replies, Route::ReferenceToVideo, &clock).await;
        clock.advance(SETTLED);
        let reconciled = client.reconcile(&unconfirmed).await.unwrap();
        assert_eq!(describe(&reconciled), expected, "{name}");
        assert_eq!(fake.requests().len(), requests, "{name}");
        let creates = fake
            .requests()
            .iter()
            .filter(|asked| asked.line.starts_with("POST"))
            .count();
        assert_eq!(creates, 1, "{name}");
    }
}

#[tokio::test]
async fn excluded_tasks_are_not_candidates() {
    let clock = VirtualClock::new();
    let after = || list(&["a", "own", "named", "new"]);
    let replies = vec![
        list(&["a"]),
        vec![Reply::Drop, created("own")],
        after(),
        after(),
    ];
    let (_fake, client, unconfirmed) = lost(replies, Route::ReferenceToVideo, &clock).await;
    client
        .create(valid_request().build().unwrap())
        .await
        .unwrap();
    let reconciled = client.reconcile(&unconfirmed).await.unwrap();
    assert_eq!(describe(&reconciled), "MultipleCandidates named,new");
    let reconciled = client
        .reconcile(&unconfirmed)
        .exclude(["named"])
        .await
        .unwrap();
    assert_eq!(describe(&reconciled), "found new OnlyNewTask");
}

#[tokio::test]
async fn missing_snapshot_is_ambiguous() {
    for (ids, expected) in [(EMPTY, "NoSnapshot "), (&["a"], "NoSnapshot a")] {
        let clock = VirtualClock::new();
        let replies = [vec![Reply::Drop], list(ids)].concat();
        let fake = Fake::start(replies).await;
        let client = client(fake.base_url(), &clock)
            .route(Route::ReferenceToVideo)
            .build()
            .unwrap();
        let unconfirmed = unknown(
            client
                .create(valid_request().build().unwrap())
                .outcome()
                .await,
        );
        clock.advance(SETTLED);
        let reconciled = client.reconcile(&unconfirmed).await.unwrap();
        assert_eq!(describe(&reconciled), expected);
    }
}

#[tokio::test]
async fn not_created_requires_the_settle_time() {
    let clock = VirtualClock::new();
    let replies = vec![list(&["a"]), vec![Reply::Drop], list(&["a"])];
    let (_fake, client, unconfirmed) = lost(replies, Route::ReferenceToVideo, &clock).await;
    clock.advance(SETTLED - Duration::from_secs(1));
    let reconciled = client.reconcile(&unconfirmed).await.unwrap();
    let Reconciled::Ambiguous {
        reason: AmbiguityReason::TooEarly { until },
        ..
    } = reconciled
    else {
        panic!("{reconciled:?}");
    };
    assert_eq!(until, unconfirmed.ended_at() + SETTLED);
}

#[tokio::test]
async fn until_settled_repeats_the_search() {
    for (late, expected, slept) in [
        (list(&["a"]), "absent", 300),
        (list(&["a", "new"]), "found new OnlyNewTask", 5 + 10),
    ] {
        let clock = VirtualClock::new();
        let now = list(&["a"]);
        let rest = (0..20).flat_map(|_| late.clone()).collect();
        let replies = vec![now.clone(), vec![Reply::Drop], now.clone(), now, rest];
        let (_fake, client, unconfirmed) = lost(replies, Route::ReferenceToVideo, &clock).await;
        let reconciled = client
            .reconcile(&unconfirmed)
            .until_settled()
            .await
            .unwrap();
        assert_eq!(describe(&reconciled), expected);
        assert_eq!(clock.slept(), Duration::from_secs(slept));
    }
}

#[tokio::test]
async fn older_route_is_searched_in_both_lists() {
    let both = |reference: &[&str], text: &[&str]| [list(reference), vec![page(text)]].concat();
    let clock = VirtualClock::new();
    let replies = vec![
        both(&["a"], &["x"]),
        vec![Reply::Drop],
        both(&["a"], &["x"]),
        both(&["a"], &["x", "new"]),
        vec![created("own")],
        both(&["a"], &["x", "own"]),
    ];
    let (fake, client, unconfirmed) = lost(replies, Route::VideoReference, &clock).await;
    clock.advance(SETTLED);
    let mut told_so_far = Vec::new();
    for step in 0..3 {
        if step == 2 {
            client
                .create(valid_request().build().unwrap())
                .await
                .unwrap();
        }
        told_so_far.push(describe(&client.reconcile(&unconfirmed).await.unwrap()));
    }
    assert_eq!(
        told_so_far,
        ["RouteNotListed ", "found new OnlyNewTask", "absent"],
        "{:?}",
        fake.requests()
    );
}

#[tokio::test]
async fn match_requires_a_snapshot_of_the_list_with_the_task() {
    for (listed_in_text, expected) in [(false, "found new OnlyNewTask"), (true, "NoListBefore new")]
    {
        let clock = VirtualClock::new();
        let after = match listed_in_text {
            false => [list(&["a", "new"]), vec![none()]].concat(),
            true => [list(&["a"]), vec![page(&["new"])]].concat(),
        };
        let before = [list(&["a"]), vec![none()]].concat();
        let replies = vec![before, vec![Reply::Drop], after];
        let (_fake, client, unconfirmed) = lost(replies, Route::VideoReference, &clock).await;
        assert_eq!(
            describe(&client.reconcile(&unconfirmed).await.unwrap()),
            expected
        );
    }
}

#[tokio::test]
async fn record_without_existing_lists_is_ambiguous() {
    let clock = VirtualClock::new();
    let replies = vec![list(&["a"]), vec![Reply::Drop], list(&["a", "new"])];
    let (_fake, client, unconfirmed) = lost(replies, Route::ReferenceToVideo, &clock).await;
    let mut record = serde_json::to_value(&unconfirmed).unwrap();
    let known = record["snapshot"].as_object_mut().unwrap();
    assert!(known.remove("existing_lists").is_some());
    let unconfirmed: UnconfirmedCreate = serde_json::from_value(record).unwrap();
    let reconciled = client.reconcile(&unconfirmed).await.unwrap();
    assert_eq!(describe(&reconciled), "NoListBefore new");
}

#[tokio::test]
async fn fallback_to_the_successor_compares_the_same_lists() {
    let clock = VirtualClock::new();
    let both = |reference: &[&str]| [list(reference), vec![page(&["x"])]].concat();
    let gone = Reply::http(410, &[], "");
    let replies = vec![
        both(&["a"]),
        vec![gone, Reply::Drop],
        both(&["a", "new"]),
        both(&["a"]),
    ];
    let (_fake, client, unconfirmed) = lost(replies, Route::Auto, &clock).await;
    assert_eq!(unconfirmed.route(), Route::ReferenceToVideo);
    clock.advance(SETTLED);
    for expected in ["found new OnlyNewTask", "absent"] {
        assert_eq!(
            describe(&client.reconcile(&unconfirmed).await.unwrap()),
            expected
        );
    }
}

#[tokio::test]
async fn unreadable_list_is_ambiguous() {
    let clock = VirtualClock::new();
    let replies = vec![list(&["a"]), vec![Reply::Drop, Reply::http(503, &[], "")]];
    let (_fake, client, unconfirmed) = lost(replies, Route::ReferenceToVideo, &clock).await;
    let error = client.reconcile(&unconfirmed).await.unwrap_err();
    assert_eq!(error.charged(), Charged::Unknown);
    assert_eq!(error.status(), Some(503));
}

#[tokio::test]
async fn deliveries_match_tasks_to_creates() {
    let ours = Token::new("ours").unwrap();
    let query = |token: &str| format!("{}={token}", correlation::PARAMETER);
    let cases: [(&str, Tokens, &str); 5] = [
        (
            "ours came",
            &[("new", "ours"), ("n2", "other")],
            "found new Webhook",
        ),
        (
            "not listed, but ours",
            &[("hidden", "ours")],
            "found hidden Webhook",
        ),
        (
            "a foreign delivery",
            &[("n2", "other")],
            "found new OnlyNewTask",
        ),
        (
            "both are foreign",
            &[("n2", "other"), ("new", "other")],
            "absent",
        ),
        (
            "one token, two tasks",
            &[("n2", "ours"), ("new", "ours")],
            "MultipleCandidates n2,new",
        ),
    ];
    for (name, deliveries, expected) in cases {
        let clock = VirtualClock::new();
        let replies = [list(&["a"]), vec![Reply::Drop], list(&["a", "new", "n2"])].concat();
        let fake = Fake::start(replies).await;
        let client = client(fake.base_url(), &clock)
            .route(Route::ReferenceToVideo)
            .build()
            .unwrap();
        let hook = correlation::attach("https://h.example/hook", &ours).unwrap();
        let request = valid_request().webhook_url(hook).build().unwrap();
        let unconfirmed = unknown(client.create(request).with_list_snapshot().outcome().await);
        let receiver = WebhookReceiver::builder(Secret::new(hooks::SECRET).unwrap())
            .clock(clock.clone())
            .build();
        for (id, token) in deliveries {
            let body = hooks::task(id, "CREATED", &[]);
            let headers = hooks::signed(&format!("msg-{id}"), hooks::START, &body);
            receiver
                .receive(&headers, Some(&query(token)), body.as_bytes())
                .unwrap();
        }
        clock.advance(SETTLED);
        let reconciled = client
            .reconcile(&unconfirmed)
            .webhook(&receiver)
            .await
            .unwrap();
        assert_eq!(describe(&reconciled), expected, "{name}");
    }
}
