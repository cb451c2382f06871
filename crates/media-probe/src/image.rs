//! JPEG and PNG: size and orientation, and whether the end is there.

use crate::format::Format;
use crate::media_info::{Image, MediaInfo, Orientation, Size};
use crate::problem::{Code, Problems};
use crate::reader::Next;
use crate::window::{Look, View, Want};

/// How much of the end is searched for the mark that ends an image, where not all of it is.
const TAIL: u64 = 4096;
/// How much is searched in one go.
const PART: u64 = 256 << 10;
/// So much is searched where a range costs little, and where it costs a round trip.
const SEARCHED: [u64; 2] = [64 << 20, 1 << 20];
/// A source that allows fewer requests is one where they cost a round trip.
const MANY_REQUESTS: u32 = 16;

/// Where the first segment of a JPEG begins: behind the mark of the beginning.
const JPEG_START: u64 = 2;
/// The mark of the end of a JPEG. It cannot stand in the pixels.
const JPEG_END: &[u8] = b"\xff\xd9";

const FILL: u8 = 0xff;
const APP1: u8 = 0xe1;
const START_OF_SCAN: u8 = 0xda;
const END_OF_IMAGE: u8 = 0xd9;
const COMMENT: u8 = 0xfe;
/// How many bytes between two segments of a JPEG are skipped.
const MOST_GAP: usize = 64 << 10;

/// Where the first chunk of a PNG begins: behind the signature.
const PNG_START: u64 = 8;
/// The name of the last chunk of a PNG, and its checksum, which is always the same.
const PNG_END: &[u8] = b"IEND\xae\x42\x60\x82";

/// Around the content of a chunk of a PNG: length and name before it, a checksum behind it.
const FRAME: u64 = 12;
const MOST_EXIF: u64 = 1 << 20;

/// The tag of the orientation in EXIF.
const ORIENTATION: u16 = 0x0112;
/// The type of a value of 16 bits in EXIF.
const SHORT: u16 = 3;

/// Reads on from segment to segment, or from chunk to chunk.
#[derive(Clone, Debug)]
pub(crate) struct ImageReader {
    format: Format,
    /// Where the next segment begins.
    at: u64,
    /// What is asked for next: more each time, so that a long colour profile costs few requests.
    ask: u64,
    size: Option<Size>,
    orientation: Option<Orientation>,
    /// Whether it was told that there are bytes between segments.
    has_gap: bool,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Segments,
    /// The pixels begin; what is left is to see whether they end.
    Pixels,
    /// The mark of the end is looked for.
    Search,
    Done,
}

