//! Attribution by correlation tokens: each of several creates in flight is matched to its own task.

use std::collections::HashMap;
use std::time::Duration;

use kling_omni::recovery::{AmbiguityReason, MatchedBy, Reconciled, UnconfirmedCreate};
use kling_omni::request::Route;
use kling_omni::webhook::correlation::{self, PARAMETER, Token};
use kling_omni::webhook::{Secret, WebhookReceiver};
use kling_omni::{Client, CreateOutcome};
use kling_omni_sandbox::Sandbox;
use kling_omni_test_support::fake::{Fake, Reply};
use kling_omni_test_support::setup::{client, sandbox, valid_request};
use kling_omni_test_support::virtual_clock::VirtualClock;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{SETTLED, describe, list, none, unknown};
use crate::webhook as hooks;

fn receiver(clock: &VirtualClock) -> WebhookReceiver {
    let secret = Secret::new(hooks::SECRET).unwrap();
    WebhookReceiver::builder(secret)
        .clock(clock.clone())
        .build()
}

/// Receives an authentic delivery with this token, or without one.
fn deliver(
    receiver: &WebhookReceiver,
    message: &str,
    sent_at: u64,
    id: &str,
    status: &str,
    token: Option<&str>,
) {
    let generated: &[&str] = match status {
        "COMPLETED" => &["https://result.example/a.mp4"],
        _ => &[],
    };
    let body = hooks::task(id, status, generated);
    let headers = hooks::signed(message, sent_at, &body);
    let query = token.map(|token| format!("{PARAMETER}={token}"));
    receiver
        .receive(&headers, query.as_deref(), body.as_bytes())
        .unwrap();
}

async fn lose(client: &Client, token: &str) -> UnconfirmedCreate {
    let token = Token::new(token).unwrap();
    let hook = correlation::attach("https://h.example/hook", &token).unwrap();
    let request = valid_request().webhook_url(hook).build().unwrap();
    unknown(client.create(request).with_list_snapshot().outcome().await)
}

/// An account with one older task.
async fn service(clock: &VirtualClock) -> (Sandbox, Client) {
    let sandbox = sandbox(clock).start().await.unwrap();
    let client = client(sandbox.base_url(), clock)
        .route(Route::ReferenceToVideo)
        .max_retries(0)
        .build()
        .unwrap();
    client
        .create(valid_request().build().unwrap())
        .await
        .unwrap();
    (sandbox, client)
}

#[tokio::test]
async fn new_task_is_matched_to_only_one_create() {
    let clock = VirtualClock::new();
    let (sandbox, client) = service(&clock).await;
    let receiver = receiver(&clock);
    sandbox.inject("create:lost@1".parse().unwrap());
    sandbox.inject("create:drop@2".parse().unwrap());
    let (first, second) = tokio::join!(lose(&client, "first"), lose(&client, "second"));
    for unconfirmed in [&first, &second] {
        let search = client.reconcile(unconfirmed).webhook(&receiver);
        let id = &sandbox.tasks()[1].id().to_owned();
        assert_eq!(describe(&search.await.unwrap()), format!("TooEarly {id}"));
    }
    let id = sandbox.tasks()[1].id().to_owned();
    let named = receiver.clone();
    let moment = clock.elapsed() + Duration::from_millis(1500);
    let delivered = id.clone();
    clock.at(moment, move || {
        deliver(
            &named,
            "m",
            hooks::START + 1,
            &delivered,
            "CREATED",
            Some("second"),
        );
    });
    let (first, second) = tokio::join!(
        client.reconcile(&first).webhook(&receiver).until_settled(),
        client.reconcile(&second).webhook(&receiver).until_settled(),
    );
    assert_eq!(describe(&first.unwrap()), "absent");
    assert_eq!(describe(&second.unwrap()), format!("found {id} Webhook"));
}

