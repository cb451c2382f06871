//! Result URLs that expire during a download.

use std::time::Duration;

use kling_omni::{Charged, ErrorKind, Video};
use kling_omni_test_support::clip::mp4;
use kling_omni_test_support::fake::{Fake, Reply};
use kling_omni_test_support::setup::{client, sandbox, task, valid_request};
use kling_omni_test_support::virtual_clock::VirtualClock;

use super::collect_stream;

const TAG: (&str, &str) = ("etag", "\"one\"");

/// A completed video at `path` of `host`. Its status is `later` from the second read on.
async fn video(host: &Fake, path: &str, later: Reply) -> Video {
    let url = format!("{}{path}", host.base_url());
    let first = Reply::json(200, &task("a", "COMPLETED", &[&url]));
    let api = Fake::start(vec![first, later]).await;
    let clock = VirtualClock::new();
    let client = client(api.detach(), &clock).max_retries(1).build().unwrap();
    client.task("a").wait().await.unwrap()
}

fn at(host: &Fake, path: &str) -> Reply {
    let url = format!("{}{path}", host.base_url());
    Reply::json(200, &task("a", "COMPLETED", &[&url]))
}

#[tokio::test]
async fn expired_url_is_refreshed() {
    let file = mp4(2_000);
    let rest = Reply::http(
        206,
        &[("content-range", "bytes 900-2043/2044"), TAG],
        &file[900..],
    );
    let begun = Reply::cut_with(200, &[TAG], file.len(), &file[..900]);
    let whole = Reply::http(200, &[TAG], &file);
    let gone = Reply::http(403, &[], "");
    for (case, path, replies, range) in [
        (
            "before the first byte",
            "/a.mp4?token=new",
            vec![gone.clone(), whole.clone()],
            None,
        ),
        (
            "not found",
            "/a.mp4?token=new",
            vec![Reply::http(404, &[], ""), whole.clone()],
            None,
        ),
        (
            "another status, after the token's end",
            "/a.mp4?token=new",
            vec![Reply::http(400, &[], ""), whole.clone()],
            None,
        ),
        (
            "on the way",
            "/a.mp4?token=new",
            vec![begun.clone(), gone.clone(), rest],
            Some("bytes=900-"),
        ),
        (
            "at another place, where the same tag means nothing",
            "/b.mp4?token=new",
            vec![
                begun,
                gone,
                Reply::http(206, &[("content-range", "bytes 900-2043/2044")], [7; 1144]),
                whole,
            ],
            None,
        ),
    ] {
        let host = Fake::start(replies).await;
        let video = video(
            &host,
            "/a.mp4?token=exp=1799999999~hmac=00",
            at(&host, path),
        )
        .await;
        assert_eq!(collect_stream(&video).await.unwrap(), file, "{case}");
        let asked = host.requests();
        let last = asked.last().unwrap();
        assert_eq!(last.line, format!("GET {path}"), "{case}");
        assert_eq!(last.header("range"), range, "{case}");
    }
}

#[tokio::test]
async fn expired_url_without_a_new_one_is_an_error() {
    const DEAD: &str = "/a.mp4?token=exp=1799999990~hmac=00";
    let missing = Reply::json(404, r#"{"message":"Task not found"}"#);
    let refused = Reply::json(401, r#"{"message":"Invalid API key"}"#);
    let failed = Reply::json(200, &task("a", "FAILED", &[]));
    for (case, later, requests, kind, part) in [
        (
            "the same",
            None,
            1,
            ErrorKind::Expired,
            "expired 10 s ago (403 Forbidden), and the service returns no other URL",
        ),
        (
            "as dead",
            Some("/a.mp4?token=exp=1800000100~hmac=00"),
            2,
            ErrorKind::Expired,
            "was rejected before it expires at 2027-01-15T08:01:40Z (403 Forbidden), although the service has just returned it",
        ),
    ] {
        let host = Fake::start(vec![Reply::http(403, &[], "")]).await;
        let later = at(&host, later.unwrap_or(DEAD));
        let error = collect_stream(&video(&host, DEAD, later).await)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{case}: {error}");
        assert_eq!(error.charged(), Charged::Yes, "{case}");
        assert_eq!(error.status(), Some(403), "{case}");
        assert!(!error.is_retryable(), "{case}");
        assert!(error.to_string().contains(part), "{case}: {error}");
        assert!(format!("{error:?}").contains("support"), "{case}: {error}");
        assert_eq!(host.requests().len(), requests, "{case}");
    }
    for (case, later, kind) in [
        ("forgotten", missing, ErrorKind::Expired),
        ("refused", refused, ErrorKind::Authentication),
        ("failed", failed, ErrorKind::TaskFailed),
        ("out of reach", Reply::Drop, ErrorKind::Transport),
    ] {
        let host = Fake::start(vec![Reply::http(403, &[], "")]).await;
        let error = collect_stream(&video(&host, DEAD, later).await)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{case}: {error}");
        assert_eq!(error.task_id(), Some("a"), "{case}");
        assert!(
            error.summary().contains("expired 10 s ago"),
            "{case}: {error}"
        );
    }
}

#[tokio::test]
async fn expired_url_is_refreshed_once() {
    let clock = VirtualClock::new();
    let sandbox = sandbox(&clock).start().await.unwrap();
    let client = client(sandbox.base_url(), &clock).build().unwrap();
    let task = client
        .create(valid_request().build().unwrap())
        .await
        .unwrap();
    let video = task.wait().await.unwrap();
    clock.advance(Duration::from_secs(4000));
    let before = sandbox.requests().len();
    let error = video.download().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Expired, "{error}");
    assert_eq!(error.charged(), Charged::Yes);
    assert!(error.to_string().contains("s ago"), "{error}");
    assert_eq!(sandbox.requests().len(), before + 2);
}
