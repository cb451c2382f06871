//! Local files that cannot be uploaded, or that change during the upload.

use std::fs;
use std::path::Path;

use kling_omni::upload::{FileSource, LocalFile, Uploader as _};
use kling_omni::{Charged, Error, ErrorKind};
use kling_omni_sandbox::Host;
use kling_omni_test_support::setup::{client, sandbox};
use kling_omni_test_support::virtual_clock::VirtualClock;

use super::{LONG, at, content, file};

#[tokio::test]
async fn invalid_file_is_rejected_without_a_request() {
    let clock = VirtualClock::new();
    let sandbox = sandbox(&clock).max_upload_size(100).start().await.unwrap();
    let client = client(sandbox.base_url(), &clock).build().unwrap();
    let (folder, empty) = file("empty.mp4", b"");
    let here = folder.path();
    let named = |name: &str| here.join(name).display().to_string();
    let cases: [(FileSource, String, &str); 5] = [
        (
            here.join("none.mp4").into(),
            format!("{} could not be read: ", named("none.mp4")),
            "check the path",
        ),
        (
            FileSource::path(here).content_type("video/mp4"),
            format!("{} could not be read: ", here.display()),
            "check the path",
        ),
        (empty.into(), format!("{} is empty", named("empty.mp4")), ""),
        (
            FileSource::path("clip"),
            "cannot determine the content type of clip from its name".to_owned(),
            "FileSource::content_type",
        ),
        (
            FileSource::bytes("x", "text/html"),
            "unsupported content type of a file in memory: text/html".to_owned(),
            "image/png, image/jpeg",
        ),
    ];
    for (source, told, help) in cases {
        let error = client.upload(source).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.charged()),
            (ErrorKind::File, Charged::No),
            "{error}"
        );
        assert!(error.summary().starts_with(&told), "{error}");
        assert!(error.help().unwrap_or_default().contains(help), "{error}");
    }
    assert!(sandbox.requests().is_empty());

    let long = FileSource::bytes(content(1, 101), "video/mp4");
    let error = client.upload(long).await.unwrap_err();
    let told = "a file in memory is too large: 101 bytes (limit 100)";
    assert_eq!((error.kind(), error.summary()), (ErrorKind::File, told));
    assert!(at(&sandbox, Host::Storage).is_empty());
    client
        .upload(FileSource::bytes(content(1, 100), "video/mp4"))
        .await
        .unwrap();
}

#[tokio::test]
async fn file_changed_during_the_upload_is_not_stored() {
    type Change = fn(&Path, &[u8]);
    let changes: [(&str, Change); 5] = [
        ("one byte", |path, bytes| {
            let mut bytes = bytes.to_vec();
            *bytes.last_mut().unwrap() ^= 1;
            fs::write(path, bytes).unwrap();
        }),
        ("longer", |path, bytes| {
            fs::write(path, [bytes, b"x"].concat()).unwrap()
        }),
        ("shorter", |path, bytes| {
            fs::write(path, &bytes[1..]).unwrap()
        }),
        ("empty", |path, _| fs::write(path, "").unwrap()),
        ("gone", |path, _| fs::remove_file(path).unwrap()),
    ];
    for length in [10, LONG] {
        for (what, change) in changes {
            let clock = VirtualClock::new();
            let sandbox = sandbox(&clock).start().await.unwrap();
            let client = client(sandbox.base_url(), &clock).build().unwrap();
            let bytes = content(1, length);
            let (_folder, path) = file("clip.mp4", &bytes);
            let measured = LocalFile::open(&*path).await.unwrap();
            assert_eq!(measured.length(), length as u64);
            change(&path, &bytes);

            let uploader = client.service_uploader();
            let error = uploader.upload(&measured).await.unwrap_err();
            let error = error.downcast::<Error>().unwrap();
            assert_eq!(
                (error.kind(), error.charged()),
                (ErrorKind::File, Charged::No),
                "{error}"
            );
            assert!(error.summary().contains("clip.mp4: "), "{error}");
            assert!(!error.is_retryable());
            assert_eq!(sandbox.uploads()[0].length(), None, "{what} {length}");
            assert!(at(&sandbox, Host::Storage).len() <= 1, "{what} {length}");

            // The upload cache has no entry.
            fs::write(&path, &bytes).unwrap();
            uploader.upload(&measured).await.unwrap();
            assert_eq!(sandbox.uploads()[1].length(), Some(length as u64));
        }
    }
}

#[tokio::test]
async fn local_file_can_be_read_repeatedly() {
    use futures_util::TryStreamExt as _;
    let bytes = content(1, LONG);
    let (_folder, path) = file("clip.mp4", &bytes);
    for source in [path.into(), FileSource::bytes(bytes.clone(), "video/mp4")] {
        let measured = LocalFile::open(source).await.unwrap();
        for _ in 0..2 {
            let stream = measured.stream().await.unwrap();
            assert_eq!(stream.length(), LONG as u64);
            let chunks: Vec<_> = stream.try_collect().await.unwrap();
            assert!(chunks.len() > 3);
            assert_eq!(chunks.concat(), bytes);
        }
    }
}
