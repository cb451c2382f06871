//! Mismatches of declared formats and content.

use media_probe::{Format, Kind, probe_bytes};

use crate::expected::{samples, stored};

#[test]
fn sample_names_match_their_content() {
    for sample in samples() {
        let probed = probe_bytes(&stored(&sample.name));
        let declared = Format::from_path(&sample.name);
        match sample.name.as_str() {
            // The extension is also used for TypeScript.
            "video.ts" => assert_eq!(declared, None),
            name => {
                assert!(declared.is_some(), "{name}");
                assert_eq!(probed.mismatch(declared), None, "{name}");
            }
        }
    }
}

#[test]
fn mismatches_are_detected() {
    // The content, the declared format, the message, and whether it matters to programs that detect the content.
    let cases = [
        (
            "video.webm",
            Format::from_path("holiday.MP4"),
            Some("the declared format is MP4, but the content is WebM"),
            false,
        ),
        (
            "last.mov",
            Format::from_content_type("video/mp4"),
            Some("the declared format is MP4, but the content is QuickTime (MOV)"),
            true,
        ),
        (
            "image.png",
            Format::from_content_type("Image/JPEG; q=1"),
            Some("the declared format is JPEG, but the content is PNG"),
            false,
        ),
        (
            "last.mov",
            Format::from_path("folder.mp4/clip.mov"),
            None,
            false,
        ),
        ("last.mov", Format::from_path("clip"), None, false),
        (
            "last.mov",
            Format::from_content_type("application/octet-stream"),
            None,
            false,
        ),
    ];
    for (name, declared, expected, is_close) in cases {
        let mismatch = probe_bytes(&stored(name)).mismatch(declared);
        let told = mismatch.map(|mismatch| mismatch.to_string());
        assert_eq!(told.as_deref(), expected, "{name}");
        assert_eq!(mismatch.is_some_and(|it| it.is_close()), is_close, "{name}");
    }
    // Unknown content has no expected name.
    assert_eq!(probe_bytes(b"\x01\x02").mismatch(Some(Format::Mp4)), None);
}

#[test]
fn formats_round_trip_through_their_names() {
    for format in Format::all() {
        assert_eq!(
            Format::from_content_type(format.content_type()),
            Some(format)
        );
        assert_eq!(serde_json::to_value(format).unwrap(), format.id());
        assert!(!format.to_string().is_empty());
    }
    assert_eq!(Format::Jpeg.kind(), Kind::Image);
    assert_eq!(Format::all().count(), 34);
}

#[test]
fn signatures_are_detected() {
    let ts = |first: usize, packet: usize| {
        let mut bytes = vec![0; 600];
        for at in [first, first + packet, first + 2 * packet] {
            bytes[at] = 0x47;
        }
        bytes
    };
    let cases: Vec<(&str, Vec<u8>, Option<Format>)> = vec![
        (
            "heic",
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic".to_vec(),
            Some(Format::Heic),
        ),
        (
            "avif",
            b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif".to_vec(),
            Some(Format::Avif),
        ),
        (
            "mif1",
            b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic".to_vec(),
            Some(Format::Heic),
        ),
        (
            "cr3",
            b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom".to_vec(),
            Some(Format::CanonRaw),
        ),
        (
            "old QuickTime",
            b"\0\0\0\x08wide\0\0\0\x08mdat".to_vec(),
            Some(Format::Mov),
        ),
        ("transport stream", ts(0, 188), Some(Format::MpegTs)),
        ("of a camera", ts(4, 192), Some(Format::MpegTs)),
        (
            "program stream",
            b"\0\0\x01\xba\x44".to_vec(),
            Some(Format::MpegPs),
        ),
        (
            "Matroska",
            b"\x1a\x45\xdf\xa3\x93\x42\x82\x88matroska".to_vec(),
            Some(Format::Matroska),
        ),
        ("MP3 with a tag", b"ID3\x04\0".to_vec(), Some(Format::Mp3)),
        (
            "MP3 without",
            b"\xff\xfb\x90\x64\0".to_vec(),
            Some(Format::Mp3),
        ),
        ("JPEG XL", b"\xff\x0a\0".to_vec(), Some(Format::JpegXl)),
        (
            "SVG",
            b"<?xml version='1.0'?><svg/>".to_vec(),
            Some(Format::Svg),
        ),
        (
            "XML",
            b"<?xml version='1.0'?><Error><Code>AccessDenied".to_vec(),
            Some(Format::Xml),
        ),
        (
            "a web page",
            b"\xef\xbb\xbf\n<HTML>".to_vec(),
            Some(Format::Html),
        ),
        (
            "text that is truncated within a character",
            "nächste Wörter ü".as_bytes()[..18].to_vec(),
            Some(Format::Text),
        ),
        ("not quite text", b"abc\0def".to_vec(), None),
        ("RIFF of something", b"RIFF\0\0\0\0sfbk".to_vec(), None),
    ];
    for (case, bytes, expected) in cases {
        assert_eq!(probe_bytes(&bytes).format, expected, "{case}");
    }
}
