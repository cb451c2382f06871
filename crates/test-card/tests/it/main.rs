//! Tests of rendered files with a probe.

use std::time::Duration;

use media_probe::{Codec, Completeness, Format, Rate, probe_bytes};
use test_card::{FRAME_RATE, FrameSize, MAX_SECONDS, TestCard};

#[test]
fn rendered_video_has_the_requested_properties() {
    for (width, height) in [(16, 9), (9, 16), (21, 9), (1, 19)] {
        for (asked, seconds) in [(0, 1), (3, 3), (u32::MAX, MAX_SECONDS)] {
            let size = FrameSize::with_ratio(width, height).unwrap();
            let card = TestCard::new("a probe").text("A red fox.").size(size);
            let info = probe_bytes(&card.seconds(asked).render());
            let case = format!("{size}, {seconds} s: {info:?}");
            assert!(info.problems.is_empty(), "{case}");
            assert_eq!(info.format, Some(Format::Mp4), "{case}");
            assert_eq!(info.has_audio, Some(false), "{case}");
            let duration = Some(Duration::from_secs(seconds.into()));
            assert_eq!(info.duration, duration, "{case}");
            let video = info.video.as_ref().expect(&case);
            assert_eq!(video.codec, Codec::H264, "{case}");
            let display = video.display.expect(&case);
            let sides = (size.width().into(), size.height().into());
            assert_eq!((display.width, display.height), sides, "{case}");
            let rate = video.frame_rate.expect(&case);
            assert_eq!(
                Some(rate.average),
                Rate::new(FRAME_RATE.into(), 1),
                "{case}"
            );
            assert_eq!(video.frames, Some((seconds * FRAME_RATE).into()), "{case}");
        }
    }
}

#[test]
fn sound_is_a_second_track_of_the_same_length() {
    for seconds in [1, 5, MAX_SECONDS] {
        let file = TestCard::new("a probe")
            .seconds(seconds)
            .sound(true)
            .render();
        let info = probe_bytes(&file);
        assert!(info.problems.is_empty(), "{info:?}");
        assert_eq!(info.has_audio, Some(true), "{seconds} s");
        let duration = Some(Duration::from_secs(seconds.into()));
        assert_eq!(info.duration, duration);
        assert_eq!(info.video.and_then(|video| video.duration), duration);
        let mut completeness = Completeness::new();
        assert_eq!(completeness.feed(&file), Ok(()));
        assert_eq!(completeness.finish(true), Ok(None), "{seconds} s");
        assert_eq!(completeness.media_info().has_audio, Some(true));
        let cut = &file[..file.len() - 1];
        assert!(probe_bytes(cut).is_corrupt(), "{seconds} s");
    }
}

#[test]
fn size_in_pixels_is_a_multiple_of_16() {
    for (width, height, is_possible) in [
        (1280, 720, true),
        (720, 1280, true),
        (320, 192, true),
        (144, 176, true),
        (128, 176, false),
        (1280, 721, false),
        (1928, 1088, false),
        (u16::MAX, 720, false),
        (0, 0, false),
    ] {
        let size = FrameSize::from_pixels(width, height);
        assert_eq!(size.is_some(), is_possible, "{width}×{height}");
    }
}

#[test]
fn rendered_video_is_complete_and_its_parts_are_not() {
    let file = TestCard::new("a download").seconds(1).render();
    for length in [0, 7, 40, 1000, file.len() - 1, file.len()] {
        let mut judge = Completeness::new();
        let verdict = judge
            .feed(&file[..length])
            .and_then(|()| judge.finish(true));
        assert_eq!(verdict.is_ok(), length == file.len(), "{length} bytes");
    }
}
