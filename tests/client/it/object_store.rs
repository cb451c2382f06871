//! Uploads of local files to a bucket of the user, and videos that are saved in it.

mod failures;
mod videos;

use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use kling_omni::polling::Wait;
use kling_omni::upload::{FileSource, LocalFile, ObjectStoreUploader, UploadedFile, Uploader as _};
use kling_omni::{Client, ErrorKind};
use kling_omni_test_bucket::{BUCKET, KEY_ID, SECRET, Server};
use kling_omni_test_support::media::{Film, png};
use kling_omni_test_support::setup::{client, sandbox, valid_request};
use kling_omni_test_support::virtual_clock::VirtualClock;
use sha2::{Digest as _, Sha256};

use super::upload::{content, file};

const MIB: usize = 1 << 20;
/// More than two parts.
const LONG: usize = 11 * MIB;

fn uploader(server: &Server) -> ObjectStoreUploader {
    ObjectStoreUploader::from_s3(server.settings(), "for/kling").unwrap()
}

fn client_with(uploader: ObjectStoreUploader) -> Client {
    let clock = VirtualClock::new();
    let client = client("http://127.0.0.1:1", &clock).uploader(uploader);
    client.build().unwrap()
}

fn name(bytes: &[u8], extension: &str) -> String {
    let hash = Sha256::digest(bytes);
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("for/kling/{hash}.{extension}")
}

async fn fetch(url: &str) -> (u16, String, Vec<u8>) {
    let answer = reqwest::get(url).await.unwrap();
    let kind = answer.headers().get("content-type");
    let kind = kind.map_or("", |kind| kind.to_str().unwrap()).to_owned();
    (
        answer.status().as_u16(),
        kind,
        answer.bytes().await.unwrap().to_vec(),
    )
}

async fn assert_readable(uploaded: &UploadedFile, kind: &str, bytes: &[u8]) {
    let (status, content_type, read) = fetch(&uploaded.url).await;
    assert_eq!((status, &*content_type), (200, kind));
    assert!(read == bytes, "{} bytes, other ones", read.len());
}

#[tokio::test]
async fn file_is_readable_only_at_its_presigned_url() {
    let server = Server::start().await;
    let bytes = content(1, 300_000);
    let (_folder, path) = file("clip.mov", &bytes);
    let before = SystemTime::now();
    let uploaded = client_with(uploader(&server)).upload(path).await.unwrap();
    let whole = ["HeadObject", "PutObject", "HeadObject"];
    assert_eq!(server.operations(), whole);
    assert_eq!(server.objects(), [(name(&bytes, "mov"), bytes.clone())]);

    let lifetime = ObjectStoreUploader::DEFAULT_LIFETIME;
    let left = uploaded.expires_at.unwrap().duration_since(before).unwrap();
    assert!(left + Duration::from_secs(1) >= lifetime && left < lifetime + Duration::from_secs(60));
    assert!(lifetime > Wait::DEFAULT_TIMEOUT);
    assert!(
        uploaded
            .url
            .contains(&format!("X-Amz-Expires={}&", lifetime.as_secs())),
        "{}",
        uploaded.url
    );

    assert_readable(&uploaded, "video/quicktime", &bytes).await;
    let (bare, query) = uploaded.url.split_once('?').unwrap();
    let longer = query.replace("X-Amz-Expires=86400", "X-Amz-Expires=86401");
    let (path, _) = bare.rsplit_once('/').unwrap();
    for url in [
        bare.to_owned(),
        format!("{bare}?{longer}"),
        format!("{path}/other.mov?{query}"),
    ] {
        assert_eq!(fetch(&url).await.0, 403, "{url}");
    }
}

#[tokio::test]
async fn large_file_is_uploaded_in_parts() {
    let server = Server::start().await;
    let bytes = content(2, LONG);
    let (_folder, path) = file("clip.mp4", &bytes);
    let progress = Arc::new(Mutex::new(Vec::new()));
    let recorded = Arc::clone(&progress);
    let upload = client_with(uploader(&server))
        .upload(path)
        .on_progress(move |sent, total| {
            recorded.lock().unwrap().push((sent, total));
        });
    let uploaded = upload.await.unwrap();
    let mut operations = server.operations();
    operations[2..5].sort();
    assert_eq!(
        operations,
        [
            "HeadObject",
            "CreateMultipartUpload",
            "UploadPart",
            "UploadPart",
            "UploadPart",
            "CompleteMultipartUpload",
            "HeadObject"
        ]
    );
    assert_readable(&uploaded, "video/mp4", &bytes).await;
    assert!(server.parts().is_empty());
    let progress = progress.lock().unwrap();
    let (first, last) = (progress[0], progress[progress.len() - 1]);
    assert_eq!((first.0, last), (0, (LONG as u64, LONG as u64)));
    assert!(progress.is_sorted() && progress.len() > 20, "{progress:?}");
}

