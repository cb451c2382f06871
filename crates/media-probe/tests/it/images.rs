//! JPEG and PNG: size, orientation, and incomplete images.

use media_probe::{Code, Limits, Severity, Size, probe_bytes, probe_reader, property};

use crate::expected::stored;

const SIZE: Size = Size {
    width: 320,
    height: 180,
};

/// EXIF with this orientation, in either byte order.
fn exif(orientation: u16, is_little: bool) -> Vec<u8> {
    let (short, long) = match is_little {
        true => (
            u16::to_le_bytes as fn(u16) -> [u8; 2],
            u32::to_le_bytes as fn(u32) -> [u8; 4],
        ),
        false => (
            u16::to_be_bytes as fn(u16) -> [u8; 2],
            u32::to_be_bytes as fn(u32) -> [u8; 4],
        ),
    };
    let entry = |tag: u16, value: u16| {
        [
            &short(tag)[..],
            &short(3),
            &long(1),
            &short(value),
            &short(0),
        ]
        .concat()
    };
    [
        if is_little { &b"II"[..] } else { b"MM" },
        &short(42),
        &long(8),
        &short(2),
        &entry(0x0106, 2),
        &entry(0x0112, orientation),
        &long(0),
    ]
    .concat()
}

fn segment(mark: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len() + 2).unwrap();
    [&[0xff, mark][..], &length.to_be_bytes(), content].concat()
}

/// The JPEG with further segments after its first marker.
fn jpeg_with(segments: &[Vec<u8>]) -> Vec<u8> {
    let file = stored("image.jpg");
    [&file[..2], &segments.concat(), &file[2..]].concat()
}

/// The PNG with a chunk after its header.
fn png_with(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let file = stored("image.png");
    let length = u32::try_from(content.len()).unwrap();
    let chunk = [&length.to_be_bytes(), &name[..], content, &[0; 4]].concat();
    [&file[..33], &chunk, &file[33..]].concat()
}

#[test]
fn orientation_swaps_the_size() {
    for number in 0..=9 {
        for is_little in [true, false] {
            let block = exif(number, is_little);
            let app1 = segment(0xe1, &[b"Exif\0\0", &block[..]].concat());
            for file in [jpeg_with(&[app1]), png_with(b"eXIf", &block)] {
                let probed = property::check(&file);
                assert_eq!(probed.problems, []);
                let image = probed.image.unwrap();
                let expected = if (1..=8).contains(&number) { number } else { 1 };
                assert_eq!(u16::from(image.orientation.number()), expected);
                assert_eq!(image.coded, SIZE);
                let turned = (5..=8).contains(&number);
                assert_eq!(image.display, if turned { SIZE.transposed() } else { SIZE });
            }
        }
    }
}

#[test]
fn long_profiles_before_the_size_take_few_requests() {
    let profile = segment(0xe2, &[7; 65_000]);
    let app1 = segment(0xe1, &[b"Exif\0\0", &exif(6, true)[..]].concat());
    let mut segments = vec![profile; 3];
    segments.push(app1);
    let file = jpeg_with(&segments);
    let probed = probe_reader(std::io::Cursor::new(&file), Limits::remote()).unwrap();
    assert_eq!(probed.problems, []);
    assert_eq!(probed.image.unwrap().display, SIZE.transposed());
}

#[test]
fn sizes_agree_with_imagesize() {
    for file in [stored("image.jpg"), stored("image.png")] {
        let theirs = imagesize::blob_size(&file).unwrap();
        let ours = probe_bytes(&file).image.unwrap().coded;
        assert_eq!(
            (ours.width as usize, ours.height as usize),
            (theirs.width, theirs.height)
        );
    }
}

#[test]
fn incomplete_images_have_problems() {
    let (jpeg, png) = (stored("image.jpg"), stored("image.png"));
    let frame = jpeg
        .windows(2)
        .position(|mark| mark == [0xff, 0xc0])
        .unwrap();
    let patched = |file: &[u8], at: usize, bytes: &[u8]| {
        let mut file = file.to_vec();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    };
    let cases: Vec<(&str, Vec<u8>, Code, bool)> = vec![
        (
            "JPEG cut before its size",
            jpeg[..frame].to_vec(),
            Code::Truncated,
            false,
        ),
        (
            "JPEG cut in its pixels",
            jpeg[..jpeg.len() - 20].to_vec(),
            Code::EndNotFound,
            true,
        ),
        (
            "JPEG of no width",
            patched(&jpeg, frame + 7, &[0; 2]),
            Code::WrongValue,
            false,
        ),
        (
            "JPEG whose height comes later",
            patched(&jpeg, frame + 5, &[0; 2]),
            Code::NotSaid,
            false,
        ),
        (
            "JPEG with a hole",
            patched(&jpeg, frame, &[0; 2]),
            Code::WrongValue,
            false,
        ),
        (
            "JPEG with a segment of no length",
            patched(&jpeg, frame + 2, &[0; 2]),
            Code::WrongValue,
            false,
        ),
        (
            "PNG cut in its header",
            png[..20].to_vec(),
            Code::Truncated,
            false,
        ),
        (
            "PNG cut in its pixels",
            png[..png.len() - 20].to_vec(),
            Code::EndNotFound,
            true,
        ),
        (
            "PNG of no width",
            patched(&png, 16, &[0; 4]),
            Code::WrongValue,
            false,
        ),
        (
            "PNG of endless height",
            patched(&png, 20, &[0xff; 4]),
            Code::WrongValue,
            false,
        ),
        (
            "PNG without a header",
            patched(&png, 12, b"tEXt"),
            Code::MissingPart,
            false,
        ),
    ];
    for (case, file, code, has_size) in cases {
        let probed = property::check(&file);
        let certain = probed.problems.iter();
        let certain = certain.filter(|problem| problem.severity != Severity::Unusual);
        let codes: Vec<_> = certain.map(|problem| problem.code).collect();
        assert_eq!(codes, [code], "{case}: {probed:?}");
        assert_eq!(probed.image.is_some(), has_size, "{case}: {probed:?}");
    }
}

