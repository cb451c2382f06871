//! Complete and truncated files, and trailing data: one table for the probe and for `Completeness`, which must agree.

use media_probe::{Completeness, Problem, Severity, probe_bytes, property};

use crate::expected::stored;
use crate::made::{part, patched, position, with_size};

/// The result of `Completeness` for any chunk size.
fn check_stream(file: &[u8], is_end_known: bool) -> Result<Option<Problem>, Problem> {
    let verdict = |size: usize| {
        let mut completeness = Completeness::new();
        for piece in file.chunks(size) {
            completeness.feed(piece)?;
        }
        completeness.finish(is_end_known)
    };
    let whole = verdict(file.len().max(1));
    for size in [1, 7, 1000] {
        assert_eq!(verdict(size), whole, "in pieces of {size}");
    }
    whole
}

/// The common result of the probe and of `Completeness`: the severity and the start of the message.
fn check_both(case: &str, file: &[u8]) -> Option<(Severity, String)> {
    let probed = property::check(file);
    let verdict = match check_stream(file, true) {
        Ok(oddity) => oddity,
        Err(problem) => Some(problem),
    };
    match &verdict {
        Some(problem) => assert!(
            probed.problems.contains(problem),
            "{case}: {problem:?} is not in {probed:?}"
        ),
        None => assert_eq!(probed.problems, [], "{case}"),
    }
    verdict.map(|problem| (problem.severity, problem.message))
}

/// A box with a 64-bit length.
fn long_part(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let size = body.len() as u64 + 16;
    [&[0, 0, 0, 1], &name[..], &size.to_be_bytes(), body].concat()
}

/// The top-level boxes of a file.
fn boxes(file: &[u8]) -> Vec<&[u8]> {
    let mut rest = file;
    let mut all = Vec::new();
    while let Some(size) = rest.first_chunk() {
        let (one, behind) = rest.split_at(u32::from_be_bytes(*size) as usize);
        all.push(one);
        rest = behind;
    }
    all
}

fn named<'a>(file: &'a [u8], name: &[u8; 4]) -> &'a [u8] {
    boxes(file)
        .into_iter()
        .find(|one| &one[4..8] == name)
        .unwrap()
}

const SAMPLES: [&str; 5] = [
    "first.mp4",
    "last.mp4",
    "last.mov",
    "fragmented.mp4",
    "fragmented-with-a-list.mp4",
];

#[test]
fn trailing_bytes_are_a_note() {
    let tag = [b"TAG".as_slice(), &[b' '; 125]].concat();
    let titled = [b"TAGSong title".as_slice(), &[0; 115]].concat();
    let cut_box = [&1000_u32.to_be_bytes(), &b"free"[..], &[7; 50]].concat();
    let long_cut = [&[0, 0, 0, 1], &b"uuid"[..], &[0; 4]].concat();
    let trailers: [(&str, &[u8]); 12] = [
        ("a line end", b"\n"),
        ("two", b"\r\n"),
        ("seven bytes", b"\0\0\0\x10fre"),
        ("four zeros", &[0; 4]),
        ("eight zeros", &[0; 8]),
        ("a page of zeros", &[0; 4096]),
        ("an ID3v1 tag", &tag),
        ("one with a title", &titled),
        ("text", b"uploaded by a phone"),
        ("a truncated box", &cut_box),
        ("a truncated long header", &long_cut),
        ("a box shorter than its header", b"\0\0\0\x03free"),
    ];
    for name in SAMPLES {
        let file = stored(name);
        let whole = probe_bytes(&file);
        for (case, trailer) in &trailers {
            let case = format!("{name} and {case}");
            let longer = [&file, *trailer].concat();
            let (severity, message) =
                check_both(&case, &longer).unwrap_or_else(|| panic!("{case}"));
            assert_eq!(severity, Severity::Note, "{case}: {message}");
            assert!(
                message.contains(&format!("at byte {}", file.len())),
                "{case}: {message}"
            );
            let probed = probe_bytes(&longer);
            assert_eq!(probed.video, whole.video, "{case}");
            assert!(!probed.is_corrupt(), "{case}");
        }
    }
}

