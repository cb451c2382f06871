//! Completeness of a video while it is downloaded.

use crate::limits::Limits;
use crate::media_info::MediaInfo;
use crate::prober::{Prober, Step};
use crate::problem::{Code, Problem};

/// Checks whether an MP4 or MOV is complete while its bytes arrive in order.
///
/// It reports what a [`Prober`] reports about the completeness of the same bytes, and nothing else: whether the file
/// has an index (`moov`), media (`mdat`), and all frames in the index. Trailing data is allowed.
///
/// Memory does not depend on the size of the file: boxes are skipped by their headers, and only the index is buffered,
/// up to 4 MiB.
///
/// ```
/// use media_probe::Completeness;
///
/// # let file = std::fs::read("tests/fixtures/last.mp4")?;
/// let mut completeness = Completeness::new();
/// for piece in file.chunks(1000) {
///     completeness.feed(piece).expect("no damage");
/// }
/// assert_eq!(completeness.finish(true), Ok(None));
/// assert!(completeness.media_info().video.is_some());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Completeness {
    prober: Prober,
    bytes: u64,
}

/// The maximum size of an index, enough for a video of several hours.
const INDEX: u32 = 4 << 20;

impl Completeness {
    /// Creates a check.
    pub fn new() -> Self {
        let limits = Limits::local().with_index(INDEX).with_bytes(u64::MAX);
        Self {
            prober: Prober::until_end(limits),
            bytes: 0,
        }
    }

    /// Feeds the next bytes of the file.
    ///
    /// # Errors
    ///
    /// Fails as soon as no further bytes can complete the video.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        self.prober.feed(self.bytes, bytes);
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        self.completeness_problem().map(|_| ())
    }

    /// Checks the file after its last byte. `is_end_known` is whether the source marked that byte as the last one, as a
    /// `Content-Length` or the last chunk in HTTP does. Otherwise the connection may have been lost.
    ///
    /// Returns an irregularity of a complete file, if there is one.
    ///
    /// # Errors
    ///
    /// Fails if the file is not a complete video, or if its completeness cannot be determined.
    pub fn finish(&self, is_end_known: bool) -> Result<Option<Problem>, Problem> {
        let mut complete = self.clone();
        complete.prober.set_total(self.bytes);
        let completeness_problem = complete.completeness_problem()?.cloned();
        match complete.prober.walk() {
            Some(walk) if walk.is_open() && !is_end_known => Err(Problem::unknown(
                Code::LengthUnknown,
                "the last box extends to the end of the file, which is unknown",
            )),
            _ => Ok(completeness_problem),
        }
    }

    /// Returns the properties of the file that was fed, as a [`Prober`] reports them. Call it after the last byte: before
    /// it, the file counts as truncated.
    pub fn media_info(&self) -> MediaInfo {
        let mut complete = self.prober.clone();
        complete.set_total(self.bytes);
        complete.finish()
    }

    /// Whether the video is fragmented, as far as it was read. Such a file looks complete after each fragment, and only
    /// the end of the file proves that it is.
    pub fn is_fragmented(&self) -> bool {
        let mut complete = self.clone();
        complete.prober.set_total(self.bytes);
        let walk = complete.prober.walk();
        walk.is_some_and(|walk| walk.is_fragmented())
    }

    /// The irregularity of the file as far as it was read. Fails if it is fatal.
    fn completeness_problem(&self) -> Result<Option<&Problem>, Problem> {
        match self.prober.walk() {
            Some(walk) => match walk.completeness_problem() {
                Some(problem) if problem.is_fatal() => Err(problem.clone()),
                completeness_problem => Ok(completeness_problem),
            },
            None if self.prober.step() == Step::Done => {
                let probed = self.prober.clone().finish();
                Err(match (probed.format, probed.problems.into_iter().next()) {
                    (Some(format), _) => Problem::unsupported(
                        Code::NotMedia,
                        format!("the content is {format}, not MP4 or MOV"),
                    ),
                    (None, Some(problem)) => problem,
                    (None, None) => {
                        Problem::unsupported(Code::NotMedia, "the content is not a known format")
                    }
                })
            }
            None => Ok(None),
        }
    }
}

impl Default for Completeness {
    fn default() -> Self {
        Self::new()
    }
}
