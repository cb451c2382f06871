use std::fs;
use std::path::Path;
use std::time::Duration;

use kling_omni::{ErrorKind, Video};
use kling_omni_tests::clip::mp4;
use kling_omni_tests::fake::{Fake, Reply};
use kling_omni_tests::virtual_clock::VirtualClock;
use serde_json::{Value, json};

use super::super::{KEY, client, puppet, sandbox};
use super::{entries, sha256, video_at};

async fn host_of(file: &[u8]) -> (Fake, Video) {
    let host = Fake::start(vec![Reply::http(200, &[], file)]).await;
    let url = format!("{}/kling_a.mp4", host.base_url());
    let video = video_at(&url, &VirtualClock::new()).await;
    (host, video)
}

#[tokio::test]
async fn an_existing_file_is_left_alone_unless_asked() {
    let file = mp4(1_000);
    let (host, video) = host_of(&file).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.mp4");
    let beside = folder.path().join("clip.mp4.json");
    for taken in [&path, &beside] {
        fs::write(taken, "mine").unwrap();
        let error = video.save(&path).sidecar(true).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::File);
        assert!(error.summary().starts_with(&*taken.to_string_lossy()));
        assert_eq!(fs::read(taken).unwrap(), b"mine");
        fs::remove_file(taken).unwrap();
    }
    assert!(
        host.asked().is_empty(),
        "nothing is fetched for a file that cannot be written"
    );
    fs::write(&path, "mine").unwrap();
    fs::write(&beside, "mine").unwrap();
    let save = video.save(&path).overwrite(true).sidecar(true);
    let saved = save.await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), file);
    assert_eq!(saved.sidecar, Some(beside));
    let nowhere = video.save(folder.path().join("no/such/folder.mp4"));
    assert_eq!(nowhere.await.unwrap_err().kind(), ErrorKind::File);
    for odd in ["", "new/"] {
        let error = video.save(odd).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::File, "{odd:?}");
    }
    let a_folder = video.save(folder.path()).overwrite(true).await.unwrap_err();
    assert_eq!(a_folder.kind(), ErrorKind::File);
    assert_eq!(entries(folder.path()), ["clip.mp4", "clip.mp4.json"]);
}

#[tokio::test]
async fn a_file_that_comes_during_the_download_is_left_alone_as_well() {
    let (_host, video) = host_of(&mp4(1_000)).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.mp4");
    let rival = path.clone();
    let error = video
        .save(&path)
        .on_progress(move |_, _| fs::write(&rival, "mine").unwrap())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::File);
    assert!(error.summary().contains("exists already"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    assert_eq!(entries(folder.path()), ["clip.mp4"]);
}

#[tokio::test]
async fn a_sidecar_that_fails_says_that_the_video_is_there() {
    let (_host, video) = host_of(&mp4(1_000)).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.mp4");
    let rival = folder.path().join("clip.mp4.json");
    let error = video
        .save(&path)
        .sidecar(true)
        .on_progress(move |_, _| fs::write(&rival, "mine").unwrap())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::File);
    assert!(
        error.summary().starts_with("the video is whole at "),
        "{error}"
    );
    assert_eq!(entries(folder.path()), ["clip.mp4", "clip.mp4.json"]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_saved_file_follows_the_umask_like_any_other() {
    use std::os::unix::fs::PermissionsExt;

    let (_host, video) = host_of(&mp4(1_000)).await;
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    fs::write(&plain, "").unwrap();
    let path = folder.path().join("clip.mp4");
    video.save(&path).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), mode(&plain));
}

/// Nobody can make files there, whoever runs the tests.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_folder_that_takes_no_files_is_told_before_anything_is_fetched() {
    let (host, video) = host_of(&mp4(1_000)).await;
    let error = video.save("/proc/clip.mp4").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::File);
    let text = error.to_string();
    assert!(
        text.starts_with("/proc/clip.mp4 could not be written: "),
        "{text}"
    );
    assert!(host.asked().is_empty());
}

#[tokio::test]
async fn dropping_a_download_leaves_nothing_behind() {
    let file = mp4(1_000);
    let host = Fake::start(vec![Reply::cut(200, file.len(), &file[..900]).stalling()]).await;
    let url = format!("{}/kling_a.mp4", host.base_url());
    let video = video_at(&url, &VirtualClock::new()).await;
    let folder = tempfile::tempdir().unwrap();
    let (begun, beginning) = tokio::sync::oneshot::channel();
    let (mut begun, place) = (Some(begun), folder.path().to_owned());
    let save = video
        .save(folder.path().join("clip.mp4"))
        .on_progress(move |_, _| {
            let begun = begun.take().map(|begun| begun.send(entries(&place).len()));
            assert!(begun.is_none_or(|sent| sent.is_ok()));
        });
    tokio::select! {
        saved = save.into_future() => panic!("{saved:?}"),
        files = beginning => assert_eq!(files, Ok(1)),
    }
    assert_eq!(entries(folder.path()), [""; 0]);
}

#[tokio::test]
async fn a_sidecar_says_where_a_video_comes_from_and_opens_no_door() {
    let clock = VirtualClock::new();
    let sandbox = sandbox(&clock).jitter(0.0).start().await.unwrap();
    let client = client(sandbox.base_url(), &clock).build().unwrap();
    let request = puppet()
        .duration(3)
        .start_frame("https://me:secret@example.com/stage.png?sig=secret#secret")
        .build()
        .unwrap();
    let mut shown = serde_json::to_value(&request).unwrap();
    let task = client.create(request).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.mp4");
    let video = task.wait().await.unwrap();
    clock.advance(Duration::from_secs(60));
    let save = video.save(&path).sidecar(true).request(shown.clone());
    let saved = save.await.unwrap();
    let text = fs::read_to_string(saved.sidecar.unwrap()).unwrap();
    for secret in ["secret", "hmac", "token", KEY] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    shown["image_url"] = json!("https://example.com/stage.png?…");
    let sidecar: Value = serde_json::from_str(&text).unwrap();
    let bytes = fs::read(&path).unwrap();
    assert_eq!(
        sidecar,
        json!({
            "task_id": task.id(),
            "request": shown,
            "file": "clip.mp4",
            "bytes": bytes.len(),
            "sha256": sha256(&bytes),
            "host": "127.0.0.1",
            "created_at": "2027-01-15T08:00:00Z",
            "completed_at": sidecar["completed_at"],
            "downloaded_at": sidecar["downloaded_at"],
            "url_expires_at": sidecar["url_expires_at"],
            "saved_by": sidecar["saved_by"],
        })
    );
    let completed = sidecar["completed_at"].as_str().unwrap();
    let downloaded = sidecar["downloaded_at"].as_str().unwrap();
    let expires = sidecar["url_expires_at"].as_str().unwrap();
    assert!(expires.starts_with("2027-01-15T09:0"), "{text}");
    assert!(
        "2027-01-15T08:01:00Z" <= completed && completed < downloaded,
        "{text}"
    );

    // Of a task that was taken up when it was over, nobody knows when that was.
    let again = client.task(task.id());
    again.refresh().await.unwrap();
    let save = again.video().unwrap().save(&path).sidecar(true);
    let saved = save.overwrite(true).await.unwrap();
    let text = fs::read_to_string(saved.sidecar.unwrap()).unwrap();
    let sidecar: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(sidecar["request"], Value::Null);
    assert_eq!(sidecar["created_at"], Value::Null);
    assert_eq!(sidecar["completed_at"], Value::Null);
}