#[test]
fn unknown_boxes_are_allowed() {
    let uuid = part(b"uuid", &[3; 40]);
    let more: [(&str, Vec<u8>); 9] = [
        ("free", part(b"free", &[7; 100])),
        ("an empty one", part(b"free", &[])),
        ("skip", part(b"skip", &[7; 9])),
        ("wide", part(b"wide", &[])),
        ("uuid", uuid.clone()),
        ("an unknown one", part(b"abcd", &[0; 9])),
        ("a long one", long_part(b"free", &[7; 100])),
        ("another media box", part(b"mdat", &[7; 100])),
        ("several", [part(b"free", &[]), uuid].concat()),
    ];
    let up_to_the_end = [&[0; 4], &b"free"[..], &[7; 100]].concat();
    for name in SAMPLES {
        let file = stored(name);
        for (case, more) in &more {
            let case = format!("{name} and {case}");
            assert_eq!(check_both(&case, &[&file, &more[..]].concat()), None);
        }
        let case = format!("{name} and a box up to the end");
        assert_eq!(
            check_both(&case, &[&file, &up_to_the_end[..]].concat()),
            None
        );
    }
    // Positions of frames are adjusted to the index only where it is last.
    let file = stored("last.mp4");
    let index = named(&file, b"moov");
    let media = &file[..file.len() - index.len()];
    for (case, more) in &more {
        let file = [media, more, index].concat();
        assert_eq!(check_both(case, &file), None, "{case} before the index");
    }
}

#[test]
fn open_media_box_is_complete_with_all_frames() {
    let file = stored("first.mp4");
    let open = with_size(&file, b"mdat", 0);
    assert_eq!(check_both("open", &open), None);
    // The index has the end of the frames, whether or not the end of the file is known.
    assert_eq!(check_stream(&open, false), Ok(None));
    for missing in [1, 100, 2000] {
        let cut = &open[..open.len() - missing];
        let (severity, message) = check_both("cut", cut).unwrap();
        assert_eq!(severity, Severity::Corrupt, "{message}");
        assert!(
            message.contains(&format!("({missing} bytes are missing)")),
            "{message}"
        );
        assert!(check_stream(cut, false).is_err());
    }
    // Without positions of frames, only the end of the file can prove completeness.
    let blind = patched(&open, b"stsz", 4, b"free");
    assert_eq!(check_stream(&blind, true), Ok(None));
    assert_eq!(
        check_stream(&blind, false).unwrap_err().severity,
        Severity::Unknown
    );
}

#[test]
fn wrong_media_length_is_unusual_without_a_missing_frame() {
    let file = stored("first.mp4");
    let size = u32::try_from(named(&file, b"mdat").len()).unwrap();
    let longer = |bytes: u32| with_size(&file, b"mdat", size + bytes);
    let with_tail = [file.clone(), part(b"free", &[7; 100])].concat();
    for (case, file) in [
        ("8 more", longer(8)),
        ("1 more", longer(1)),
        ("a gigabyte more", longer(1 << 30)),
        ("8 less", with_size(&file, b"mdat", size - 8)),
        ("3 less", with_size(&file, b"mdat", size - 3)),
        ("100 less", with_size(&file, b"mdat", size - 100)),
        (
            "9 less, with another box",
            with_size(&with_tail, b"mdat", size - 9),
        ),
    ] {
        let (severity, message) = check_both(case, &file).unwrap_or_else(|| panic!("{case}"));
        assert_eq!(severity, Severity::Unusual, "{case}: {message}");
        assert_eq!(
            probe_bytes(&file).video,
            probe_bytes(&stored("first.mp4")).video
        );
    }
    // The rest of the other box is not a box.
    let over_another = with_size(&with_tail, b"mdat", size + 8);
    assert_eq!(
        check_both("over another", &over_another).unwrap().0,
        Severity::Note
    );
    // The same with a missing frame.
    for (case, file) in [
        ("8 more", longer(8)),
        ("8 less", with_size(&file, b"mdat", size - 8)),
        ("as it is", file.clone()),
    ] {
        let (severity, message) = check_both(case, &file[..file.len() - 1]).unwrap();
        assert_eq!(severity, Severity::Corrupt, "{case}: {message}");
    }
}

