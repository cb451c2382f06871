//! Dispatch to the parser of the detected format.

use crate::format::{Format, Kind};
use crate::image::ImageReader;
use crate::iso::walk::Walk;
use crate::limits::Limits;
use crate::media_info::MediaInfo;
use crate::problem::{Code, Problems};
use crate::sniff;
use crate::window::{View, Want};

/// The number of bytes to request if no more are known to be needed.
pub(crate) const DEFAULT_REQUEST: u64 = 32 << 10;
const _: () = assert!(sniff::HEAD_LENGTH <= DEFAULT_REQUEST);

#[derive(Clone, Debug)]
pub(crate) struct Reader {
    stage: Stage,
    /// Whether a video is read to its end, even if that is not needed.
    reads_until_end: bool,
}

#[derive(Clone, Debug)]
enum Stage {
    Begin,
    Boxes(Box<Walk>),
    Image(ImageReader),
    /// The format is known and not parsed further.
    Detected(Option<Format>),
}

/// The next action of a reader.
pub(crate) enum Next {
    Want(Want),
    Done,
}

/// Why a probe ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// The limits were reached.
    Limit,
    /// The source did not deliver the requested bytes.
    Source,
}

impl Reader {
    pub(crate) fn new(limits: Limits, reads_until_end: bool) -> (Self, Want) {
        let stage = Stage::Begin;
        let want = Want {
            at: 0,
            min: sniff::HEAD_LENGTH.min(limits.bytes),
            ask: DEFAULT_REQUEST,
        };
        (
            Self {
                stage,
                reads_until_end,
            },
            want,
        )
    }

    pub(crate) fn advance(&mut self, view: View<'_>, problems: &mut Problems) -> Next {
        if let Stage::Begin = self.stage {
            self.stage = detect(view, self.reads_until_end, problems);
        }
        match &mut self.stage {
            Stage::Boxes(walk) => walk.advance(view, problems),
            Stage::Image(reader) => reader.advance(view, problems),
            Stage::Begin | Stage::Detected(_) => Next::Done,
        }
    }

    /// The walk over a file of boxes; `None` before the format is known, and for other formats.
    pub(crate) fn walk(&self) -> Option<&Walk> {
        match &self.stage {
            Stage::Boxes(walk) => Some(walk),
            _ => None,
        }
    }

    pub(crate) fn conclude(self, unread: Option<Unread>, problems: &mut Problems) -> MediaInfo {
        if let Some(unread) = unread {
            unread.report(problems);
        }
        match self.stage {
            Stage::Boxes(walk) => walk.conclude(unread.is_none(), problems),
            Stage::Image(reader) => reader.conclude(),
            Stage::Begin => MediaInfo::new(None),
            Stage::Detected(format) => MediaInfo::new(format),
        }
    }
}

fn detect(view: View<'_>, reads_until_end: bool, problems: &mut Problems) -> Stage {
    if view.total == Some(0) {
        problems.corrupt_file(Code::Empty, "the file is empty");
        return Stage::Detected(None);
    }
    let format = sniff::format(view.rest(0));
    match format {
        Some(format) if format.is_parsed_as_video() => {
            if let Some(brand) = sniff::other_brand(view.rest(0)) {
                problems.unusual(
                    Code::OtherBrand,
                    Some(8),
                    format!(
                        "the first brand of the file is `{}`, but it is read as MP4 because of its other brands",
                        brand.escape_ascii()
                    ),
                );
            }
            return Stage::Boxes(Box::new(Walk::new(format, reads_until_end)));
        }
        Some(Format::Jpeg) => return Stage::Image(ImageReader::jpeg()),
        Some(Format::Png) => return Stage::Image(ImageReader::png()),
        Some(format) if matches!(format.kind(), Kind::Video | Kind::Image) => problems.unknown(
            Code::NotExamined,
            format!("the content is {format}, and only MP4, MOV, JPEG and PNG are inspected"),
        ),
        Some(format) => problems.unsupported(
            Code::NotMedia,
            format!("the content is {format}, neither a video nor an image"),
        ),
        None => problems.unsupported(
            Code::NotMedia,
            "the content is not a known format of videos or images",
        ),
    }
    Stage::Detected(format)
}

impl Unread {
    fn report(self, problems: &mut Problems) {
        match self {
            Self::Limit => problems.unknown(
                Code::LimitReached,
                "the limits of the probe were reached before all needed parts were read",
            ),
            Self::Source => problems.unknown(
                Code::NotRead,
                "the source did not deliver all needed parts of the file",
            ),
        }
    }
}

impl Want {
    /// The part to read next.
    pub(crate) fn next(at: u64, min: u64, ask: u64) -> Next {
        Next::Want(Self { at, min, ask })
    }
}

/// Returns the bytes of a part, or returns from the function with the needed part. The last expression handles the end
/// of the file.
macro_rules! read_part {
    ($view:expr, $at:expr, $length:expr, $ask:expr, $ended:expr) => {
        match $view.get($at, $length) {
            $crate::window::Part::Bytes(bytes) => bytes,
            $crate::window::Part::Pending => return $crate::window::Want::next($at, $length, $ask),
            $crate::window::Part::EndOfFile => $ended,
        }
    };
}
pub(crate) use read_part;
