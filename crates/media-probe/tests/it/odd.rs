//! Videos that violate a rule of their format but play: frame durations, brands, and additional tracks.

use std::time::Duration;

use media_probe::{Format, MediaInfo, Severity, Size, property};

use crate::expected::stored;
use crate::made::{inserted, part, patched, position};

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// The silent sample of 90 frames of 512 ticks in 3 s, with other runs of durations.
fn with_runs(runs: &[(u32, u32)]) -> Vec<u8> {
    let file = stored("silent.mp4");
    let mut body = vec![0, runs.len() as u32];
    body.extend(runs.iter().flat_map(|(count, length)| [*count, *length]));
    let file = patched(&file, b"stts", 4, b"free");
    inserted(&file, b"stbl", &part(b"stts", &words(&body)))
}

fn without_edits(file: &[u8]) -> Vec<u8> {
    patched(file, b"edts", 4, b"free")
}

fn severities(probed: &MediaInfo) -> Vec<Severity> {
    probed.problems.iter().map(|one| one.severity).collect()
}

#[track_caller]
fn lasts(probed: &MediaInfo, seconds: f64, case: &str) {
    for found in [probed.duration, probed.video.as_ref().unwrap().duration] {
        let found = found.unwrap_or_else(|| panic!("{case}: {probed:?}"));
        let off = found.abs_diff(Duration::from_secs_f64(seconds));
        assert!(off < Duration::from_millis(250), "{case}: {probed:?}");
    }
}

#[test]
fn negative_or_implausible_frame_durations_are_unusual() {
    let negative = |length: i32| length.cast_unsigned();
    for (case, runs) in [
        (
            "one step back",
            vec![(45, 512), (1, negative(-512)), (44, 512)],
        ),
        ("a tick back", vec![(45, 512), (1, negative(-1)), (44, 512)]),
        (
            "far back",
            vec![(45, 512), (1, 600_000), (1, negative(-599_000)), (43, 512)],
        ),
        ("at the end", vec![(89, 512), (1, negative(-512))]),
        ("the last one endless", vec![(89, 512), (1, 0x7fff_ffff)]),
        ("one of days", vec![(45, 512), (1, 0x3000_0000), (44, 512)]),
        ("all of hours", vec![(90, 0x0800_0000)]),
    ] {
        for file in [with_runs(&runs), without_edits(&with_runs(&runs))] {
            let probed = property::check(&file);
            lasts(&probed, 3.0, case);
            let rate = probed.video.as_ref().unwrap().frame_rate.unwrap();
            assert!(
                (29.0..32.0).contains(&rate.average.as_f64()),
                "{case}: {rate:?}"
            );
            assert!(!probed.is_corrupt(), "{case}: {probed:?}");
            assert!(
                severities(&probed).contains(&Severity::Unusual),
                "{case}: {probed:?}"
            );
        }
    }
    // Plausible durations are used.
    let slow = without_edits(&with_runs(&[(90, 768)]));
    lasts(&property::check(&slow), 4.5, "slower");
}

#[test]
fn unknown_durations_in_headers_are_ignored() {
    for unknown in [0, u32::MAX] {
        let mut file = without_edits(&stored("silent.mp4"));
        for (name, at) in [(b"mvhd", 24), (b"mdhd", 24), (b"tkhd", 28)] {
            file = patched(&file, name, at, &words(&[unknown]));
            let probed = property::check(&file);
            lasts(
                &probed,
                3.0,
                &format!("{unknown} in {}", name.escape_ascii()),
            );
            assert_eq!(probed.problems, []);
        }
    }
    // An edit of unknown duration shows the rest of the media.
    for unknown in [0, u32::MAX, u32::MAX - 511] {
        let file = patched(&stored("silent.mp4"), b"elst", 16, &words(&[unknown]));
        lasts(
            &property::check(&file),
            3.0,
            &format!("an edit of {unknown}"),
        );
    }
    // Implausible composition offsets.
    for shift in [0x7fff_ffff, 0x8000_0000_u32, u32::MAX] {
        let file = patched(&stored("silent.mp4"), b"ctts", 20, &words(&[shift]));
        lasts(&property::check(&file), 3.0, &format!("a shift of {shift}"));
        let open = patched(&file, b"elst", 16, &words(&[0]));
        lasts(&property::check(&open), 3.0, "a shift where all is shown");
    }
}

