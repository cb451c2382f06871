//! Errors of the service with a specific cause: plan limits, credits, accounts, tiers and the content filter.

use std::time::Duration;

use kling_omni::clock::Clock as _;
use kling_omni::upload::FileSource;
use kling_omni::{Charged, Client, Error, ErrorKind, Tier};
use kling_omni_sandbox::{ProblemForm, Sandbox};
use kling_omni_test_support::fake::{Fake, Reply};
use kling_omni_test_support::setup::{KEY, client, sandbox, valid_request};
use kling_omni_test_support::virtual_clock::VirtualClock;

/// Three retries after the first attempt.
const ALL_ATTEMPTS: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Call {
    Create,
    Status,
    List,
    Upload,
}

const CALLS: [Call; 4] = [Call::Create, Call::Status, Call::List, Call::Upload];

async fn run(call: Call, client: &Client) -> Result<(), Error> {
    match call {
        Call::Create => client.create(valid_request().build()?).await.map(drop),
        Call::Status => client.task("a").refresh().await.map(drop),
        Call::List => client.list().await.map(drop),
        Call::Upload => {
            let file = FileSource::bytes("clip", "video/mp4");
            client.upload(file).await.map(drop)
        }
    }
}

async fn faulty(clock: &VirtualClock, faults: &[&str]) -> (Sandbox, Client) {
    let builder = sandbox(clock).jitter(0.0);
    let builder = faults.iter().fold(builder, |builder, fault| {
        builder.fault(fault.parse().unwrap())
    });
    let sandbox = builder.start().await.unwrap();
    let client = client(sandbox.base_url(), clock).build().unwrap();
    (sandbox, client)
}

#[tokio::test]
async fn plan_limit_is_not_retried() {
    for body in [
        r#"{"message":"You have reached the usage limit of your free trial"}"#,
        r#"{"problem":{"message":"Trial usage exceeded","invalid_params":[]}}"#,
        r#"{"error":{"message":"QUOTA EXCEEDED, please upgrade"}}"#,
        "Out of credits",
    ] {
        for headers in [
            &[][..],
            &[("retry-after", "1")],
            &[("x-ratelimit-reset", "1"), ("x-ratelimit-remaining", "0")],
        ] {
            for call in CALLS {
                let fake = Fake::start(vec![Reply::http(429, headers, body)]).await;
                let clock = VirtualClock::new();
                let client = client(fake.base_url(), &clock).build().unwrap();
                let before = clock.now();
                let error = run(call, &client).await.unwrap_err();
                let name = format!("{call:?} {headers:?} {body}: {error}");
                assert_eq!(error.kind(), ErrorKind::PlanLimit, "{name}");
                assert_eq!(
                    (error.status(), error.retry_after()),
                    (Some(429), None),
                    "{name}"
                );
                assert!(!error.is_retryable(), "{name}");
                assert!(format!("{error:?}").contains("upgrade"), "{name}");
                let charged = match call {
                    Call::Status => Charged::Unknown,
                    _ => Charged::No,
                };
                assert_eq!(error.charged(), charged, "{name}");
                assert_eq!(fake.requests().len(), 1, "{name}");
                assert_eq!(clock.now(), before, "{name}");
            }
        }
    }
}

#[tokio::test]
async fn plan_limit_is_distinguished_from_rate_limit() {
    for text in [
        "Too Many Requests",
        "Rate limit exceeded. Upgrade your plan for higher limits",
        "The usage limit is 300 requests per minute",
        "3 concurrent tasks are allowed on a free trial",
    ] {
        let body = serde_json::json!({ "message": text }).to_string();
        for call in CALLS {
            let fake = Fake::start(vec![Reply::json(429, &body)]).await;
            let client = client(fake.base_url(), &VirtualClock::new())
                .build()
                .unwrap();
            let error = run(call, &client).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::RateLimited, "{text}: {error}");
            assert_eq!(fake.requests().len(), ALL_ATTEMPTS, "{text}: {error}");
        }
    }
}

#[tokio::test]
async fn plan_limit_does_not_throttle_other_calls() {
    let clock = VirtualClock::new();
    let (sandbox, client) = faulty(
        &clock,
        &["create:plan-limit@1", "create:header=Retry-After: 60@1"],
    )
    .await;
    let before = clock.now();
    let error = run(Call::Create, &client).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.charged()),
        (ErrorKind::PlanLimit, Charged::No)
    );
    run(Call::Create, &client).await.unwrap();
    assert_eq!(clock.now(), before);
    assert_eq!(sandbox.charges(), 1);
}

#[tokio::test]
async fn plan_limit_ends_a_wait_and_keeps_the_task() {
    let clock = VirtualClock::new();
    let (sandbox, client) = faulty(&clock, &["status:plan-limit@1-2", "list:plan-limit"]).await;
    let task = client
        .create(valid_request().build().unwrap())
        .await
        .unwrap();
    let error = task.wait().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.charged()),
        (ErrorKind::PlanLimit, Charged::Yes),
        "{error}"
    );
    assert_eq!(error.task_id(), Some(task.id()));
    let again = task.refresh().await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::PlanLimit);
    task.wait().await.unwrap();
    assert_eq!(sandbox.charges(), 1);
}

