//! The spend guard: what it counts, what it refuses, and the price table.

use std::io;
use std::time::Duration;

use futures_util::future::join_all;
use kling_omni::request::{CharacterOrientation, Request, Route};
use kling_omni::spend::{Amount, PriceTable, SpendGuard, Spent};
use kling_omni::{
    Charged, Client, CreateOutcome, Error, ErrorKind, Mode, MotionControl, TextToVideo, Tier,
    VideoReference,
};
use kling_omni_sandbox::Sandbox;
use kling_omni_test_support::setup::{client, sandbox, valid_request};
use kling_omni_test_support::spec::longest_video;
use kling_omni_test_support::virtual_clock::VirtualClock;
use serde_json::json;

/// The clock of the tests starts on 2027-01-15 at 8:00 UTC.
const PRICES: &str = r#"{
    "currency": "EUR",
    "valid_until": "2027-01-15",
    "prices": [
        {"mode": "reference", "tier": "pro", "per_second": "0.10"},
        {"mode": "reference", "tier": "pro", "reference_video": true, "per_second": "0.15", "per_task": 0.035},
        {"mode": "text", "tier": "pro", "per_task": 2}
    ]
}"#;

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

fn prices() -> PriceTable {
    PRICES.parse().unwrap()
}

/// A sandbox and a client with a guard.
async fn start(guard: &SpendGuard) -> (Sandbox, Client, VirtualClock) {
    let clock = VirtualClock::new();
    let sandbox = sandbox(&clock).start().await.unwrap();
    let client = client(sandbox.base_url(), &clock)
        .route(Route::ReferenceToVideo)
        .spend_guard(guard.clone())
        .build()
        .unwrap();
    (sandbox, client, clock)
}

fn of_seconds(seconds: u32) -> Request {
    valid_request().duration(seconds).build().unwrap().into()
}

fn assert_refused(error: &Error, text: &str) {
    assert_eq!(error.to_string(), text);
    assert_eq!(error.kind(), ErrorKind::SpendLimit);
    assert_eq!(error.charged(), Charged::No);
    assert!(error.help().is_some() && !error.is_retryable());
}

#[tokio::test]
async fn create_over_the_limit_is_not_sent() {
    for (guard, created, text) in [
        (
            SpendGuard::new().max_tasks(2),
            2,
            "spend limit reached: 2 of 2 tasks",
        ),
        (
            SpendGuard::new().max_tasks(0),
            0,
            "spend limit reached: 0 of 0 tasks",
        ),
        (
            SpendGuard::new().max_seconds(25),
            3,
            "spend limit reached: 24 of 25 seconds of video, 8 more needed",
        ),
        (
            // 8 seconds cost 1.235.
            SpendGuard::new().max_money(amount("2.469999"), prices()),
            1,
            "spend limit reached: 1.235 of 2.469999 EUR, 1.235 more needed",
        ),
        (
            SpendGuard::new()
                .max_tasks(9)
                .max_money(amount("2.47"), prices()),
            2,
            "spend limit reached: 2.47 of 2.47 EUR, 1.235 more needed",
        ),
        (
            SpendGuard::new().max_tasks(10).with_spent(Spent {
                tasks: 9,
                ..Spent::default()
            }),
            1,
            "spend limit reached: 10 of 10 tasks",
        ),
    ] {
        let (sandbox, client, _) = start(&guard).await;
        for _ in 0..created {
            client.create(of_seconds(8)).await.unwrap();
        }
        let before = guard.spent();
        for _ in 0..2 {
            assert_refused(&client.create(of_seconds(8)).await.unwrap_err(), text);
        }
        assert_eq!(
            (sandbox.charges(), guard.spent()),
            (created, before),
            "{text}"
        );
    }
}

#[tokio::test]
async fn create_without_a_valid_price_is_not_sent() {
    let guard = SpendGuard::new().max_money(amount("1000"), prices());
    let (sandbox, client, clock) = start(&guard).await;
    let standard = valid_request().tier(Tier::Standard).build().unwrap();
    assert_refused(
        &client.create(standard).await.unwrap_err(),
        "the price table has no price for the mode reference and the tier standard with a reference video",
    );
    let body = json!({"prompt": "It rains"});
    let unchecked = client
        .create_unchecked(Tier::Standard, body)
        .mode(Mode::Text);
    assert_refused(
        &unchecked.await.unwrap_err(),
        "the price table has no price for the mode text and the tier standard without a reference video",
    );
    client.create(of_seconds(3)).await.unwrap();
    // The last second of the last day, and the first one of the next.
    clock.advance(Duration::from_secs(16 * 3600 - 1));
    client.create(of_seconds(3)).await.unwrap();
    clock.advance(Duration::from_secs(1));
    assert_refused(
        &client.create(of_seconds(3)).await.unwrap_err(),
        "the price table was valid until 2027-01-15",
    );
    assert_eq!((sandbox.charges(), guard.spent().tasks), (2, 2));
}

