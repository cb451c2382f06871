//! The failures that a download recovers from.

use std::fmt;
use std::time::Duration;

/// A failure that a download recovered from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DownloadEvent {
    /// The connection broke, stalled or could not be established. It is retried after a backoff.
    #[non_exhaustive]
    Retrying {
        /// The number of bytes received.
        offset: u64,
        /// The length of the complete file, if known.
        total: Option<u64>,
        /// What failed.
        reason: String,
        /// The time until the next attempt.
        retry_in: Duration,
    },
    /// The download cannot be resumed and starts from the first byte.
    #[non_exhaustive]
    Restarted {
        /// The number of bytes that are downloaded again.
        discarded_bytes: u64,
        /// Why the download cannot be resumed.
        reason: String,
    },
    /// The URL expired or was rejected, and the service returned another one.
    UrlRefreshed,
}

impl fmt::Display for DownloadEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retrying {
                offset,
                total,
                reason,
                retry_in,
            } => {
                let position = Position(*offset, *total);
                let retry_in = retry_in.as_secs_f64();
                write!(
                    f,
                    "download interrupted {position}: {reason}, retrying in {retry_in:.1} s"
                )
            }
            Self::Restarted {
                discarded_bytes,
                reason,
            } => {
                write!(
                    f,
                    "download restarted, {discarded_bytes} bytes discarded: {reason}"
                )
            }
            Self::UrlRefreshed => f.write_str("result URL refreshed"),
        }
    }
}

/// The position in a download, displayed as a part of a sentence.
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
