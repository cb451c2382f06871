#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_debug_implementations, missing_docs, unreachable_pub)]

mod bits;
mod h264;
mod mp4;
mod picture;
mod scene;
mod sound;
mod text;

#[cfg(test)]
mod tests;

use std::fmt;

use scene::Scene;

/// Frames per second of every video.
pub const FRAME_RATE: u32 = 24;
/// The maximum length of a video, in seconds.
pub const MAX_SECONDS: u32 = 60;

const KEYFRAME_INTERVAL: u32 = 2 * FRAME_RATE;
/// The maximum side of level 4.1 of H.264, in macroblocks.
const MAX_SIDE: u16 = 256;

/// A picture size in macroblocks of 16×16 pixels, so the video needs no cropping. `Display` writes `1280×720`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameSize {
    mbs_wide: u16,
    mbs_high: u16,
}

impl FrameSize {
    /// 1280×720, which is 16:9.
    pub const WIDESCREEN: Self = Self {
        mbs_wide: 80,
        mbs_high: 45,
    };

    /// The largest size with this ratio of width to height that has at most as many pixels as
    /// [`WIDESCREEN`](Self::WIDESCREEN).
    ///
    /// `None` if the ratio is impossible in macroblocks, or only in a size that is too small for a card or too large
    /// for a decoder.
    pub fn with_ratio(width: u16, height: u16) -> Option<Self> {
        let most = u32::from(Self::WIDESCREEN.mbs_wide) * u32::from(Self::WIDESCREEN.mbs_high);
        let factor = (1..=width.min(height))
            .rev()
            .find(|factor| width.is_multiple_of(*factor) && height.is_multiple_of(*factor))?;
        let (width, height) = (width / factor, height / factor);
        let times = (most / (u32::from(width) * u32::from(height))).isqrt() as u16;
        let size = Self {
            mbs_wide: width * times,
            mbs_high: height * times,
        };
        size.is_drawable().then_some(size)
    }

    /// The size with these sides in pixels.
    ///
    /// `None` if a side is not a multiple of 16, or is too small for a card or too large for a decoder.
    pub fn from_pixels(width: u16, height: u16) -> Option<Self> {
        let size = Self {
            mbs_wide: width / 16,
            mbs_high: height / 16,
        };
        let is_exact = (size.width(), size.height()) == (width, height);
        (is_exact && size.is_drawable()).then_some(size)
    }

    fn is_drawable(self) -> bool {
        (scene::MIN_WIDTH..=MAX_SIDE).contains(&self.mbs_wide)
            && (scene::MIN_HEIGHT..=MAX_SIDE).contains(&self.mbs_high)
    }

    /// Width in pixels.
    pub const fn width(self) -> u16 {
        self.mbs_wide * 16
    }

    /// Height in pixels.
    pub const fn height(self) -> u16 {
        self.mbs_high * 16
    }
}

impl fmt::Display for FrameSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{}", self.width(), self.height())
    }
}

/// The content and the length of a video.
///
/// Any text is allowed: characters outside of the font become `?`, and text that does not fit is truncated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestCard {
    title: String,
    note: String,
    details: Vec<(String, String)>,
    text: String,
    size: FrameSize,
    seconds: u32,
    has_sound: bool,
}

impl TestCard {
    /// Creates a card with only a title, of five seconds in 1280×720.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            note: String::new(),
            details: Vec::new(),
            text: String::new(),
            size: FrameSize::WIDESCREEN,
            seconds: 5,
            has_sound: false,
        }
    }

    /// Sets the line under the title.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// Adds a line with a label and a value. The first six are shown.
    #[must_use]
    pub fn detail(mut self, label: impl Into<String>, value: impl Into<String>) -> Self {
        self.details.push((label.into(), value.into()));
        self
    }

    /// Sets the text below the details. It is wrapped.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    /// Sets the size of the picture.
    #[must_use]
    pub fn size(mut self, size: FrameSize) -> Self {
        self.size = size;
        self
    }

    /// Sets the length, clamped to `1..=`[`MAX_SECONDS`].
    #[must_use]
    pub fn seconds(mut self, seconds: u32) -> Self {
        self.seconds = seconds.clamp(1, MAX_SECONDS);
        self
    }

    /// Adds an audio track, which is silent. Default: false.
    #[must_use]
    pub fn sound(mut self, sound: bool) -> Self {
        self.has_sound = sound;
        self
    }

    /// Renders a complete MP4 file. The same card always renders to the same bytes.
    pub fn render(&self) -> Vec<u8> {
        let mut scene = Scene::new(self);
        let mut encoder = h264::Encoder::new(self.size);
        let samples: Vec<Vec<u8>> = (0..self.seconds * FRAME_RATE)
            .map(|frame| encoder.encode(scene.frame(frame), frame % KEYFRAME_INTERVAL == 0))
            .collect();
        mp4::mux(self.size, self.seconds, self.has_sound, &samples)
    }
}
