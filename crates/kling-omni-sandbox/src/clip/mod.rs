//! Result clips: a slate with a running clock, as a real H.264 MP4.
//!
//! The pictures are flat enough that lossless coding stays small, so there is no transform, no
//! rate control and no C codec here, and an unoptimised build still renders in well under a second.

mod bits;
mod h264;
mod mp4;
mod picture;
mod slate;
mod text;

#[cfg(test)]
mod tests;

/// Frames per second of every clip.
pub const FRAME_RATE: u32 = 24;
/// The longest clip [`render`] makes, in seconds; longer requests are cut to this.
pub const MAX_SECONDS: u32 = 60;

const KEYFRAME_INTERVAL: u32 = 2 * FRAME_RATE;

/// A picture size in whole macroblocks, so that no clip needs cropping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FrameSize {
    mbs_wide: u16,
    mbs_high: u16,
}

impl FrameSize {
    /// 1280×720, for `16:9`.
    pub const WIDESCREEN: Self = Self {
        mbs_wide: 80,
        mbs_high: 45,
    };
    /// The largest size with these sides that has no more macroblocks than [`Self::WIDESCREEN`]; `None` for sides that
    /// no whole macroblocks fit.
    pub fn with_sides(wide: u16, high: u16) -> Option<Self> {
        let most = u32::from(Self::WIDESCREEN.mbs_wide) * u32::from(Self::WIDESCREEN.mbs_high);
        let factor = (1..=wide.min(high))
            .rev()
            .find(|factor| wide.is_multiple_of(*factor) && high.is_multiple_of(*factor))?;
        let (wide, high) = (wide / factor, high / factor);
        let times = (most / (u32::from(wide) * u32::from(high))).isqrt() as u16;
        (times > 0).then(|| Self {
            mbs_wide: wide * times,
            mbs_high: high * times,
        })
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

/// What the slate shows and how long it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slate {
    /// Shown in full where it fits.
    pub task_id: String,
    /// Any text at all: what the font lacks becomes `?`, what does not fit is cut.
    pub prompt: String,
    /// Running time, held to `1..=`[`MAX_SECONDS`].
    pub seconds: u32,
    /// Picture size.
    pub frame: FrameSize,
    /// More `(label, value)` lines under the task id; the first four are shown.
    pub details: Vec<(String, String)>,
}

/// Renders a slate to a whole MP4 file. The same slate always gives the same bytes.
pub fn render(slate: &Slate) -> Vec<u8> {
    let seconds = slate.seconds.clamp(1, MAX_SECONDS);
    let mut scene = slate::Scene::new(slate, seconds);
    let mut encoder = h264::Encoder::new(slate.frame);
    let samples: Vec<Vec<u8>> = (0..seconds * FRAME_RATE)
        .map(|frame| encoder.encode(scene.frame(frame), frame % KEYFRAME_INTERVAL == 0))
        .collect();
    mp4::mux(slate.frame, seconds, &samples)
}
