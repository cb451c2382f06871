//! JPEG and PNG: size, orientation, and images that are not whole.

use kling_omni_probe::{Code, Limits, Size, probe_bytes, probe_reader, property};

use crate::expected::stored;

const SIZE: Size = Size {
    width: 320,
    height: 180,
};

/// EXIF with this orientation, in either order of bytes.
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

/// The JPEG with more segments behind its first mark.
fn jpeg_with(segments: &[Vec<u8>]) -> Vec<u8> {
    let file = stored("image.jpg");
    [&file[..2], &segments.concat(), &file[2..]].concat()
}

/// The PNG with a chunk behind its header.
fn png_with(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let file = stored("image.png");
    let length = u32::try_from(content.len()).unwrap();
    let chunk = [&length.to_be_bytes(), &name[..], content, &[0; 4]].concat();
    [&file[..33], &chunk, &file[33..]].concat()
}

#[test]
fn orientation_turns_the_size() {
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
                assert_eq!(image.display, if turned { SIZE.turned() } else { SIZE });
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
    assert_eq!(probed.image.unwrap().display, SIZE.turned());
}

#[test]
fn sizes_agree_with_another_reader() {
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
fn images_that_are_not_whole_are_told() {
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
        let codes: Vec<_> = probed.problems.iter().map(|problem| problem.code).collect();
        assert_eq!(codes, [code], "{case}: {probed:?}");
        assert_eq!(probed.image.is_some(), has_size, "{case}: {probed:?}");
    }
}
