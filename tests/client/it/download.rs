//! Downloads from the result host.

mod completeness;
mod expected;
mod expiry;
mod file;
mod redirects;
mod responses;
mod resume;
mod urls;

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use futures_util::TryStreamExt;
use kling_omni::request::AspectRatio;
use kling_omni::{Charged, ClientBuilder, ErrorKind, Video};
use kling_omni_test_support::clip::mp4;
use kling_omni_test_support::fake::{ClosedPort, Fake, Reply};
use kling_omni_test_support::setup::{KEY, SHORT, client, sandbox, task, valid_request};
use kling_omni_test_support::virtual_clock::VirtualClock;

use sha2::{Digest, Sha256};

/// A completed video with its file at `url`.
pub async fn video_at(url: &str, clock: &VirtualClock) -> Video {
    video_of(url, |api| client(api, clock)).await
}

/// As [`video_at`], for a host that stalls. The read timeout is in real time, and a busy machine can exceed it, too.
async fn video_at_stalling(url: &str, clock: &VirtualClock) -> Video {
    video_of(url, |api| client(api, clock).read_timeout(SHORT)).await
}

async fn video_of(url: &str, client: impl FnOnce(String) -> ClientBuilder) -> Video {
    let api = Fake::start(vec![Reply::json(200, &task("a", "COMPLETED", &[url]))]).await;
    // The task is read again when a URL does not work.
    let client = client(api.detach()).build().unwrap();
    client.task("a").wait().await.unwrap()
}

pub fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Collects the stream.
async fn collect_stream(video: &Video) -> kling_omni::Result<Vec<u8>> {
    let mut chunks = video.download().await?;
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.try_next().await? {
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn download_is_complete_and_does_not_send_the_key() {
    let clock = VirtualClock::new();
    let sandbox = sandbox(&clock).start().await.unwrap();
    let client = client(sandbox.base_url(), &clock).build().unwrap();
    let request = valid_request()
        .duration(3)
        .aspect_ratio(AspectRatio::Square)
        .build()
        .unwrap();
    let video = client.create(request).await.unwrap().wait().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.mp4");
    let progress = Arc::new(Mutex::new((0, None)));
    let log = Arc::clone(&progress);
    let saved = video
        .save(&path)
        .on_progress(move |done, all| *log.lock().unwrap() = (done, all))
        .await
        .unwrap();
    let bytes = fs::read(&path).unwrap();
    assert_eq!(saved.bytes, bytes.len() as u64);
    assert_eq!(saved.path, path);
    assert_eq!(*progress.lock().unwrap(), (saved.bytes, Some(saved.bytes)));
    assert_eq!(saved.sha256, sha256(&bytes));
    assert_eq!(collect_stream(&video).await.unwrap(), bytes);
    assert_eq!(entries(folder.path()), ["clip.mp4"]);
    let results: Vec<_> = sandbox
        .requests()
        .into_iter()
        .filter(|request| request.path().contains("kling_"))
        .collect();
    assert_eq!(results.len(), 2);
    for request in results {
        for (name, value) in request.headers() {
            assert!(
                !value
                    .as_bytes()
                    .windows(KEY.len())
                    .any(|bytes| bytes == KEY.as_bytes()),
                "{name}"
            );
        }
    }
}

#[tokio::test]
async fn failed_download_leaves_no_files() {
    let whole = mp4(1_000);
    let port = ClosedPort::new();
    let closed = format!("{}/kling_a.mp4", port.url());
    let cases = [
        (
            "cut short",
            Some(Reply::cut(200, 5000, &whole[..900])),
            ErrorKind::Transport,
        ),
        (
            "stalled",
            Some(Reply::slow(200, 5000, &whole[..900])),
            ErrorKind::Transport,
        ),
        ("hanging", Some(Reply::hang()), ErrorKind::Transport),
        ("dropped", Some(Reply::Drop), ErrorKind::Transport),
        (
            "a web page",
            Some(Reply::http(200, &[], "<html>Sorry</html>")),
            ErrorKind::CorruptResult,
        ),
        (
            "empty",
            Some(Reply::http(200, &[], "")),
            ErrorKind::CorruptResult,
        ),
        (
            "too short for detection",
            Some(Reply::http(200, &[], &whole[..7])),
            ErrorKind::CorruptResult,
        ),
        (
            "forbidden",
            Some(Reply::http(403, &[], "")),
            ErrorKind::Expired,
        ),
        ("gone", Some(Reply::http(404, &[], "")), ErrorKind::Expired),
        (
            "a later part",
            Some(Reply::http(206, &[], &whole[9..])),
            ErrorKind::CorruptResult,
        ),
        (
            "broken host",
            Some(Reply::http(500, &[], "")),
            ErrorKind::Transport,
        ),
        ("refused", None, ErrorKind::Transport),
    ];
    for (name, reply, kind) in cases {
        let host = match reply {
            Some(reply) => Some(Fake::start(vec![reply]).await),
            None => None,
        };
        let url = host.as_ref().map_or(closed.clone(), |host| {
            format!(
                "{}/kling_a.mp4?token=exp=1800003600~hmac=secret",
                host.base_url()
            )
        });
        let clock = VirtualClock::new();
        let video = video_at_stalling(&url, &clock).await;
        let folder = tempfile::tempdir().unwrap();
        let error = video
            .save(folder.path().join("clip.mp4"))
            .await
            .expect_err(name);
        assert_eq!(error.kind(), kind, "{name}: {error}");
        assert_eq!(error.charged(), Charged::Yes, "{name}");
        assert_eq!(error.task_id(), Some("a"), "{name}");
        assert_eq!(entries(folder.path()), Vec::<String>::new(), "{name}");
        for text in [
            error.to_string(),
            format!("{error:?}"),
            format!("{video:?}"),
        ] {
            assert!(!text.contains("secret"), "{name}: {text}");
        }
        if let Some(host) = host {
            let asked = &host.requests()[0];
            assert!(
                asked.headers.iter().all(|(_, value)| !value.contains(KEY)),
                "{name}"
            );
        }
    }
}

#[tokio::test]
async fn result_urls_must_be_http() {
    for url in ["", "ftp://h.example/x.mp4", "file:///etc/passwd", "/x.mp4"] {
        let api = Fake::start(vec![Reply::json(200, &task("a", "COMPLETED", &[url]))]).await;
        let clock = VirtualClock::new();
        let client = client(api.base_url(), &clock).build().unwrap();
        let error = client.task("a").wait().await.unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::UnexpectedResponse,
            "{url:?}: {error}"
        );
        assert_eq!(error.charged(), Charged::Yes);
    }
}
