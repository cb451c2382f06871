use super::{ImageReader, Seen, exif};
use crate::problem::{Code, Problems};

/// Where the first segment begins: behind the mark of the beginning.
pub(super) const FIRST: u64 = 2;
/// The mark of the end. It cannot stand in the pixels.
pub(super) const END: &[u8] = b"\xff\xd9";

const FILL: u8 = 0xff;
const APP1: u8 = 0xe1;
const START_OF_SCAN: u8 = 0xda;
const END_OF_IMAGE: u8 = 0xd9;
const COMMENT: u8 = 0xfe;
/// How many bytes between two segments are skipped.
const MOST_GAP: usize = 64 << 10;

impl ImageReader {
    pub(super) fn jpeg_segment(&mut self, rest: &[u8], problems: &mut Problems) -> Seen {
        let &[mark, kind, ..] = rest else {
            return Seen::More(2);
        };
        match (mark, kind) {
            (0xff, FILL) => return Seen::Segment(self.at + 1),
            // Marks without a length, which make no sense here and do no harm.
            (0xff, 0x01 | 0xd0..=0xd8) => return Seen::Segment(self.at + 2),
            (0xff, START_OF_SCAN) if self.size.is_some() => return Seen::Pixels,
            (0xff, START_OF_SCAN | END_OF_IMAGE) => {
                return self.lost("the size of its pixels is not told before them", problems);
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
            return self.lost(
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
                self.orientation = exif::orientation(block);
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
                self.lost("there is no segment where one has to begin", problems)
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

    fn lost(&self, what: &str, problems: &mut Problems) -> Seen {
        problems.corrupt(
            Code::WrongValue,
            self.at,
            format!("the JPEG is damaged at byte {}: {what}", self.at),
        );
        Seen::Lost
    }
}
