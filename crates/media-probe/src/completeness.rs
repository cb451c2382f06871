//! Whether a video is whole, from its bytes as they stream by.

use crate::limits::Limits;
use crate::prober::{Prober, Step};
use crate::problem::{Code, Problem};

/// Checks whether an MP4 or MOV is whole while its bytes stream by, from the first to the last.
///
/// It reports what a [`Prober`] reports about the completeness of the same bytes, and nothing else: whether there is an
/// index (`moov`) and media (`mdat`), and whether all frames that the index names are there. Bytes behind a whole video do
/// no harm.
///
/// Memory does not grow with the file: boxes are skipped by their headers, and only the index is buffered, up to 4 MiB.
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
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Completeness {
    prober: Prober,
    bytes: u64,
}

/// How many bytes of an index are held: that of a video of some hours.
const INDEX: u32 = 4 << 20;

impl Completeness {
    /// Creates a check that has been fed nothing yet.
    pub fn new() -> Self {
        let limits = Limits::local().with_index(INDEX).with_bytes(u64::MAX);
        Self {
            prober: Prober::thorough(limits),
            bytes: 0,
        }
    }

    /// Takes the next bytes of the file.
    ///
    /// # Errors
    ///
    /// As soon as no further bytes can make it a whole video, with what is wrong.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        self.prober.feed(self.bytes, bytes);
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        self.verdict().map(|_| ())
    }

    /// Judges the file after its last byte. `is_end_known` says whether the source has marked that byte as the last one, as
    /// a length or the last chunk of HTTP does; without it, a connection may have been lost.
    ///
    /// What is odd about a whole file is returned.
    ///
    /// # Errors
    ///
    /// With what is wrong, when the file is not a whole video, or when nothing tells that it is.
    pub fn finish(&self, is_end_known: bool) -> Result<Option<Problem>, Problem> {
        let mut whole = self.clone();
        whole.prober.set_total(self.bytes);
        let verdict = whole.verdict()?.cloned();
        match whole.prober.walk() {
            Some(walk) if walk.is_open() && !is_end_known => Err(Problem::unknown(
                Code::LengthUnknown,
                "its last box reaches to the end of the file, and the source did not say where that is",
            )),
            _ => Ok(verdict),
        }
    }

    /// Whether the video comes in fragments, as far as the bytes go that were seen: it looks whole after each of them, and
    /// only the end of the file tells that it is.
    pub fn is_in_fragments(&self) -> bool {
        let mut whole = self.clone();
        whole.prober.set_total(self.bytes);
        let walk = whole.prober.walk();
        walk.is_some_and(|walk| walk.is_in_fragments())
    }

    /// What is odd about the file as far as it is known.
    fn verdict(&self) -> Result<Option<&Problem>, Problem> {
        match self.prober.walk() {
            Some(walk) => match walk.verdict() {
                Some(problem) if problem.is_fatal() => Err(problem.clone()),
                verdict => Ok(verdict),
            },
            None if self.prober.step() == Step::Done => {
                let probed = self.prober.clone().finish();
                Err(match (probed.format, probed.problems.into_iter().next()) {
                    (Some(format), _) => Problem::unsupported(
                        Code::NotMedia,
                        format!("its content is {format}, not MP4 or MOV"),
                    ),
                    (None, Some(problem)) => problem,
                    (None, None) => {
                        Problem::unsupported(Code::NotMedia, "its content is not known")
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
