//! The saved file: existing files, permissions, and the sidecar.

use std::fs;
use std::path::Path;
use std::time::Duration;

use kling_omni::{ErrorKind, Video};
use kling_omni_test_support::clip::mp4;
use kling_omni_test_support::fake::{Fake, Reply};
use kling_omni_test_support::setup::{KEY, client, sandbox, valid_request};
use kling_omni_test_support::virtual_clock::VirtualClock;
use serde_json::{Value, json};

use super::{entries, sha256, video_at};

async fn host_of(file: &[u8]) -> (Fake, Video) {
    let host = Fake::start(vec![Reply::http(200, &[], file)]).await;
    let url = format!("{}/kling_a.mp4", host.base_url());
    let video = video_at(&url, &VirtualClock::new()).await;
    (host, video)
}

#[tokio::test]
async fn existing_file_is_kept_without_overwrite() {
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
        host.requests().is_empty(),
        "nothing is downloaded for a file that cannot be written"
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
async fn file_created_during_the_download_is_kept() {
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
    assert!(error.summary().contains("already exists"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    assert_eq!(entries(folder.path()), ["clip.mp4"]);
}

#[tokio::test]
async fn sidecar_failure_reports_the_saved_video() {
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
        error.summary().starts_with("the video is saved at "),
        "{error}"
    );
    assert_eq!(entries(folder.path()), ["clip.mp4", "clip.mp4.json"]);
}

#[cfg(unix)]
#[tokio::test]
async fn saved_file_respects_the_umask() {
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

/// No user can create files in this folder.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn unwritable_folder_fails_before_the_download() {
    let (host, video) = host_of(&mp4(1_000)).await;
    let error = video.save("/proc/clip.mp4").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::File);
    let text = error.to_string();
    assert!(
        text.starts_with("/proc/clip.mp4 could not be written: "),
        "{text}"
    );
    assert!(host.requests().is_empty());
}

#[tokio::test]
async fn dropped_download_leaves_no_files() {
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
async fn sidecar_describes_the_video_without_secrets() {
    let clock = VirtualClock::new();
    let sandbox = sandbox(&clock).jitter(0.0).start().await.unwrap();
    let client = client(sandbox.base_url(), &clock).build().unwrap();
    let request = valid_request()
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
            "file_name": "clip.mp4",
            "bytes": bytes.len(),
            "sha256": sha256(&bytes),
            "host": "127.0.0.1",
            "created_at": "2027-01-15T08:00:00Z",
            "completed_at": sidecar["completed_at"],
            "saved_at": sidecar["saved_at"],
            "url_expires_at": sidecar["url_expires_at"],
            "saved_by": sidecar["saved_by"],
        })
    );
    let completed = sidecar["completed_at"].as_str().unwrap();
    let downloaded = sidecar["saved_at"].as_str().unwrap();
    let expires = sidecar["url_expires_at"].as_str().unwrap();
    assert!(expires.starts_with("2027-01-15T09:0"), "{text}");
    assert!(
        "2027-01-15T08:01:00Z" <= completed && completed < downloaded,
        "{text}"
    );

    // The completion time of a task that was opened after it completed is unknown.
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

#[cfg(unix)]
mod replacing {
    use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
    use std::process::Command;

    use kling_omni::download::Destination;

    use super::*;

    #[tokio::test]
    async fn special_file_is_never_replaced() {
        let (host, video) = host_of(&mp4(1_000)).await;
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let made = Command::new("mkfifo").arg(at("fifo")).status().unwrap();
        assert!(made.success());
        let socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        fs::create_dir(at("folder")).unwrap();
        for name in ["fifo", "socket", "folder"] {
            symlink(at(name), at(&format!("link to {name}"))).unwrap();
        }
        symlink("/dev/null", at("device")).unwrap();
        symlink("loop", at("loop")).unwrap();
        let before = entries(folder.path());
        for name in &before {
            for sidecar in [false, true] {
                let path = match sidecar {
                    false => at(name),
                    true => {
                        symlink(at(name), at("clip.mp4.json")).unwrap();
                        at("clip.mp4")
                    }
                };
                let destination = Destination::new(&path).overwrite(true).sidecar(sidecar);
                let unpaid = destination.check().await.unwrap_err();
                let save = video.save(&path).overwrite(true).sidecar(sidecar);
                let paid = save.await.unwrap_err();
                for error in [unpaid, paid] {
                    assert_eq!(error.kind(), ErrorKind::File, "{name}: {error}");
                }
                let _ = fs::remove_file(at("clip.mp4.json"));
                assert_eq!(entries(folder.path()), before, "{name}");
            }
        }
        assert!(fs::metadata(at("fifo")).unwrap().file_type().is_fifo());
        assert!(host.requests().is_empty());
        drop(socket);
    }