#[test]
fn compatible_brands_count() {
    let file = stored("last.mp4");
    let branded = |major: &[u8; 4], compatible: &[&[u8; 4]]| {
        let body: Vec<u8> = [&major[..], &[0, 0, 2, 0]]
            .into_iter()
            .chain(compatible.iter().map(|brand| &brand[..]))
            .flatten()
            .copied()
            .collect();
        let first = u32::from_be_bytes(*file.first_chunk().unwrap()) as usize;
        // The positions of frames do not change.
        let ftyp = part(b"ftyp", &body);
        let padding = part(b"free", &vec![0; first + 32 - ftyp.len() - 8]);
        let mut file = file.clone();
        file.splice(..first + 8, [ftyp, padding].concat());
        file
    };
    // The first brand, the others, the format, and whether a problem is reported.
    type Case = (&'static [u8; 4], &'static [&'static [u8; 4]], Format, bool);
    let cases: [Case; 9] = [
        (b"isom", &[b"isom"], Format::Mp4, false),
        (b"mp42", &[b"isom", b"mp42"], Format::Mp4, false),
        (b"XAVC", &[b"XAVC", b"mp42"], Format::Mp4, false),
        (b"3gp4", &[b"isom", b"mp42", b"avc1"], Format::Mp4, true),
        (b"3gp5", &[b"3gp5", b"mp41"], Format::Mp4, true),
        (b"abcd", &[b"isom", b"mp42"], Format::Mp4, true),
        (b"\0\0\0\0", &[b"isom"], Format::Mp4, true),
        (b"3gp4", &[b"3gp4", b"isom"], Format::ThreeGp, false),
        (b"qt  ", &[b"qt  ", b"mp42"], Format::Mov, false),
    ];
    for (major, compatible, format, is_odd) in cases {
        let probed = property::check(&branded(major, compatible));
        let case = major.escape_ascii();
        assert_eq!(probed.format, Some(format), "{case}");
        assert_eq!(probed.video.as_ref().unwrap().frames, Some(90), "{case}");
        let expected: &[_] = if is_odd { &[Severity::Unusual] } else { &[] };
        assert_eq!(severities(&probed), expected, "{case}: {probed:?}");
    }
}

/// A track with a handler, a timescale and further boxes.
fn track(handler: Option<&[u8; 4]>, scale: Option<u32>, rest: &[u8]) -> Vec<u8> {
    let matrix = [1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30];
    let tkhd = [
        words(&[1, 0, 0, 9, 0, 0, 0, 0, 0, 0]),
        words(&matrix),
        words(&[0, 0]),
    ]
    .concat();
    let mut mdia = Vec::new();
    if let Some(scale) = scale {
        mdia.extend(part(b"mdhd", &words(&[0, 0, 0, scale, 0, 0])));
    }
    if let Some(handler) = handler {
        mdia.extend(part(b"hdlr", &[&[0; 8], &handler[..], &[0; 13]].concat()));
    }
    mdia.extend(rest);
    part(
        b"trak",
        &[part(b"tkhd", &tkhd), part(b"mdia", &mdia)].concat(),
    )
}

#[test]
fn damaged_additional_track_is_harmless() {
    let file = stored("last.mp4");
    let whole = property::check(&file);
    let short = part(b"minf", &part(b"stbl", &part(b"stts", &words(&[0, 1000]))));
    let wrong = [&u32::MAX.to_be_bytes(), &b"minf"[..]].concat();
    for (case, track, is_told) in [
        ("no ticks", track(Some(b"data"), Some(0), &[]), true),
        ("no clock", track(Some(b"tmcd"), None, &[]), true),
        ("no tables", track(Some(b"meta"), Some(1000), &[]), false),
        (
            "a short table",
            track(Some(b"text"), Some(1000), &short),
            true,
        ),
        (
            "a wrong length",
            track(Some(b"hint"), Some(1000), &wrong),
            true,
        ),
        ("no handler", track(None, Some(1000), &[]), true),
        (
            "an unknown handler",
            track(Some(b"\x01\x02\x03\x04"), Some(0), &[]),
            true,
        ),
        ("nothing", part(b"trak", &[]), true),
        (
            "another video without ticks",
            track(Some(b"vide"), Some(0), &[]),
            true,
        ),
    ] {
        for file in [inserted(&file, b"moov", &track), first_track(&file, &track)] {
            let probed = property::check(&file);
            assert_eq!(probed.video, whole.video, "{case}: {probed:?}");
            assert_eq!(probed.duration, whole.duration, "{case}");
            assert!(!probed.is_corrupt(), "{case}: {probed:?}");
            let is_note = |one: &Severity| *one == Severity::Note;
            assert!(
                severities(&probed).iter().all(is_note),
                "{case}: {probed:?}"
            );
            assert_eq!(!probed.problems.is_empty(), is_told, "{case}: {probed:?}");
        }
    }
    // Damage of audio or of the only video counts.
    let sound = inserted(&file, b"moov", &track(Some(b"soun"), Some(0), &[]));
    assert!(property::check(&sound).is_corrupt());
    let many = vec![track(Some(b"data"), Some(0), &[]); 100].concat();
    let cut = inserted(&file, b"moov", &many);
    assert!(
        property::check(&cut[..cut.len() - 1]).is_corrupt(),
        "notes do not displace damage"
    );
    assert_eq!(
        whole.video.unwrap().display,
        Some(Size {
            width: 160,
            height: 90
        })
    );
}

/// The file with another track before the others.
fn first_track(file: &[u8], track: &[u8]) -> Vec<u8> {
    let at = position(file, b"trak") - 4;
    let moov = position(file, b"moov") - 4;
    let size = u32::from_be_bytes(*file[moov..].first_chunk().unwrap());
    let mut file = file.to_vec();
    let size = size + u32::try_from(track.len()).unwrap();
    file[moov..moov + 4].copy_from_slice(&size.to_be_bytes());
    file.splice(at..at, track.iter().copied());
    file
}