#[tokio::test]
async fn create_that_made_no_task_is_not_counted() {
    for (fault, outcome, counted) in [
        ("create:400", "rejected", 0),
        ("create:402", "rejected", 0),
        ("create:drop", "unknown", 1),
        ("create:lost", "unknown", 1),
        ("create:500", "unknown", 1),
    ] {
        let guard = SpendGuard::new().max_tasks(1);
        let (sandbox, client, _) = start(&guard).await;
        sandbox.inject(fault.parse().unwrap());
        let word = match client.create(of_seconds(3)).outcome().await {
            CreateOutcome::Created(_) => "created",
            CreateOutcome::Rejected(_) => "rejected",
            CreateOutcome::Unknown { .. } => "unknown",
        };
        assert_eq!(word, outcome, "{fault}");
        assert_eq!(guard.spent().tasks, counted, "{fault}");
        sandbox.clear_faults();
        let again = client.create(of_seconds(3)).await;
        assert_eq!(again.is_ok(), counted == 0, "{fault}");
        if counted == 1 {
            guard.give_back(guard.cost(&of_seconds(3)).unwrap());
            client.create(of_seconds(3)).await.unwrap();
        }
        assert_eq!(guard.spent().tasks, 1, "{fault}");
    }
}

#[tokio::test]
async fn create_that_is_not_announced_is_not_counted() {
    let guard = SpendGuard::new();
    let (sandbox, client, _) = start(&guard).await;
    let seen = guard.clone();
    let create = client.create(of_seconds(3)).before_send(move |_| {
        assert_eq!(seen.spent().tasks, 1, "counted before the announcement");
        Err(io::Error::other("disk full"))
    });
    assert_eq!(create.await.unwrap_err().kind(), ErrorKind::File);
    assert_eq!((sandbox.charges(), guard.spent()), (0, Spent::default()));
}

#[tokio::test]
async fn fallback_to_the_successor_counts_once() {
    let clock = VirtualClock::new();
    let sandbox = sandbox(&clock).start().await.unwrap();
    sandbox.inject("create:404@1".parse().unwrap());
    let guard = SpendGuard::new().max_tasks(1);
    let client = client(sandbox.base_url(), &clock)
        .spend_guard(guard.clone())
        .build()
        .unwrap();
    client.create(of_seconds(3)).await.unwrap();
    let expected = Spent {
        tasks: 1,
        seconds: 3,
        ..Spent::default()
    };
    assert_eq!((sandbox.charges(), guard.spent()), (1, expected));
}

/// The threads of one runtime share two clients and one guard. With a runtime for each thread, a pooled connection would
/// end with the runtime that opened it, under the creates of the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn creates_at_once_do_not_exceed_the_limit() {
    let guard = SpendGuard::new().max_seconds(21);
    let (sandbox, first, clock) = start(&guard).await;
    let second = client(sandbox.base_url(), &clock)
        .spend_guard(guard.clone())
        .build()
        .unwrap();
    let creates = (0..40).map(|n| {
        let client = [&first, &second][n % 2];
        tokio::spawn(client.create(of_seconds(3)).into_future())
    });
    let creates: Vec<_> = creates.collect();
    let results = join_all(creates).await.into_iter();
    let results: Vec<_> = results.map(Result::unwrap).collect();
    let created = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!((results.len(), created, sandbox.charges()), (40, 7, 7));
    for error in results.iter().filter_map(|result| result.as_ref().err()) {
        assert_eq!(error.kind(), ErrorKind::SpendLimit, "{error}");
    }
    assert_eq!(guard.spent().seconds, 21);
}

#[test]
fn seconds_are_requested_or_the_maximum() {
    let video = "https://example.com/dance.mp4";
    let reference = || VideoReference::builder().prompt("@Video1");
    let text = || TextToVideo::builder().prompt("It rains");
    let motion = || {
        MotionControl::builder()
            .character("https://example.com/puppet.png")
            .reference_video(video)
    };
    for (request, seconds) in [
        (Request::from(text().build().unwrap()), 5),
        (text().duration(12).build().unwrap().into(), 12),
        (reference().build().unwrap().into(), 5),
        (reference().duration(7).build().unwrap().into(), 7),
        (
            reference().reference_video(video).build().unwrap().into(),
            longest_video(),
        ),
        (
            reference()
                .reference_video(video)
                .duration(3)
                .build()
                .unwrap()
                .into(),
            3,
        ),
        (motion().build().unwrap().into(), 30),
        (
            motion()
                .character_orientation(CharacterOrientation::Image)
                .build()
                .unwrap()
                .into(),
            10,
        ),
    ] {
        assert_eq!(request.max_seconds(), seconds, "{request:?}");
    }
}