#[tokio::test]
async fn new_task_of_two_open_creates_is_ambiguous_without_tokens() {
    let clock = VirtualClock::new();
    let (sandbox, client) = service(&clock).await;
    sandbox.inject("create:lost@1".parse().unwrap());
    sandbox.inject("create:drop@2".parse().unwrap());
    let create = || {
        client
            .create(valid_request().build().unwrap())
            .with_list_snapshot()
    };
    let (first, second) = tokio::join!(create().outcome(), create().outcome());
    let (first, second) = (unknown(first), unknown(second));
    clock.advance(SETTLED);
    let id = sandbox.tasks()[1].id().to_owned();
    for unconfirmed in [&first, &second] {
        let reconciled = client.reconcile(unconfirmed).until_settled().await.unwrap();
        assert_eq!(describe(&reconciled), format!("OtherCreates {id}"));
    }
}

#[tokio::test]
async fn resolved_create_does_not_compete_for_tasks() {
    let clock = VirtualClock::new();
    let (sandbox, client) = service(&clock).await;
    sandbox.inject("create:lost@1".parse().unwrap());
    sandbox.inject("create:drop@2".parse().unwrap());
    let create = || {
        client
            .create(valid_request().build().unwrap())
            .with_list_snapshot()
    };
    unknown(create().outcome().await);
    clock.advance(SETTLED);
    let second = unknown(create().outcome().await);
    let id = sandbox.tasks()[1].id().to_owned();
    let reconciled = client.reconcile(&second).await.unwrap();
    assert_eq!(describe(&reconciled), format!("found {id} OnlyNewTask"));
}

/// The list before the create and after it, and the result of a search that does not wait.
type Lists = (&'static str, Vec<Reply>, Vec<Reply>, &'static str);

#[tokio::test]
async fn until_settled_waits_for_the_delivery() {
    let full: Vec<_> = (0..100).map(|n| format!("t{n:03}")).collect();
    let full: Vec<_> = full.iter().map(String::as_str).collect();
    let refused = || vec![Reply::http(403, &[], "")];
    let cases: [Lists; 7] = [
        (
            "an account without tasks",
            vec![none()],
            vec![none()],
            "NoListNow ",
        ),
        (
            "no list before",
            vec![none()],
            list(&["x"]),
            "NoListBefore x",
        ),
        ("nothing new", list(&["a"]), list(&["a"]), "TooEarly "),
        (
            "one new task",
            list(&["a"]),
            list(&["a", "x"]),
            "TooEarly x",
        ),
        (
            "two new tasks",
            list(&["a"]),
            list(&["a", "x", "y"]),
            "MultipleCandidates x,y",
        ),
        (
            "a list that lost a task",
            list(&["a"]),
            list(&["x"]),
            "ListShrank x",
        ),
        (
            "a list that is rejected",
            list(&["a"]),
            refused(),
            "Permission",
        ),
    ];
    drop(full);
    for (name, before, after, without_waiting) in cases {
        let clock = VirtualClock::new();
        let often = std::iter::repeat_n(after, 8).flatten().collect();
        let fake = Fake::start([before, vec![Reply::Drop], often].concat()).await;
        let client = client(fake.base_url(), &clock)
            .route(Route::ReferenceToVideo)
            .max_retries(0)
            .build()
            .unwrap();
        let unconfirmed = lose(&client, "ours").await;
        let receiver = receiver(&clock);
        let search = || client.reconcile(&unconfirmed).webhook(&receiver);
        let said = match search().await {
            Ok(reconciled) => describe(&reconciled),
            Err(error) => format!("{:?}", error.kind()),
        };
        assert_eq!(said, without_waiting, "{name}");
        let named = receiver.clone();
        clock.at(clock.elapsed() + Duration::from_millis(1500), move || {
            deliver(&named, "m", hooks::START + 1, "x", "CREATED", Some("ours"));
        });
        let reconciled = search().until_settled().await.unwrap();
        assert_eq!(describe(&reconciled), "found x Webhook", "{name}");
        assert!(
            clock.elapsed() < Duration::from_secs(6),
            "{name}: it returns when the delivery arrives"
        );
    }
}

