//! Detection of incomplete videos.

use kling_omni::ErrorKind;
use kling_omni_test_support::clip::{boxed, mp4};
use kling_omni_test_support::fake::{Fake, Reply};
use kling_omni_test_support::virtual_clock::VirtualClock;

use super::{collect_stream, entries, sha256, video_at, video_at_stalling};

/// A chunked body, as a host sends it that does not know the length.
fn chunked(body: &[u8], ended: bool) -> Reply {
    let mut bytes = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for piece in body.chunks(700) {
        bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        bytes.extend_from_slice(piece);
        bytes.extend_from_slice(b"\r\n");
    }
    if ended {
        bytes.extend_from_slice(b"0\r\n\r\n");
    }
    Reply::Bytes(bytes)
}

#[tokio::test]
async fn incomplete_mp4_is_never_saved() {
    let file = mp4(2_000);
    let cut = &file[..1_500];
    let whole = |body: &[u8]| Reply::http(200, &[], body);
    let parts = |parts: &[&[u8]]| whole(&parts.concat());
    let (ftyp, moov) = (&file[..16], &file[16..36]);
    for (case, reply, requests, kind) in [
        (
            "a cut file",
            whole(cut),
            1,
            Some("truncated: its box `mdat` at byte 36 extends"),
        ),
        (
            "a cut header",
            whole(&file[..40]),
            1,
            Some("has no media (`mdat`)"),
        ),
        (
            "a page",
            whole(b"<html>Sorry</html>"),
            1,
            Some("a web page (HTML), not MP4 or MOV"),
        ),
        ("nothing", whole(b""), 1, Some("the file is empty")),
        (
            "no movie",
            parts(&[ftyp, &boxed(b"mdat", b"x")]),
            1,
            Some("has no index (`moov`)"),
        ),
        (
            "no media",
            parts(&[ftyp, moov]),
            1,
            Some("has no media (`mdat`)"),
        ),
        (
            "odd box",
            parts(&[ftyp, b"\0\0\0\x05\x1b[2Jwhat"]),
            1,
            Some(r"`\x1b[2J`"),
        ),
        ("known to be complete", chunked(&file, true), 1, None),
        (
            "known to be cut",
            chunked(cut, true),
            1,
            Some("truncated: its box `mdat` at byte 36 extends"),
        ),
        ("complete by itself", Reply::unframed(&[], &file), 1, None),
        (
            "cut, or lost",
            Reply::unframed(&[], cut),
            4,
            Some("truncated: its box `mdat` at byte 36 extends"),
        ),
    ] {
        let host = Fake::start(vec![reply]).await;
        let url = format!("{}/kling_a.mp4", host.base_url());
        let video = video_at(&url, &VirtualClock::new()).await;
        let folder = tempfile::tempdir().unwrap();
        let saved = video.save(folder.path().join("clip.mp4")).await;
        assert_eq!(host.requests().len(), requests, "{case}");
        let read = collect_stream(&video).await;
        match kind {
            None => {
                saved.expect(case);
                assert_eq!(read.expect(case), file, "{case}");
            }
            Some(part) => {
                for error in [saved.unwrap_err(), read.unwrap_err()] {
                    assert_eq!(error.kind(), ErrorKind::CorruptResult, "{case}: {error}");
                    assert!(error.to_string().contains(part), "{case}: {error}");
                }
                assert_eq!(entries(folder.path()), [""; 0], "{case}");
            }
        }
    }
}

/// Data after a complete video is kept: the saved file equals the file of the host.
#[tokio::test]
async fn trailing_data_is_kept() {
    let file = mp4(2_000);
    let tag = [b"TAG".as_slice(), &[b' '; 125]].concat();
    let cut = [0xff; 4].iter().chain(b"free").copied().collect::<Vec<_>>();
    for (case, trailer) in [
        ("a line end", b"\n".as_slice()),
        ("zeros", &[0; 5]),
        ("many zeros", &[0; 5_000]),
        ("an ID3v1 tag", &tag),
        ("a box up to the end", b"\0\0\0\0free what is left"),
        ("a truncated box", &cut),
        ("no box", b"\0\0\0\x05\x1b[2Jwhat"),
        ("text", b"<!-- served by a proxy -->\r\n"),
    ] {
        let sent = [&file, trailer].concat();
        let framings = [
            Reply::http(200, &[], &sent),
            chunked(&sent, true),
            Reply::unframed(&[], &sent),
        ];
        for reply in framings {
            let host = Fake::start(vec![reply]).await;
            let url = format!("{}/kling_a.mp4", host.base_url());
            let video = video_at(&url, &VirtualClock::new()).await;
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("clip.mp4");
            video.save(&path).await.expect(case);
            assert_eq!(std::fs::read(path).unwrap(), sent, "{case}");
            assert_eq!(host.requests().len(), 1, "{case}");
        }
    }
}

