//! A received task id is kept, whatever the form of the response.

use std::collections::BTreeSet;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use kling_omni::journal::{Journal, State};
use kling_omni::recovery::Reconciled;
use kling_omni::{Charged, CreateOutcome, ErrorKind};
use kling_omni_test_support::fake::{Fake, Reply};
use kling_omni_test_support::setup::{KEY, client, task, valid_request};
use kling_omni_test_support::virtual_clock::VirtualClock;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

/// The text that a server or a proxy adds around a body.
#[derive(Clone, Copy, Debug)]
enum Wrapping {
    None,
    ByteOrderMark,
    Guard(&'static str),
    Callback,
    Events,
    Blanks,
    Behind(&'static str),
    Utf16,
    InString,
}

const WRAPPINGS: [Wrapping; 15] = [
    Wrapping::None,
    Wrapping::ByteOrderMark,
    Wrapping::Guard(")]}',\n"),
    Wrapping::Guard(")]}'"),
    Wrapping::Guard("while(1);"),
    Wrapping::Guard("for(;;);"),
    Wrapping::Guard("{}&&"),
    Wrapping::Guard("\0"),
    Wrapping::Callback,
    Wrapping::Events,
    Wrapping::Blanks,
    Wrapping::Behind("\r\n0\r\n\r\n"),
    Wrapping::Behind("<!-- cached -->"),
    Wrapping::Utf16,
    Wrapping::InString,
];

impl Wrapping {
    fn wrap(self, json: &str) -> Vec<u8> {
        let text = match self {
            Self::None => json.to_owned(),
            Self::ByteOrderMark => format!("\u{feff}{json}"),
            Self::Guard(guard) => format!("{guard}{json}"),
            Self::Callback => format!("/**/cb_1({json});"),
            Self::Events => format!("event: created\ndata: {json}\n\n"),
            Self::Blanks => format!("\n\n\t {json}   \r\n"),
            Self::Behind(behind) => format!("{json}{behind}"),
            Self::Utf16 => {
                let units = "\u{feff}".encode_utf16().chain(json.encode_utf16());
                return units.flat_map(u16::to_le_bytes).collect();
            }
            Self::InString => json!({"statusCode": 200, "body": json}).to_string(),
        };
        text.into_bytes()
    }
}

/// The encoding of a body, and the declared one.
#[derive(Clone, Copy, Debug)]
enum Coding {
    Plain(Option<&'static str>),
    Gzip(Option<&'static str>),
    Zlib,
    Deflate,
}

const CODINGS: [Coding; 9] = [
    Coding::Plain(None),
    Coding::Plain(Some("gzip")),
    Coding::Plain(Some("deflate")),
    Coding::Plain(Some("aws-chunked")),
    Coding::Plain(Some("")),
    Coding::Gzip(Some("gzip")),
    Coding::Gzip(None),
    Coding::Zlib,
    Coding::Deflate,
];

impl Coding {
    fn encode(self, bytes: &[u8]) -> (Option<&'static str>, Vec<u8>) {
        let fast = Compression::fast();
        match self {
            Self::Plain(name) => (name, bytes.to_vec()),
            Self::Gzip(name) => {
                let mut to = GzEncoder::new(Vec::new(), fast);
                to.write_all(bytes).unwrap();
                (name, to.finish().unwrap())
            }
            Self::Zlib => {
                let mut to = ZlibEncoder::new(Vec::new(), fast);
                to.write_all(bytes).unwrap();
                (Some("deflate"), to.finish().unwrap())
            }
            Self::Deflate => {
                let mut to = DeflateEncoder::new(Vec::new(), fast);
                to.write_all(bytes).unwrap();
                (Some("deflate"), to.finish().unwrap())
            }
        }
    }
}

/// Malformed headers whose end is unambiguous.
const MALFORMED_HEADERS: [&str; 9] = [
    "",
    "Set-Cookie: a=1\r\n   XSa: b\r\n",
    "Set-Cookie: a=1\r\n\tXSa: b\r\n",
    "X Bad Header: 1\r\n",
    "X-Blank : 1\r\n",
    "X-N\u{e4}me: 1\r\n",
    "no header at all\r\n",
    ": without a name\r\n",
    "X-Bell: a\u{7}b\r\n",
];

/// How the end of a body is declared.
#[derive(Clone, Copy, Debug)]
enum End {
    Length,
    TooLong,
    Chunked,
    Close,
}

const ENDS: [End; 4] = [End::Length, End::TooLong, End::Chunked, End::Close];

fn reply(status: u16, head: &str, coding: Option<&str>, body: &[u8], end: End) -> Reply {
    let mut text = format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{head}");
    if let Some(coding) = coding {
        text.push_str(&format!("content-encoding: {coding}\r\n"));
    }
    text.push_str("connection: close\r\n");
    let body = match end {
        End::Length => {
            text.push_str(&format!("content-length: {}\r\n", body.len()));
            body.to_vec()
        }
        End::TooLong => {
            text.push_str(&format!("content-length: {}\r\n", body.len() + 7));
            body.to_vec()
        }
        End::Chunked => {
            text.push_str("transfer-encoding: chunked\r\n");
            let size = format!("{:x}\r\n", body.len()).into_bytes();
            [&size, body, b"\r\n0\r\n\r\n"].concat()
        }
        End::Close => body.to_vec(),
    };
    text.push_str("\r\n");
    Reply::Bytes([text.as_bytes(), &body].concat())
}

/// JSON of different shapes that contains a task.
fn shaped(shape: usize, task: &Value) -> Value {
    match shape {
        0 => json!({"data": task}),
        1 => task.clone(),
        2 => json!([task]),
        3 => json!({"data": [task]}),
        4 => json!({"result": task}),
        5 => json!({"data": {"task": task}, "meta": {"took": 3}}),
        6 => json!({"code": 0, "message": "ok", "response": {"items": [[task]]}}),
        7 => json!({"data": task, "task": task}),
        _ => json!({"data": {"task_id": task["task_id"], "status": {"name": "CREATED"}}}),
    }
}

const SHAPES: usize = 9;

fn ids() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{12}",
        2 => "[a-zA-Z0-9._/: -]{1,40}",
        1 => any::<String>().prop_filter("no id", |id| (1..=1024).contains(&id.len())),
        1 => Just("a.b".to_owned()),
        1 => Just("aux.".to_owned()),
        1 => Just("x".repeat(1024)),
    ]
}

#[derive(Clone, Debug)]
struct Case {
    id: String,
    shape: usize,
    wrapping: Wrapping,
    coding: Coding,
    head: &'static str,
    end: End,
}

fn cases() -> impl Strategy<Value = Case> {
    (
        ids(),
        0..SHAPES,
        proptest::sample::select(&WRAPPINGS[..]),
        proptest::sample::select(&CODINGS[..]),
        proptest::sample::select(&MALFORMED_HEADERS[..]),
        proptest::sample::select(&ENDS[..]),
    )
        .prop_map(|(id, shape, wrapping, coding, head, end)| Case {
            id,
            shape,
            wrapping,
            coding,
            head,
            end,
        })
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

async fn create(reply: Reply) -> (CreateOutcome, usize) {
    let fake = Fake::start(vec![reply]).await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock).build().unwrap();
    let outcome = client
        .create(valid_request().build().unwrap())
        .outcome()
        .await;
    (outcome, fake.requests().len())
}

#[test]
fn single_id_is_the_task_in_every_wrapping() {
    let runtime = runtime();
    let run = runner(300).run(&cases(), |case| {
        let json = shaped(
            case.shape,
            &json!({"task_id": case.id, "status": "CREATED"}),
        );
        let body = case.wrapping.wrap(&json.to_string());
        let (coding, body) = case.coding.encode(&body);
        let reply = reply(200, case.head, coding, &body, case.end);
        let (outcome, sent) = runtime.block_on(create(reply));
        prop_assert_eq!(sent, 1);
        match outcome {
            CreateOutcome::Created(task) => prop_assert_eq!(task.id(), &case.id),
            outcome => prop_assert!(false, "{:?}", outcome),
        }
        Ok(())
    });
    if let Err(problem) = run {
        panic!("{problem}");
    }
}

#[test]
fn several_ids_are_candidates() {
    let runtime = runtime();
    let cases = (cases(), "[0-9a-f]{8}", 1..4_usize);
    let run = runner(100).run(&cases, |(case, other, form)| {
        prop_assume!(case.id != other);
        let one = json!({"task_id": case.id, "status": "CREATED"});
        let two = json!({"task_id": other, "status": "CREATED"});
        let json = match form {
            1 => json!({"data": [one, two]}).to_string(),
            2 => json!({"result": one, "other": {"x": two}}).to_string(),
            _ => format!(
                r#"{{"data":{{"task_id":{},"task_id":{},"status":"CREATED"}}}}"#,
                json!(case.id),
                json!(other)
            ),
        };
        let (coding, body) = case.coding.encode(&case.wrapping.wrap(&json));
        let reply = reply(200, case.head, coding, &body, case.end);
        let (outcome, sent) = runtime.block_on(create(reply));
        prop_assert_eq!(sent, 1);
        let CreateOutcome::Unknown { unconfirmed, error } = outcome else {
            return Err(TestCaseError::fail(format!("{outcome:?}")));
        };
        let expected = BTreeSet::from([case.id, other]);
        for candidates in [unconfirmed.candidates(), error.candidates()] {
            prop_assert_eq!(
                &candidates.iter().cloned().collect::<BTreeSet<_>>(),
                &expected
            );
        }
        Ok(())
    });
    if let Err(problem) = run {
        panic!("{problem}");
    }
}

#[tokio::test]
async fn rejection_that_names_a_task_is_unknown() {
    for status in [301, 400, 404, 409, 429, 500, 503] {
        let body = json!({"message": "sorry", "task": {"task_id": "a.b"}}).to_string();
        let (outcome, sent) = create(reply(status, "", None, body.as_bytes(), End::Length)).await;
        let CreateOutcome::Unknown { unconfirmed, error } = outcome else {
            panic!("{status}: {outcome:?}");
        };
        assert_eq!(sent, 1, "{status}");
        assert_eq!(unconfirmed.candidates(), ["a.b"], "{status}");
        assert!(error.to_string().contains("a.b"), "{error}");
        assert_eq!(error.charged(), Charged::Unknown);
        let json = serde_json::to_string(&unconfirmed).unwrap();
        assert_eq!(
            serde_json::from_str::<kling_omni::recovery::UnconfirmedCreate>(&json).unwrap(),
            unconfirmed
        );
    }
    let body = json!({"message": "sorry", "task_id": null}).to_string();
    let (outcome, _) = create(reply(400, "", None, body.as_bytes(), End::Length)).await;
    assert!(matches!(outcome, CreateOutcome::Rejected(_)), "{outcome:?}");
}

#[tokio::test]
async fn decompression_is_limited() {
    let body = format!("{}{}", task("a", "CREATED", &[]), " ".repeat(30_000_000));
    let (coding, body) = Coding::Gzip(Some("gzip")).encode(body.as_bytes());
    let (outcome, _) = create(reply(200, "", coding, &body, End::Length)).await;
    assert!(
        matches!(&outcome, CreateOutcome::Created(task) if task.id() == "a"),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn task_without_a_state_is_polled() {
    let wrapped = |status, urls: &[&str]| {
        let body = Wrapping::Guard(")]}',\n").wrap(&task("a.b", status, urls));
        let (coding, body) = Coding::Gzip(Some("gzip")).encode(&body);
        reply(200, MALFORMED_HEADERS[1], coding, &body, End::Length)
    };
    let fake = Fake::start(vec![
        Reply::json(200, r#"{"data":[{"task_id":"a.b"}]}"#),
        Reply::json(404, r#"{"message":"Task not found"}"#),
        wrapped("IN_PROGRESS", &[]),
        wrapped("COMPLETED", &["https://h.example/x.mp4"]),
    ])
    .await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock)
        .route(kling_omni::request::Route::ReferenceToVideo)
        .build()
        .unwrap();
    let task = client
        .create(valid_request().build().unwrap())
        .await
        .unwrap();
    assert!(task.state().is_none());
    let error = task.refresh().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.charged()),
        (ErrorKind::NotFound, Charged::Yes)
    );
    task.wait().await.unwrap();
}

#[tokio::test]
async fn response_with_many_headers_is_read() {
    let head: String = (0..490)
        .map(|n| format!("Set-Cookie: a{n}=b\r\n"))
        .collect();
    let body = task("a", "CREATED", &[]);
    let (outcome, _) = create(reply(200, &head, None, body.as_bytes(), End::Length)).await;
    assert!(matches!(outcome, CreateOutcome::Created(_)), "{outcome:?}");
}

#[tokio::test]
async fn journal_keeps_the_candidates() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let list = |ids: &[&str]| {
        let rows = ids
            .iter()
            .map(|id| json!({"task_id": id, "status": "CREATED"}));
        let rows: Vec<_> = rows.collect();
        Reply::json(200, &json!({"data": rows}).to_string())
    };
    let two = Reply::json(200, r#"[{"task_id":"a.b"},{"task_id":"c\u001b[31m"}]"#);
    let empty = || list(&[]);
    let fake = Fake::start(vec![
        list(&["old"]),
        empty(),
        two,
        list(&["old", "a.b"]),
        empty(),
    ])
    .await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock)
        .route(kling_omni::request::Route::ReferenceToVideo)
        .build()
        .unwrap();
    let mut journal = Journal::create_new(&path).await.unwrap();
    let outcome = journal
        .create(client.create(valid_request().build().unwrap()))
        .await
        .unwrap();
    let CreateOutcome::Unknown { error, .. } = outcome else {
        panic!("{outcome:?}");
    };
    for text in [error.to_string(), format!("{error:?}")] {
        assert!(text.contains("a.b, c\\u{1b}[31m"), "{text}");
        assert!(!text.contains('\u{1b}') && !text.contains(KEY), "{text}");
    }
    drop(journal);
    let mut journal = Journal::open(&path).await.unwrap();
    let State::Unconfirmed(unconfirmed) = journal.state() else {
        panic!("{:?}", journal.state());
    };
    assert_eq!(unconfirmed.candidates(), ["a.b", "c\u{1b}[31m"]);
    // A listed candidate is not sufficient for a match.
    let reconciled = journal.reconcile(&client, |search| search).await.unwrap();
    let Reconciled::Ambiguous { candidates, .. } = reconciled else {
        panic!("{reconciled:?}");
    };
    assert_eq!(candidates, ["a.b", "c\u{1b}[31m"]);
    journal.resolve_as("a.b").await.unwrap();
    assert_eq!(journal.state().task_id(), Some("a.b"));
}
