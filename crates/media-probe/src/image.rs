//! JPEG and PNG: size, orientation, and whether the end marker is present.

use crate::format::Format;
use crate::media_info::{Image, MediaInfo, Orientation, Size};
use crate::problem::{Code, Problems};
use crate::reader::Next;
use crate::window::{Part, View, Want};

/// The length of the end of a large file that is searched for the end marker.
const TAIL: u64 = 4096;
/// The length of one part of the search.
const PART: u64 = 256 << 10;
/// The maximum length of a complete search, for a source where a range is cheap, and for one where it costs a round
/// trip.
const MAX_SEARCH: [u64; 2] = [64 << 20, 1 << 20];
/// In a source that allows fewer requests, they cost a round trip.
const MANY_REQUESTS: u32 = 16;

/// The offset of the first segment of a JPEG, after the start marker.
const JPEG_START: u64 = 2;
/// The end marker of a JPEG. It cannot occur in the pixels.
const JPEG_END: &[u8] = b"\xff\xd9";

const FILL: u8 = 0xff;
const APP1: u8 = 0xe1;
const START_OF_SCAN: u8 = 0xda;
const END_OF_IMAGE: u8 = 0xd9;
const COMMENT: u8 = 0xfe;
/// The maximum number of skipped bytes between two segments of a JPEG.
const MAX_GAP: usize = 64 << 10;

/// The offset of the first chunk of a PNG, after the signature.
const PNG_START: u64 = 8;
/// The name of the last chunk of a PNG, with its checksum, which is constant.
const PNG_END: &[u8] = b"IEND\xae\x42\x60\x82";

/// The overhead of a chunk of a PNG: length and name before the content, a checksum after it.
const FRAME: u64 = 12;
const MAX_EXIF: u64 = 1 << 20;

/// The EXIF tag of the orientation.
const ORIENTATION: u16 = 0x0112;
/// The EXIF type of a 16-bit value.
const SHORT: u16 = 3;

/// Parses a JPEG by segments, or a PNG by chunks.
#[derive(Clone, Debug)]
pub(crate) struct ImageReader {
    format: Format,
    /// The offset of the next segment.
    at: u64,
    /// The length of the next request. It grows, so a long colour profile costs few requests.
    ask: u64,
    size: Option<Size>,
    orientation: Option<Orientation>,
    /// Whether bytes between segments were reported.
    has_gap: bool,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Segments,
    /// The pixels were reached, and the end marker is left to find.
    Pixels,
    /// The end marker is searched for.
    Search,
    Done,
}

/// The result of parsing a segment.
enum SegmentResult {
    /// A segment that ends at this offset.
    Segment(u64),
    /// The pixels begin.
    Pixels,
    /// This number of bytes from the start of the segment is required.
    More(u64),
    /// The parser cannot continue.
    Lost,
}

impl ImageReader {
    pub(crate) fn jpeg() -> Self {
        Self::new(Format::Jpeg, JPEG_START)
    }

    pub(crate) fn png() -> Self {
        Self::new(Format::Png, PNG_START)
    }

    fn new(format: Format, at: u64) -> Self {
        Self {
            format,
            at,
            ask: 256 << 10,
            size: None,
            orientation: None,
            has_gap: false,
            stage: Stage::Segments,
        }
    }

    pub(crate) fn advance(&mut self, view: View<'_>, problems: &mut Problems) -> Next {
        while self.stage == Stage::Segments {
            let rest = view.rest(self.at);
            let result = match self.format {
                Format::Png => self.png_chunk(rest, problems),
                _ => self.jpeg_segment(rest, problems),
            };
            match result {
                SegmentResult::Segment(end) => self.at = end,
                SegmentResult::Pixels => self.stage = Stage::Pixels,
                SegmentResult::Lost => self.stage = Stage::Done,
                SegmentResult::More(length) => match view.get(self.at, length) {
                    Part::EndOfFile => {
                        problems.corrupt(
                            Code::Truncated,
                            view.total.unwrap_or_default(),
                            format!("the {} is truncated before its pixels", self.format),
                        );
                        self.stage = Stage::Done;
                    }
                    _ => {
                        let ask = self.ask;
                        self.ask = (ask * 4).min(1 << 20);
                        return Want::next(self.at, length, ask);
                    }
                },
            }
        }
        if self.stage == Stage::Pixels
            && let Some(total) = view.total
        {
            let is_near = view.limits.requests < MANY_REQUESTS;
            if total.saturating_sub(self.at) > MAX_SEARCH[usize::from(is_near)] {
                self.at = total - TAIL;
            }
            self.stage = Stage::Search;
        }
        if self.stage == Stage::Search
            && let Some(total) = view.total
            && let Some(next) = self.find_end(view, total, problems)
        {
            return next;
        }
        self.stage = Stage::Done;
        Next::Done
    }