#[tokio::test]
async fn same_content_is_uploaded_once() {
    let server = Server::start().await;
    let client = client_with(uploader(&server));
    let png = |bytes: &[u8]| FileSource::bytes(bytes.to_vec(), "image/png");
    let (one, other) = (content(3, 5000), content(4, 5000));
    let files = [png(&one), png(&other), png(&one)];
    let uploaded = client.upload_all(files).await.unwrap();
    let mut operations = server.operations();
    operations.sort();
    assert_eq!(
        operations[4..],
        ["PutObject", "PutObject"],
        "{operations:?}"
    );
    for (uploaded, bytes) in uploaded.iter().zip([&one, &other, &one]) {
        assert_readable(uploaded, "image/png", bytes).await;
    }
    server.operations();

    // Another process, and another file name.
    let (_folder, path) = file("other.png", &one);
    let again = client_with(uploader(&server)).upload(path).await.unwrap();
    assert_eq!(server.operations(), ["HeadObject"]);
    assert_readable(&again, "image/png", &one).await;
    server.operations();

    // An object with another type, too old, or incomplete, is written again.
    let whole = ["HeadObject", "PutObject", "HeadObject"];
    for kind in ["image/x-one", "image/x-two"] {
        let file = FileSource::bytes(one.clone(), kind);
        let uploaded = client.upload(file).await.unwrap();
        assert_eq!(server.operations(), whole, "{kind}");
        assert_readable(&uploaded, kind, &one).await;
        server.operations();
    }
    let impatient = client_with(uploader(&server).reuse_within(Duration::ZERO));
    impatient.upload(png(&one)).await.unwrap();
    assert_eq!(server.operations(), whole);
    let patient = client_with(uploader(&server).reuse_within(Duration::from_secs(3600)));
    patient.upload(png(&one)).await.unwrap();
    assert_eq!(server.operations(), ["HeadObject"]);
    server.cut(&name(&one, "png"), 100);
    let repaired = patient.upload(png(&one)).await.unwrap();
    assert_eq!(server.operations(), whole);
    assert_readable(&repaired, "image/png", &one).await;
}

#[tokio::test]
async fn create_uses_the_bucket() {
    let server = Server::start().await;
    let clock = VirtualClock::new();
    let sandbox = sandbox(&clock).start().await.unwrap();
    let client = client(sandbox.base_url(), &clock).uploader(uploader(&server));
    let client = client.build().unwrap();
    let (clip, still) = (Film::GOOD.mp4(), png(1280, 720));
    let (_folder, path) = file("clip.mp4", &clip);
    let request = valid_request()
        .reference_video(&*path)
        .start_frame(still.clone())
        .build()
        .unwrap();
    client.create(request).await.unwrap().wait().await.unwrap();
    let body = sandbox.tasks()[0].request().clone();
    for (field, bytes, kind) in [
        ("video_url", &clip, "video/mp4"),
        ("image_url", &still, "image/png"),
    ] {
        let url = body[field].as_str().unwrap();
        assert!(url.starts_with(&server.endpoint), "{url}");
        let (status, content_type, read) = fetch(url).await;
        assert_eq!((status, &*content_type), (200, kind));
        assert!(read == *bytes);
    }
    assert_eq!(sandbox.charges(), 1);
    assert!(sandbox.uploads().is_empty());
}

#[tokio::test]
async fn file_changed_during_the_upload_leaves_no_object() {
    for length in [300_000, LONG] {
        let server = Server::start().await;
        let (_folder, path) = file("clip.mp4", &content(7, length));
        let measured = LocalFile::open(&*path).await.unwrap();
        std::fs::write(&path, content(8, length)).unwrap();
        let error = uploader(&server).upload(&measured).await.unwrap_err();
        let error: Box<kling_omni::Error> = error.downcast().unwrap();
        assert_eq!(error.kind(), ErrorKind::File, "{error}");
        assert!(error.to_string().contains("changed"), "{error}");
        assert!(server.objects().is_empty() && server.parts().is_empty());
        let operations = server.operations();
        let last = operations.last().unwrap();
        assert_eq!(
            *last == "AbortMultipartUpload",
            length == LONG,
            "{operations:?}"
        );
    }
}

#[tokio::test]
async fn dropped_upload_leaves_no_parts() {
    let server = Server::start().await;
    let (_folder, path) = file("clip.mp4", &content(9, LONG));
    let (sender, mut progress) = tokio::sync::watch::channel(0);
    let upload = client_with(uploader(&server))
        .upload(path)
        .on_progress(move |sent, _| {
            sender.send_replace(sent);
        });
    tokio::select! {
        biased;
        _ = progress.wait_for(|sent| *sent > 6 * MIB as u64) => {}
        uploaded = upload.into_future() => panic!("{uploaded:?}"),
    }
    server.performed("AbortMultipartUpload").await;
    assert!(server.objects().is_empty());
}

/// Run by the next test, in a process with its own environment.
#[tokio::test]
#[ignore = "requires a bucket in the environment"]
async fn environment_child_process() {
    let uploader = ObjectStoreUploader::from_url(&format!("s3://{BUCKET}/for/kling/")).unwrap();
    let shown = format!("{uploader:?}");
    assert!(
        !shown.contains(SECRET) && !shown.contains(KEY_ID),
        "{shown}"
    );
    let bytes = content(10, LONG);
    let file = FileSource::bytes(bytes, "video/mp4");
    let uploaded = client_with(uploader).upload(file).await.unwrap();
    println!("{}", uploaded.url);
}

#[tokio::test]
async fn bucket_url_uses_the_settings_of_the_environment() {
    let server = Server::start().await;
    let mut test = Command::new(std::env::current_exe().unwrap());
    test.args(["--exact", "--ignored", "--nocapture"])
        .arg("object_store::environment_child_process")
        .env("AWS_ENDPOINT_URL", &server.endpoint)
        .env("AWS_REGION", "eu-central-1")
        .env("AWS_ACCESS_KEY_ID", KEY_ID)
        .env("AWS_SECRET_ACCESS_KEY", SECRET);
    let run = tokio::task::spawn_blocking(move || test.output().unwrap());
    let output = run.await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    let url = said.lines().find(|line| line.starts_with("http")).unwrap();
    assert!(url.contains("eu-central-1"), "{url}");
    let bytes = content(10, LONG);
    assert_eq!(server.objects(), [(name(&bytes, "mp4"), bytes.clone())]);
    let (status, kind, read) = fetch(url).await;
    assert_eq!((status, &*kind), (200, "video/mp4"));
    assert!(read == bytes);
}
