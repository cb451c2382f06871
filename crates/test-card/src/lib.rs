#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_debug_implementations, missing_docs, unreachable_pub)]

mod bits;
mod h264;
mod mp4;
mod picture;
mod scene;
mod text;

#[cfg(test)]
mod tests;

use std::fmt;

use scene::Scene;

/// Frames per second of every video.
pub const FRAME_RATE: u32 = 24;
/// The longest video of a card, in seconds.
pub const MAX_SECONDS: u32 = 60;

const KEYFRAME_INTERVAL: u32 = 2 * FRAME_RATE;
/// The longest side that level 4.1 of H.264 allows, in macroblocks.
const LONGEST_SIDE: u16 = 256;

/// A picture size in whole macroblocks of 16×16 pixels, so that no video needs cropping. Its text is `1280×720`.
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

    /// The largest size with this ratio of width to height that has no more pixels than [`WIDESCREEN`](Self::WIDESCREEN).
    ///
    /// `None` for a ratio that no whole macroblocks have, or only in a size that is too small for a card or too long for
    /// a decoder.
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

    fn is_drawable(self) -> bool {
        (scene::LEAST_WIDE..=LONGEST_SIDE).contains(&self.mbs_wide)
            && (scene::LEAST_HIGH..=LONGEST_SIDE).contains(&self.mbs_high)
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

/// What a video shows, and how long.
///
/// Any text will do: what the font lacks becomes `?`, and what does not fit is cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestCard {
    title: String,
    note: String,
    details: Vec<(String, String)>,
    text: String,
    size: FrameSize,
    seconds: u32,
}

impl TestCard {
    /// A card with a title alone, of five seconds in 1280×720.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            note: String::new(),
            details: Vec::new(),
            text: String::new(),
            size: FrameSize::WIDESCREEN,
            seconds: 5,
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

    /// Sets the text below the details, which is wrapped.
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

    /// Sets the running time, held to `1..=`[`MAX_SECONDS`].
    #[must_use]
    pub fn seconds(mut self, seconds: u32) -> Self {
        self.seconds = seconds.clamp(1, MAX_SECONDS);
        self
    }

    /// Renders a whole MP4 file. The same card always gives the same bytes.
    pub fn render(&self) -> Vec<u8> {
        let mut scene = Scene::new(self);
        let mut encoder = h264::Encoder::new(self.size);
        let samples: Vec<Vec<u8>> = (0..self.seconds * FRAME_RATE)
            .map(|frame| encoder.encode(scene.frame(frame), frame % KEYFRAME_INTERVAL == 0))
            .collect();
        mp4::mux(self.size, self.seconds, &samples)
    }
}
