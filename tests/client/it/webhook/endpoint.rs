//! The HTTP endpoint for webhooks: statuses, size limits, logging.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, Response, header};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use kling_omni::polling::PollSchedule;
use kling_omni::webhook::correlation::{self, Token};
use kling_omni::webhook::{Endpoint, Secret, Verifier, WebhookReceiver};
use kling_omni::{ApiKey, Client};
use kling_omni_sandbox::{DeliveryOutcome, Sandbox};
use kling_omni_test_support::log::Log;
use kling_omni_test_support::setup::{sandbox, valid_request};
use kling_omni_test_support::virtual_clock::VirtualClock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower_service::Service;
use tracing::instrument::WithSubscriber;

use super::{SECRET, START, URL, receiver, secret, signed, task};

/// Sends a request to the endpoint, as a server does.
async fn call(endpoint: &mut Endpoint, request: Request<Body>) -> Response<Body> {
    type Ready = Poll<Result<(), Infallible>>;
    let Ok(()) = poll_fn(|context: &mut Context<'_>| -> Ready {
        Service::<Request<Body>>::poll_ready(endpoint, context)
    })
    .await;
    let Ok(answer) = endpoint.call(request).await;
    answer.map(Body::new)
}

fn request(id: &str, sent_at: u64, body: &str) -> Request<Body> {
    let mut request = Request::post("/hooks?a=1").body(Body::from(body.to_owned()));
    *request.as_mut().unwrap().headers_mut() = signed(id, sent_at, body);
    request.unwrap()
}

#[tokio::test]
async fn responses_have_a_status_and_no_body() {
    let end = task("a", "COMPLETED", &[URL]);
    let begin = task("a", "CREATED", &[]);
    let large = task(&"x".repeat(2000), "CREATED", &[]);
    let with = |mut request: Request<Body>, change: fn(&mut Request<Body>)| {
        change(&mut request);
        request
    };
    let cases = [
        ("new", request("1", START, &end), 200),
        ("the same again", request("1", START, &end), 200),
        ("overtaken", request("2", START, &begin), 200),
        (
            "another content type",
            with(request("3", START, &end), |request| {
                let text = "text/plain".parse().unwrap();
                request.headers_mut().insert(header::CONTENT_TYPE, text);
            }),
            200,
        ),
        (
            "a GET",
            with(request("4", START, &end), |request| {
                *request.method_mut() = Method::GET
            }),
            405,
        ),
        (
            "no delivery",
            Request::post("/").body(Body::from("{}")).unwrap(),
            400,
        ),
        (
            "changed in transit",
            with(request("5", START, &end), |request| {
                *request.body_mut() = Body::from("{}");
            }),
            401,
        ),
        ("old", request("6", START - 301, &end), 401),
        ("from the future", request("7", START + 301, &end), 401),
        ("no task", request("8", START, "[]"), 400),
        ("too large", request("9", START, &large), 413),
        ("fitting", request("10", START, &begin), 200),
    ];
    let receiver = receiver(&VirtualClock::new()).max_body_size(1024).build();
    let mut endpoint = receiver.endpoint();
    let log = Log::default();
    for (case, request, status) in cases {
        let answer = call(&mut endpoint, request)
            .with_subscriber(log.subscriber())
            .await;
        assert_eq!(answer.status(), status, "{case}");
        let allowed = answer.headers().get(header::ALLOW).cloned();
        assert_eq!(allowed.is_some(), status == 405, "{case}");
        let body = axum::body::to_bytes(answer.into_body(), 10).await.unwrap();
        assert!(body.is_empty(), "{case}: {body:?}");
    }
    let log = log.text();
    for told in [
        "webhook received",
        "does not match any secret",
        "is too old",
    ] {
        assert!(log.contains(told), "{told}: {log}");
    }
    for secret in [SECRET, "v1,", "hmac=", "token="] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
    let full = super::receiver(&VirtualClock::new())
        .dedup_capacity(1)
        .build();
    let mut endpoint = full.endpoint();
    for (id, sent_at, status) in [("1", START, 200), ("2", START + 1, 200), ("1", START, 503)] {
        let answer = call(&mut endpoint, request(id, sent_at, &begin)).await;
        assert_eq!(answer.status(), status, "{id}");
    }
}

