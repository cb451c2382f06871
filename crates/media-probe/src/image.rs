//! JPEG and PNG: size and orientation, and whether the end is there.

mod exif;
mod jpeg;
mod png;

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
            Format::Png => png::END,
            _ => jpeg::END,
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
