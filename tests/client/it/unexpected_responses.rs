//! Undocumented responses: the result of each for each operation.

use kling_omni::polling::TaskStatus;
use kling_omni::{Charged, Error, ErrorKind};
use kling_omni_test_support::fake::{ClosedPort, Fake, Reply};
use kling_omni_test_support::setup::{SHORT, client, task, valid_request};
use kling_omni_test_support::virtual_clock::VirtualClock;

/// A call of the API.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Operation {
    Create,
    Status,
    List,
}

const OPERATIONS: [Operation; 3] = [Operation::Create, Operation::Status, Operation::List];

struct Case {
    name: &'static str,
    reply: Reply,
    kind: ErrorKind,
    status: Option<u16>,
    /// Whether a create with this result may have been charged.
    create: Charged,
    /// The number of requests of a read, and of a create.
    requests: [usize; 2],
    says: &'static str,
}

/// Three retries after the first attempt.
const ALL_ATTEMPTS: usize = 4;

fn cases() -> Vec<Case> {
    let html = "<html><body>upstream token=exp=1~hmac=abc FPSX-canary-in-a-coal-mine</body></html>";
    let case = |name, reply, kind, status, create, requests, says| Case {
        name,
        reply,
        kind,
        status,
        create,
        requests,
        says,
    };
    use Charged::{No, Unknown};
    vec![
        case(
            "401 in JSON",
            Reply::json(
                401,
                r#"{"message":"Unauthorized: FPSX-canary-in-a-coal-mine is invalid"}"#,
            ),
            ErrorKind::Authentication,
            Some(401),
            No,
            [1, 1],
            "Unauthorized: [key] is invalid",
        ),
        case(
            "402 empty",
            Reply::http(402, &[], ""),
            ErrorKind::InsufficientCredits,
            Some(402),
            No,
            [1, 1],
            "empty body",
        ),
        case(
            "403 in JSON",
            Reply::json(403, r#"{"message":"no credits"}"#),
            ErrorKind::Permission,
            Some(403),
            No,
            [1, 1],
            "no credits",
        ),
        case(
            "400 with a bare message",
            Reply::json(400, r#"{"message":"bad"}"#),
            ErrorKind::InvalidRequest,
            Some(400),
            No,
            [1, 1],
            "bad",
        ),
        case(
            "400 flat",
            Reply::http(
                400,
                &[("content-type", "application/problem+json")],
                r#"{"message":"bad","invalid_params":[{"name":"duration","reason":"too long"}]}"#,
            ),
            ErrorKind::InvalidRequest,
            Some(400),
            No,
            [1, 1],
            "duration: too long",
        ),
        case(
            "400 nested",
            Reply::http(
                400,
                &[("content-type", "application/problem+json")],
                r#"{"problem":{"message":"bad","invalid_params":[{"name":"duration","reason":"too long"}]}}"#,
            ),
            ErrorKind::InvalidRequest,
            Some(400),
            No,
            [1, 1],
            "duration: too long",
        ),
        case(
            "422 with another shape",
            Reply::json(422, r#"{"detail":[]}"#),
            ErrorKind::InvalidRequest,
            Some(422),
            No,
            [1, 1],
            "422",
        ),
        case(
            "409",
            Reply::json(409, r#"{"message":"in conflict"}"#),
            ErrorKind::UnexpectedResponse,
            Some(409),
            Unknown,
            [1, 1],
            "in conflict",
        ),
        case(
            "408",
            Reply::http(408, &[], ""),
            ErrorKind::Server,
            Some(408),
            Unknown,
            [ALL_ATTEMPTS, 1],
            "408",
        ),
        case(
            "429 in HTML",
            Reply::http(429, &[("content-type", "text/html")], html),
            ErrorKind::RateLimited,
            Some(429),
            No,
            [ALL_ATTEMPTS, ALL_ATTEMPTS],
            "not JSON",
        ),
        case(
            "429 for longer than we wait",
            Reply::http(429, &[("retry-after", "86400")], ""),
            ErrorKind::RateLimited,
            Some(429),
            No,
            [1, 1],
            "429",
        ),
        case(
            "500 in HTML",
            Reply::http(500, &[("content-type", "text/html")], html),
            ErrorKind::Server,
            Some(500),
            Unknown,
            [ALL_ATTEMPTS, 1],
            "500",
        ),
        case(
            "502 in JSON",
            Reply::json(502, r#"{"message":"bad gateway"}"#),
            ErrorKind::Server,
            Some(502),
            Unknown,
            [ALL_ATTEMPTS, 1],
            "bad gateway",
        ),
        case(
            "503 empty",
            Reply::http(503, &[], ""),
            ErrorKind::Server,
            Some(503),
            Unknown,
            [ALL_ATTEMPTS, 1],
            "empty body",
        ),
        case(
            "200 in HTML",
            Reply::http(200, &[("content-type", "text/html")], html),
            ErrorKind::UnexpectedResponse,
            Some(200),
            Unknown,
            [ALL_ATTEMPTS, 1],
            "not JSON",
        ),
        case(
            "200 empty",
            Reply::http(200, &[], ""),
            ErrorKind::UnexpectedResponse,
            Some(200),
            Unknown,
            [ALL_ATTEMPTS, 1],
            "not JSON",
        ),
        case(
            "200 cut JSON",
            Reply::json(200, r#"{"data":{"task_id":"a"#),
            ErrorKind::UnexpectedResponse,
            Some(200),
            Unknown,
            [ALL_ATTEMPTS, 1],
            "not JSON",
        ),
        case(
            "200 of another shape",
            Reply::json(200, r#"{"data":17}"#),
            ErrorKind::UnexpectedResponse,
            Some(200),
            Unknown,
            [1, 1],
            "documented shape",
        ),
        case(
            "200 oversized",
            Reply::http(200, &[], "x".repeat(70_000)),
            ErrorKind::UnexpectedResponse,
            Some(200),
            Unknown,
            [ALL_ATTEMPTS, 1],
            "exceeds",
        ),
        case(
            "204",
            Reply::http(204, &[], ""),
            ErrorKind::UnexpectedResponse,
            Some(204),
            Unknown,
            [ALL_ATTEMPTS, 1],
            "204",
        ),
        case(
            "302 elsewhere",
            Reply::http(302, &[("location", "http://127.0.0.1:9/steal")], ""),
            ErrorKind::UnexpectedResponse,
            Some(302),
            Unknown,
            [1, 1],
            "redirected",
        ),
        case(
            "body cut short",
            Reply::cut(200, 500, b"{"),
            ErrorKind::Transport,
            Some(200),
            Unknown,
            [ALL_ATTEMPTS, 1],
            "before the response was complete",
        ),
        case(
            "slow body",
            Reply::slow(200, 500, b"{"),
            ErrorKind::Transport,
            Some(200),
            Unknown,
            [ALL_ATTEMPTS, 1],
            "time limit",
        ),
        case(
            "hang",
            Reply::hang(),
            ErrorKind::Transport,
            None,
            Unknown,
            [ALL_ATTEMPTS, 1],
            "time limit",
        ),
        case(
            "dropped",
            Reply::Drop,
            ErrorKind::Transport,
            None,
            Unknown,
            [ALL_ATTEMPTS, 1],
            "connection was lost",
        ),
        case(
            "no HTTP",
            Reply::Bytes(b"SSH-2.0-OpenSSH\r\n".to_vec()),
            ErrorKind::Transport,
            None,
            Unknown,
            [ALL_ATTEMPTS, 1],
            "lost",
        ),
    ]
}

#[tokio::test]
async fn each_response_has_a_defined_result_for_each_operation() {
    for case in cases() {
        for operation in OPERATIONS {
            let name = format!("{} on {operation:?}", case.name);
            let fake = Fake::start(vec![case.reply.clone()]).await;
            let error = run(operation, fake.base_url()).await.expect_err(&name);
            check(&name, &case, operation, &error);
            let [read, create] = case.requests;
            let requests = if operation == Operation::Create {
                create
            } else {
                read
            };
            assert_eq!(fake.requests().len(), requests, "{name}: {error}");
        }
    }
}

async fn run(operation: Operation, base_url: &str) -> Result<(), Error> {
    let clock = VirtualClock::new();
    let client = client(base_url, &clock)
        .route(kling_omni::request::Route::VideoReference)
        .attempt_timeout(SHORT)
        .max_response_size(65_536)
        .build()?;
    match operation {
        Operation::Create => client.create(valid_request().build()?).await.map(drop),
        Operation::Status => client.task("a").refresh().await.map(drop),
        Operation::List => client.list().await.map(drop),
    }
}

fn check(name: &str, case: &Case, operation: Operation, error: &Error) {
    assert_eq!(error.kind(), case.kind, "{name}: {error}");
    assert_eq!(error.status(), case.status, "{name}: {error}");
    let charged = match operation {
        Operation::Create => case.create,
        // The charge of a task that was opened by id is unknown.
        Operation::Status => Charged::Unknown,
        Operation::List => Charged::No,
    };
    assert_eq!(error.charged(), charged, "{name}: {error}");
    let text = format!("{error:?}");
    assert!(text.contains(case.says), "{name}: {text}");
    let id = case.status.is_some().then_some("ak-fake");
    assert_eq!(error.request_id(), id, "{name}: {text}");
    if operation == Operation::Create {
        let safe = error.charged() == Charged::No && error.kind() == ErrorKind::RateLimited;
        assert_eq!(error.is_retryable(), safe, "{name}: {text}");
        assert_eq!(
            text.contains("paid twice"),
            charged == Charged::Unknown,
            "{name}: {text}"
        );
    }
    for text in [text, format!("{error:?}"), format!("{error:#?}")] {
        for secret in ["canary", "hmac=abc", "exp=1"] {
            assert!(!text.contains(secret), "{name}: {text}");
        }
        assert!(text.len() < 2_500, "{name}: {text}");
    }
}

#[tokio::test]
async fn refused_connection_is_retried_and_not_charged() {
    for operation in OPERATIONS {
        let closed = ClosedPort::new();
        let clock = VirtualClock::new();
        let client = client(closed.url(), &clock).build().unwrap();
        let error = match operation {
            Operation::Create => client
                .create(valid_request().build().unwrap())
                .await
                .unwrap_err(),
            Operation::Status => client.task("a").refresh().await.unwrap_err(),
            Operation::List => client.list().await.unwrap_err(),
        };
        assert_eq!(error.kind(), ErrorKind::Transport, "{error}");
        assert!(error.is_retryable(), "{error}");
        assert_eq!(clock.sleeps().len(), 3, "{operation:?}");
        if operation == Operation::Create {
            assert_eq!(error.charged(), Charged::No);
        }
    }
}

#[tokio::test]
async fn unusual_but_readable_responses_are_read() {
    let id = "a";
    for (name, body, status, urls) in [
        ("unknown status", task(id, "QUEUED", &[]), TaskStatus::Unknown("QUEUED".to_owned()), 0),
        ("null list", r#"{"data":{"task_id":"a","status":"CREATED","generated":null}}"#.to_owned(), TaskStatus::Created, 0),
        ("no list", r#"{"data":{"task_id":"a","status":"CREATED"}}"#.to_owned(), TaskStatus::Created, 0),
        ("further fields", r#"{"data":{"task_id":"a","status":"COMPLETED","generated":["https://h/x.mp4"],"has_nsfw":[false],"error":null},"meta":1}"#.to_owned(), TaskStatus::Completed, 1),
    ] {
        let fake = Fake::start(vec![Reply::json(200, &body)]).await;
        let clock = VirtualClock::new();
        let client = client(fake.base_url(), &clock).build().unwrap();
        let state = client.task(id).refresh().await.expect(name);
        assert_eq!(*state.status(), status, "{name}");
        assert_eq!(state.generated().len(), urls, "{name}");
        let created = client.create(valid_request().build().unwrap()).await.expect(name);
        assert_eq!(created.status(), Some(status), "{name}");
    }
}

#[tokio::test]
async fn backoff_follows_retry_after() {
    let cases: [(&[(&str, &str)], u64); 3] = [
        (&[("retry-after", "7")], 7),
        (
            &[
                ("x-ratelimit-limit", "300"),
                ("x-ratelimit-remaining", "0"),
                ("x-ratelimit-reset", "60"),
            ],
            60,
        ),
        (&[("retry-after", "3"), ("x-ratelimit-reset", "60")], 3),
    ];
    for (headers, seconds) in cases {
        for operation in [Operation::Create, Operation::Status] {
            let good = Reply::json(200, &task("a", "CREATED", &[]));
            let fake = Fake::start(vec![Reply::http(429, headers, ""), good]).await;
            let clock = VirtualClock::new();
            let client = client(fake.base_url(), &clock).build().unwrap();
            match operation {
                Operation::Create => drop(
                    client
                        .create(valid_request().build().unwrap())
                        .await
                        .unwrap(),
                ),
                _ => drop(client.task("a").refresh().await.unwrap()),
            }
            let [slept] = clock.sleeps()[..] else {
                panic!("{:?}", clock.sleeps())
            };
            assert!(
                (seconds..seconds + 3).contains(&slept.as_secs()),
                "{headers:?}: {slept:?}"
            );
            assert_eq!(fake.requests().len(), 2);
        }
    }
}

#[tokio::test]
async fn task_without_a_valid_id_is_unknown() {
    for id in [String::new(), "a".repeat(1025)] {
        let fake = Fake::start(vec![Reply::json(200, &task(&id, "CREATED", &[]))]).await;
        let clock = VirtualClock::new();
        let client = client(fake.base_url(), &clock).build().unwrap();
        let error = client
            .create(valid_request().build().unwrap())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedResponse, "{id:?}");
        assert_eq!(error.charged(), Charged::Unknown, "{id:?}");
        assert!(error.candidates().is_empty(), "{id:?}");
        assert!(format!("{error:?}").contains("1 to 1024"), "{error}");
    }
}