#[tokio::test]
async fn body_is_read_up_to_the_limit() {
    const CHUNK: usize = 256;
    let receiver = receiver(&VirtualClock::new()).max_body_size(1024).build();
    let mut endpoint = receiver.endpoint();
    let read = Arc::new(AtomicUsize::new(0));
    let chunks = || {
        let read = Arc::clone(&read);
        read.store(0, Ordering::Relaxed);
        stream::repeat_with(move || {
            read.fetch_add(1, Ordering::Relaxed);
            Ok::<_, io::Error>(Bytes::from_static(&[b' '; CHUNK]))
        })
    };
    let endless = Body::from_stream(chunks());
    let answer = call(&mut endpoint, Request::post("/").body(endless).unwrap()).await;
    assert_eq!(answer.status(), 413);
    assert_eq!(read.load(Ordering::Relaxed), 1024 / CHUNK + 1);

    let broken = chunks().take(2).chain(stream::once(async {
        Err(io::Error::other("the peer is gone"))
    }));
    let broken = Request::post("/").body(Body::from_stream(broken)).unwrap();
    assert_eq!(call(&mut endpoint, broken).await.status(), 400);
}

/// The URL of the endpoint, served over HTTP.
async fn serve(receiver: &WebhookReceiver) -> String {
    let app = Router::new().route_service("/hooks/kling", receiver.endpoint());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}/hooks/kling?tenant=7")
}

#[tokio::test]
async fn declared_too_large_body_is_rejected_at_once() {
    let url = serve(&receiver(&VirtualClock::new()).max_body_size(1024).build()).await;
    let host = url.split('/').nth(2).unwrap();
    let mut connection = TcpStream::connect(host).await.unwrap();
    let head =
        format!("POST /hooks/kling HTTP/1.1\r\nhost: {host}\r\ncontent-length: 1025\r\n\r\n");
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    tokio::time::timeout(Duration::from_secs(30), connection.read_exact(&mut answer))
        .await
        .expect("the endpoint waits for the body")
        .unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

/// A client that never polls, because its time is real and its schedule is long.
fn patient_client(sandbox: &Sandbox) -> Client {
    let client = Client::builder().api_key(ApiKey::new(sandbox.api_key()).unwrap());
    client.base_url(sandbox.base_url()).build().unwrap()
}

#[tokio::test]
async fn delivery_of_the_sandbox_completes_a_wait() {
    let clock = VirtualClock::new();
    let secrets = [
        ("plain", secret("plain")),
        ("whsec_czNjcmV0", Secret::from_bytes(*b"s3cret").unwrap()),
    ];
    for (text, secret) in secrets {
        let sandbox = sandbox(&clock).webhook_secret(text).start().await.unwrap();
        let verifier = Verifier::new(super::secret("the-next-one")).add_secret(secret);
        let receiver = WebhookReceiver::builder(verifier)
            .clock(clock.clone())
            .build();
        let mut deliveries = receiver.deliveries();
        let token = Token::random().unwrap();
        let url = correlation::attach(&serve(&receiver).await, &token).unwrap();
        let request = valid_request().webhook_url(url).build().unwrap();
        let task = patient_client(&sandbox).create(request).await.unwrap();
        let reads = sandbox.requests().len();
        let day = Duration::from_secs(24 * 3600);
        let wait = task
            .wait()
            .schedule(PollSchedule::fixed(day))
            .timeout(Duration::from_secs(60))
            .webhook(&receiver);
        let (video, ()) = tokio::join!(wait, async { clock.advance(Duration::from_secs(100)) });
        assert_eq!(video.unwrap().task_id(), task.id());
        assert_eq!(sandbox.requests().len(), reads, "nothing was polled");
        for status in ["IN_PROGRESS", "COMPLETED"] {
            let delivery = deliveries.next().await.unwrap().unwrap();
            assert_eq!(delivery.state().id(), task.id());
            assert_eq!(delivery.state().status().as_str(), status);
            assert_eq!(delivery.correlation(), Some(&token));
        }
        let sent = sandbox.wait_for_deliveries(2).await;
        for delivery in &sent {
            let outcome = delivery.outcome();
            assert!(matches!(outcome, DeliveryOutcome::Accepted(status) if *status == 200));
        }
        // An attacker replays the deliveries of the sandbox in another order.
        for delivery in sent.iter().rev() {
            let again = receiver.receive(delivery.headers(), None, delivery.body());
            assert_eq!(super::word(&again), "duplicate");
        }
        let elsewhere = super::receiver(&clock).build();
        let forged = elsewhere.receive(sent[1].headers(), None, sent[1].body());
        assert_eq!(super::word(&forged), "BadSignature");
        clock.advance(Duration::from_secs(301));
        let replayed = receiver.receive(sent[1].headers(), None, sent[1].body());
        assert_eq!(super::word(&replayed), "TooOld");
    }
}
