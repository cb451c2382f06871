//! Responses of the result host: statuses, content codings, speed and size.

use std::time::Duration;

use kling_omni::ErrorKind;
use kling_omni_test_support::clip::mp4;
use kling_omni_test_support::fake::{Fake, Reply};
use kling_omni_test_support::setup::{SHORT, client, task};
use kling_omni_test_support::virtual_clock::VirtualClock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{collect_stream, entries, video_at};

const TAG: (&str, &str) = ("etag", "\"one\"");

/// Downloads a file for which the host returns these responses in turn.
async fn result(replies: Vec<Reply>) -> (kling_omni::Result<Vec<u8>>, Vec<Option<String>>) {
    let host = Fake::start(replies).await;
    let url = format!("{}/kling_a.mp4", host.base_url());
    let video = video_at(&url, &VirtualClock::new()).await;
    let bytes = collect_stream(&video).await;
    let ranges = host.requests();
    let ranges = ranges
        .iter()
        .map(|asked| asked.header("range").map(str::to_owned));
    (bytes, ranges.collect())
}

/// Caches and proxies add header lines.
#[tokio::test]
async fn response_may_have_many_header_lines() {
    let file = mp4(1_000);
    for lines in [99, 101, 500, 1_900] {
        let names: Vec<_> = (0..lines).map(|at| format!("x-hop-{at}")).collect();
        let many: Vec<_> = names
            .iter()
            .map(|name| (name.as_str(), "a value"))
            .collect();
        let away = [&[("location", "/edge.mp4")], many.as_slice()].concat();
        for (case, replies) in [
            ("the file", vec![Reply::http(200, &many, &file)]),
            (
                "a redirect",
                vec![Reply::http(302, &away, ""), Reply::http(200, &many, &file)],
            ),
        ] {
            let asked = replies.len();
            let (bytes, ranges) = result(replies).await;
            assert_eq!(bytes.expect(case), file, "{case}: {lines}");
            assert_eq!(ranges.len(), asked, "{case}: {lines}");
        }
    }
}

mod content_coding {
    use super::*;

    #[tokio::test]
    async fn declared_coding_is_ignored_for_uncoded_bytes() {
        let file = mp4(1_000);
        for coding in [
            "",
            "identity",
            "Identity",
            "aws-chunked",
            "AWS-Chunked",
            "aws-chunked,identity",
            "utf-8",
            "binary",
            "none",
            "gzip",
            "br, gzip",
        ] {
            let reply = Reply::http(200, &[("content-encoding", coding)], &file);
            let (bytes, _) = result(vec![reply]).await;
            assert_eq!(bytes.unwrap(), file, "{coding:?}");
        }
    }

    #[tokio::test]
    async fn coded_file_is_rejected() {
        for (coding, body) in [
            ("gzip", &b"\x1f\x8b\x08\0\0\0\0\0\0\x03abc"[..]),
            ("zstd", b"\x28\xb5\x2f\xfd\0\0\0\0\0"),
            ("aws-chunked, GZIP", b"\x1f\x8b\x08\0\0\0\0\0\0\x03abc"),
        ] {
            let reply = Reply::http(200, &[("content-encoding", coding)], body);
            let (bytes, _) = result(vec![reply]).await;
            let error = bytes.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::CorruptResult, "{coding}: {error}");
            let part = format!("{:?}", coding.split(", ").last().unwrap().to_lowercase());
            assert!(error.summary().contains(&part), "{coding}: {error}");
        }
    }

    #[tokio::test]
    async fn parts_of_different_codings_are_not_joined() {
        let file = mp4(2_000);
        let begun = |coding| {
            let headers = [TAG, ("content-encoding", coding)];
            Reply::cut_with(200, &headers, file.len(), &file[..900])
        };
        let rest = |coding| {
            let range = ("content-range", "bytes 900-2043/2044");
            Reply::http(
                206,
                &[TAG, range, ("content-encoding", coding)],
                &file[900..],
            )
        };
        for (first, second, requests) in [
            ("aws-chunked", "identity", 2),
            ("", "aws-chunked", 2),
            ("gzip", "gzip", 2),
            ("", "gzip", 3),
            ("gzip", "", 3),
            ("x", "y", 3),
        ] {
            let whole = Reply::http(200, &[TAG], &file);
            let (bytes, asked) = result(vec![begun(first), rest(second), whole]).await;
            assert_eq!(bytes.unwrap(), file, "{first:?} {second:?}");
            assert_eq!(asked.len(), requests, "{first:?} {second:?}");
        }
    }
}