/// What was seen at one place.
enum Seen {
    /// A segment that ends here.
    Segment(u64),
    /// The pixels begin.
    Pixels,
    /// So many bytes from the segment's beginning are needed.
    More(u64),
    /// There is no going on.
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
            let seen = match self.format {
                Format::Png => self.png_chunk(rest, problems),
                _ => self.jpeg_segment(rest, problems),
            };
            match seen {
                Seen::Segment(end) => self.at = end,
                Seen::Pixels => self.stage = Stage::Pixels,
                Seen::Lost => self.stage = Stage::Done,
                Seen::More(length) => match view.look(self.at, length) {
                    Look::Ended => {
                        problems.corrupt(
                            Code::Truncated,
                            view.total.unwrap_or_default(),
                            format!(
                                "the {} ends before its pixels begin: it is cut off",
                                self.format
                            ),
                        );
                        self.stage = Stage::Done;
                    }
                    _ => {
                        let ask = self.ask;
                        self.ask = (ask * 4).min(1 << 20);
                        return Want::of(self.at, length, ask);
                    }
                },
            }
        }
        if self.stage == Stage::Pixels
            && let Some(total) = view.total
        {
            let is_near = view.limits.requests < MANY_REQUESTS;
            if total.saturating_sub(self.at) > SEARCHED[usize::from(is_near)] {
                self.at = total - TAIL;
            }
            self.stage = Stage::Search;
        }
        if self.stage == Stage::Search
            && let Some(total) = view.total
            && let Some(next) = self.look_for_end(view, total, problems)
        {
            return next;
        }
        self.stage = Stage::Done;
        Next::Done
    }

    /// Looks for the mark that ends the image. Whatever follows it does no harm, as long as there is one.
    fn look_for_end(
        &mut self,
        view: View<'_>,
        total: u64,
        problems: &mut Problems,
    ) -> Option<Next> {
        let mark: &[u8] = match self.format {
            Format::Png => PNG_END,
            _ => JPEG_END,
        };
        loop {
            let length = PART.min(total.saturating_sub(self.at));
            let part = match view.look(self.at, length) {
                Look::NotYet => return Some(Want::of(self.at, length, 0)),
                Look::Bytes(part) => part,
                Look::Ended => &[],
            };
            if part.windows(mark.len()).any(|bytes| bytes == mark) {
                return None;
            }
            if self.at.saturating_add(length) >= total {
                problems.unknown(
                    Code::EndNotFound,
                    format!(
                        "the mark at the end of the {} was not found: it may be cut off",
                        self.format
                    ),
                );
                return None;
            }
            // The mark may lie across two parts.
            self.at += length - (mark.len() as u64 - 1);
        }
    }

    /// Takes the size, and goes on behind the segment that says it.
    fn sized(&mut self, width: u32, height: u32, end: u64, problems: &mut Problems) -> Seen {
        const MOST: u32 = i32::MAX as u32;
        match (width, height) {
            (1..=MOST, 1..=MOST) => {
                self.size = Some(Size { width, height });
                Seen::Segment(end)
            }
            _ => {
                problems.corrupt(
                    Code::WrongValue,
                    self.at,
                    format!(
                        "the size of the image is {width}×{height} pixels, which is impossible"
                    ),
                );
                Seen::Lost
            }
        }
    }

    pub(crate) fn conclude(self) -> MediaInfo {
        let orientation = self.orientation.unwrap_or(Orientation::UPRIGHT);
        let image = self.size.map(|coded| Image {
            coded,
            display: match orientation.swaps_sides() {
                true => coded.turned(),
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
    fn jpeg_segment(&mut self, rest: &[u8], problems: &mut Problems) -> Seen {
        let &[mark, kind, ..] = rest else {
            return Seen::More(2);
        };
        match (mark, kind) {
            (0xff, FILL) => return Seen::Segment(self.at + 1),
            // Marks without a length, which make no sense here and do no harm.
            (0xff, 0x01 | 0xd0..=0xd8) => return Seen::Segment(self.at + 2),
            (0xff, START_OF_SCAN) if self.size.is_some() => return Seen::Pixels,
            (0xff, START_OF_SCAN | END_OF_IMAGE) => {
                return self
                    .damaged_jpeg("the size of its pixels is not told before them", problems);
            }
            (0xff, 0xc0..=0xfe) => {}
            _ => return self.next_mark(rest, problems),
        }
        let &[_, _, high, low, ..] = rest else {
            return Seen::More(4);
        };
        let length = u16::from_be_bytes([high, low]);
        if length < 2 && matches!(kind, 0xe0..=0xef | COMMENT) {
            self.tell_gap(problems);
            return Seen::Segment(self.at + 4);
        }
        if length < 2 {
            return self.damaged_jpeg(
                "a segment claims to be shorter than its own length",
                problems,
            );
        }
        let end = self.at + 2 + u64::from(length);
        // C4, C8 and CC are tables, or mean nothing.
        if matches!(kind, 0xc0..=0xcf) && !matches!(kind, 0xc4 | 0xc8 | 0xcc) {
            let &[_, _, _, _, _, a, b, c, d, ..] = rest else {
                return Seen::More(9);
            };
            let [height, width] = [[a, b], [c, d]].map(|side| u32::from(u16::from_be_bytes(side)));
            if height == 0 && width > 0 {
                problems.unknown(
                    Code::NotSaid,
                    "the height of the image is told behind its pixels, where it was not looked for",
                );
                return Seen::Lost;
            }
            return self.sized(width, height, end, problems);
        }
        if kind == APP1 && self.orientation.is_none() {
            let Some(segment) = rest.get(4..2 + usize::from(length)) else {
                return Seen::More(2 + u64::from(length));
            };
            if let Some(block) = segment.strip_prefix(b"Exif\0\0") {
                self.orientation = exif_orientation(block);
            }
        }
        Seen::Segment(end)
    }

    /// Goes on at the next mark, as decoders do.
    fn next_mark(&mut self, rest: &[u8], problems: &mut Problems) -> Seen {
        let is_mark = |two: &[u8]| matches!(two, [0xff, 0xc0..=0xfe]);
        let near = &rest[..rest.len().min(MOST_GAP)];
        match near.windows(2).position(is_mark) {
            Some(gap) => {
                self.tell_gap(problems);
                Seen::Segment(self.at + gap as u64)
            }
            None if near.len() == MOST_GAP => {
                self.damaged_jpeg("there is no segment where one has to begin", problems)
            }
            None => Seen::More(rest.len() as u64 + 1),
        }
    }

    fn tell_gap(&mut self, problems: &mut Problems) {
        if !self.has_gap {
            self.has_gap = true;
            problems.unusual(
                Code::WrongValue,
                Some(self.at),
                format!(
                    "the JPEG has bytes at byte {} that belong to no segment; decoders skip them",
                    self.at
                ),
            );
        }
    }

    fn damaged_jpeg(&self, what: &str, problems: &mut Problems) -> Seen {
        problems.corrupt(
            Code::WrongValue,
            self.at,
            format!("the JPEG is damaged at byte {}: {what}", self.at),
        );
        Seen::Lost
    }
}

impl ImageReader {
    fn png_chunk(&mut self, rest: &[u8], problems: &mut Problems) -> Seen {
        let Some((&[a, b, c, d, ref name @ ..], content)) = rest.split_first_chunk::<8>() else {
            return Seen::More(8);
        };
        let length = u32::from_be_bytes([a, b, c, d]);
        let end = self.at + FRAME + u64::from(length);
        match name {
            b"IHDR" if self.at == PNG_START => {
                let &[a, b, c, d, e, f, g, h, ..] = content else {
                    return Seen::More(16);
                };
                let [width, height] = [[a, b, c, d], [e, f, g, h]].map(u32::from_be_bytes);
                self.sized(width, height, end, problems)
            }
            _ if self.at == PNG_START => {
                self.damaged_png("it does not begin with its header `IHDR`", problems)
            }
            b"IDAT" => Seen::Pixels,
            b"IEND" => self.damaged_png(
                "it ends without a chunk `IDAT`, so without pixels",
                problems,
            ),
            b"eXIf" if u64::from(length) <= MOST_EXIF => {
                let Some(block) = content.get(..length as usize) else {
                    return Seen::More(8 + u64::from(length));
                };
                self.orientation = exif_orientation(block);
                Seen::Segment(end)
            }
            _ => Seen::Segment(end),
        }
    }

    fn damaged_png(&self, what: &str, problems: &mut Problems) -> Seen {
        problems.corrupt(
            Code::MissingPart,
            self.at,
            format!("the PNG is damaged at byte {}: {what}", self.at),
        );
        Seen::Lost
    }
}

/// The orientation in a block of EXIF, which has the form of TIFF: that of its first directory, if it has a valid one.
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
