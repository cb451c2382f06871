//! The result of a probe.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::format::{Format, Mismatch};
use crate::iso::codec::{Codec, FourCc};
use crate::problem::{Problem, Problems, Severity};
use crate::rate::FrameRate;

/// The properties of a file.
///
/// A value that is set is certain. A value that is `None` is unknown, and [`problems`](Self::problems) gives the
/// reason: the file is [`Corrupt`](Severity::Corrupt), [does not have the property](Severity::Unsupported), or the
/// property could not be [determined](Severity::Unknown). A file without problems is complete.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MediaInfo {
    /// The format of the content, regardless of the file's name; `None` if it is not known to this crate.
    pub format: Option<Format>,
    /// The length of the file in bytes, if it is known.
    pub bytes: Option<u64>,
    /// The playing time: that of the longest video or audio track. In JSON `duration_us`, in microseconds.
    #[serde(rename = "duration_us", serialize_with = "micros")]
    pub duration: Option<Duration>,
    /// The video track that a player shows.
    pub video: Option<Video>,
    /// The number of video tracks, including disabled ones.
    pub video_tracks: Option<u64>,
    /// Whether the file has an audio track.
    pub has_audio: Option<bool>,
    /// The image, for image formats.
    pub image: Option<Image>,
    /// The problems, in the order of detection; at most 16.
    pub problems: Vec<Problem>,
}

/// A video track.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Video {
    /// The codec.
    pub codec: Codec,
    /// The code of the codec in the file.
    pub four_cc: FourCc,
    /// The playing time of the track, with edit lists applied. In JSON `duration_us`, in microseconds.
    #[serde(rename = "duration_us", serialize_with = "micros")]
    pub duration: Option<Duration>,
    /// The size of the stored frames, in pixels.
    pub coded: Option<Size>,
    /// The display size: cropped to the clean aperture, scaled in width to square pixels, and rotated.
    pub display: Option<Size>,
    /// The rotation by the player; `None` for a matrix that is not a rotation by quarters.
    pub rotation: Option<Rotation>,
    /// The frame rate.
    pub frame_rate: Option<FrameRate>,
    /// The number of frames of the track, if all of it was read. An edit list may omit some of them.
    pub frames: Option<u64>,
    /// Whether the video is fragmented, as for streaming.
    pub is_fragmented: bool,
}

/// A still image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Image {
    /// The stored size, in pixels.
    pub coded: Size,
    /// The display size, with the orientation applied.
    pub display: Size,
    /// The EXIF orientation.
    pub orientation: Orientation,
}

/// Width and height in pixels. `Display` writes `1280 × 720`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Size {
    /// The width.
    pub width: u32,
    /// The height.
    pub height: u32,
}

/// The clockwise rotation of a video. In JSON the degrees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rotation {
    /// No rotation.
    #[default]
    None,
    /// 90 degrees.
    Quarter,
    /// 180 degrees.
    Half,
    /// 270 degrees.
    ThreeQuarters,
}

/// An EXIF orientation, 1 to 8. 1 is upright; from 5 on width and height are swapped. In JSON the number.
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

    /// Whether the file is certainly damaged.
    pub fn is_corrupt(&self) -> bool {
        self.problems_with(Severity::Corrupt).next().is_some()
    }

    /// The problems of one severity.
    pub fn problems_with(&self, severity: Severity) -> impl Iterator<Item = &Problem> {
        let all = self.problems.iter();
        all.filter(move |problem| problem.severity == severity)
    }

    /// Compares the content with a declared format, see [`Format::from_path`] and [`Format::from_content_type`]. `None`
    /// if they agree, or if one of them is unknown.
    pub fn mismatch(&self, declared: Option<Format>) -> Option<Mismatch> {
        Mismatch::between(declared?, self.format?)
    }
}

impl Size {
    /// The size rotated by 90 degrees.
    pub const fn transposed(self) -> Self {
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
    /// The rotation in degrees, clockwise.
    pub const fn degrees(self) -> u16 {
        match self {
            Self::None => 0,
            Self::Quarter => 90,
            Self::Half => 180,
            Self::ThreeQuarters => 270,
        }
    }

    /// Whether width and height are swapped.
    pub const fn swaps_sides(self) -> bool {
        matches!(self, Self::Quarter | Self::ThreeQuarters)
    }
}

impl Orientation {
    /// Upright, also the default without EXIF.
    pub const UPRIGHT: Self = Self(1);

    /// The orientation with this EXIF number, 1 to 8.
    pub const fn new(number: u16) -> Option<Self> {
        match number {
            1..=8 => Some(Self(number as u8)),
            _ => None,
        }
    }

    /// The EXIF number.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Whether width and height are swapped.
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
