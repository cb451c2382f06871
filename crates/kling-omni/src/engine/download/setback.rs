use std::fmt;
use std::time::Duration;

/// Something that a download got over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Setback {
    /// The connection broke, stalled or did not come about. It is tried again after a pause.
    #[non_exhaustive]
    Interrupted {
        /// How many bytes had come.
        at: u64,
        /// How many the whole file has, if known.
        length: Option<u64>,
        /// What happened.
        why: String,
        /// The time until the next attempt.
        pause: Duration,
    },
    /// What had come cannot be continued. The progress goes back to nothing.
    #[non_exhaustive]
    Restarted {
        /// How many bytes are fetched again.
        lost: u64,
        /// What stands against going on.
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
                let at = After(*at, *length);
                let pause = pause.as_secs_f64();
                write!(
                    f,
                    "download interrupted {at}: {why}; trying again in {pause:.1} s"
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

/// How far a download has come, as a part of a sentence.
pub(crate) struct After(pub(crate) u64, pub(crate) Option<u64>);

impl fmt::Display for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self(0, _) => f.write_str("before its first byte"),
            Self(at, Some(length)) => write!(f, "after {at} of {length} bytes"),
            Self(at, None) => write!(f, "after {at} bytes"),
        }
    }
}
