//! Frame rates, as exact fractions.

use std::fmt;

use serde::{Serialize, Serializer};

/// Frames per second, as an exact fraction in lowest terms: `24000/1001` for 23.976.
///
/// `Display` and JSON use this fraction; an integer has no `/1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    numerator: u64,
    denominator: u64,
}

/// The frame rate of a video.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FrameRate {
    /// Average frames per second. If all frames but the last have the same duration, exactly the rate of that duration.
    pub average: Rate,
    /// Whether frames have different durations. A difference of one tick counts as rounding, and the last frame is
    /// ignored.
    pub is_variable: bool,
}

impl Rate {
    /// The fraction in lowest terms; `None` if a part is zero.
    pub const fn new(numerator: u64, denominator: u64) -> Option<Self> {
        if numerator == 0 || denominator == 0 {
            return None;
        }
        let (mut a, mut b) = (numerator, denominator);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        Some(Self {
            numerator: numerator / a,
            denominator: denominator / a,
        })
    }

    /// The number of frames in [`denominator`](Self::denominator) seconds.
    pub const fn numerator(self) -> u64 {
        self.numerator
    }

    /// The number of seconds, at least 1.
    pub const fn denominator(self) -> u64 {
        self.denominator
    }

    /// The nearest floating-point number of frames per second.
    pub fn as_f64(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.denominator {
            1 => write!(f, "{}", self.numerator),
            denominator => write!(f, "{}/{denominator}", self.numerator),
        }
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