mod status {
    use super::*;

    #[tokio::test]
    async fn any_success_status_is_accepted_with_a_valid_file() {
        let file = mp4(2_000);
        for status in [200, 201, 203, 206, 226, 299] {
            let (bytes, _) = result(vec![Reply::http(status, &[], &file)]).await;
            assert_eq!(bytes.unwrap(), file, "{status}");
        }
        for (status, body) in [
            (202, &b"<html>soon</html>"[..]),
            (203, b""),
            (206, &file[900..]),
        ] {
            let (bytes, _) = result(vec![Reply::http(status, &[], body)]).await;
            let error = bytes.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::CorruptResult, "{status}: {error}");
        }
    }

    #[tokio::test]
    async fn partial_content_from_byte_zero_is_accepted() {
        let file = mp4(2_000);
        let part = |range: &'static str, bytes: &[u8]| {
            Reply::http(206, &[TAG, ("content-range", range)], bytes)
        };
        let (head, tail) = file.split_at(900);
        let begun = Reply::cut_with(200, &[TAG], file.len(), head);
        let rest = part("bytes 900-2043/2044", tail);
        let on = Some("bytes=900-".to_owned());
        for (case, replies, ranges) in [
            (
                "all of it",
                vec![part("bytes 0-2043/2044", &file)],
                vec![None],
            ),
            (
                "without a total",
                vec![part("bytes 0-2043/*", &file)],
                vec![None],
            ),
            (
                "a beginning, which is continued",
                vec![part("bytes 0-899/2044", head), rest],
                vec![None, on.clone()],
            ),
            (
                "all of it instead of the rest",
                vec![begun, part("bytes 0-2043/2044", &file)],
                vec![None, on],
            ),
        ] {
            let (bytes, asked) = result(replies).await;
            assert_eq!(bytes.unwrap(), file, "{case}");
            assert_eq!(asked, ranges, "{case}");
        }
        let (bytes, _) = result(vec![part("bytes 900-2043/2044", tail)]).await;
        let error = bytes.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedResponse, "{error}");
        assert!(error.summary().contains("from byte 900"), "{error}");
    }

    /// Object stores return 400 or 401 for a URL that has expired or whose signing key was replaced.
    #[tokio::test]
    async fn rejected_url_is_refreshed_for_any_status() {
        let file = mp4(2_000);
        for status in [400, 401, 402, 403, 404, 405, 409, 410, 422, 451] {
            for fresh in ["/a.mp4?token=new", "/a.mp4?token=old"] {
                let host = Fake::start(vec![
                    Reply::http(status, &[], "<Error/>"),
                    Reply::http(200, &[], &file),
                ])
                .await;
                let at = |path: &str| {
                    let url = format!("{}{path}", host.base_url());
                    Reply::json(200, &task("a", "COMPLETED", &[&url]))
                };
                let api = Fake::start(vec![at("/a.mp4?token=old"), at(fresh)]).await;
                let client = client(api.base_url(), &VirtualClock::new())
                    .build()
                    .unwrap();
                let video = client.task("a").wait().await.unwrap();
                let bytes = collect_stream(&video).await;
                assert_eq!(api.requests().len(), 2, "{status} {fresh}");
                if fresh.ends_with("new") {
                    assert_eq!(bytes.unwrap(), file, "{status}");
                    continue;
                }
                let error = bytes.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Expired, "{status}: {error}");
                assert_eq!(error.status(), Some(status), "{error}");
                assert!(error.summary().contains("returns no other URL"), "{error}");
                assert_eq!(host.requests().len(), 1, "{status}");
            }
        }
    }
}

mod limits {
    use super::*;

