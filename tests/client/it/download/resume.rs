//! Resuming a download after a lost connection.

use std::sync::{Arc, Mutex};

use kling_omni::download::DownloadEvent;
use kling_omni::{ErrorKind, Video};
use kling_omni_test_support::clip::mp4;
use kling_omni_test_support::fake::{Fake, Reply, Request};
use kling_omni_test_support::setup::{client, task};
use kling_omni_test_support::virtual_clock::VirtualClock;
use proptest::prelude::*;

use super::{collect_stream, sha256, video_at, video_at_stalling};

const TAG: (&str, &str) = ("etag", "\"one\"");
const MIB: usize = 1024 * 1024;

/// The response with the bytes from `from` on, which breaks off at `to`.
fn rest(file: &[u8], from: usize, to: usize, headers: &[(&str, &str)]) -> Reply {
    let range = format!("bytes {from}-{}/{}", file.len() - 1, file.len());
    let headers = [&[("content-range", range.as_str())], headers].concat();
    Reply::cut_with(206, &headers, file.len() - from, &file[from..to])
}

/// A host that breaks off at each of `cuts` in turn, and then sends the rest.
async fn host(file: &[u8], cuts: &[usize]) -> Fake {
    let mut from = 0;
    let mut replies = Vec::new();
    for to in cuts.iter().copied().chain([file.len()]) {
        replies.push(match from {
            0 => Reply::cut_with(200, &[TAG], file.len(), &file[..to]),
            from => rest(file, from, to, &[TAG]),
        });
        from = to;
    }
    Fake::start(replies).await
}

#[derive(Debug)]
struct Download {
    result: kling_omni::Result<Vec<u8>>,
    events: Vec<DownloadEvent>,
    progress: Vec<u64>,
    asked: Vec<Request>,
}

/// Saves the file of `host`.
async fn download(host: &Fake, clock: &VirtualClock) -> Download {
    let video = video_at(&format!("{}/kling_a.mp4", host.base_url()), clock).await;
    save(&video, host).await
}

async fn save(video: &Video, host: &Fake) -> Download {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.mp4");
    let log: Arc<Mutex<(Vec<DownloadEvent>, Vec<u64>)>> = Arc::default();
    let (events, progress) = (Arc::clone(&log), Arc::clone(&log));
    let result = video
        .save(&path)
        .on_event(move |event| events.lock().unwrap().0.push(event.clone()))
        .on_progress(move |done, _| progress.lock().unwrap().1.push(done))
        .await
        .map(|saved| {
            let bytes = std::fs::read(&path).unwrap();
            assert_eq!(saved.sha256, sha256(&bytes));
            assert_eq!(saved.bytes, bytes.len() as u64);
            bytes
        });
    let (events, progress) = log.lock().unwrap().clone();
    Download {
        result,
        events,
        progress,
        asked: host.requests(),
    }
}

fn ranges(asked: &[Request]) -> Vec<Option<&str>> {
    asked.iter().map(|asked| asked.header("range")).collect()
}

