//! Custom HTTP clients, which may follow redirects and add headers.

use kling_omni::{Charged, ErrorKind};
use kling_omni_test_support::clip::mp4;
use kling_omni_test_support::fake::{ClosedPort, Fake, Reply};
use kling_omni_test_support::setup::{KEY, client, task, valid_request};
use kling_omni_test_support::virtual_clock::VirtualClock;

fn redirect(to: &str) -> Reply {
    Reply::http(307, &[("location", to)], "")
}

#[tokio::test]
async fn redirected_create_is_not_retried_and_may_be_charged() {
    let closed = ClosedPort::new();
    let limited = Fake::start(vec![Reply::http(429, &[], "")]).await;
    let missing = Fake::start(vec![Reply::http(404, &[], "")]).await;
    for target in [
        limited.base_url(),
        missing.base_url(),
        &closed.url(),
        "ftp://127.0.0.1/",
    ] {
        let service = Fake::start(vec![redirect(&format!("{target}/elsewhere"))]).await;
        let clock = VirtualClock::new();
        let client = client(service.base_url(), &clock)
            .http_client(reqwest::Client::new())
            .build()
            .unwrap();
        let error = client
            .create(valid_request().build().unwrap())
            .await
            .unwrap_err();
        assert_eq!(error.charged(), Charged::Unknown, "{target}: {error}");
        assert!(!error.is_retryable(), "{target}: {error}");
        assert_eq!(service.requests().len(), 1, "{target}: {error}");
    }
}

#[tokio::test]
async fn redirected_response_is_rejected() {
    let elsewhere = Fake::start(vec![Reply::json(200, r#"{"data":[]}"#)]).await;
    let service = Fake::start(vec![redirect(&format!("{}/stolen", elsewhere.base_url()))]).await;
    let clock = VirtualClock::new();
    let own = reqwest::Client::builder()
        .user_agent("mine/1")
        .build()
        .unwrap();
    let client = client(service.base_url(), &clock)
        .http_client(own)
        .build()
        .unwrap();
    let error = client.list().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedResponse, "{error}");
    assert_eq!(service.requests()[0].header("user-agent"), Some("mine/1"));
}

#[tokio::test]
async fn download_follows_redirects_without_its_headers() {
    let mp4 = mp4(100);
    let edge = Fake::start(vec![Reply::http(200, &[], &mp4)]).await;
    let host = Fake::start(vec![Reply::http(
        302,
        &[("location", &format!("{}/edge.mp4", edge.base_url()))],
        "",
    )])
    .await;
    let url = format!("{}/kling_a.mp4", host.base_url());
    let service = Fake::start(vec![Reply::json(200, &task("a", "COMPLETED", &[&url]))]).await;
    let clock = VirtualClock::new();
    let own = reqwest::Client::builder()
        .default_headers(
            [("x-freepik-api-key".parse().unwrap(), KEY.parse().unwrap())]
                .into_iter()
                .collect(),
        )
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let client = client(service.base_url(), &clock)
        .http_client(own)
        .build()
        .unwrap();
    let video = client.task("a").wait().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    video.save(folder.path().join("clip.mp4")).await.unwrap();
    for asked in [host.requests(), edge.requests()].concat() {
        assert!(
            asked.headers.iter().all(|(_, value)| !value.contains(KEY)),
            "{asked:?}"
        );
    }
}
