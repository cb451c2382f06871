//! The three outcomes of a create, and the data of an unconfirmed one.

use std::future::IntoFuture as _;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kling_omni::recovery::UnconfirmedCreate;
use kling_omni::request::Route;
use kling_omni::webhook::correlation::{self, Token};
use kling_omni::{Charged, CreateOutcome, ErrorKind, Mode, Tier};
use kling_omni_test_support::fake::{ClosedPort, Fake, Reply};
use kling_omni_test_support::setup::{KEY, client, sandbox, valid_request};
use kling_omni_test_support::virtual_clock::VirtualClock;
use tokio::sync::oneshot;

fn word(outcome: &CreateOutcome) -> &'static str {
    match outcome {
        CreateOutcome::Created(_) => "created",
        CreateOutcome::Rejected(_) => "rejected",
        CreateOutcome::Unknown { .. } => "unknown",
    }
}

#[tokio::test]
async fn unsent_create_is_rejected() {
    let clock = VirtualClock::new();
    let closed = ClosedPort::new();
    let url = closed.url();
    let client = client(url, &clock).build().unwrap();
    let outcome = client
        .create(valid_request().build().unwrap())
        .outcome()
        .await;
    assert_eq!(word(&outcome), "rejected", "{outcome:?}");
    let invalid = valid_request().cfg_scale(1.5).build().unwrap();
    let outcome = client.create(invalid).route(Route::ReferenceToVideo);
    assert_eq!(word(&outcome.outcome().await), "rejected");
}

#[tokio::test]
async fn unconfirmed_create_serialises_without_secrets() {
    let list = r#"{"data":[{"task_id":"old","status":"COMPLETED"}]}"#;
    let fake = Fake::start(vec![
        Reply::json(200, list),
        Reply::json(200, r#"{"data":[]}"#),
        Reply::http(500, &[], ""),
    ])
    .await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock).build().unwrap();
    let token = Token::new("tok-1").unwrap();
    let hook = correlation::attach("https://me:canary@h.example/hook?k=canary", &token).unwrap();
    let request = valid_request().tier(Tier::Standard).webhook_url(hook);
    let outcome = client.create(request.build().unwrap()).with_list_snapshot();
    let CreateOutcome::Unknown { unconfirmed, error } = outcome.outcome().await else {
        panic!("the outcome is not unknown");
    };
    assert_eq!(unconfirmed.mode(), Mode::Reference);
    assert_eq!(unconfirmed.tier(), Tier::Standard);
    assert_eq!(unconfirmed.route(), Route::ReferenceToVideo);
    assert_eq!(unconfirmed.request_id(), Some("ak-fake"));
    assert_eq!(unconfirmed.correlation(), Some("tok-1"));
    assert_eq!(
        unconfirmed.known_ids().unwrap().collect::<Vec<_>>(),
        ["old"]
    );
    let json = serde_json::to_string(&unconfirmed).unwrap();
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let mark = value["create_nonce"].as_str().unwrap();
    assert_eq!(
        json.replace(mark, "…"),
        r#"{"sent_at":"2027-01-15T08:00:00Z","ended_at":"2027-01-15T08:00:00Z","sent_monotonic":{"boot_id":"virtual","uptime_ms":0},"ended_monotonic":{"boot_id":"virtual","uptime_ms":0},"route":"reference-to-video-standard","create_nonce":"…","request_id":"ak-fake","correlation":"tok-1","snapshot":{"lists":["reference"],"existing_lists":["reference"],"task_ids":["old"],"is_complete":true}}"#
    );
    let read: UnconfirmedCreate = serde_json::from_str(&json).unwrap();
    assert_eq!(read, unconfirmed);
    for text in [json, format!("{unconfirmed} {unconfirmed:?} {error:?}")] {
        for secret in [KEY, "canary", "h.example", "puppet"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
}

#[tokio::test]
async fn unreadable_list_snapshot_prevents_the_create() {
    let fake = Fake::start(vec![Reply::http(401, &[], "")]).await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock).build().unwrap();
    let create = client
        .create(valid_request().build().unwrap())
        .with_list_snapshot();
    let CreateOutcome::Rejected(error) = create.outcome().await else {
        panic!("the create was sent");
    };
    assert_eq!(error.charged(), Charged::No);
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert!(error.to_string().contains("nothing was created"), "{error}");
    assert!(
        fake.requests()
            .iter()
            .all(|asked| asked.line.starts_with("GET "))
    );
}

#[tokio::test]
async fn before_send_runs_first_and_can_prevent_the_create() {
    let clock = VirtualClock::new();
    let sandbox = sandbox(&clock).start().await.unwrap();
    let client = client(sandbox.base_url(), &clock).build().unwrap();
    let written = Arc::new(Mutex::new(Vec::new()));
    let journal = Arc::clone(&written);
    let create = client.create(valid_request().build().unwrap());
    let create = create.before_send(move |unconfirmed| {
        journal.lock().unwrap().push(unconfirmed.clone());
        Ok(())
    });
    create.await.unwrap();
    let written = written.lock().unwrap().clone();
    let [unconfirmed] = &written[..] else {
        panic!("before_send was not called once");
    };
    // Four attempts of a minute each, and the maximum delays between them.
    let span = unconfirmed.ended_at().duration_since(unconfirmed.sent_at());
    assert!(span.unwrap() > Duration::from_secs(4 * 60 + 3 * 120));
    let create = client.create(valid_request().build().unwrap());
    let create = create.before_send(|_| Err(io::Error::other("disk full")));
    let error = create.await.unwrap_err();
    assert_eq!(
        (error.kind(), error.charged()),
        (ErrorKind::File, Charged::No)
    );
    assert_eq!(sandbox.charges(), 1);
}

#[tokio::test]
async fn before_send_async_is_awaited_and_can_prevent_the_create() {
    let clock = VirtualClock::new();
    let sandbox = sandbox(&clock).start().await.unwrap();
    let client = client(sandbox.base_url(), &clock).build().unwrap();
    let (stored, storing) = oneshot::channel();
    let mut storing = Some(storing);
    let create = client.create(valid_request().build().unwrap());
    // The callback that was set before is replaced.
    let create = create.before_send(|_| Err(io::Error::other("replaced")));
    let create = create.before_send_async(move |_| {
        let storing = storing.take().expect("it is called once");
        async move { storing.await.map_err(io::Error::other) }
    });
    let mut create = create.into_future();
    let often = async {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        _ = &mut create => panic!("the create did not wait for the callback"),
        () = often => {}
    }
    assert_eq!(
        sandbox.requests().len(),
        0,
        "nothing is sent before it is stored"
    );
    stored.send(()).unwrap();
    create.await.unwrap();
    assert_eq!(sandbox.charges(), 1);
    let create = client.create(valid_request().build().unwrap());
    let create = create.before_send_async(|_| async { Err(io::Error::other("disk full")) });
    let error = create.await.unwrap_err();
    assert_eq!(
        (error.kind(), error.charged()),
        (ErrorKind::File, Charged::No)
    );
    assert_eq!(sandbox.charges(), 1);
}