#[tokio::test]
async fn token_of_any_delivery_is_kept() {
    // Each delivery: its time, its status and its token.
    type Sent = &'static [(u64, &'static str, Option<&'static str>)];
    let cases: [(&str, Sent, &str); 5] = [
        (
            "the last delivery has no token",
            &[(1, "CREATED", Some("ours")), (2, "COMPLETED", None)],
            "x",
        ),
        (
            "only a late delivery has the token",
            &[(2, "COMPLETED", None), (1, "CREATED", Some("ours"))],
            "x",
        ),
        ("another one's", &[(1, "CREATED", Some("other"))], ""),
        (
            "of both",
            &[
                (1, "CREATED", Some("other")),
                (2, "COMPLETED", Some("ours")),
            ],
            "x",
        ),
        (
            "of three",
            &[
                (1, "CREATED", Some("a")),
                (2, "IN_PROGRESS", Some("b")),
                (3, "COMPLETED", Some("ours")),
            ],
            "",
        ),
    ];
    for (name, sent, expected) in cases {
        let clock = VirtualClock::new();
        let receiver = receiver(&clock);
        for (index, (at, status, token)) in sent.iter().enumerate() {
            deliver(
                &receiver,
                &format!("m{index}"),
                hooks::START + at,
                "x",
                status,
                *token,
            );
        }
        assert_eq!(receiver.correlated("ours").join(","), expected, "{name}");
    }
}

/// The outcome of one of several creates.
#[derive(Clone, Copy, Debug, PartialEq)]
enum PlannedCreate {
    Answered,
    LostBefore,
    LostAfter,
}

/// A delivery about the task of a create that was charged.
#[derive(Clone, Debug)]
struct Message {
    create: usize,
    status: usize,
    at: u64,
    is_doubled: bool,
}

fn plans() -> impl Strategy<Value = (Vec<PlannedCreate>, Vec<Message>)> {
    let create = prop_oneof![
        1 => Just(PlannedCreate::Answered),
        2 => Just(PlannedCreate::LostBefore),
        3 => Just(PlannedCreate::LostAfter),
    ];
    prop::collection::vec(create, 2..=8).prop_flat_map(|planned| {
        let message = (0..planned.len(), 0..3_usize, 1..900_u64, any::<bool>());
        let message = message.prop_map(|(create, status, at, is_doubled)| Message {
            create,
            status,
            at,
            is_doubled,
        });
        let messages = prop::collection::vec(message, 0..planned.len() * 3);
        (Just(planned), messages)
    })
}