#[tokio::test]
async fn plan_limit_of_the_storage_host_is_not_retried() {
    let clock = VirtualClock::new();
    let faults = [
        "storage:429=1",
        "storage:body=<Error><Code>QuotaExceeded</Code><Message>Upgrade</Message></Error>",
    ];
    let (sandbox, client) = faulty(&clock, &faults).await;
    let error = run(Call::Upload, &client).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PlanLimit, "{error}");
    assert!(
        !error.is_retryable() && error.retry_after().is_none(),
        "{error}"
    );
    let puts = sandbox
        .requests()
        .iter()
        .filter(|request| request.method() == "PUT")
        .count();
    assert_eq!(puts, 1);
}

#[tokio::test]
async fn credits_and_permission_have_their_own_kinds() {
    for (status, kind, says) in [
        (402, ErrorKind::InsufficientCredits, "add credits"),
        (403, ErrorKind::Permission, "suspended"),
    ] {
        for call in CALLS {
            let fake = Fake::start(vec![Reply::json(status, r#"{"message":"no"}"#)]).await;
            let client = client(fake.base_url(), &VirtualClock::new())
                .build()
                .unwrap();
            let error = run(call, &client).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{call:?} {error}");
            assert_eq!(fake.requests().len(), 1, "{call:?} {error}");
            assert!(
                call == Call::Upload || format!("{error:?}").contains(says),
                "{call:?} {error}"
            );
        }
    }
}

#[tokio::test]
async fn not_found_names_another_account_where_the_task_exists() {
    let clock = VirtualClock::new();
    let sandbox = sandbox(&clock)
        .api_keys([KEY, "other"])
        .account_per_key(true)
        .start()
        .await
        .unwrap();
    let client = |key: &str| {
        client(sandbox.base_url(), &clock)
            .api_key(kling_omni::ApiKey::new(key).unwrap())
            .build()
            .unwrap()
    };
    let made = client(KEY)
        .create(valid_request().build().unwrap())
        .await
        .unwrap();
    let error = client("other").task(made.id()).refresh().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(
        format!("{error:?}").contains("belongs to the account that created"),
        "{error}"
    );
    assert_eq!(error.charged(), Charged::Unknown);

    sandbox.inject("status:404".parse().unwrap());
    for error in [
        made.refresh().await.unwrap_err(),
        made.wait().await.unwrap_err(),
    ] {
        assert_eq!(
            (error.kind(), error.charged()),
            (ErrorKind::NotFound, Charged::Yes)
        );
        assert!(
            format!("{error:?}").contains("belongs to another account"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn empty_result_names_the_content_filter() {
    let clock = VirtualClock::new();
    let (sandbox, client) = faulty(&clock, &["create:moderated"]).await;
    let made = client
        .create(valid_request().build().unwrap())
        .await
        .unwrap();
    let error = made.wait().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.charged()),
        (ErrorKind::EmptyResult, Charged::Yes)
    );
    for says in ["content filter", "change the prompt"] {
        assert!(format!("{error:?}").contains(says), "{error}");
    }
    assert!(!error.is_retryable());
    assert_eq!(sandbox.charges(), 1);
}

#[tokio::test]
async fn silent_failure_within_seconds_names_the_account_and_the_tier() {
    const NAMED: &str = "the account or the tier";
    for (fault, tier, names_it, within) in [
        (
            "createReferenceToVideoStd:silent-failure",
            Tier::Standard,
            true,
            true,
        ),
        ("create:silent-failure=20s", Tier::Pro, true, true),
        ("create:silent-failure=200s", Tier::Pro, false, false),
    ] {
        let clock = VirtualClock::new();
        let (sandbox, client) = faulty(&clock, &[fault]).await;
        let request = valid_request().tier(tier).build().unwrap();
        let made = client.create(request).await.unwrap();
        let schedule = kling_omni::polling::PollSchedule::custom(|_, _| Duration::from_secs(5));
        let error = made.wait().schedule(schedule).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TaskFailed);
        let text = format!("{error:?}");
        assert!(text.contains("without a reason"), "{fault}: {text}");
        assert_eq!(text.contains(NAMED), names_it, "{fault}: {text}");
        assert_eq!(text.contains("failed within"), within, "{fault}: {text}");
        // A task opened by id has no known duration.
        let error = client_of(&sandbox, &clock)
            .task(made.id())
            .wait()
            .await
            .unwrap_err();
        let text = format!("{error:?}");
        assert!(text.contains("if the task failed within seconds"), "{text}");
    }
    let clock = VirtualClock::new();
    let (sandbox, client) = faulty(&clock, &[]).await;
    sandbox.fail_next(1);
    let made = client
        .create(valid_request().build().unwrap())
        .await
        .unwrap();
    let error = made.wait().await.unwrap_err();
    assert!(!format!("{error:?}").contains(NAMED), "{error}");
}

fn client_of(sandbox: &Sandbox, clock: &VirtualClock) -> Client {
    client(sandbox.base_url(), clock).build().unwrap()
}

#[tokio::test]
async fn invalid_params_are_read_by_name_and_by_field() {
    for body in [
        r#"{"message":"bad","invalid_params":[{"field":"duration","reason":"too long"}]}"#,
        r#"{"message":"bad","invalid_params":[{"name":"duration","reason":"too long"}]}"#,
        r#"{"message":"bad","invalid_params":[{"name":null,"field":"duration","reason":"too long"}]}"#,
        r#"{"problem":{"message":"bad","invalid_params":[{"field":"duration","reason":"too long"}]}}"#,
    ] {
        let fake = Fake::start(vec![Reply::json(400, body)]).await;
        let client = client(fake.base_url(), &VirtualClock::new())
            .build()
            .unwrap();
        let error = run(Call::Create, &client).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.charged()),
            (ErrorKind::InvalidRequest, Charged::No)
        );
        let [param] = error.invalid_params() else {
            panic!("{body}: {error}");
        };
        assert_eq!(
            (&*param.name, &*param.reason),
            ("duration", "too long"),
            "{body}"
        );
        assert!(
            format!("{error:?}").contains("bad, duration: too long"),
            "{error}"
        );
    }
    // The form that the sandbox returns is read, too.
    let clock = VirtualClock::new();
    let builder = sandbox(&clock).problem_form(ProblemForm::Fields);
    let sandbox = builder.start().await.unwrap();
    let body = serde_json::json!({"video_url": "https://example.com/a.mp4", "duration": 5});
    let create = client_of(&sandbox, &clock)
        .create(valid_request().build().unwrap())
        .await;
    create.unwrap();
    let answer = reqwest::Client::new()
        .post(format!(
            "{}/v1/ai/reference-to-video/kling-v3-omni-pro",
            sandbox.base_url()
        ))
        .header("x-freepik-api-key", KEY)
        .json(&body)
        .send()
        .await
        .unwrap();
    let answer: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(answer["invalid_params"][0]["field"], "duration");
}

#[tokio::test]
async fn retry_after_in_fractions_is_rounded_up() {
    for (wait, attempts, told) in [
        ("292", 1, Some(292)),
        ("292.05", 1, Some(293)),
        ("120.01", 1, Some(121)),
        ("119.5", ALL_ATTEMPTS, Some(120)),
        ("0.2", ALL_ATTEMPTS, Some(1)),
    ] {
        let clock = VirtualClock::new();
        let (sandbox, client) = faulty(&clock, &[&format!("create:429={wait}")]).await;
        let error = run(Call::Create, &client).await.unwrap_err();
        let told = told.map(Duration::from_secs);
        assert_eq!(
            (error.kind(), error.retry_after()),
            (ErrorKind::RateLimited, told),
            "{wait}"
        );
        let seconds = format!("retry in {} s", told.unwrap().as_secs());
        assert!(format!("{error:?}").contains(&seconds), "{error}");
        assert_eq!(sandbox.requests().len(), attempts, "{wait}: {error}");
        assert_eq!(sandbox.charges(), 0);
    }
}

#[tokio::test]
async fn service_messages_are_sanitised() {
    let odd = "a\u{202e}b\u{2066}c\u{2028}d\u{200b}e\u{1b}[31mf /x.mp4?X-Amz-Signature=S1&sig=S2 u:S1@h/x";
    let message = serde_json::json!({ "message": odd }).to_string();
    let failed = serde_json::json!({
        "data": {"task_id": "a", "status": odd, "generated": [], "error": odd}
    });
    let mut ended = failed.clone();
    ended["data"]["status"] = "FAILED".into();
    let fake = Fake::start(vec![
        Reply::json(400, &message),
        Reply::json(200, &failed.to_string()),
        Reply::json(200, &ended.to_string()),
    ])
    .await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock).build().unwrap();
    let refused = run(Call::Create, &client).await.unwrap_err();
    let state = client.task("a").refresh().await.unwrap();
    let failed = client.task("a").wait().await.unwrap_err();
    for text in [
        format!("{refused}"),
        format!("{refused:?}"),
        format!("{:#?}", refused.summary()),
        format!("{}", state.status()),
        format!("{state:?}"),
        state.shown_error().unwrap(),
        format!("{failed}"),
        format!("{failed:?}"),
    ] {
        for hidden in ['\u{202e}', '\u{2066}', '\u{2028}', '\u{200b}', '\u{1b}'] {
            assert!(!text.contains(hidden), "{text:?}");
        }
        assert!(text.contains("202e"), "{text}");
    }
    for text in [
        format!("{refused:?}"),
        state.shown_error().unwrap(),
        format!("{failed:?}"),
    ] {
        assert!(!text.contains("S1") && !text.contains("S2"), "{text}");
    }
}