#[tokio::test]
async fn unchecked_seconds_are_at_least_the_maximum_where_they_cannot_be_read() {
    for (body, seconds) in [
        (json!({"duration": "20"}), 20),
        (json!({"duration": 20}), 20),
        (json!({"duration": null}), 5),
        (json!({"duration": "long"}), longest_video()),
        (json!({"duration": -1}), longest_video()),
        (json!({"duration": 7.5}), longest_video()),
        (json!([]), 5),
    ] {
        let guard = SpendGuard::new();
        let (_sandbox, client, _) = start(&guard).await;
        let seen = guard.clone();
        let create = client.create_unchecked(Tier::Pro, body.clone());
        let create =
            create.before_send(move |_| Err(io::Error::other(seen.spent().seconds.to_string())));
        let error = create.await.unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(cause, seconds.to_string(), "{body}");
    }
}

#[test]
fn amounts_are_exact() {
    for (text, micros, shown) in [
        ("0", 0, "0"),
        ("12.50", 12_500_000, "12.5"),
        ("0.000001", 1, "0.000001"),
        ("0.1000000000", 100_000, "0.1"),
        ("007", 7_000_000, "7"),
        ("18446744073709.551615", u64::MAX, "18446744073709.551615"),
    ] {
        let amount = amount(text);
        assert_eq!((amount.micros(), &*amount.to_string()), (micros, shown));
        let json = serde_json::to_string(&amount).unwrap();
        assert_eq!(json, format!("{shown:?}"));
        assert_eq!(serde_json::from_str::<Amount>(&json).unwrap(), amount);
    }
    for text in [
        "",
        ".",
        "1.",
        ".5",
        "-1",
        "+1",
        "1e3",
        "1,5",
        " 1",
        "1 ",
        "0.0000001",
        "1.2.3",
        "١",
        "18446744073709.551616",
        "99999999999999999999",
        "NaN",
    ] {
        assert!(text.parse::<Amount>().is_err(), "{text:?}");
    }
    for (json, micros) in [
        ("0.035", 35_000),
        ("7", 7_000_000),
        ("0.1", 100_000),
        ("1e3", 1_000_000_000),
    ] {
        let amount: Amount = serde_json::from_str(json).unwrap();
        assert_eq!(amount.micros(), micros, "{json}");
    }
    for json in [
        "-1",
        "-0.5",
        "0.0000001",
        "1e300",
        "9007199254740993.5",
        "true",
        "null",
        "[]",
    ] {
        assert!(serde_json::from_str::<Amount>(json).is_err(), "{json}");
    }
}

#[test]
fn invalid_price_tables_are_rejected() {
    let table = |edit: fn(&mut serde_json::Value)| {
        let mut table = serde_json::from_str(PRICES).unwrap();
        edit(&mut table);
        table.to_string().parse::<PriceTable>().map(|_| ())
    };
    table(|_| {}).unwrap();
    type Edit = fn(&mut serde_json::Value);
    let edits: [(Edit, &str); 11] = [
        (|t| t["currency"] = " ".into(), "currency is empty"),
        (
            |t| t["valid_until"] = "2027-02-30".into(),
            "\"2027-02-30\" is not a date",
        ),
        (|t| t["valid_until"] = "2027-1-5".into(), "is not a date"),
        (|t| t["valid_until"] = "15.01.2027".into(), "is not a date"),
        (
            |t| drop(t.as_object_mut().unwrap().remove("valid_until")),
            "missing field `valid_until`",
        ),
        (
            |t| t["prices"][0]["mode"] = "sound".into(),
            "unknown variant `sound`",
        ),
        (
            |t| t["prices"][0]["per_secnd"] = 1.into(),
            "unknown field `per_secnd`",
        ),
        (
            |t| t["prices"][0]["per_second"] = "0,10".into(),
            "invalid amount",
        ),
        (
            |t| t["prices"][0]["per_second"] = (-1).into(),
            "invalid amount",
        ),
        (
            |t| t["prices"][2]["per_task"] = ().into(),
            "prices[2] has neither",
        ),
        (
            |t| t["prices"][1]["reference_video"] = ().into(),
            "prices[1] applies to the same creates as prices[0]",
        ),
    ];
    for (edit, text) in edits {
        let error = table(edit).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains(text), "{text}: {error}");
    }
}