    /// Searches for the end marker. Data after it is allowed.
    fn find_end(&mut self, view: View<'_>, total: u64, problems: &mut Problems) -> Option<Next> {
        let mark: &[u8] = match self.format {
            Format::Png => PNG_END,
            _ => JPEG_END,
        };
        loop {
            let length = PART.min(total.saturating_sub(self.at));
            let part = match view.get(self.at, length) {
                Part::Pending => return Some(Want::next(self.at, length, 0)),
                Part::Bytes(part) => part,
                Part::EndOfFile => &[],
            };
            if part.windows(mark.len()).any(|bytes| bytes == mark) {
                return None;
            }
            if self.at.saturating_add(length) >= total {
                problems.unknown(
                    Code::EndNotFound,
                    format!(
                        "the end marker of the {} was not found, so it may be truncated",
                        self.format
                    ),
                );
                return None;
            }
            // The marker may span two parts.
            self.at += length - (mark.len() as u64 - 1);
        }
    }

    /// Sets the size, and continues after its segment.
    fn set_size(
        &mut self,
        width: u32,
        height: u32,
        end: u64,
        problems: &mut Problems,
    ) -> SegmentResult {
        const MAX_SIDE: u32 = i32::MAX as u32;
        match (width, height) {
            (1..=MAX_SIDE, 1..=MAX_SIDE) => {
                self.size = Some(Size { width, height });
                SegmentResult::Segment(end)
            }
            _ => {
                problems.corrupt(
                    Code::WrongValue,
                    self.at,
                    format!("the size of the image, {width}×{height} pixels, is impossible"),
                );
                SegmentResult::Lost
            }
        }
    }

    pub(crate) fn conclude(self) -> MediaInfo {
        let orientation = self.orientation.unwrap_or(Orientation::UPRIGHT);
        let image = self.size.map(|coded| Image {
            coded,
            display: match orientation.swaps_sides() {
                true => coded.transposed(),
                false => coded,
            },
            orientation,
        });
        MediaInfo {
            image,
            ..MediaInfo::new(Some(self.format))
        }
    }
}

impl ImageReader {
    fn jpeg_segment(&mut self, rest: &[u8], problems: &mut Problems) -> SegmentResult {
        let &[mark, kind, ..] = rest else {
            return SegmentResult::More(2);
        };
        match (mark, kind) {
            (0xff, FILL) => return SegmentResult::Segment(self.at + 1),
            // Markers without a length, which have no meaning here and are harmless.
            (0xff, 0x01 | 0xd0..=0xd8) => return SegmentResult::Segment(self.at + 2),
            (0xff, START_OF_SCAN) if self.size.is_some() => return SegmentResult::Pixels,
            (0xff, START_OF_SCAN | END_OF_IMAGE) => {
                return self.damaged_jpeg("the size is missing before the pixels", problems);
            }
            (0xff, 0xc0..=0xfe) => {}
            _ => return self.find_marker(rest, problems),
        }
        let &[_, _, high, low, ..] = rest else {
            return SegmentResult::More(4);
        };
        let length = u16::from_be_bytes([high, low]);
        if length < 2 && matches!(kind, 0xe0..=0xef | COMMENT) {
            self.report_gap(problems);
            return SegmentResult::Segment(self.at + 4);
        }
        if length < 2 {
            return self.damaged_jpeg("the length of a segment is impossible", problems);
        }
        let end = self.at + 2 + u64::from(length);
        // C4, C8 and CC are tables, or unused.
        if matches!(kind, 0xc0..=0xcf) && !matches!(kind, 0xc4 | 0xc8 | 0xcc) {
            let &[_, _, _, _, _, a, b, c, d, ..] = rest else {
                return SegmentResult::More(9);
            };
            let [height, width] = [[a, b], [c, d]].map(|side| u32::from(u16::from_be_bytes(side)));
            if height == 0 && width > 0 {
                problems.unknown(
                    Code::NotSaid,
                    "the height of the image is declared after its pixels, which were not read",
                );
                return SegmentResult::Lost;
            }
            return self.set_size(width, height, end, problems);
        }
        if kind == APP1 && self.orientation.is_none() {
            let Some(segment) = rest.get(4..2 + usize::from(length)) else {
                return SegmentResult::More(2 + u64::from(length));
            };
            if let Some(block) = segment.strip_prefix(b"Exif\0\0") {
                self.orientation = exif_orientation(block);
            }
        }
        SegmentResult::Segment(end)
    }

