//! Whole files, files that are cut off, and what may follow a whole one: one table for the probe and for the check of what
//! passes by, which say the same in the same words.

use media_probe::{Completeness, Problem, Severity, probe_bytes, property};

use crate::expected::stored;
use crate::made::{part, patched, position, with_size};

/// What is said of the completeness of bytes that pass by, whatever the pieces.
fn passing(file: &[u8], is_end_known: bool) -> Result<Option<Problem>, Problem> {
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

/// What the probe and the check say alike: the severity and the beginning of the words, or nothing.
fn judge(case: &str, file: &[u8]) -> Option<(Severity, String)> {
    let probed = property::check(file);
    let verdict = match passing(file, true) {
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

/// A box with a length of 64 bits.
fn long_part(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let size = body.len() as u64 + 16;
    [&[0, 0, 0, 1], &name[..], &size.to_be_bytes(), body].concat()
}

/// The boxes of a file's top level.
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
        ("a box that is cut off", &cut_box),
        ("a long header that is cut off", &long_cut),
        ("a box shorter than its header", b"\0\0\0\x03free"),
    ];
    for name in SAMPLES {
        let file = stored(name);
        let whole = probe_bytes(&file);
        for (case, trailer) in &trailers {
            let case = format!("{name} and {case}");
            let longer = [&file, *trailer].concat();
            let (severity, message) = judge(&case, &longer).unwrap_or_else(|| panic!("{case}"));
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
fn boxes_of_any_kind_may_follow_and_stand_between() {
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
            assert_eq!(judge(&case, &[&file, &more[..]].concat()), None);
        }
        let case = format!("{name} and a box up to the end");
        assert_eq!(judge(&case, &[&file, &up_to_the_end[..]].concat()), None);
    }
    // Places in the media follow the index only where that is last.
    let file = stored("last.mp4");
    let index = named(&file, b"moov");
    let media = &file[..file.len() - index.len()];
    for (case, more) in &more {
        let file = [media, more, index].concat();
        assert_eq!(judge(case, &file), None, "{case} before the index");
    }
}

#[test]
fn media_up_to_the_end_is_whole_where_its_frames_are() {
    let file = stored("first.mp4");
    let open = with_size(&file, b"mdat", 0);
    assert_eq!(judge("open", &open), None);
    // The index says how far the frames go, whether or not the end is known.
    assert_eq!(passing(&open, false), Ok(None));
    for missing in [1, 100, 2000] {
        let cut = &open[..open.len() - missing];
        let (severity, message) = judge("cut", cut).unwrap();
        assert_eq!(severity, Severity::Corrupt, "{message}");
        assert!(
            message.contains(&format!("({missing} bytes are missing)")),
            "{message}"
        );
        assert!(passing(cut, false).is_err());
    }
    // Without places of frames, nothing but the end can tell.
    let blind = patched(&open, b"stsz", 4, b"free");
    assert_eq!(passing(&blind, true), Ok(None));
    assert_eq!(
        passing(&blind, false).unwrap_err().severity,
        Severity::Unknown
    );
}

#[test]
fn a_wrong_length_of_the_media_is_a_warning_where_no_frame_is_missing() {
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
        let (severity, message) = judge(case, &file).unwrap_or_else(|| panic!("{case}"));
        assert_eq!(severity, Severity::Unusual, "{case}: {message}");
        assert_eq!(
            probe_bytes(&file).video,
            probe_bytes(&stored("first.mp4")).video
        );
    }
    // What is left of the other box is no box.
    let over_another = with_size(&with_tail, b"mdat", size + 8);
    assert_eq!(
        judge("over another", &over_another).unwrap().0,
        Severity::Note
    );
    // The same where a frame is missing.
    for (case, file) in [
        ("8 more", longer(8)),
        ("8 less", with_size(&file, b"mdat", size - 8)),
        ("as it is", file.clone()),
    ] {
        let (severity, message) = judge(case, &file[..file.len() - 1]).unwrap();
        assert_eq!(severity, Severity::Corrupt, "{case}: {message}");
    }
}

#[test]
fn tables_that_lead_past_the_end_are_damage() {
    let file = stored("first.mp4");
    let chunk = position(&file, b"stco") + 4 + 4 + 4;
    for place in [u32::MAX, 0x7fff_ffff, file.len() as u32] {
        let mut file = file.clone();
        file[chunk + 4..chunk + 8].copy_from_slice(&place.to_be_bytes());
        let (severity, message) = judge("a place", &file).unwrap();
        assert_eq!(severity, Severity::Corrupt, "{message}");
        assert!(message.contains("its frames go on"), "{message}");
    }
    let sizes = patched(&file, b"stsz", 12, &0x0100_0000_u32.to_be_bytes());
    assert_eq!(judge("a size", &sizes).unwrap().0, Severity::Corrupt);
}

#[test]
fn a_cut_in_what_is_needed_is_damage() {
    for name in ["first.mp4", "last.mp4", "last.mov"] {
        let file = stored(name);
        for trailer in [&b""[..], b"\n", b"\0\0\0\0\0\0\0\0\0"] {
            for length in (40..file.len()).step_by(131) {
                let cut = [&file[..length], trailer].concat();
                let case = format!("{length} bytes of {name} and {trailer:?}");
                let (severity, message) = judge(&case, &cut).unwrap_or_else(|| panic!("{case}"));
                assert_eq!(severity, Severity::Corrupt, "{case}: {message}");
            }
        }
    }
    let file = stored("fragmented.mp4");
    let fragment = position(&file, b"moof") + 50;
    assert_eq!(
        judge("a fragment", &file[..fragment]).unwrap().0,
        Severity::Corrupt
    );
}

#[test]
fn what_is_no_video_is_told_early() {
    for (case, bytes, words) in [
        ("a page", &b"<html>Sorry</html>"[..], "a web page (HTML)"),
        ("nothing", b"", "empty"),
        ("a picture", b"\xff\xd8\xff\xe0", "JPEG"),
        (
            "noise",
            b"\x01\x02\x03\x04\x05\x06\x07\x08\x09",
            "neither a video nor an image",
        ),
        ("a start", b"\0\0\0\x10fty", "neither a video nor an image"),
    ] {
        let problem = passing(bytes, true).unwrap_err();
        assert!(problem.message.contains(words), "{case}: {problem}");
        assert_eq!(passing(bytes, false), Err(problem), "{case}");
    }
    let mut completeness = Completeness::new();
    let page = [b"<html>".as_slice(), &[b' '; 5000]].concat();
    assert!(completeness.feed(&page).is_err());
    let damaged = [&stored("last.mp4")[..32], b"\0\0\0\x05what", &[0; 5000]].concat();
    assert!(Completeness::new().feed(&damaged).is_err());
}

#[test]
fn an_index_of_any_length_is_passed_over() {
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