/// The offset of the pixels of the sample.
fn scan(jpeg: &[u8]) -> usize {
    let mark = jpeg.windows(2).position(|mark| mark == [0xff, 0xda]);
    mark.unwrap()
}

#[test]
fn bytes_between_segments_are_unusual() {
    let file = stored("image.jpg");
    // After the start marker and the JFIF segment.
    let second = 20;
    assert_eq!(file[second], 0xff);
    let with = |at: usize, bytes: &[u8]| [&file[..at], bytes, &file[at..]].concat();
    let frame = file
        .windows(2)
        .position(|mark| mark == [0xff, 0xc0])
        .unwrap();
    let no_length = segment(0xe4, &[]);
    let no_length = [&no_length[..2], &[0, 0]].concat();
    for (case, odd) in [
        ("two zeros", with(second, &[0; 2])),
        ("one byte", with(second, b"x")),
        ("text", with(second, b"a note of some program")),
        ("many zeros", with(second, &[0; 60_000])),
        ("a stuffed mark", with(second, b"\xff\0")),
        ("an unknown marker", with(second, b"\xff\x02\0\x04ab")),
        ("before the first segment", with(2, &[0; 2])),
        ("before the size", with(frame, &[0; 9])),
        ("before the pixels", with(scan(&file), &[0; 9])),
        (
            "twice",
            with(scan(&file), &[&[0; 9][..], b"\xff\0\0"].concat()),
        ),
        ("a segment of no length", with(second, &no_length)),
    ] {
        let probed = property::check(&odd);
        assert_eq!(probed.image.as_ref().unwrap().coded, SIZE, "{case}");
        let severities: Vec<_> = probed.problems.iter().map(|one| one.severity).collect();
        assert_eq!(severities, [Severity::Unusual], "{case}: {probed:?}");
    }
    for (case, fine) in [
        ("fill bytes", with(second, &[0xff; 7])),
        ("a restart mark", with(second, b"\xff\xd0")),
        ("another beginning", with(second, b"\xff\xd8")),
        ("a comment", with(second, &segment(0xfe, b"hello"))),
        ("MPF", with(second, &segment(0xe2, b"MPF\0II*\0"))),
        (
            "CMYK of Adobe",
            with(second, &segment(0xee, b"Adobe\0\x64\0\0\0\0\x02")),
        ),
    ] {
        let probed = property::check(&fine);
        assert_eq!(probed.image.as_ref().unwrap().coded, SIZE, "{case}");
        assert_eq!(probed.problems, [], "{case}");
    }
    let far = with(second, &[0; 70_000]);
    assert!(property::check(&far).is_corrupt());
}

#[test]
fn any_process_of_jpeg_has_a_size() {
    let file = stored("image.jpg");
    let frame = file
        .windows(2)
        .position(|mark| mark == [0xff, 0xc0])
        .unwrap();
    for process in [
        0xc0, 0xc1, 0xc2, 0xc3, 0xc5, 0xc6, 0xc7, 0xc9, 0xca, 0xcb, 0xcd,
    ] {
        let mut file = file.clone();
        file[frame + 1] = process;
        let probed = property::check(&file);
        assert_eq!(probed.image.unwrap().coded, SIZE, "{process:x}");
        assert_eq!(probed.problems, []);
    }
}

#[test]
fn data_after_an_image_is_allowed() {
    let film = stored("last.mp4");
    for name in ["image.jpg", "image.png"] {
        let file = stored(name);
        for (case, more) in [
            ("a video", film.clone()),
            ("two videos", [&film[..], &film].concat()),
            ("the same again", file.clone()),
            ("zeros", vec![0; 20_000]),
            ("text", b"appended".repeat(1000)),
            ("a line end", b"\n".to_vec()),
            (
                "long noise",
                (0..700_000_u32)
                    .map(|n| (n.wrapping_mul(n) >> 7) as u8 & 0x7f)
                    .collect(),
            ),
        ] {
            let probed = property::check(&[&file, &more[..]].concat());
            assert_eq!(
                probed.image.as_ref().unwrap().coded,
                SIZE,
                "{name} and {case}"
            );
            assert_eq!(probed.problems, [], "{name} and {case}");
        }
        // Without its end marker it may be truncated, whatever follows.
        let open = [&file[..file.len() - 8], &[0; 20_000]].concat();
        assert_eq!(
            property::check(&open).problems[0].code,
            Code::EndNotFound,
            "{name}"
        );
    }
}