    /// Sends headers, and then a byte in each `pause` until the connection closes.
    async fn trickle(pause: Duration) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/kling_a.mp4", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut request = [0; 4096];
                    let _ = stream.read(&mut request).await;
                    let head = "HTTP/1.1 200 OK\r\ncontent-length: 2044\r\netag: \"one\"\r\n\r\n";
                    let _ = stream.write_all(head.as_bytes()).await;
                    for byte in mp4(2_000) {
                        if stream.write_all(&[byte]).await.is_err() {
                            return;
                        }
                        tokio::time::sleep(pause).await;
                    }
                });
            }
        });
        url
    }

    #[tokio::test(start_paused = true)]
    async fn too_slow_connection_is_lost() {
        let url = trickle(Duration::from_secs(20)).await;
        let api = Fake::start(vec![Reply::json(200, &task("a", "COMPLETED", &[&url]))]).await;
        let client = client(api.base_url(), &VirtualClock::new()).max_retries(2);
        let video = client.build().unwrap().task("a").wait().await.unwrap();
        let error = collect_stream(&video).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transport, "{error}");
        let part = "the result host sent less than 65536 bytes within 60 s";
        assert!(error.summary().contains(part), "{error}");
        assert!(error.to_string().contains("after 3 attempts"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn slow_connection_is_accepted() {
        let url = trickle(Duration::from_millis(29)).await;
        let video = video_at(&url, &VirtualClock::new()).await;
        assert_eq!(collect_stream(&video).await.unwrap(), mp4(2_000));
    }

    #[tokio::test]
    async fn download_timeout_limits_all_attempts() {
        let file = mp4(2_000);
        let host = Fake::start(vec![Reply::slow(200, file.len(), &file[..900])]).await;
        let url = format!("{}/kling_a.mp4", host.base_url());
        let api = Fake::start(vec![Reply::json(200, &task("a", "COMPLETED", &[&url]))]).await;
        let client = client(api.base_url(), &VirtualClock::new())
            .build()
            .unwrap();
        let video = client.task("a").wait().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let save = video.save(folder.path().join("clip.mp4")).timeout(SHORT);
        let error = save.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert_eq!(error.charged(), kling_omni::Charged::Yes);
        assert!(error.is_retryable(), "{error}");
        let part = "timed out after 0.5 s, after 900 of 2044 bytes";
        assert!(error.summary().contains(part), "{error}");
        assert_eq!(entries(folder.path()), [""; 0]);
    }

    #[tokio::test]
    async fn too_large_file_is_rejected() {
        let file = mp4(2_000);
        let announced = Reply::slow(200, file.len() + 1, &file[..50]);
        let unknown = Reply::unframed(&[], &[&file[..], &[0; 50]].concat());
        let part = ("content-range", "bytes 0-49/2045");
        let of_a_part = Reply::http(206, &[part], &file[..50]);
        let fits = Reply::http(200, &[], &file);
        for (case, reply, is_refused) in [
            ("announced", announced, true),
            ("unknown", unknown, true),
            ("announced with a part", of_a_part, true),
            ("as large as it may be", fits, false),
        ] {
            let host = Fake::start(vec![reply]).await;
            let url = format!("{}/kling_a.mp4", host.base_url());
            let api = Fake::start(vec![Reply::json(200, &task("a", "COMPLETED", &[&url]))]).await;
            let client = client(api.base_url(), &VirtualClock::new())
                .read_timeout(SHORT)
                .max_download_size(file.len() as u64);
            let video = client.build().unwrap().task("a").wait().await.unwrap();
            match collect_stream(&video).await {
                Ok(bytes) => assert!(!is_refused && bytes == file, "{case}"),
                Err(error) => {
                    assert!(is_refused, "{case}: {error}");
                    assert_eq!(error.kind(), ErrorKind::CorruptResult, "{case}: {error}");
                    let part = "exceeds the limit of 2044 bytes";
                    assert!(error.summary().contains(part), "{case}: {error}");
                }
            }
            assert_eq!(host.requests().len(), 1, "{case}");
        }
    }
}