    /// Continues at the next marker, as decoders do.
    fn find_marker(&mut self, rest: &[u8], problems: &mut Problems) -> SegmentResult {
        let is_marker = |two: &[u8]| matches!(two, [0xff, 0xc0..=0xfe]);
        let near = &rest[..rest.len().min(MAX_GAP)];
        match near.windows(2).position(is_marker) {
            Some(gap) => {
                self.report_gap(problems);
                SegmentResult::Segment(self.at + gap as u64)
            }
            None if near.len() == MAX_GAP => {
                self.damaged_jpeg("an expected segment is missing", problems)
            }
            None => SegmentResult::More(rest.len() as u64 + 1),
        }
    }

    fn report_gap(&mut self, problems: &mut Problems) {
        if !self.has_gap {
            self.has_gap = true;
            problems.unusual(
                Code::WrongValue,
                Some(self.at),
                format!(
                    "the JPEG has bytes outside of segments at byte {}, which decoders skip",
                    self.at
                ),
            );
        }
    }

    fn damaged_jpeg(&self, reason: &str, problems: &mut Problems) -> SegmentResult {
        problems.corrupt(
            Code::WrongValue,
            self.at,
            format!("the JPEG is damaged at byte {}: {reason}", self.at),
        );
        SegmentResult::Lost
    }
}

impl ImageReader {
    fn png_chunk(&mut self, rest: &[u8], problems: &mut Problems) -> SegmentResult {
        let Some((&[a, b, c, d, ref name @ ..], content)) = rest.split_first_chunk::<8>() else {
            return SegmentResult::More(8);
        };
        let length = u32::from_be_bytes([a, b, c, d]);
        let end = self.at + FRAME + u64::from(length);
        match name {
            b"IHDR" if self.at == PNG_START => {
                let &[a, b, c, d, e, f, g, h, ..] = content else {
                    return SegmentResult::More(16);
                };
                let [width, height] = [[a, b, c, d], [e, f, g, h]].map(u32::from_be_bytes);
                self.set_size(width, height, end, problems)
            }
            _ if self.at == PNG_START => {
                self.damaged_png("its first chunk is not `IHDR`", problems)
            }
            b"IDAT" => SegmentResult::Pixels,
            b"IEND" => self.damaged_png("it ends without a chunk `IDAT`", problems),
            b"eXIf" if u64::from(length) <= MAX_EXIF => {
                let Some(block) = content.get(..length as usize) else {
                    return SegmentResult::More(8 + u64::from(length));
                };
                self.orientation = exif_orientation(block);
                SegmentResult::Segment(end)
            }
            _ => SegmentResult::Segment(end),
        }
    }

    fn damaged_png(&self, reason: &str, problems: &mut Problems) -> SegmentResult {
        problems.corrupt(
            Code::MissingPart,
            self.at,
            format!("the PNG is damaged at byte {}: {reason}", self.at),
        );
        SegmentResult::Lost
    }
}

/// The orientation in an EXIF block, which has the form of TIFF: that of its first directory, if it is valid.
fn exif_orientation(block: &[u8]) -> Option<Orientation> {
    let is_little = match block.first_chunk()? {
        b"II" => true,
        b"MM" => false,
        _ => return None,
    };
    let short = |bytes: [u8; 2]| match is_little {
        true => u16::from_le_bytes(bytes),
        false => u16::from_be_bytes(bytes),
    };
    let &[_, _, a, b, c, d, e, f, ..] = block else {
        return None;
    };
    if short([a, b]) != 42 {
        return None;
    }
    let offset = match is_little {
        true => u32::from_le_bytes([c, d, e, f]),
        false => u32::from_be_bytes([c, d, e, f]),
    };
    let directory = block.get(usize::try_from(offset).ok()?..)?;
    let (count, entries) = directory.split_first_chunk()?;
    let mut entries = entries.chunks_exact(12).take(short(*count).into());
    let entry = entries.find(|entry| short([entry[0], entry[1]]) == ORIENTATION)?;
    let (kind, value) = (short([entry[2], entry[3]]), short([entry[8], entry[9]]));
    (kind == SHORT).then(|| Orientation::new(value)).flatten()
}
