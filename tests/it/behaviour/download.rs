use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::TryStreamExt;
use kling_omni::{AspectRatio, Charged, ErrorKind, Video};
use kling_omni_tests::fake::{Fake, Reply, closed_port};
use kling_omni_tests::virtual_clock::VirtualClock;

use super::{KEY, SHORT, client, puppet, sandbox, task};

const MP4: &[u8] = b"\0\0\0\x10ftypisom\0\0\0\0and so on";

/// A finished video whose file is at `url`.
async fn video_at(url: &str, clock: &VirtualClock) -> Video {
    let api = Fake::start(vec![Reply::json(200, &task("a", "COMPLETED", &[url]))]).await;
    let client = client(api.base_url(), clock)
        .idle_timeout(SHORT)
        .build()
        .unwrap();
    client.task("a").wait().await.unwrap()
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
async fn the_sandbox_gives_a_whole_clip_and_never_sees_the_key_at_its_result_host() {
    let clock = VirtualClock::new();
    let sandbox = sandbox(&clock).start().await.unwrap();
    let client = client(sandbox.base_url(), &clock).build().unwrap();
    let request = puppet()
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
    assert_eq!(&bytes[4..8], b"ftyp");
    let streamed: Vec<u8> = video
        .download()
        .await
        .unwrap()
        .try_fold(Vec::new(), async |mut all, chunk| {
            all.extend_from_slice(&chunk);
            Ok(all)
        })
        .await
        .unwrap();
    assert_eq!(streamed, bytes);
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
async fn an_expired_url_is_said_to_be_expired() {
    let clock = VirtualClock::new();
    let sandbox = sandbox(&clock).start().await.unwrap();
    let client = client(sandbox.base_url(), &clock).build().unwrap();
    let video = client
        .create(puppet().build().unwrap())
        .await
        .unwrap()
        .wait()
        .await
        .unwrap();
    clock.advance(Duration::from_secs(4000));
    let error = video.download().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Expired, "{error}");
    assert_eq!(error.charged(), Charged::Yes);
    assert!(error.to_string().contains("s ago"), "{error}");
}

#[tokio::test]
async fn a_bad_download_leaves_nothing_behind() {
    let closed = format!("http://127.0.0.1:{}/kling_a.mp4", closed_port().await);
    let cases = [
        (
            "cut short",
            Some(Reply::cut(200, 5000, MP4)),
            ErrorKind::Transport,
        ),
        (
            "stalled",
            Some(Reply::slow(200, 5000, MP4)),
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
            "too short to tell",
            Some(Reply::http(200, &[], &MP4[..7])),
            ErrorKind::CorruptResult,
        ),
        (
            "forbidden",
            Some(Reply::http(403, &[], "")),
            ErrorKind::Expired,
        ),
        ("gone", Some(Reply::http(404, &[], "")), ErrorKind::Expired),
        (
            "a part",
            Some(Reply::http(206, &[], MP4)),
            ErrorKind::UnexpectedResponse,
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
        let video = video_at(&url, &clock).await;
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
            let asked = &host.asked()[0];
            assert!(
                asked.headers.iter().all(|(_, value)| !value.contains(KEY)),
                "{name}"
            );
        }
    }
}

#[tokio::test]
async fn an_existing_file_is_left_alone_unless_asked() {
    let host = Fake::start(vec![Reply::http(200, &[], MP4)]).await;
    let clock = VirtualClock::new();
    let video = video_at(&format!("{}/kling_a.mp4", host.base_url()), &clock).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.mp4");
    fs::write(&path, "mine").unwrap();
    let error = video.save(&path).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::File);
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    assert!(
        host.asked().is_empty(),
        "nothing is fetched for a file that cannot be written"
    );
    video.save(&path).overwrite(true).await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), MP4);
    let nowhere = video
        .save(folder.path().join("no/such/folder.mp4"))
        .await
        .unwrap_err();
    assert_eq!(nowhere.kind(), ErrorKind::File);
    for odd in ["", "new/"] {
        let error = video.save(odd).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::File, "{odd:?}");
    }
    let a_folder = video.save(folder.path()).overwrite(true).await.unwrap_err();
    assert_eq!(a_folder.kind(), ErrorKind::File);
    assert_eq!(entries(folder.path()), ["clip.mp4"]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_saved_file_follows_the_umask_like_any_other() {
    use std::os::unix::fs::PermissionsExt;

    let host = Fake::start(vec![Reply::http(200, &[], MP4)]).await;
    let clock = VirtualClock::new();
    let video = video_at(&format!("{}/kling_a.mp4", host.base_url()), &clock).await;
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    fs::write(&plain, "").unwrap();
    let path = folder.path().join("clip.mp4");
    video.save(&path).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), mode(&plain));
}

#[tokio::test]
async fn results_that_are_no_web_address_are_refused() {
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