#[tokio::test]
async fn unterminated_chunked_body_is_a_lost_connection() {
    let file = mp4(2_000);
    let host = Fake::start(vec![chunked(&file[..1_400], false), chunked(&file, true)]).await;
    let url = format!("{}/kling_a.mp4", host.base_url());
    let video = video_at(&url, &VirtualClock::new()).await;
    assert_eq!(collect_stream(&video).await.unwrap(), file);
}

/// A host that does not end the transfer, or declares more bytes than exist. After retries, the received bytes decide.
#[tokio::test]
async fn complete_video_is_accepted_without_an_end_of_transfer() {
    const TAG: (&str, &str) = ("etag", "\"one\"");
    let file = mp4(2_000);
    let more = file.len() + 500;
    let trailed = [&file[..], b"\n"].concat();
    let cut = &file[..1_500];
    let open = [&file[..36], b"\0\0\0\0mdat", &file[44..]].concat();
    // The index of a fragmented file does not list its fragments.
    let fragments = [&file[..36], &boxed(b"moof", b""), &file[36..]].concat();
    let none = || Reply::http(416, &[], "");
    let gone = || Reply::http(403, &[], "");
    let late = || Reply::http(503, &[], "");
    for (case, replies, requests, kept) in [
        ("pieces", vec![chunked(&file, false)], 4, Some(&file)),
        (
            "pieces, then silence",
            vec![chunked(&file, false).stalling()],
            4,
            Some(&file),
        ),
        (
            "too long",
            vec![Reply::cut(200, more, &file)],
            4,
            Some(&file),
        ),
        (
            "too long, then silence",
            vec![Reply::slow(200, more, &file)],
            4,
            Some(&file),
        ),
        (
            "what follows the video",
            vec![Reply::cut(200, more, &trailed)],
            4,
            Some(&trailed),
        ),
        (
            "nothing stands behind it",
            vec![
                Reply::cut_with(200, &[TAG], more, &file),
                none(),
                Reply::cut_with(200, &[TAG], more, &file),
                none(),
                late(),
            ],
            6,
            Some(&file),
        ),
        (
            "a host that fails then",
            vec![Reply::cut(200, more, &file), late()],
            4,
            Some(&file),
        ),
        (
            "a URL that ends then",
            vec![Reply::cut_with(200, &[TAG], more, &file), gone()],
            2,
            Some(&file),
        ),
        (
            "an end at the second attempt",
            vec![chunked(&file, false), Reply::http(200, &[], &trailed)],
            2,
            Some(&trailed),
        ),
        ("cut pieces", vec![chunked(cut, false)], 4, None),
        ("cut", vec![Reply::cut(200, more, cut)], 4, None),
        ("no media", vec![chunked(&file[..36], false)], 4, None),
        ("up to the end", vec![chunked(&open, false)], 4, None),
        ("fragments", vec![chunked(&fragments, false)], 4, None),
        (
            "complete, then truncated",
            vec![chunked(&file, false), chunked(cut, false)],
            4,
            None,
        ),
    ] {
        let host = Fake::start(replies.clone()).await;
        let url = format!("{}/kling_a.mp4", host.base_url());
        let video = video_at_stalling(&url, &VirtualClock::new()).await;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip.mp4");
        let saved = video.save(&path).await;
        assert_eq!(host.requests().len(), requests, "{case}: {saved:?}");
        let host = Fake::start(replies).await;
        let url = format!("{}/kling_a.mp4", host.base_url());
        let read = collect_stream(&video_at_stalling(&url, &VirtualClock::new()).await).await;
        match kept {
            Some(file) => {
                let saved = saved.expect(case);
                assert_eq!(std::fs::read(&path).unwrap(), *file, "{case}");
                assert_eq!(saved.bytes, file.len() as u64, "{case}");
                assert_eq!(saved.sha256, sha256(file), "{case}");
                assert_eq!(read.expect(case), *file, "{case}");
            }
            None => {
                saved.expect_err(case);
                read.expect_err(case);
                assert_eq!(entries(folder.path()), [""; 0], "{case}");
            }
        }
    }
}
