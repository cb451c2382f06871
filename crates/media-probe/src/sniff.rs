//! Detects a format by the first bytes of a file.

use crate::format::Format;

/// The number of bytes that are sufficient.
pub(crate) const HEAD_LENGTH: u64 = 4096;
const HEAD_LENGTH_USIZE: usize = HEAD_LENGTH as usize;

/// Signatures, with their offsets.
const SIGNATURES: &[(usize, &[u8], Format)] = &[
    (0, b"\xff\xd8\xff", Format::Jpeg),
    (0, b"\x89PNG\r\n\x1a\n", Format::Png),
    (0, b"GIF87a", Format::Gif),
    (0, b"GIF89a", Format::Gif),
    (0, b"II*\0", Format::Tiff),
    (0, b"MM\0*", Format::Tiff),
    (0, b"\xff\x0a", Format::JpegXl),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", Format::JpegXl),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", Format::Jpeg2000),
    (0, b"8BPS", Format::Psd),
    (0, b"FLV\x01", Format::Flv),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Format::Wmv),
    (0, b"OggS", Format::Ogg),
    (0, b"\0\0\x01\xba", Format::MpegPs),
    (0, b"fLaC", Format::Flac),
    (0, b"ID3", Format::Mp3),
    (0, b"%PDF-", Format::Pdf),
    (0, b"PK\x03\x04", Format::Zip),
];

/// The content types of RIFF.
const RIFF: &[(&[u8], Format)] = &[
    (b"AVI ", Format::Avi),
    (b"WEBP", Format::WebP),
    (b"WAVE", Format::Wav),
];

/// The brands of an `ftyp` other than MP4. Any other brand is MP4.
const BRANDS: &[(&[u8], Format)] = &[
    (b"qt  ", Format::Mov),
    (b"M4A ", Format::M4a),
    (b"M4B ", Format::M4a),
    (b"M4P ", Format::M4a),
    (b"avif", Format::Avif),
    (b"avis", Format::Avif),
    (b"heic", Format::Heic),
    (b"heix", Format::Heic),
    (b"heim", Format::Heic),
    (b"heis", Format::Heic),
    (b"hevc", Format::Heic),
    (b"hevx", Format::Heic),
    (b"hevm", Format::Heic),
    (b"hevs", Format::Heic),
    (b"msf1", Format::Heic),
    (b"mif1", Format::Heic),
    (b"crx ", Format::CanonRaw),
];

/// The prefixes of usual first brands of MP4 files.
const MP4_BRANDS: &[&[u8]] = &[
    b"iso", b"mp4", b"mp71", b"avc1", b"M4V", b"MSNV", b"XAVC", b"ND", b"dash", b"msdh", b"msix",
    b"cmf", b"f4v", b"F4V", b"mmp4", b"CAEP", b"caqv", b"niko", b"pana", b"hvc1", b"hev1", b"av01",
    b"dby1", b"piff", b"ccff", b"lmsg",
];
/// Brands that no other format has among its compatible brands.
const STRICT_MP4_BRANDS: &[&[u8]] = &[b"mp41", b"mp42", b"mp71", b"avc1", b"M4V ", b"MSNV"];

