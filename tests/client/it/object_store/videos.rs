//! Videos that are saved in a bucket.

use std::fs;
use std::sync::{Arc, Mutex};

use kling_omni::download::{DownloadEvent, VideoStore};
use kling_omni::journal::{Journal, State, Step};
use kling_omni::upload::object_store::ObjectStoreExt as _;
use kling_omni::upload::object_store::aws::AmazonS3Builder;
use kling_omni::upload::object_store::memory::InMemory;
use kling_omni::{Charged, ErrorKind, TextToVideo, Video};
use kling_omni_test_bucket::Server;
use kling_omni_test_support::clip::mp4;
use kling_omni_test_support::fake::{Fake, Reply};
use kling_omni_test_support::setup::{client, sandbox};
use kling_omni_test_support::virtual_clock::VirtualClock;

use super::{LONG, MIB};
use crate::download::{sha256, video_at};

const URL: &str = "s3://clips/for/kling/a cat #1.mp4";
const NAME: &str = "for/kling/a cat #1.mp4";

fn store(server: &Server) -> VideoStore {
    VideoStore::from_s3(server.settings())
}

/// A video of the task "a", and its host.
async fn video(replies: Vec<Reply>) -> (Video, Fake) {
    let host = Fake::start(replies).await;
    let url = format!("{}/kling_a.mp4", host.base_url());
    (video_at(&url, &VirtualClock::new()).await, host)
}

fn whole(file: &[u8]) -> Vec<Reply> {
    vec![Reply::http(200, &[], file)]
}

#[tokio::test]
async fn video_appears_when_it_is_complete() {
    for (length, parts) in [(1_000, 1), (LONG, 3)] {
        let server = Server::start().await;
        let file = mp4(length);
        let (video, _host) = video(whole(&file)).await;
        let saved = video.save(store(&server).object(URL).unwrap());
        let saved = saved.await.unwrap();
        assert_eq!(saved.path.to_str(), Some(URL));
        assert_eq!(
            (saved.bytes, &*saved.sha256),
            (file.len() as u64, &*sha256(&file))
        );
        assert_eq!(server.objects(), [(NAME.to_owned(), file)]);
        let mut operations = server.operations();
        operations.retain(|operation| operation != "UploadPart");
        let expected = [
            "HeadObject",
            "CreateMultipartUpload",
            "HeadObject",
            "CompleteMultipartUpload",
        ];
        // The last part is sent after the check of the name.
        assert_eq!(operations, expected, "{parts}");
        assert!(server.parts().is_empty());
    }
}

#[tokio::test]
async fn existing_object_is_replaced_only_if_asked_or_of_the_same_task() {
    let server = Server::start().await;
    let file = mp4(1_000);
    let (video, _host) = video(whole(&file)).await;
    server.put(NAME, b"mine");
    let destination = store(&server).object(URL).unwrap();
    let refused = [
        destination.check().await.unwrap_err(),
        video.save(destination.clone()).await.unwrap_err(),
    ];
    for error in refused {
        assert_eq!(error.kind(), ErrorKind::File, "{error}");
        assert_eq!(error.to_string(), format!("{URL} already exists"));
    }
    assert_eq!(server.objects(), [(NAME.to_owned(), b"mine".to_vec())]);
    assert!(server.parts().is_empty());
    let overwriting = destination.clone().overwrite(true);
    overwriting.check().await.unwrap();
    let first = video.save(overwriting).await.unwrap();
    // The object has the task now.
    let second = video.save(destination).await.unwrap();
    assert_eq!(first.sha256, second.sha256);
    assert_ne!(first.save_id, second.save_id);
    assert_eq!(server.objects(), [(NAME.to_owned(), file)]);
}

/// Another program is faster, while the video is downloaded.
#[tokio::test]
async fn object_that_appears_during_the_download_stays() {
    let server = Arc::new(Server::start().await);
    let (video, _host) = video(whole(&mp4(LONG))).await;
    let faster = Arc::clone(&server);
    let save = video.save(store(&server).object(URL).unwrap());
    let save = save.on_progress(move |_, _| faster.put(NAME, b"mine"));
    let error = save.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::File, "{error}");
    assert_eq!(error.charged(), Charged::Yes);
    assert_eq!(server.objects(), [(NAME.to_owned(), b"mine".to_vec())]);
    server.performed("AbortMultipartUpload").await;
}

