//! Edit lists, apertures and matrices of other programs, inserted into a valid file.

use std::time::Duration;

use media_probe::{MediaInfo, Rotation, Size, property};

use crate::expected::stored;
use crate::made::{inserted, part, patched};

const SECOND: u32 = 1000;

/// An edit list in ticks of the movie and of the media: duration, start, and whether the picture is frozen.
fn edits(list: &[(u32, i32, bool)]) -> Vec<u8> {
    let mut body = vec![0; 4];
    body.extend(u32::try_from(list.len()).unwrap().to_be_bytes());
    for (length, start, stands_still) in list {
        body.extend(length.to_be_bytes());
        body.extend(start.to_be_bytes());
        body.extend(if *stands_still { [0; 4] } else { [0, 1, 0, 0] });
    }
    part(b"elst", &body)
}

/// The silent sample of 3 s, with composition offsets of 1024 ticks of 15360, with other edits.
fn edited(list: &[(u32, i32, bool)]) -> MediaInfo {
    let file = stored("silent.mp4");
    let without = patched(&file, b"edts", 4, b"free");
    property::check(&inserted(&without, b"trak", &part(b"edts", &edits(list))))
}

#[test]
fn edit_lists_are_applied() {
    // The edits, the duration of the picture, and its end, in milliseconds.
    type Case = (&'static str, &'static [(u32, i32, bool)], u64, u64);
    let cases: &[Case] = &[
        ("all of it", &[(3 * SECOND, 1024, false)], 3000, 3000),
        ("a part", &[(SECOND, 1024, false)], 1000, 1000),
        (
            "from the middle on",
            &[(2 * SECOND, 1024 + 15_360, false)],
            2000,
            2000,
        ),
        ("all there is", &[(0, 1024 + 15_360, false)], 2000, 2000),
        (
            "more than there is",
            &[(60 * SECOND, 1024, false)],
            3000,
            3000,
        ),
        (
            "twice",
            &[(SECOND, 1024, false), (SECOND, 1024, false)],
            2000,
            2000,
        ),
        (
            "later",
            &[(SECOND, -1, false), (3 * SECOND, 1024, false)],
            3000,
            4000,
        ),
        (
            "delayed by an unknown duration",
            &[
                (u32::MAX, -1, false),
                (u32::MAX - 511, -1, false),
                (3 * SECOND, 1024, false),
            ],
            3000,
            3000,
        ),
        (
            "with a pause",
            &[
                (SECOND, 1024, false),
                (SECOND, -1, false),
                (SECOND, 1024, false),
            ],
            3000,
            3000,
        ),
        (
            "standing still at the end",
            &[(3 * SECOND, 1024, false), (2 * SECOND, 1024, true)],
            5000,
            5000,
        ),
        ("no edits", &[], 3000, 3000),
    ];
    for (case, list, shown, until) in cases {
        let probed = edited(list);
        assert_eq!(probed.problems, [], "{case}");
        let video = probed.video.unwrap();
        assert_eq!(
            video.duration,
            Some(Duration::from_millis(*shown)),
            "{case}"
        );
        assert_eq!(
            probed.duration,
            Some(Duration::from_millis(*until)),
            "{case}"
        );
    }
}

#[test]
fn apertures_pixels_and_headers_determine_the_display_size() {
    let size = |width, height| Size { width, height };
    let numbers = |numbers: &[u32]| -> Vec<u8> {
        numbers
            .iter()
            .flat_map(|number| number.to_be_bytes())
            .collect()
    };
    let clap = |width: [u32; 2], height: [u32; 2]| {
        part(
            b"clap",
            &numbers(&[width[0], width[1], height[0], height[1], 0, 1, 0, 1]),
        )
    };
    let pasp = |width, height| part(b"pasp", &numbers(&[width, height]));
    let cases = [
        ("nothing", vec![], size(160, 90)),
        ("square pixels", pasp(1, 1), size(160, 90)),
        ("wide pixels", pasp(4, 3), size(213, 90)),
        ("narrow pixels", pasp(8, 9), size(142, 90)),
        ("no pixels", pasp(0, 0), size(160, 90)),
        ("absurd pixels", pasp(u32::MAX, 1), size(160, 90)),
        ("an aperture", clap([140, 1], [80, 1]), size(140, 80)),
        (
            "a fraction of one",
            clap([1407, 10], [80, 1]),
            size(141, 80),
        ),
        (
            "one larger than the frame",
            clap([161, 1], [90, 1]),
            size(160, 90),
        ),
        ("one of nothing", clap([0, 1], [90, 0]), size(160, 90)),
        (
            "both",
            [clap([120, 1], [90, 1]), pasp(4, 3)].concat(),
            size(160, 90),
        ),
    ];
    for (case, boxes, expected) in cases {
        // The sample declares square pixels.
        let file = patched(&stored("silent.mp4"), b"pasp", 4, b"free");
        let probed = property::check(&inserted(&file, b"avc1", &boxes));
        let video = probed.video.unwrap();
        assert_eq!(video.display, Some(expected), "{case}");
        assert_eq!(video.coded, Some(size(160, 90)), "{case}");
        assert_eq!(probed.problems, [], "{case}");
    }

    let file = patched(&stored("silent.mp4"), b"pasp", 4, b"free");
    let wide = patched(&file, b"tkhd", 84, &numbers(&[320 << 16, 90 << 16]));
    assert_eq!(
        property::check(&wide).video.unwrap().display,
        Some(size(320, 90))
    );
    // Only the aspect ratio matters: a player that shows it smaller has the same video.
    let small = patched(&file, b"tkhd", 84, &numbers(&[80 << 16, 45 << 16]));
    assert_eq!(
        property::check(&small).video.unwrap().display,
        Some(size(160, 90))
    );
}

#[test]
fn matrices_of_track_and_movie_are_combined() {
    const ONE: i32 = 1 << 16;
    let matrix = |[a, b, c, d]: [i32; 4]| -> Vec<u8> {
        [a, b, 0, c, d, 0]
            .iter()
            .flat_map(|part| part.to_be_bytes())
            .collect()
    };
    let upright = [ONE, 0, 0, ONE];
    let quarter = [0, ONE, -ONE, 0];
    let cases = [
        ("nothing", upright, upright, Some(Rotation::None)),
        ("zeros", [0; 4], [0; 4], Some(Rotation::None)),
        ("the track", quarter, upright, Some(Rotation::Quarter)),
        ("the movie", upright, quarter, Some(Rotation::Quarter)),
        ("both", quarter, quarter, Some(Rotation::Half)),
        ("mirrored", [-ONE, 0, 0, ONE], upright, Some(Rotation::None)),
        (
            "mirrored and turned",
            [0, ONE, ONE, 0],
            upright,
            Some(Rotation::Quarter),
        ),
        (
            "scaled",
            [ONE / 2, 0, 0, ONE / 2],
            upright,
            Some(Rotation::None),
        ),
        ("extreme", [i32::MIN; 4], [i32::MIN; 4], None),
    ];
    for (case, track, movie, expected) in cases {
        let file = patched(&stored("silent.mp4"), b"tkhd", 48, &matrix(track));
        let file = patched(&file, b"mvhd", 44, &matrix(movie));
        let video = property::check(&file).video.unwrap();
        assert_eq!(video.rotation, expected, "{case}");
        assert_eq!(video.display.is_some(), expected.is_some(), "{case}");
    }
}
