//! What a download recovers from.

use std::fmt;
use std::time::Duration;

/// A failure that a download recovered from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Setback {
    /// The connection broke, stalled or could not be established. It is retried after a pause.
    #[non_exhaustive]
    Interrupted {
        /// The number of bytes received.
        at: u64,
        /// The length of the whole file, if known.
        length: Option<u64>,
        /// What happened.
        why: String,
        /// The time until the next attempt.
        pause: Duration,
    },
    /// The download cannot be resumed and starts from the first byte.
    #[non_exhaustive]
    Restarted {
        /// How many bytes are fetched again.
        lost: u64,
        /// Why it cannot be resumed.
        why: String,
    },
    /// The URL no longer worked, and the service gave another one.
    Refreshed,
}

impl fmt::Display for Setback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted {
                at,
                length,
                why,
                pause,
            } => {
                let position = Position(*at, *length);
                let pause = pause.as_secs_f64();
                write!(
                    f,
                    "download interrupted {position}: {why}; trying again in {pause:.1} s"
                )
            }
            Self::Restarted { lost, why } => {
                write!(
                    f,
                    "download begun anew, {lost} bytes are fetched again: {why}"
                )
            }
            Self::Refreshed => {
                f.write_str("the URL no longer worked; the service gave a fresh one")
            }
        }
    }
}

/// The progress of a download, displayed as a part of a sentence.
pub(crate) struct Position(pub(crate) u64, pub(crate) Option<u64>);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self(0, _) => f.write_str("before its first byte"),
            Self(at, Some(length)) => write!(f, "after {at} of {length} bytes"),
            Self(at, None) => write!(f, "after {at} bytes"),
        }
    }
}
