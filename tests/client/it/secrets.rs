//! Keys, tokens and signed URLs do not appear in logs, `Debug` output and errors.

use std::sync::{Arc, Mutex};

use kling_omni::{ApiKey, Client, ErrorKind};
use kling_omni_test_support::clip::mp4;
use kling_omni_test_support::fake::{Fake, Reply};
use kling_omni_test_support::log::Log;
use kling_omni_test_support::setup::{KEY, client, sandbox, task, valid_request};
use kling_omni_test_support::virtual_clock::VirtualClock;
use tracing::instrument::WithSubscriber;

#[tokio::test]
async fn key_and_tokens_are_not_logged_or_printed() {
    let log = Log::default();
    let clock = VirtualClock::new();
    let sandbox = sandbox(&clock).start().await.unwrap();
    let client = client(sandbox.base_url(), &clock).build().unwrap();
    let printed = async {
        let task = client
            .create(valid_request().cfg_scale(1.5).build().unwrap())
            .await
            .unwrap();
        let video = task.wait().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let save = video.save(folder.path().join("clip.mp4"));
        let printed = format!("{client:?} {task:?} {:?} {video:?} {save:?}", task.state());
        save.await.unwrap();
        client.task("unknown").refresh().await.unwrap_err();
        printed
    }
    .with_subscriber(log.subscriber())
    .await;
    let log = log.text();
    assert!(log.contains("attempt"), "the log is empty: {log}");
    assert!(
        log.contains("rejected-by-successor"),
        "the warning is not logged: {log}"
    );
    for (what, text) in [("log", log), ("debug output", printed)] {
        for secret in [KEY, "hmac=", "token=exp"] {
            assert!(!text.contains(secret), "{secret} in the {what}: {text}");
        }
    }
}

#[tokio::test]
async fn download_events_have_no_tokens() {
    let file = mp4(2_000);
    let log = Log::default();
    let host = Fake::start(vec![
        Reply::cut(200, file.len(), &file[..900]),
        Reply::http(302, &[("location", "/b.mp4?token=exp=1~hmac=ff")], ""),
        Reply::http(403, &[], ""),
        Reply::http(403, &[], ""),
    ])
    .await;
    let url = |token| format!("{}/a.mp4?token=exp={token}~hmac=ff", host.base_url());
    let replies = [1, 2].map(|token| Reply::json(200, &task("a", "COMPLETED", &[&url(token)])));
    let api = Fake::start(replies.to_vec()).await;
    let clock = VirtualClock::new();
    let client = client(api.base_url(), &clock).build().unwrap();
    let printed = Arc::new(Mutex::new(String::new()));
    let error = async {
        let video = client.task("a").wait().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let events = Arc::clone(&printed);
        let save = video.save(folder.path().join("clip.mp4"));
        let save = save.on_event(move |event| {
            *events.lock().unwrap() += &format!("{event} {event:?}\n");
        });
        save.await.unwrap_err()
    }
    .with_subscriber(log.subscriber())
    .await;
    assert_eq!(error.kind(), ErrorKind::Expired);
    let (log, events) = (log.text(), printed.lock().unwrap().clone());
    assert!(log.contains("result URL refreshed"), "{log}");
    assert!(events.contains("Refreshed"), "{events}");
    for text in [log, events, format!("{error} {error:?}")] {
        for secret in [KEY, "hmac=", "token=exp"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
}

#[tokio::test]
async fn host_receives_only_its_own_key_header() {
    for (host, header, other) in [
        (
            kling_omni::Host::Freepik,
            "x-freepik-api-key",
            "x-magnific-api-key",
        ),
        (
            kling_omni::Host::Magnific,
            "x-magnific-api-key",
            "x-freepik-api-key",
        ),
    ] {
        let fake = Fake::start(vec![Reply::json(200, r#"{"data":[]}"#)]).await;
        let clock = VirtualClock::new();
        client(fake.base_url(), &clock)
            .host(host)
            .build()
            .unwrap()
            .list()
            .await
            .unwrap();
        let asked = &fake.requests()[0];
        assert_eq!(asked.header(header), Some(KEY));
        assert_eq!(asked.header(other), None);
        assert_eq!(asked.header("api-version"), None);
        assert!(
            asked
                .header("user-agent")
                .unwrap()
                .starts_with("kling-omni/")
        );
    }
}

#[test]
fn invalid_key_or_base_url_is_rejected() {
    for key in ["", "  ", "a b", "a\nb", "clé", "a\u{7f}"] {
        let error = ApiKey::new(key).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{key:?}");
        assert!(
            key.trim().is_empty() || !error.to_string().contains(key.trim()),
            "{error}"
        );
    }
    assert!(ApiKey::new(" FPSX-1\n").is_ok());
    for url in [
        "",
        "example.com",
        "ftp://example.com",
        "http://",
        "http://u:p@h.example",
        "http://h.example?x=y",
    ] {
        let builder = Client::builder()
            .api_key(ApiKey::new(KEY).unwrap())
            .base_url(url);
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{url:?}");
    }
    assert_eq!(
        Client::builder().build().unwrap_err().kind(),
        ErrorKind::Configuration
    );
}

#[tokio::test]
async fn errors_with_service_messages_have_no_tokens() {
    let urls = "https://h.example/x.mp4?token=exp=1~hmac=SECRET";
    let signed = "https://b.example/k.mp4?X-Amz-Signature=SECRET&a=b";
    for reply in [
        Reply::json(
            200,
            &format!(r#"{{"data":{{"task":"a","status":"CREATED","generated":"{urls}"}}}}"#),
        ),
        Reply::json(
            400,
            &format!(r#"{{"message":"cannot read {signed}, sorry"}}"#),
        ),
    ] {
        let fake = Fake::start(vec![reply]).await;
        let clock = VirtualClock::new();
        let client = client(fake.base_url(), &clock).build().unwrap();
        let request = valid_request().reference_video(signed).build().unwrap();
        let printed = format!("{request:?}");
        let error = client.create(request).await.unwrap_err();
        for text in [printed, error.to_string(), format!("{error:?}")] {
            assert!(!text.contains("SECRET"), "{text}");
        }
    }
    let builder = Client::builder().base_url("https://me:SECRET@h.example");
    assert!(!format!("{builder:?}").contains("SECRET"));
}
