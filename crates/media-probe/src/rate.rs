//! Frame rates, as exact fractions.

use std::fmt;

use serde::{Serialize, Serializer};

/// Frames a second, as an exact fraction in lowest terms: `24000/1001` for what people call 23.976.
///
/// Its text, and its form in JSON, is that fraction; a whole number is written without `/1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    numerator: u64,
    denominator: u64,
}

/// How fast the frames of a video follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FrameRate {
    /// Frames a second on the average; where all frames but the last one are equally long, exactly that length's rate.
    pub average: Rate,
    /// Whether the frames are of different length. One tick of the track's clock more or less is rounding, and the last
    /// frame does not count.
    pub is_variable: bool,
}

impl Rate {
    /// The fraction in lowest terms; none if one of the parts is zero.
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

    /// Frames in [`denominator`](Self::denominator) seconds.
    pub const fn numerator(self) -> u64 {
        self.numerator
    }

    /// Seconds, at least 1.
    pub const fn denominator(self) -> u64 {
        self.denominator
    }

    /// The nearest floating-point number of frames a second.
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