/// The first boxes of QuickTime files without `ftyp`.
const OLD_QUICKTIME: &[&[u8]] = &[b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"];
/// The first boxes of a segment of a stream.
const SEGMENT: &[&[u8]] = &[b"styp", b"moof", b"sidx", b"emsg", b"prft"];

/// The format of a file with these first bytes.
pub(crate) fn format(head: &[u8]) -> Option<Format> {
    // Limited, so the result does not depend on the number of available bytes.
    let head = &head[..head.len().min(HEAD_LENGTH_USIZE)];
    let at = |offset: usize, length: usize| head.get(offset..offset + length).unwrap_or_default();
    let by_signature = SIGNATURES
        .iter()
        .find(|(offset, signature, _)| at(*offset, signature.len()) == *signature);
    if let Some((_, _, format)) = by_signature {
        return Some(*format);
    }
    if at(0, 2) == b"\xff\xd8" && at(2, 64).windows(2).any(begins_segment) {
        return Some(Format::Jpeg);
    }
    match at(4, 4) {
        b"ftyp" => return Some(by_brand(at(8, 4), compatible_brands(head))),
        name if OLD_QUICKTIME.contains(&name) => return Some(Format::Mov),
        name if SEGMENT.contains(&name) => return Some(Format::Mp4),
        _ => {}
    }
    if at(0, 4) == b"RIFF" {
        let content = RIFF.iter().find(|(content, _)| at(8, 4) == *content);
        return content.map(|(_, format)| *format);
    }
    if at(0, 4) == b"\x1a\x45\xdf\xa3" {
        return Some(by_doc_type(head));
    }
    if at(0, 2) == b"BM" && at(6, 4) == [0; 4] {
        return Some(Format::Bmp);
    }
    // A packet begins with this byte every 188 bytes, or after a time stamp of 4 bytes in camera files.
    let is_ts = |first: usize, packet: usize| (0..3).all(|n| at(first + n * packet, 1) == b"\x47");
    if is_ts(0, 188) || is_ts(4, 192) {
        return Some(Format::MpegTs);
    }
    // The first frame of an MP3 without a tag: layer III, and no reserved value.
    if let [0xff, second, third, ..] = head
        && second & 0xe6 == 0xe2
        && second & 0x18 != 0x08
        && !matches!(third >> 4, 0 | 0xf)
        && third & 0x0c != 0x0c
    {
        return Some(Format::Mp3);
    }
    text(head)
}

/// Markers near the start of every JPEG.
fn begins_segment(two: &[u8]) -> bool {
    matches!(two, [0xff, 0xdb | 0xe0..=0xef | 0xfe])
}

/// The first brand of a file that is read as MP4 despite it: a brand of another format beside one of MP4, or an unknown
/// one.
pub(crate) fn other_brand(head: &[u8]) -> Option<[u8; 4]> {
    let major = *head.get(8..12)?.first_chunk()?;
    let is_usual = MP4_BRANDS.iter().any(|brand| major.starts_with(brand));
    let is_mp4 = head.get(4..8)? == b"ftyp" && format(head) == Some(Format::Mp4);
    (is_mp4 && !is_usual).then_some(major)
}

fn compatible_brands(head: &[u8]) -> &[u8] {
    let size = head
        .first_chunk::<4>()
        .map(|size| u32::from_be_bytes(*size));
    let size = usize::try_from(size.unwrap_or_default()).unwrap_or(usize::MAX);
    head.get(16..size.min(head.len())).unwrap_or_default()
}

fn by_brand(major: &[u8], compatible: &[u8]) -> Format {
    if major.starts_with(b"3g") {
        let is_mp4 = |brand: &[u8]| STRICT_MP4_BRANDS.contains(&brand);
        return match compatible.chunks(4).any(is_mp4) {
            true => Format::Mp4,
            false => Format::ThreeGp,
        };
    }
    let known = BRANDS.iter().find(|(brand, _)| major == *brand);
    match known.map(|(_, format)| *format) {
        // All still images in boxes may have this brand; a compatible brand names the compression.
        Some(Format::Heic) if compatible.chunks(4).any(|brand| brand == b"avif") => Format::Avif,
        Some(format) => format,
        None => Format::Mp4,
    }
}

/// Distinguishes Matroska and WebM by a name near the start.
fn by_doc_type(head: &[u8]) -> Format {
    let near = &head[..head.len().min(64)];
    match near.windows(4).any(|four| four == b"webm") {
        true => Format::WebM,
        false => Format::Matroska,
    }
}

fn text(head: &[u8]) -> Option<Format> {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let is_text = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r' | 0x1b | 0x20..=0x7e | 0x80..);
    let valid = match str::from_utf8(head) {
        Ok(text) => text,
        // The available bytes may end within a character.
        Err(error) if error.error_len().is_none() => {
            str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return None,
    };
    if valid.is_empty() || !valid.as_bytes().iter().all(is_text) {
        return None;
    }
    let begin: String = valid.trim_start().chars().take(2048).collect();
    let begin = begin.to_ascii_lowercase();
    Some(match begin.as_str() {
        html if html.starts_with("<!doctype html") || html.starts_with("<html") => Format::Html,
        svg if svg.starts_with('<') && svg.contains("<svg") => Format::Svg,
        xml if xml.starts_with("<?xml") => Format::Xml,
        json if json.starts_with(['{', '[']) => Format::Json,
        _ => Format::Text,
    })
}
