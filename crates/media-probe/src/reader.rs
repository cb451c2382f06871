//! What reads on once it is known what a file is.

use crate::format::{Format, Kind};
use crate::image::ImageReader;
use crate::iso::walk::Walk;
use crate::limits::Limits;
use crate::media_info::MediaInfo;
use crate::problem::{Code, Problems};
use crate::sniff;
use crate::window::{View, Want};

/// What is asked for in one go where not more is known to be needed.
pub(crate) const STRETCH: u64 = 32 << 10;
const _: () = assert!(sniff::ENOUGH <= STRETCH);

#[derive(Clone, Debug)]
pub(crate) struct Reader {
    stage: Stage,
    /// Whether a video is read to its end, whether or not that is known.
    is_thorough: bool,
}

#[derive(Clone, Debug)]
enum Stage {
    Begin,
    Boxes(Box<Walk>),
    Image(ImageReader),
    /// All is said that there is to say.
    Named(Option<Format>),
}

/// How a reader goes on.
pub(crate) enum Next {
    Want(Want),
    Done,
}

/// Why a probe ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// The limits were reached.
    Limit,
    /// The source did not deliver what was asked for.
    Source,
}

impl Reader {
    pub(crate) fn new(limits: Limits, is_thorough: bool) -> (Self, Want) {
        let stage = Stage::Begin;
        let want = Want {
            at: 0,
            least: sniff::ENOUGH.min(limits.bytes),
            ask: STRETCH,
        };
        (Self { stage, is_thorough }, want)
    }

    pub(crate) fn advance(&mut self, view: View<'_>, problems: &mut Problems) -> Next {
        if let Stage::Begin = self.stage {
            self.stage = begin(view, self.is_thorough, problems);
        }
        match &mut self.stage {
            Stage::Boxes(walk) => walk.advance(view, problems),
            Stage::Image(reader) => reader.advance(view, problems),
            Stage::Begin | Stage::Named(_) => Next::Done,
        }
    }

    /// The walk over a file of boxes; none before it is known to be one, and for any other.
    pub(crate) fn walk(&self) -> Option<&Walk> {
        match &self.stage {
            Stage::Boxes(walk) => Some(walk),
            _ => None,
        }
    }

    pub(crate) fn conclude(self, unread: Option<Unread>, problems: &mut Problems) -> MediaInfo {
        if let Some(unread) = unread {
            unread.tell(problems);
        }
        match self.stage {
            Stage::Boxes(walk) => walk.conclude(unread.is_none(), problems),
            Stage::Image(reader) => reader.conclude(),
            Stage::Begin => MediaInfo::new(None),
            Stage::Named(format) => MediaInfo::new(format),
        }
    }
}

fn begin(view: View<'_>, is_thorough: bool, problems: &mut Problems) -> Stage {
    if view.total == Some(0) {
        problems.corrupt_as_a_whole(Code::Empty, "the file is empty: it has no bytes");
        return Stage::Named(None);
    }
    let format = sniff::format(view.rest(0));
    match format {
        Some(format) if format.is_examined_as_video() => {
            if let Some(brand) = sniff::other_brand(view.rest(0)) {
                problems.unusual(
                    Code::OtherBrand,
                    Some(8),
                    format!(
                        "the first brand of the file is `{}`; it is read as MP4 by its other brands",
                        brand.escape_ascii()
                    ),
                );
            }
            return Stage::Boxes(Box::new(Walk::new(format, is_thorough)));
        }
        Some(Format::Jpeg) => return Stage::Image(ImageReader::jpeg()),
        Some(Format::Png) => return Stage::Image(ImageReader::png()),
        Some(format) if matches!(format.kind(), Kind::Video | Kind::Image) => problems.unknown(
            Code::NotExamined,
            format!("it is {format}, and more was not looked at: only MP4, MOV, JPEG and PNG are"),
        ),
        Some(format) => problems.unsupported(
            Code::NotMedia,
            format!("it is {format}, neither a video nor an image"),
        ),
        None => problems.unsupported(
            Code::NotMedia,
            "its content is neither a video nor an image of any known format",
        ),
    }
    Stage::Named(format)
}

impl Unread {
    fn tell(self, problems: &mut Problems) {
        match self {
            Self::Limit => problems.unknown(
                Code::LimitReached,
                "the limits of the probe were reached before all of the file was seen that matters",
            ),
            Self::Source => problems.unknown(
                Code::NotRead,
                "the source did not deliver all of the file that matters",
            ),
        }
    }
}

impl Want {
    /// A part that is looked at next.
    pub(crate) fn of(at: u64, least: u64, ask: u64) -> Next {
        Next::Want(Self { at, least, ask })
    }
}

/// Looks at a part, or leaves the function with what is wanted; the last expression says what to do when the file ends
/// before.
macro_rules! look {
    ($view:expr, $at:expr, $length:expr, $ask:expr, $ended:expr) => {
        match $view.look($at, $length) {
            $crate::window::Look::Bytes(bytes) => bytes,
            $crate::window::Look::NotYet => return $crate::window::Want::of($at, $length, $ask),
            $crate::window::Look::Ended => $ended,
        }
    };
}
pub(crate) use look;