/// Runs a plan: all creates are in flight at once. Each unconfirmed one is reconciled while deliveries arrive and again
/// after the last of them.
async fn run_plan(planned: &[PlannedCreate], messages: &[Message]) -> Result<(), TestCaseError> {
    let clock = VirtualClock::new();
    let (sandbox, client) = service(&clock).await;
    let receiver = receiver(&clock);
    for (index, create) in planned.iter().enumerate() {
        let fault = match create {
            PlannedCreate::Answered => continue,
            PlannedCreate::LostBefore => format!("create:lost@{}", index + 1),
            PlannedCreate::LostAfter => format!("create:drop@{}", index + 1),
        };
        sandbox.inject(fault.parse().unwrap());
    }
    let creates = planned.iter().enumerate().map(|(index, _)| {
        let token = Token::new(format!("token-{index}")).unwrap();
        let hook = correlation::attach("https://h.example/hook", &token).unwrap();
        let request = valid_request().webhook_url(hook).build().unwrap();
        let client = &client;
        async move { client.create(request).with_list_snapshot().outcome().await }
    });
    let outcomes = futures_util::future::join_all(creates).await;
    // Faults apply in the order of arrival, so the outcomes are read from the service.
    let tasks: HashMap<usize, String> = sandbox
        .tasks()
        .iter()
        .skip(1)
        .map(|task| {
            let hook = task.request()["webhook_url"].as_str().unwrap().to_owned();
            let index = hook.rsplit("token-").next().unwrap().parse().unwrap();
            (index, task.id().to_owned())
        })
        .collect();
    let mut given: HashMap<String, usize> = HashMap::new();
    let mut open = Vec::new();
    for (index, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            CreateOutcome::Created(task) => {
                prop_assert_eq!(Some(&task.id().to_owned()), tasks.get(&index));
                given.insert(task.id().to_owned(), index);
            }
            CreateOutcome::Unknown { unconfirmed, .. } => open.push((index, unconfirmed)),
            other => panic!("{other:?}"),
        }
    }
    let statuses = ["CREATED", "IN_PROGRESS", "COMPLETED"];
    let start = clock.elapsed();
    for (number, message) in messages.iter().enumerate() {
        let Some(id) = tasks.get(&message.create).cloned() else {
            continue;
        };
        for copy in 0..=u64::from(message.is_doubled) {
            let (receiver, id, token) = (
                receiver.clone(),
                id.clone(),
                format!("token-{}", message.create),
            );
            let (status, at) = (statuses[message.status], message.at + copy * 7);
            let since = start + Duration::from_secs(at);
            let sent_at = hooks::START + since.as_secs();
            clock.at(since, move || {
                let name = format!("m{number}");
                deliver(
                    &receiver,
                    &name,
                    sent_at - copy * 7,
                    &id,
                    status,
                    Some(&token),
                );
            });
        }
    }
    let search = |unconfirmed: &UnconfirmedCreate| {
        client
            .reconcile(unconfirmed)
            .webhook(&receiver)
            .until_settled()
    };
    let mut left = Vec::new();
    let searched = futures_util::future::join_all(
        open.iter()
            .map(|(_, unconfirmed)| async { search(unconfirmed).await }),
    );
    for ((index, unconfirmed), reconciled) in open.iter().zip(searched.await) {
        left.extend(check(
            *index,
            unconfirmed,
            reconciled.unwrap(),
            &tasks,
            &mut given,
        )?);
    }
    // The remaining deliveries arrive, at least one for each paid task.
    kling_omni::clock::Clock::sleep(&clock, Duration::from_secs(1000)).await;
    for (index, id) in &tasks {
        let sent_at = hooks::START + clock.elapsed().as_secs();
        deliver(
            &receiver,
            &format!("last-{index}"),
            sent_at,
            id,
            "COMPLETED",
            Some(&format!("token-{index}")),
        );
    }
    // Creates with a task are found by their deliveries. Then the others have no competitor.
    left.sort_by_key(|(index, _)| !tasks.contains_key(index));
    for (index, unconfirmed) in left {
        let reconciled = search(&unconfirmed).await.unwrap();
        let again = check(index, &unconfirmed, reconciled, &tasks, &mut given)?;
        prop_assert!(again.is_none(), "create {index} needs an operator");
    }
    for (index, id) in &tasks {
        prop_assert_eq!(given.get(id), Some(index));
    }
    Ok(())
}

/// Checks the result of a search, and returns a create that is still open.
fn check(
    index: usize,
    unconfirmed: &UnconfirmedCreate,
    reconciled: Reconciled,
    tasks: &HashMap<usize, String>,
    given: &mut HashMap<String, usize>,
) -> Result<Option<(usize, UnconfirmedCreate)>, TestCaseError> {
    match reconciled {
        Reconciled::Found {
            task,
            matched_by: by,
        } => {
            prop_assert_eq!(
                Some(&task.id().to_owned()),
                tasks.get(&index),
                "create {} by {:?}",
                index,
                by
            );
            let before = given.insert(task.id().to_owned(), index);
            prop_assert!(
                before.is_none(),
                "{} was given to create {:?}, too",
                task.id(),
                before
            );
            prop_assert!(matches!(by, MatchedBy::Webhook | MatchedBy::OnlyNewTask));
            Ok(None)
        }
        Reconciled::NotCreated => {
            prop_assert_eq!(None, tasks.get(&index), "create {} has a task", index);
            Ok(None)
        }
        Reconciled::Ambiguous { reason, .. } => {
            prop_assert!(
                matches!(
                    reason,
                    AmbiguityReason::MultipleCandidates | AmbiguityReason::OtherCreates
                ),
                "{reason:?}"
            );
            Ok(Some((index, unconfirmed.clone())))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn creates_are_matched_to_their_own_tasks() {
    let mut runner = TestRunner::new(Config {
        cases: 64,
        failure_persistence: None,
        ..Config::default()
    });
    let result = runner.run(&plans(), |(planned, messages)| {
        // One runtime for each case, because its shutdown closes the connections of the case.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(run_plan(&planned, &messages))
    });
    result.unwrap();
}