#[tokio::test]
async fn download_resumes_at_any_byte() {
    let file = mp4(5_000);
    let mut cuts = vec![0, 1, 4, 7, 8, 12, 16, 17, 23, 24, 30, 36, 40, 44, 45, 4_000];
    cuts.push(file.len() - 1);
    for cut in cuts {
        let host = host(&file, &[cut]).await;
        let clock = VirtualClock::new();
        let download = download(&host, &clock).await;
        assert_eq!(download.result.unwrap(), file, "{cut}");
        assert_eq!(clock.sleeps().len(), 1, "{cut}");
        let range = (cut > 0).then(|| format!("bytes={cut}-"));
        assert_eq!(ranges(&download.asked), [None, range.as_deref()], "{cut}");
        let condition = download.asked[1].header("if-range");
        assert_eq!(condition, range.map(|_| TAG.1), "{cut}");
        assert!(download.progress.is_sorted(), "{cut}");
        assert!(
            matches!(download.events[..], [DownloadEvent::Retrying { offset, .. }] if offset == cut as u64),
            "{cut}: {:?}",
            download.events
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn download_survives_several_interruptions(media in 0_usize..3_000, cuts in prop::collection::vec(0.0..1.0_f64, 0..4)) {
        let file = mp4(media);
        let mut cuts: Vec<_> = cuts.iter().map(|part| (part * file.len() as f64) as usize).collect();
        cuts.sort_unstable();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (saved, read) = runtime.block_on(async {
            let host = host(&file, &cuts).await;
            let clock = VirtualClock::new();
            let saved = download(&host, &clock).await;
            let host = self::host(&file, &cuts).await;
            let video = video_at(&format!("{}/kling_a.mp4", host.base_url()), &clock).await;
            (saved, collect_stream(&video).await)
        });
        prop_assert_eq!(saved.result.unwrap(), &file[..]);
        prop_assert_eq!(saved.asked.len(), cuts.len() + 1);
        prop_assert!(saved.progress.is_sorted());
        prop_assert_eq!(read.unwrap(), file);
    }
}

#[tokio::test]
async fn only_a_strong_validator_allows_a_resume() {
    const LATER: (&str, &str) = ("date", "Sun, 22 Nov 2026 10:00:02 GMT");
    const CHANGED: (&str, &str) = ("last-modified", "Sun, 22 Nov 2026 10:00:01 GMT");
    const SAME: (&str, &str) = ("date", "Sun, 22 Nov 2026 10:00:01 GMT");
    let file = mp4(2_000);
    for (case, headers, condition) in [
        ("a tag", &[TAG][..], Some(TAG.1)),
        ("a tag and a date", &[CHANGED, LATER, TAG], Some(TAG.1)),
        ("a date", &[CHANGED, LATER], Some(CHANGED.1)),
        ("a weak tag", &[("etag", "W/\"one\"")], None),
        (
            "a last-modified of the current second",
            &[CHANGED, SAME],
            None,
        ),
        ("a last-modified without a date", &[CHANGED], None),
        ("no tag", &[("etag", "one")], None),
        ("nothing", &[], None),
    ] {
        let begun = Reply::cut_with(200, headers, file.len(), &file[..900]);
        let then = match condition {
            Some(_) => rest(&file, 900, file.len(), headers),
            None => Reply::http(200, headers, &file),
        };
        let host = Fake::start(vec![begun, then]).await;
        let download = download(&host, &VirtualClock::new()).await;
        assert_eq!(download.result.unwrap(), file, "{case}");
        assert_eq!(download.asked[1].header("if-range"), condition, "{case}");
        let restarted = matches!(
            download.events.last(),
            Some(DownloadEvent::Restarted {
                discarded_bytes: 900,
                ..
            })
        );
        assert_eq!(restarted, condition.is_none(), "{case}");
        let range = download.asked[1].header("range");
        assert_eq!(range, condition.map(|_| "bytes=900-"), "{case}");
    }
}

/// Responses of a host other than the rest, and the resulting file: the first or the second.
#[tokio::test]
async fn unexpected_range_response_is_never_joined() {
    let one = mp4(2_000);
    let two = [&one[..44], &[7; 2_000]].concat();
    let other = ("etag", "\"two\"");
    let at = |range: &str| {
        let headers = [("content-range", range), TAG];
        Reply::http(206, &headers, &one[900..])
    };
    for (case, answer, file) in [
        ("all of it", Reply::http(200, &[TAG], &one), &one),
        ("another file", Reply::http(200, &[other], &two), &two),
        (
            "another file's rest",
            rest(&two, 900, two.len(), &[other]),
            &two,
        ),
        ("a longer file's rest", at("bytes 900-2043/9999"), &two),
        ("another part", at("bytes 899-2043/2044"), &one),
        ("no part that can be read", at("bytes 900-"), &one),
        (
            "a part without a range",
            Reply::http(206, &[TAG], &one[900..]),
            &one,
        ),
        ("nothing", Reply::http(416, &[], ""), &two),
    ] {
        let begun = Reply::cut_with(200, &[TAG], one.len(), &one[..900]);
        let replies = vec![begun, answer, Reply::http(200, &[TAG], file)];
        let clock = VirtualClock::new();
        let host = Fake::start(replies.clone()).await;
        let download = download(&host, &clock).await;
        assert_eq!(download.result.unwrap(), *file, "{case}");
        let [
            DownloadEvent::Retrying { .. },
            DownloadEvent::Restarted {
                discarded_bytes: 900,
                ..
            },
        ] = &download.events[..]
        else {
            panic!("{case}: {:?}", download.events);
        };
        // A stream cannot retract yielded bytes.
        let host = Fake::start(replies).await;
        let video = video_at(&format!("{}/kling_a.mp4", host.base_url()), &clock).await;
        match collect_stream(&video).await {
            Ok(bytes) => assert_eq!((&bytes, file), (&one, &one), "{case}"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::CorruptResult, "{case}: {error}");
                assert_eq!(file, &two, "{case}");
            }
        }
    }
}

#[tokio::test]
async fn stalled_connection_is_retried() {
    let file = mp4(2_000);
    let begun = Reply::cut_with(200, &[TAG], file.len(), &file[..900]).stalling();
    let host = Fake::start(vec![
        Reply::hang(),
        begun,
        Reply::http(429, &[("retry-after", "7")], ""),
        rest(&file, 900, file.len(), &[]),
    ])
    .await;
    let clock = VirtualClock::new();
    let url = format!("{}/kling_a.mp4", host.base_url());
    let download = save(&video_at_stalling(&url, &clock).await, &host).await;
    assert_eq!(download.result.unwrap(), file);
    let texts: Vec<_> = download.events.iter().map(ToString::to_string).collect();
    for (text, part) in texts.iter().zip([
        "before its first byte: no data from the result host for 0.5 s",
        "after 900 of 2044 bytes: no data from the result host for 0.5 s",
        "429 Too Many Requests), retry after 7 s, retrying in 7.0 s",
    ]) {
        assert!(text.contains(part), "{text}");
    }
    assert!(clock.sleeps()[2].as_secs() >= 7);
}

#[tokio::test]
async fn progress_resets_the_retry_count() {
    let file = mp4(5 * MIB);
    let steps: Vec<_> = (1..5).map(|step| step * (MIB + 10)).collect();
    let bytes: Vec<_> = (1..50).collect();
    for (case, cuts, attempts, ends_well) in [
        ("more than a MiB each", &steps, 5, true),
        ("a byte each", &bytes, 2, false),
    ] {
        let host = host(&file, cuts).await;
        let url = format!("{}/kling_a.mp4", host.base_url());
        let api = Fake::start(vec![Reply::json(200, &task("a", "COMPLETED", &[&url]))]).await;
        let clock = VirtualClock::new();
        let client = client(api.base_url(), &clock).max_retries(1);
        let video = client.build().unwrap().task("a").wait().await.unwrap();
        let result = collect_stream(&video).await;
        assert_eq!(host.requests().len(), attempts, "{case}");
        match result {
            Ok(bytes) => assert!(ends_well && bytes == file, "{case}"),
            Err(error) => {
                assert!(!ends_well, "{case}: {error}");
                assert_eq!(error.kind(), ErrorKind::Transport, "{case}");
                assert!(error.is_retryable(), "{case}");
                assert!(error.to_string().contains("after 2 attempts"), "{error}");
            }
        }
    }
}
