//! What a request asks of its video, and where a saved video differs.

use std::fmt;
use std::time::Duration;

use media_probe::{MediaInfo, Size};
#[cfg(feature = "schemars")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The tolerance of a length, in milliseconds. Lengths are requested in whole seconds, so half a second tells two apart.
const LENGTH_TOLERANCE_MS: u64 = 500;

/// The tolerance of an aspect ratio, in percent. An encoder may round both sides to multiples of 16 pixels, which changes the
/// ratio of a picture of 1280 × 720 by less than 4 %.
const RATIO_TOLERANCE_PERCENT: u32 = 5;

/// The tolerance of the number of pixels, in percent: for the same rounding.
const SIZE_TOLERANCE_PERCENT: u32 = 10;

/// What a request asks of its video, as far as the request says so.
///
/// [`Request::expected_video`](crate::request::Request::expected_video) returns it. A save of a task that this client has
/// created compares its video with it; for any other task, set [`Save::expected`](crate::download::Save::expected).
///
/// ```
/// use kling_omni::TextToVideo;
/// use kling_omni::download::ExpectedVideo;
/// use kling_omni::request::{AspectRatio, Request};
///
/// let request = TextToVideo::builder()
///     .prompt("It rains")
///     .duration(8)
///     .aspect_ratio(AspectRatio::Portrait)
///     .build()?;
/// let expected = Request::from(request).expected_video();
/// assert_eq!(
///     expected,
///     ExpectedVideo::new().seconds(8).aspect_ratio(9, 16).min_pixels(1280 * 720)
/// );
/// # Ok::<(), kling_omni::validation::ValidationError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct ExpectedVideo {
    length: Option<ExpectedLength>,
    ratio: Option<(u32, u32)>,
    sound: Option<bool>,
    min_pixels: Option<u32>,
}

/// A length in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ExpectedLength {
    Exactly(u32),
    AtMost(u32),
}

/// A difference between a saved video and its request. The video was paid for and is saved.
///
/// A property that the file does not tell has no finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum VideoFinding {
    /// The length of the video. Tolerance: half a second, because lengths are requested in whole seconds.
    #[non_exhaustive]
    Length {
        /// The requested length, or the maximum, in milliseconds.
        asked_ms: u64,
        /// Whether `asked_ms` is a maximum: the service decides the length.
        is_maximum: bool,
        /// The length of the video track, in milliseconds.
        got_ms: u64,
        /// The difference that is not reported, in milliseconds.
        tolerance_ms: u64,
    },
    /// The aspect ratio of the picture. Tolerance: 5 %, because encoders round both sides to multiples of 16 pixels.
    #[non_exhaustive]
    AspectRatio {
        /// The requested ratio, such as `16:9`.
        asked: String,
        /// The width of the picture, in pixels.
        width: u32,
        /// The height of the picture, in pixels.
        height: u32,
        /// The difference that is not reported, in percent.
        tolerance_percent: u32,
    },
    /// Whether the file has an audio track.
    #[non_exhaustive]
    Sound {
        /// Whether sound was requested.
        asked: bool,
        /// Whether the file has an audio track.
        got: bool,
    },
    /// The picture is smaller than the smallest one of the service. Tolerance: 10 % of its pixels.
    #[non_exhaustive]
    Size {
        /// The minimum number of pixels.
        asked_pixels: u32,
        /// The width of the picture, in pixels.
        width: u32,
        /// The height of the picture, in pixels.
        height: u32,
        /// The difference that is not reported, in percent.
        tolerance_percent: u32,
    },
}

impl ExpectedVideo {
    /// Asks nothing of the video.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the length in seconds.
    pub fn seconds(mut self, seconds: u32) -> Self {
        self.length = Some(ExpectedLength::Exactly(seconds));
        self
    }

    /// Sets the maximum length in seconds, where the request does not determine the length. Replaces
    /// [`seconds`](Self::seconds).
    pub fn max_seconds(mut self, seconds: u32) -> Self {
        self.length = Some(ExpectedLength::AtMost(seconds));
        self
    }

    /// Sets the ratio of width to height, such as 16 and 9. A ratio with a zero asks nothing.
    pub fn aspect_ratio(mut self, width: u32, height: u32) -> Self {
        self.ratio = (width > 0 && height > 0).then_some((width, height));
        self
    }