    #[tokio::test]
    async fn mode_of_the_old_file_is_kept() {
        let (_host, video) = host_of(&mp4(1_000)).await;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip.mp4");
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
        for wanted in [0o600, 0o640, 0o444, 0o777] {
            fs::write(&path, "mine").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(wanted)).unwrap();
            let before = fs::metadata(&path).unwrap();
            let (place, draft) = (folder.path().to_owned(), std::sync::Mutex::new(None));
            let draft = std::sync::Arc::new(draft);
            let seen = std::sync::Arc::clone(&draft);
            video
                .save(&path)
                .overwrite(true)
                .on_progress(move |_, _| {
                    let part = entries(&place)
                        .into_iter()
                        .find(|name| name.ends_with(".part"));
                    *seen.lock().unwrap() = Some(mode(&place.join(part.unwrap())));
                })
                .await
                .unwrap();
            let after = fs::metadata(&path).unwrap();
            assert_eq!(mode(&path), wanted, "{wanted:o}");
            assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()));
            assert_eq!(
                draft.lock().unwrap().unwrap(),
                wanted,
                "{wanted:o}, while it is written"
            );
            fs::remove_file(&path).unwrap();
        }
    }

    #[tokio::test]
    async fn symlink_is_replaced_not_its_target() {
        let file = mp4(1_000);
        let (_host, video) = host_of(&file).await;
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("clip.mp4"), folder.path().join("other"));
        fs::write(&other, "mine").unwrap();
        for target in [other.clone(), folder.path().join("nowhere")] {
            symlink(target, &path).unwrap();
            video.save(&path).overwrite(true).await.unwrap();
            assert!(fs::symlink_metadata(&path).unwrap().is_file());
            assert_eq!(fs::read(&path).unwrap(), file);
            fs::remove_file(&path).unwrap();
        }
        assert_eq!(fs::read(&other).unwrap(), b"mine");
        assert_eq!(entries(folder.path()), ["other"]);
    }

    /// Another process swaps the partial file: the checked bytes are published.
    #[tokio::test]
    async fn published_file_is_the_written_one() {
        let file = mp4(1_000);
        let (_host, video) = host_of(&file).await;
        for (case, overwrite) in [("a new file", false), ("an old one", true)] {
            for link in [true, false] {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("clip.mp4");
                let other = folder.path().join("other");
                fs::write(&other, "not a video").unwrap();
                if overwrite {
                    fs::write(&path, "mine").unwrap();
                }
                let (place, aim) = (folder.path().to_owned(), other.clone());
                let save = video
                    .save(&path)
                    .overwrite(overwrite)
                    .on_progress(move |_, _| {
                        let part = entries(&place)
                            .into_iter()
                            .find(|name| name.ends_with(".part"));
                        let part = place.join(part.unwrap());
                        fs::remove_file(&part).unwrap();
                        match link {
                            true => symlink(&aim, &part).unwrap(),
                            false => fs::write(&part, "not a video").unwrap(),
                        }
                    });
                save.await.unwrap();
                assert!(fs::symlink_metadata(&path).unwrap().is_file(), "{case}");
                assert_eq!(fs::read(&path).unwrap(), file, "{case}");
                assert_eq!(fs::read(&other).unwrap(), b"not a video", "{case}");
                assert_eq!(entries(folder.path()), ["clip.mp4", "other"], "{case}");
            }
        }
    }
}

mod before_paying {
    use kling_omni::download::Destination;

    use super::*;

    #[tokio::test]
    async fn destination_check_leaves_no_files() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("there.mp4"), "mine").unwrap();
        fs::write(at("4pm.nekat"), "mine").unwrap();
        let name_of = |length: usize| format!("{}.mp4", "x".repeat(length - 4));
        for (case, name, overwrite, sidecar, part) in [
            ("free", "clip.mp4".to_owned(), false, true, None),
            (
                "the trial's name is taken",
                "taken.mp4".to_owned(),
                false,
                false,
                None,
            ),
            (
                "not ASCII",
                "Kätzchen 猫 🐈.mp4".to_owned(),
                false,
                true,
                None,
            ),
            ("a palindrome", "4pm.mp4".to_owned(), false, false, None),
            ("as long as can be", name_of(255), false, false, None),
            (
                "as long as can be with a sidecar",
                name_of(250),
                false,
                true,
                None,
            ),
            ("overwritten", "there.mp4".to_owned(), true, true, None),
            (
                "there",
                "there.mp4".to_owned(),
                false,
                false,
                Some("already exists"),
            ),
            ("too long", name_of(260), false, false, Some("too long")),
            (
                "too long in bytes",
                "猫".repeat(86),
                false,
                false,
                Some("too long"),
            ),
            (
                "too long a sidecar",
                name_of(255),
                false,
                true,
                Some("too long"),
            ),
            (
                "nowhere",
                "no/such/clip.mp4".to_owned(),
                false,
                false,
                Some("does not exist"),
            ),
            (
                "in a file",
                "there.mp4/clip.mp4".to_owned(),
                false,
                false,
                Some("is not a folder"),
            ),
            (
                "a folder",
                "new/".to_owned(),
                false,
                false,
                Some("could not be written"),
            ),
        ] {
            let destination = Destination::new(at(&name))
                .overwrite(overwrite)
                .sidecar(sidecar);
            match (destination.check().await, part) {
                (Ok(()), None) => {}
                (Err(error), Some(part)) => {
                    assert_eq!(error.kind(), ErrorKind::File, "{case}: {error}");
                    assert_eq!(error.charged(), kling_omni::Charged::No, "{case}");
                    assert!(error.summary().contains(part), "{case}: {error}");
                }
                (result, _) => panic!("{case}: {result:?}"),
            }
            assert_eq!(entries(folder.path()), ["4pm.nekat", "there.mp4"], "{case}");
        }
        assert_eq!(fs::read(at("there.mp4")).unwrap(), b"mine");
    }
}
