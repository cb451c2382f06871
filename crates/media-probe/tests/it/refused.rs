//! Damaged files and other content: the problems of each.

use media_probe::{Code, Limits, Severity, probe_bytes, probe_reader, property};

use crate::expected::stored;
use crate::made::{patched, position, with_size};

/// All problems of a file.
fn problems_of(bytes: &[u8]) -> Vec<String> {
    let probed = property::check(bytes);
    let problems_of = |problem: &media_probe::Problem| {
        let at = problem.at.map_or(String::new(), |at| format!(" at {at}"));
        format!("{:?} {:?}{at}: {problem}", problem.severity, problem.code)
    };
    probed.problems.iter().map(problems_of).collect()
}

/// Deterministic random bytes.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 7_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn each_kind_of_damage_has_its_own_problem() {
    let (first, last) = (stored("first.mp4"), stored("last.mp4"));
    let behind = |file: &[u8], name: &[u8; 4], bytes: usize| {
        file[..position(file, name) - 4 + bytes].to_vec()
    };
    let moov = position(&first, b"moov") - 4;
    let mdat = position(&first, b"mdat") - 4;
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("empty", vec![]),
        (
            "text",
            b"This is not the video that you are looking for.\n".to_vec(),
        ),
        ("a web page", b"<!DOCTYPE html><title>404</title>".to_vec()),
        (
            "a response of an API",
            br#"{"message":"Not found"}"#.to_vec(),
        ),
        ("random bytes", noise(5000)),
        ("cut in mdat, index first", behind(&first, b"mdat", 100)),
        ("cut in mdat, index last", behind(&last, b"mdat", 100)),
        ("cut in moov", behind(&last, b"moov", 300)),
        ("cut in a header", behind(&last, b"moov", 5)),
        ("cut behind the index", first[..mdat].to_vec()),
        ("cut before the index", behind(&last, b"moov", 0)),
        ("sound only", stored("sound.mp4")),
        ("sound only, as it is named", stored("sound.m4a")),
        ("a WebM", stored("video.webm")),
        (
            "zeroed length of the first box",
            with_size(&last, b"ftyp", 0),
        ),
        ("zeroed length of the index", with_size(&first, b"moov", 0)),
        ("zeroed length of mdhd", with_size(&first, b"mdhd", 0)),
        ("huge length of mdhd", with_size(&first, b"mdhd", u32::MAX)),
        (
            "huge length of the first box",
            with_size(&last, b"ftyp", u32::MAX),
        ),
        ("length of one", with_size(&first, b"free", 1)),
        ("length of seven", with_size(&first, b"free", 7)),
        (
            "more than the world holds",
            [
                &first[..moov],
                b"\0\0\0\x01free\xff\xff\xff\xff\xff\xff\xff\xff",
            ]
            .concat(),
        ),
        (
            "timescale 0 of the track",
            patched(&first, b"mdhd", 20, &[0; 4]),
        ),
        (
            "timescale 0 of the movie",
            patched(&first, b"mvhd", 20, &[0; 4]),
        ),
        (
            "more frames than bytes",
            patched(&first, b"stts", 12, &[0xff; 4]),
        ),
        (
            "no frames",
            patched(&stored("silent.mp4"), b"stts", 12, &[0; 4]),
        ),
        (
            "frames without length",
            patched(&first, b"stts", 20, &[0; 4]),
        ),
        ("frames without size", patched(&first, b"avc1", 32, &[0; 4])),
        ("encrypted", patched(&first, b"avc1", 4, b"encv")),
        (
            "turned by some degrees",
            patched(&first, b"tkhd", 48, &[0, 0, 0xb5, 5, 0, 0, 0xb5, 5]),
        ),
        ("no sample entry", patched(&first, b"stsd", 4, b"free")),
        ("no handler", patched(&first, b"hdlr", 4, b"free")),
        ("no media header", patched(&first, b"mdhd", 4, b"free")),
        ("no movie header", patched(&first, b"mvhd", 4, b"free")),
        ("compressed index", patched(&first, b"mvhd", 4, b"cmov")),
        ("segment without index", {
            let file = stored("fragmented.mp4");
            file[position(&file, b"moof") - 4..].to_vec()
        }),
        ("a fragment cut", {
            let file = stored("fragmented.mp4");
            file[..file.len() - 700].to_vec()
        }),
        ("fragments cut", {
            let file = stored("fragmented-with-a-list.mp4");
            file[..file.len() - 1000].to_vec()
        }),
        ("fragments without any", {
            let file = stored("fragmented.mp4");
            file[..position(&file, b"moof") - 4].to_vec()
        }),
    ];
    let problems_of: String = cases
        .iter()
        .map(|(case, bytes)| format!("{case}\n  {}\n", problems_of(bytes).join("\n  ")))
        .collect();
    let path = crate::expected::folder().join("findings.txt");
    if std::env::var_os("MEDIA_PROBE_STORE_SAMPLES").is_some() {
        std::fs::write(&path, &problems_of).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    assert!(
        problems_of == expected,
        "other findings than in {}:\n{problems_of}",
        path.display()
    );
    assert!(
        !problems_of.contains("\n  \n"),
        "a case has no finding:\n{problems_of}"
    );
}

#[test]
fn wrong_lengths_in_an_index_are_detected() {
    const BOXES: [&[u8; 4]; 12] = [
        b"mvhd", b"trak", b"tkhd", b"elst", b"mdia", b"mdhd", b"minf", b"stbl", b"stsd", b"avc1",
        b"avcC", b"stts",
    ];
    let file = stored("last.mp4");
    for name in BOXES {
        for size in [0, 2, 7, 0x7fff_ffff, u32::MAX] {
            let probed = property::check(&with_size(&file, name, size));
            let case = name.escape_ascii();
            assert!(probed.is_corrupt(), "`{case}` of length {size}: {probed:?}");
            assert!(
                probed
                    .problems_with(Severity::Corrupt)
                    .any(|problem| problem.code == Code::WrongSize),
                "`{case}` of length {size}: {probed:?}"
            );
        }
    }
}

#[test]
fn too_large_index_is_not_parsed() {
    let file = stored("last.mp4");
    let limits = Limits::local().with_index(1000);
    let probed = probe_reader(std::io::Cursor::new(&file), limits).unwrap();
    let problems: Vec<_> = probed.problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0].contains("more than the limit of 1000"),
        "{problems:?}"
    );
    assert_eq!(probed.problems[0].severity, Severity::Unknown);
}

#[test]
fn truncated_file_is_never_complete() {
    for name in ["first.mp4", "last.mp4", "last.mov", "timecode.mov"] {
        let file = stored(name);
        for length in 0..file.len() {
            let probed = probe_bytes(&file[..length]);
            let is_recognised = length >= 8;
            assert!(
                probed.is_corrupt() || !is_recognised && !probed.problems.is_empty(),
                "{length} bytes of {name}: {probed:?}"
            );
        }
    }
    // The segment index covers everything but the data after the last fragment.
    for (name, end) in [
        ("image.jpg", None),
        ("image.png", None),
        ("fragmented-with-a-list.mp4", Some(b"mfra")),
    ] {
        let file = stored(name);
        let end = end.map_or(file.len(), |end| position(&file, end) - 4);
        for length in 0..end {
            let probed = probe_bytes(&file[..length]);
            assert!(
                !probed.problems.is_empty(),
                "{length} bytes of {name}: {probed:?}"
            );
        }
    }
}