    /// Sets whether the video has sound.
    pub fn sound(mut self, sound: bool) -> Self {
        self.sound = Some(sound);
        self
    }

    /// Sets the minimum number of pixels of the picture.
    pub fn min_pixels(mut self, pixels: u32) -> Self {
        self.min_pixels = Some(pixels);
        self
    }

    /// Compares a file with what was requested: length, aspect ratio, sound and size, in this order.
    pub fn compare(&self, info: &MediaInfo) -> Vec<VideoFinding> {
        let video = info.video.as_ref();
        let length = video.and_then(|video| video.duration).or(info.duration);
        let size = video.and_then(|video| video.display.or(video.coded));
        [
            length.and_then(|length| self.compare_length(length)),
            size.and_then(|size| self.compare_ratio(size)),
            info.has_audio.and_then(|got| self.compare_sound(got)),
            size.and_then(|size| self.compare_size(size)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn compare_length(&self, got: Duration) -> Option<VideoFinding> {
        let (seconds, is_maximum) = match self.length? {
            ExpectedLength::Exactly(seconds) => (seconds, false),
            ExpectedLength::AtMost(seconds) => (seconds, true),
        };
        let asked_ms = u64::from(seconds) * 1000;
        let got_ms = u64::try_from(got.as_millis()).unwrap_or(u64::MAX);
        let is_too_long = got_ms > asked_ms + LENGTH_TOLERANCE_MS;
        let is_too_short = got_ms.saturating_add(LENGTH_TOLERANCE_MS) < asked_ms;
        (is_too_long || (is_too_short && !is_maximum)).then_some(VideoFinding::Length {
            asked_ms,
            is_maximum,
            got_ms,
            tolerance_ms: LENGTH_TOLERANCE_MS,
        })
    }

    fn compare_ratio(&self, Size { width, height }: Size) -> Option<VideoFinding> {
        let (across, down) = self.ratio?;
        // Compares the ratios without dividing.
        let got = u64::from(width) * u64::from(down);
        let asked = u64::from(height) * u64::from(across);
        let is_close = got.abs_diff(asked).saturating_mul(100)
            <= asked.saturating_mul(RATIO_TOLERANCE_PERCENT.into());
        (!is_close).then(|| VideoFinding::AspectRatio {
            asked: format!("{across}:{down}"),
            width,
            height,
            tolerance_percent: RATIO_TOLERANCE_PERCENT,
        })
    }

    fn compare_sound(&self, got: bool) -> Option<VideoFinding> {
        let asked = self.sound?;
        (asked != got).then_some(VideoFinding::Sound { asked, got })
    }

    fn compare_size(&self, Size { width, height }: Size) -> Option<VideoFinding> {
        let asked_pixels = self.min_pixels?;
        let got = u64::from(width) * u64::from(height);
        let least = u64::from(asked_pixels) * u64::from(100 - SIZE_TOLERANCE_PERCENT);
        (got.saturating_mul(100) < least).then_some(VideoFinding::Size {
            asked_pixels,
            width,
            height,
            tolerance_percent: SIZE_TOLERANCE_PERCENT,
        })
    }
}

impl fmt::Display for VideoFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |ms: &u64| *ms as f64 / 1000.0;
        match self {
            Self::Length {
                asked_ms,
                is_maximum,
                got_ms,
                ..
            } => {
                let most = if *is_maximum { "at most " } else { "" };
                let (asked, got) = (seconds(asked_ms), seconds(got_ms));
                write!(f, "the video is {got} s long instead of {most}{asked} s")
            }
            Self::AspectRatio {
                asked,
                width,
                height,
                ..
            } => write!(
                f,
                "the picture is {width} × {height} pixels instead of {asked}"
            ),
            Self::Sound { asked: true, .. } => {
                f.write_str("the video has no sound, which was requested")
            }
            Self::Sound { asked: false, .. } => {
                f.write_str("the video has sound, which was not requested")
            }
            Self::Size {
                asked_pixels,
                width,
                height,
                ..
            } => write!(
                f,
                "the picture is {width} × {height} pixels, less than {asked_pixels} pixels"
            ),
        }
    }
}