#[tokio::test]
async fn interrupted_download_is_resumed_or_restarted() {
    let file = mp4(LONG);
    let tag = ("etag", "\"one\"");
    let range = format!("bytes {}-{}/{}", 6 * MIB, file.len() - 1, file.len());
    for (name, header, rest, restarts) in [
        (
            "resumed",
            vec![tag],
            Reply::http(206, &[("content-range", &range), tag], &file[6 * MIB..]),
            0,
        ),
        ("restarted", vec![], Reply::http(200, &[], &file), 1),
    ] {
        let server = Server::start().await;
        let cut = Reply::cut_with(200, &header, file.len(), &file[..6 * MIB]);
        let (video, _host) = video(vec![cut, rest]).await;
        let restarted = Arc::new(Mutex::new(0));
        let count = Arc::clone(&restarted);
        let save = video.save(store(&server).object(URL).unwrap());
        let saved = save
            .on_event(move |event| {
                let is_restart = matches!(event, DownloadEvent::Restarted { .. });
                *count.lock().unwrap() += usize::from(is_restart);
            })
            .await
            .unwrap();
        assert_eq!(*restarted.lock().unwrap(), restarts, "{name}");
        assert_eq!(saved.sha256, sha256(&file), "{name}");
        assert!(
            server.objects() == [(NAME.to_owned(), file.clone())],
            "{name}"
        );
        assert!(server.parts().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn failed_save_leaves_no_object_and_no_parts() {
    let file = mp4(LONG);
    for (name, fail, kind) in [
        ("UploadPart", true, ErrorKind::Server),
        ("CompleteMultipartUpload", true, ErrorKind::Server),
        ("HeadObject", true, ErrorKind::Server),
        ("UploadPart", false, ErrorKind::Configuration),
        ("CreateMultipartUpload", false, ErrorKind::Configuration),
        ("HeadObject", false, ErrorKind::Configuration),
    ] {
        let server = Server::start().await;
        match fail {
            true => server.fail(name, 1),
            false => server.refuse(name),
        }
        let (video, _host) = video([whole(&file), whole(&file)].concat()).await;
        let destination = store(&server).object(URL).unwrap();
        let error = video.save(destination.clone()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{name}: {error}");
        assert_eq!(error.charged(), Charged::Yes, "{name}");
        assert_eq!(error.is_retryable(), kind == ErrorKind::Server, "{name}");
        assert_eq!(error.task_id(), Some("a"), "{name}");
        let text = format!("{error:?}");
        assert!(!text.contains("canary"), "{text}");
        assert!(server.objects().is_empty(), "{name}");
        assert!(server.parts().is_empty(), "{name}");
        server.accept();
        video.save(destination).await.expect(name);
        assert_eq!(server.objects().len(), 1, "{name}");
    }
    let server = Server::start().await;
    let (video, _host) = video(vec![Reply::http(200, &[], &file[..file.len() - 1])]).await;
    let error = video.save(store(&server).object(URL).unwrap());
    let error = error.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptResult, "{error}");
    assert!(server.objects().is_empty() && server.parts().is_empty());
}

#[tokio::test]
async fn dropped_save_leaves_no_parts() {
    let server = Server::start().await;
    let (video, _host) = video(whole(&mp4(LONG))).await;
    let (sender, mut progress) = tokio::sync::watch::channel(0);
    let save = video.save(store(&server).object(URL).unwrap());
    let save = save.on_progress(move |received, _| {
        sender.send_replace(received);
    });
    tokio::select! {
        biased;
        _ = progress.wait_for(|received| *received > 6 * MIB as u64) => {}
        saved = save.into_future() => panic!("{saved:?}"),
    }
    server.performed("AbortMultipartUpload").await;
    assert!(server.objects().is_empty());
}

#[tokio::test]
async fn check_finds_what_a_save_would() {
    let server = Server::start().await;
    let destination = store(&server).object(URL).unwrap();
    destination.check().await.unwrap();
    assert!(server.objects().is_empty() && server.parts().is_empty());
    let error = destination.clone().sidecar(true).check().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    let settings = server.settings().with_secret_access_key("wrong-canary");
    let wrong = VideoStore::from_s3(settings).object(URL).unwrap();
    let missing = store(&server).object("s3://other/cat.mp4").unwrap();
    let settings = server.settings().with_endpoint("http://127.0.0.1:1");
    let unreachable = VideoStore::from_s3(settings).object(URL).unwrap();
    server.operations();
    for (destination, kind, text) in [
        (wrong, ErrorKind::Configuration, "SignatureDoesNotMatch"),
        (missing, ErrorKind::Configuration, "NoSuchBucket"),
        (unreachable, ErrorKind::Transport, "AWS_ENDPOINT_URL"),
    ] {
        let error = destination.check().await.unwrap_err();
        let shown = format!("{error:?}");
        assert_eq!(error.kind(), kind, "{shown}");
        assert!(shown.contains(text) && !shown.contains("canary"), "{shown}");
        assert_eq!(error.charged(), Charged::No);
    }
}

#[tokio::test]
async fn any_store_keeps_videos() {
    let bucket = Arc::new(InMemory::new());
    let store = VideoStore::new("gs://clips/", Arc::clone(&bucket));
    let (video, _host) = video(whole(&mp4(1_000))).await;
    let saved = video.save(store.object("gs://clips/for/cat.mp4").unwrap());
    saved.await.unwrap();
    let object = bucket.head(&"for/cat.mp4".into()).await.unwrap();
    assert_eq!(object.size, mp4(1_000).len() as u64);
    let buckets = VideoStore::from_s3(AmazonS3Builder::new());
    for (store, url) in [
        (&store, "gs://other/cat.mp4"),
        (&store, "gs://clips"),
        (&store, "gs://clipsy/cat.mp4"),
        (&store, "gs://clips/"),
        (&store, "gs://clips/for/"),
        (&buckets, "s3://clips"),
        (&buckets, "s3:///cat.mp4"),
        (&buckets, "s3://clips//cat.mp4"),
        (&buckets, "s3://clips/../cat.mp4"),
        (&buckets, "s3://me:canary@clips/cat.mp4"),
        (&buckets, "s3://clips/cat.mp4?X-Amz-Signature=canary"),
        (&buckets, "clips/cat.mp4"),
    ] {
        let error = store.object(url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{url}");
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }
}

/// The process is killed after the object appeared and before that was recorded.
#[tokio::test]
async fn journal_settles_a_crash_by_the_metadata() {
    let clock = VirtualClock::new();
    let sandbox = sandbox(&clock).start().await.unwrap();
    let client = client(sandbox.base_url(), &clock).build().unwrap();
    let server = Server::start().await;
    let destination = store(&server).object(URL).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("journal"), folder.path().join("copy"));
    let (source, target) = (path.clone(), copy.clone());
    let mut journal = Journal::open_or_create(&path).await.unwrap();
    journal = journal.on_step(move |step| {
        if step == Step::Writing("saved") {
            fs::copy(&source, &target).unwrap();
        }
    });
    let request = TextToVideo::builder().prompt("A cat").build().unwrap();
    let create = client.create(request);
    let outcome = journal.run(&client, create, destination.clone()).await;
    outcome.unwrap();
    server.operations();

    let mut recovered = Journal::open(&copy).await.unwrap();
    assert!(matches!(recovered.state(), State::Publishing { .. }));
    assert_eq!(recovered.verify_saved().await, None);
    let other = store(&server).object("s3://clips/other.mp4").unwrap();
    assert_eq!(recovered.verify_saved_at(&other).await, None);
    let run = recovered.run(&client, None, destination.clone()).await;
    run.unwrap();
    assert!(matches!(recovered.state(), State::Saved { .. }));
    assert_eq!(server.operations(), ["HeadObject"]);
    assert_eq!(sandbox.charges(), 1);

    // The object of another save, or a truncated one, is not the one of the journal.
    let saved = recovered.verify_saved_at(&destination).await.unwrap();
    server.cut(NAME, saved.bytes - 1);
    assert_eq!(recovered.verify_saved_at(&destination).await, None);
    let run = recovered.run(&client, None, destination.clone()).await;
    run.unwrap();
    let again = recovered.verify_saved_at(&destination).await.unwrap();
    assert_eq!(again.bytes, saved.bytes);
    assert_ne!(again.save_id, saved.save_id);
    assert_eq!(sandbox.charges(), 1);
}
