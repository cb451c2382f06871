//! The answer of a probe.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::format::{Format, Mismatch};
use crate::iso::codec::{Codec, FourCc};
use crate::problem::{Problem, Problems, Severity};
use crate::rate::FrameRate;

/// What a file is, as far as it was found out.
///
/// What is there is certain. What is `None` is not known, and [`problems`](Self::problems) says why: because the file is
/// [`Corrupt`](Severity::Corrupt), because it has [no such thing](Severity::Unsupported), or because it was not
/// [found out](Severity::Unknown). Without problems, the file is whole.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MediaInfo {
    /// What the content is, whatever the file's name says; none if it is nothing that this crate knows.
    pub format: Option<Format>,
    /// The length of the file in bytes, if the source told it.
    pub bytes: Option<u64>,
    /// How long a player shows it: the longest of the picture and sound tracks. In JSON `duration_us`, in microseconds.
    #[serde(rename = "duration_us", serialize_with = "micros")]
    pub duration: Option<Duration>,
    /// The video that a player shows first.
    pub video: Option<Video>,
    /// The number of video tracks, switched off ones included.
    pub video_tracks: Option<u64>,
    /// Whether there is a sound track.
    pub has_audio: Option<bool>,
    /// The image, for image formats.
    pub image: Option<Image>,
    /// What is wrong and what could not be found out, in the order in which it was met; at most 16.
    pub problems: Vec<Problem>,
}

/// A video track.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Video {
    /// How the frames are compressed.
    pub codec: Codec,
    /// The same as the file says it.
    pub four_cc: FourCc,
    /// How long a player shows this track, edit lists considered. In JSON `duration_us`, in microseconds.
    #[serde(rename = "duration_us", serialize_with = "micros")]
    pub duration: Option<Duration>,
    /// The size of the frames as they are stored, in pixels.
    pub coded: Option<Size>,
    /// The size on the screen: cut to the clean aperture, pixels made square by the width, rotated.
    pub display: Option<Size>,
    /// How a player turns the frames; none for a matrix that does something else.
    pub rotation: Option<Rotation>,
    /// How fast the frames follow each other.
    pub frame_rate: Option<FrameRate>,
    /// The number of frames that the track has, if all of it was seen; an edit list may leave some out.
    pub frames: Option<u64>,
    /// Whether the video is in fragments, as it is for streaming.
    pub is_fragmented: bool,
}

/// A still image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Image {
    /// The size as it is stored, in pixels.
    pub coded: Size,
    /// The size on the screen, with the orientation carried out.
    pub display: Size,
    /// The orientation that EXIF asks for.
    pub orientation: Orientation,
}

/// Width and height in pixels. Its text is `1280 × 720`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Size {
    /// From left to right.
    pub width: u32,
    /// From top to bottom.
    pub height: u32,
}

/// Clockwise turns of a video. In JSON the degrees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rotation {
    /// Not turned.
    #[default]
    None,
    /// A quarter to the right: 90 degrees.
    Quarter,
    /// Upside down: 180 degrees.
    Half,
    /// A quarter to the left: 270 degrees.
    ThreeQuarters,
}

/// EXIF's orientation, 1 to 8; 1 is upright, and from 5 on width and height change places. In JSON that number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Orientation(u8);

impl MediaInfo {
    pub(crate) fn new(format: Option<Format>) -> Self {
        Self {
            format,
            bytes: None,
            duration: None,
            video: None,
            video_tracks: None,
            has_audio: None,
            image: None,
            problems: Vec::new(),
        }
    }

    pub(crate) fn with_problems(self, problems: Problems) -> Self {
        Self {
            problems: problems.into_all(),
            ..self
        }
    }

    /// Whether the file is damaged, for certain.
    pub fn is_corrupt(&self) -> bool {
        self.of(Severity::Corrupt).next().is_some()
    }

    /// The problems of one severity.
    pub fn of(&self, severity: Severity) -> impl Iterator<Item = &Problem> {
        let all = self.problems.iter();
        all.filter(move |problem| problem.severity == severity)
    }

    /// Compares the content with what a name or a header declared, see [`Format::of_path`] and
    /// [`Format::of_content_type`]. None if they agree, or if one of them is not known.
    pub fn mismatch(&self, declared: Option<Format>) -> Option<Mismatch> {
        Mismatch::between(declared?, self.format?)
    }
}

impl Size {
    /// The same turned by a quarter.
    pub const fn turned(self) -> Self {
        Self {
            width: self.height,
            height: self.width,
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} × {}", self.width, self.height)
    }
}

impl Rotation {
    /// Degrees clockwise.
    pub const fn degrees(self) -> u16 {
        match self {
            Self::None => 0,
            Self::Quarter => 90,
            Self::Half => 180,
            Self::ThreeQuarters => 270,
        }
    }

    /// Whether width and height change places.
    pub const fn swaps_sides(self) -> bool {
        matches!(self, Self::Quarter | Self::ThreeQuarters)
    }
}

impl Orientation {
    /// Upright, which is also what no orientation means.
    pub const UPRIGHT: Self = Self(1);

    /// The orientation of this number, if it is one.
    pub const fn new(number: u16) -> Option<Self> {
        match number {
            1..=8 => Some(Self(number as u8)),
            _ => None,
        }
    }

    /// Its number in EXIF.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Whether width and height change places.
    pub const fn swaps_sides(self) -> bool {
        self.0 >= 5
    }
}

impl Serialize for Rotation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(self.degrees())
    }
}

fn micros<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    let micros = duration.map(|duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    micros.serialize(serializer)
}
