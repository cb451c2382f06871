//! Uploads of local files.

mod failures;
mod files;
mod reuse;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kling_omni::upload::{FileSource, LocalFile, UploadFuture, UploadedFile, Uploader};
use kling_omni::{Charged, Client, ErrorKind};
use kling_omni_sandbox::{Host, ReceivedRequest, Sandbox};
use kling_omni_test_support::log::Log;
use kling_omni_test_support::setup::{KEY, client, sandbox, valid_request};
use kling_omni_test_support::virtual_clock::VirtualClock;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tracing::instrument::WithSubscriber;

/// More than a client buffers.
const LONG: usize = 1_000_000;

pub fn content(seed: u8, length: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
    bytes[0] = seed;
    bytes
}

/// A file in its own folder.
pub fn file(name: &str, bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// The requests that a host of the sandbox received.
fn at(sandbox: &Sandbox, host: Host) -> Vec<ReceivedRequest> {
    let mut requests = sandbox.requests();
    requests.retain(|request| request.host() == host);
    requests
}

#[tokio::test]
async fn file_is_uploaded_without_the_key() {
    let clock = VirtualClock::new();
    let sandbox = sandbox(&clock).start().await.unwrap();
    let client = client(sandbox.base_url(), &clock).build().unwrap();
    let bytes = content(1, LONG);
    let (_folder, path) = file("clip.mov", &bytes);

    let progress = Arc::new(Mutex::new(Vec::new()));
    let recorded = Arc::clone(&progress);
    let upload = client.upload(path).on_progress(move |sent, total| {
        recorded.lock().unwrap().push((sent, total));
    });
    let uploaded = upload.await.unwrap();
    let end = uploaded.expires_at.unwrap();
    let begin = kling_omni::clock::Clock::system_time(&clock);
    assert_eq!(
        end.duration_since(begin).unwrap(),
        Duration::from_secs(24 * 3600)
    );

    let record = &sandbox.uploads()[0];
    assert_eq!(record.content_type(), "video/quicktime");
    assert_eq!(record.length(), Some(LONG as u64));
    assert_eq!(record.sha256(), Some(Sha256::digest(&bytes).into()));
    let progress = std::mem::take(&mut *progress.lock().unwrap());
    assert_eq!(
        (progress[0].0, progress.last().unwrap().0),
        (0, LONG as u64)
    );
    assert!(progress.is_sorted() && progress.iter().all(|(_, total)| *total == LONG as u64));
    assert!(progress.len() > 4, "{progress:?}");

    let request = valid_request()
        .reference_video(uploaded.url)
        .build()
        .unwrap();
    let task = client.create(request).await.unwrap();
    task.wait().await.unwrap();

    let puts = at(&sandbox, Host::Storage);
    assert_eq!(puts.len(), 1);
    let headers = puts[0].headers();
    let mut names: Vec<_> = headers.keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    let expected = [
        "accept",
        "content-length",
        "content-type",
        "host",
        "x-goog-content-length-range",
    ];
    assert_eq!(names, expected);
    assert!(!headers.values().any(|value| value.is_sensitive()));
    assert!(!format!("{headers:?} {} {:?}", puts[0].path(), puts[0].query()).contains(KEY));
    let asked = at(&sandbox, Host::Api);
    assert_eq!(asked[0].operation_id(), Some("requestUploads"));
}

#[tokio::test]
async fn uploads_use_their_host_unless_a_base_url_is_set() {
    let clock = VirtualClock::new();
    let builder = || client("http://127.0.0.1:1", &clock);
    let of = |client: Client| format!("{:?}", client.service_uploader());
    let key = kling_omni::ApiKey::new(KEY).unwrap();
    for host in kling_omni::Host::ALL {
        let plain = Client::builder().api_key(key.clone()).host(*host);
        let shown = of(plain.build().unwrap());
        assert!(shown.contains("https://api.magnific.com"), "{shown}");
        assert!(shown.contains("x-magnific-api-key"), "{shown}");
        let own = of(builder().host(*host).build().unwrap());
        assert!(own.contains("http://127.0.0.1:1"), "{own}");
        assert!(own.contains(&format!("x-{host}-api-key")), "{own}");
    }
}

#[tokio::test]
async fn upload_all_is_concurrent_and_keeps_the_order() {
    let clock = VirtualClock::new();
    let sandbox = sandbox(&clock).start().await.unwrap();
    let client = client(sandbox.base_url(), &clock).build().unwrap();
    let most = kling_omni_api::limits::upload_request::FILES
        .max_items
        .unwrap();
    let count = most + 2;
    let source = |n: usize| FileSource::bytes(content(n as u8, 1000 + n), "image/png");
    let progress = Arc::new(Mutex::new((0, 0)));
    let recorded = Arc::clone(&progress);
    let uploaded = client
        .upload_all((0..count).map(source))
        .on_progress(move |sent, total| *recorded.lock().unwrap() = (sent, total))
        .await
        .unwrap();
    assert_eq!(uploaded.len(), count);
    let all: u64 = (0..count as u64).map(|n| 1000 + n).sum();
    assert_eq!(*progress.lock().unwrap(), (all, all));

    let asked = at(&sandbox, Host::Api);
    let asked: Vec<_> = asked
        .iter()
        .map(|request| request.json().unwrap()["files"].as_array().unwrap().len())
        .collect();
    assert_eq!(asked, [most, 2]);
    assert_eq!(at(&sandbox, Host::Storage).len(), count);
    for (n, one) in uploaded.iter().enumerate() {
        let bytes = reqwest::get(&one.url).await.unwrap().bytes().await.unwrap();
        assert_eq!(bytes, content(n as u8, 1000 + n), "file {n}");
    }
}

#[tokio::test]
async fn secrets_are_not_printed_or_logged() {
    let log = Log::default();
    let clock = VirtualClock::new();
    let rules = ["storage:503@1", "storage:403@3-", "storage:lost@2"];
    let builder = rules.iter().fold(sandbox(&clock), |builder, rule| {
        builder.fault(rule.parse().unwrap())
    });
    let sandbox = builder.start().await.unwrap();
    let client = client(sandbox.base_url(), &clock).build().unwrap();
    let printed = async {
        let first = client.upload(FileSource::bytes(content(1, 100), "video/mp4"));
        let mut printed = format!("{first:?}");
        let error = first.await.unwrap_err();
        printed += &format!("{error} {error:?} {:?}", client.service_uploader());
        sandbox.clear_faults();
        let uploaded = client.upload(FileSource::bytes(content(1, 100), "video/mp4"));
        printed + &format!("{:?}", uploaded.await.unwrap())
    }
    .with_subscriber(log.subscriber())
    .await;
    let log = log.text();
    assert!(log.contains("retrying upload"), "{log}");
    assert!(printed.contains("/uploads/upl_vid_"), "{printed}");
    for (what, text) in [("log", log), ("output", printed)] {
        for secret in [KEY, "hmac=", "token=exp", "Signature="] {
            assert!(!text.contains(secret), "{secret} in the {what}: {text}");
        }
    }
}

/// An uploader that uploads nothing and returns a given result.
struct FixedUploader(fn(&LocalFile) -> Result<UploadedFile, kling_omni::upload::BoxError>);

impl Uploader for FixedUploader {
    fn upload<'a>(&'a self, file: &'a LocalFile) -> UploadFuture<'a, UploadedFile> {
        let answer = self.0(file);
        Box::pin(async move { answer })
    }
}

/// An uploader that returns too few files.
struct IncompleteUploader;

impl Uploader for IncompleteUploader {
    fn upload<'a>(&'a self, _: &'a LocalFile) -> UploadFuture<'a, UploadedFile> {
        Box::pin(async { Ok(UploadedFile::new("https://h.example/x", None)) })
    }

    fn upload_all<'a>(&'a self, _: &'a [LocalFile]) -> UploadFuture<'a, Vec<UploadedFile>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

#[tokio::test]
async fn custom_uploader_replaces_the_default() {
    let clock = VirtualClock::new();
    let builder = || client("http://127.0.0.1:1", &clock);
    let picture = || FileSource::bytes(content(1, 10), "image/tiff");
    let own = builder().uploader(FixedUploader(|file| {
        let url = format!(
            "https://h.example/{}/{}",
            file.length(),
            file.content_type()
        );
        Ok(UploadedFile::new(url, None))
    }));
    let own = own.build().unwrap();
    let uploaded = own.upload(picture()).await.unwrap();
    assert_eq!(
        uploaded,
        UploadedFile::new("https://h.example/10/image/tiff", None)
    );
    assert_eq!(
        own.upload_all([picture(), picture()]).await.unwrap().len(),
        2
    );

    let failing = builder().uploader(FixedUploader(|_| {
        Err("no room at https://h.example/x?sig=SECRET".into())
    }));
    let error = failing
        .build()
        .unwrap()
        .upload(picture())
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.charged()),
        (ErrorKind::Upload, Charged::No)
    );
    assert!(
        error
            .to_string()
            .contains("no room at https://h.example/x?…"),
        "{error}"
    );

    let ours = builder().uploader(FixedUploader(|_| {
        let error = kling_omni::ApiKey::new("").unwrap_err();
        Err(error.into())
    }));
    let error = ours.build().unwrap().upload(picture()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);

    let forgetful = builder().uploader(IncompleteUploader).build().unwrap();
    let error = forgetful.upload(picture()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Upload);
    assert_eq!(
        forgetful
            .upload_all(Vec::<FileSource>::new())
            .await
            .unwrap(),
        []
    );
}
