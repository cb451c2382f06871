//! JPEG and PNG: size and orientation, and whether the end is there.

mod exif;
mod jpeg;
mod png;

use crate::format::Format;
use crate::probed::{Image, Orientation, Probed, Size};
use crate::problem::{Code, Problems};
use crate::reader::Next;
use crate::window::{Look, View, Want};

/// How much of the end is searched for the mark that ends an image.
const TAIL: u64 = 4096;

#[derive(Clone, Debug)]
pub(crate) struct ImageReader {
    format: Format,
    /// Where the next segment begins.
    at: u64,
    /// What is asked for next: more each time, so that a long colour profile costs few requests.
    ask: u64,
    size: Option<Size>,
    orientation: Option<Orientation>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Segments,
    /// The pixels begin; what is left is to see whether they end.
    Pixels,
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
        Self::new(Format::Jpeg, jpeg::FIRST)
    }

    pub(crate) fn png() -> Self {
        Self::new(Format::Png, png::FIRST)
    }

    fn new(format: Format, at: u64) -> Self {
        Self {
            format,
            at,
            ask: 256 << 10,
            size: None,
            orientation: None,
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
                        problems.broken(
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
            let from = self.at.max(total.saturating_sub(TAIL));
            let length = total.saturating_sub(from);
            if let Look::NotYet = view.look(from, length) {
                return Want::of(from, length, 0);
            }
            self.look_for_end(view.rest(from), problems);
        }
        self.stage = Stage::Done;
        Next::Done
    }

    fn look_for_end(&self, tail: &[u8], problems: &mut Problems) {
        let mark: &[u8] = match self.format {
            Format::Png => png::END,
            _ => jpeg::END,
        };
        if !tail.windows(mark.len()).any(|bytes| bytes == mark) {
            problems.unknown(
                Code::EndNotFound,
                format!(
                    "the mark at the end of the {} is not among the last {TAIL} bytes of the file: it may be cut off",
                    self.format
                ),
            );
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
                problems.broken(
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

    pub(crate) fn conclude(self) -> Probed {
        let orientation = self.orientation.unwrap_or(Orientation::UPRIGHT);
        let image = self.size.map(|coded| Image {
            coded,
            display: match orientation.swaps_sides() {
                true => coded.turned(),
                false => coded,
            },
            orientation,
        });
        Probed {
            image,
            ..Probed::new(Some(self.format))
        }
    }
}