#[test]
fn frames_past_the_end_are_damage() {
    let file = stored("first.mp4");
    let chunk = position(&file, b"stco") + 4 + 4 + 4;
    for place in [u32::MAX, 0x7fff_ffff, file.len() as u32] {
        let mut file = file.clone();
        file[chunk + 4..chunk + 8].copy_from_slice(&place.to_be_bytes());
        let (severity, message) = check_both("a place", &file).unwrap();
        assert_eq!(severity, Severity::Corrupt, "{message}");
        assert!(message.contains("its frames extend"), "{message}");
    }
    let sizes = patched(&file, b"stsz", 12, &0x0100_0000_u32.to_be_bytes());
    assert_eq!(check_both("a size", &sizes).unwrap().0, Severity::Corrupt);
}

#[test]
fn truncated_required_box_is_damage() {
    for name in ["first.mp4", "last.mp4", "last.mov"] {
        let file = stored(name);
        for trailer in [&b""[..], b"\n", b"\0\0\0\0\0\0\0\0\0"] {
            for length in (40..file.len()).step_by(131) {
                let cut = [&file[..length], trailer].concat();
                let case = format!("{length} bytes of {name} and {trailer:?}");
                let (severity, message) =
                    check_both(&case, &cut).unwrap_or_else(|| panic!("{case}"));
                assert_eq!(severity, Severity::Corrupt, "{case}: {message}");
            }
        }
    }
    let file = stored("fragmented.mp4");
    let fragment = position(&file, b"moof") + 50;
    assert_eq!(
        check_both("a fragment", &file[..fragment]).unwrap().0,
        Severity::Corrupt
    );
}

#[test]
fn other_content_is_rejected_early() {
    for (case, bytes, words) in [
        ("a page", &b"<html>Sorry</html>"[..], "a web page (HTML)"),
        ("nothing", b"", "empty"),
        ("a picture", b"\xff\xd8\xff\xe0", "JPEG"),
        (
            "noise",
            b"\x01\x02\x03\x04\x05\x06\x07\x08\x09",
            "not a known format of videos or images",
        ),
        (
            "a start",
            b"\0\0\0\x10fty",
            "not a known format of videos or images",
        ),
    ] {
        let problem = check_stream(bytes, true).unwrap_err();
        assert!(problem.message.contains(words), "{case}: {problem}");
        assert_eq!(check_stream(bytes, false), Err(problem), "{case}");
    }
    let mut completeness = Completeness::new();
    let page = [b"<html>".as_slice(), &[b' '; 5000]].concat();
    assert!(completeness.feed(&page).is_err());
    let damaged = [&stored("last.mp4")[..32], b"\0\0\0\x05what", &[0; 5000]].concat();
    assert!(Completeness::new().feed(&damaged).is_err());
}

#[test]
fn large_index_is_skipped() {
    let file = stored("last.mp4");
    let index = named(&file, b"moov");
    let media = &file[..file.len() - index.len()];
    let padded = part(
        b"moov",
        &[&index[8..], &part(b"free", &vec![1; 5 << 20])].concat(),
    );
    let long = [media, &padded].concat();
    let mut completeness = Completeness::new();
    for piece in long.chunks(64 << 10) {
        completeness.feed(piece).unwrap();
    }
    assert_eq!(completeness.finish(false), Ok(None));
    let mut cut = Completeness::new();
    cut.feed(&long[..long.len() - 1]).unwrap();
    assert_eq!(cut.finish(true).unwrap_err().severity, Severity::Corrupt);
}
