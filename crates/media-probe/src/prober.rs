//! The sans-IO probe.

use std::ops::Range;

use crate::iso::walk::Walk;
use crate::limits::Limits;
use crate::media_info::MediaInfo;
use crate::problem::{Code, Problems};
use crate::reader::{Next, Reader, Unread};
use crate::window::{View, Want, Window};

/// A sans-IO probe: the caller does the I/O.
///
/// The prober names the range that it needs next, always beyond the previous one, and accepts any bytes: more than the
/// range, fewer, in chunks, or the file from its start if a server does not support ranges. A driver is a loop:
///
/// ```
/// use media_probe::{Limits, Prober};
///
/// # fn get(range: std::ops::Range<u64>) -> (u64, Vec<u8>, Option<u64>) {
/// #     (range.start, Vec::new(), Some(0))
/// # }
/// let mut prober = Prober::new(Limits::remote());
/// while let Some(range) = prober.request() {
///     // The received bytes, their offset, and the length of the file, if the source says so.
///     let (offset, bytes, total) = get(range);
///     if let Some(total) = total {
///         prober.set_total(total);
///     }
///     prober.feed(offset, &bytes);
/// }
/// let info = prober.finish();
/// # assert!(info.is_corrupt());
/// ```
///
/// A driver that receives a body in chunks feeds each at its offset. It stops with_mode at [`Step::Done`], or if
/// [`Step::Need`] names bytes so far ahead that another request is cheaper than with_mode up to there. If the server
/// sends the entire file from its start, the driver keeps feeding it, up to [`Limits::bytes`].
#[derive(Clone, Debug)]
pub struct Prober {
    limits: Limits,
    total: Option<u64>,
    window: Window,
    reader: Reader,
    /// The needed part; `None` once everything is determined.
    want: Option<Want>,
    problems: Problems,
    requests: u32,
    bytes: u64,
}

/// What a [`Prober`] needs next. No variants will be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The next needed bytes. A prefix of them helps, too. The range is never empty, and may extend beyond the end of a
    /// file of unknown length.
    Need(Range<u64>),
    /// No more bytes are needed, or the limits are reached.
    Done,
}

impl Prober {
    /// Creates a prober.
    pub fn new(limits: Limits) -> Self {
        Self::with_mode(limits, false)
    }

    /// Creates a prober that reads a video to its end, even if that is not needed for its properties.
    pub(crate) fn until_end(limits: Limits) -> Self {
        Self::with_mode(limits, true)
    }

    fn with_mode(limits: Limits, reads_until_end: bool) -> Self {
        let (reader, want) = Reader::new(limits, reads_until_end);
        Self {
            limits,
            total: None,
            window: Window::default(),
            reader,
            want: Some(want),
            problems: Problems::default(),
            requests: 0,
            bytes: 0,
        }
    }

    /// Sets the length of the file in bytes. Further calls are ignored.
    ///
    /// Call it as soon as the length is known, because it is needed to detect truncation. In HTTP it is in the
    /// `Content-Range` of a 206 or a 416, or the `Content-Length` of a 200. If the length is unknown until the source
    /// ends, call it with the offset of the end.
    pub fn set_total(&mut self, total: u64) {
        if self.total.is_none() {
            self.total = Some(total);
            self.advance_reader();
        }
    }

    /// The length of the file in bytes, if it was set.
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// Feeds bytes at this offset. Bytes that are not needed or that would leave a gap are ignored.
    pub fn feed(&mut self, offset: u64, bytes: &[u8]) -> Step {
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        while let Some(want) = self.want
            && self.window.append(offset, bytes, want)
        {
            self.advance_reader();
        }
        self.step()
    }

    /// The needed part.
    pub fn step(&self) -> Step {
        match self.range() {
            Some(range) => Step::Need(range),
            None => Step::Done,
        }
    }

    /// Returns the next range to request, and counts the request; `None` if nothing is needed or the limits are
    /// reached.
    pub fn request(&mut self) -> Option<Range<u64>> {
        match self.step() {
            Step::Need(range) if self.requests < self.limits.requests => {
                self.requests += 1;
                Some(range)
            }
            _ => None,
        }
    }

    /// The number of requests.
    pub fn requests(&self) -> u32 {
        self.requests
    }

    /// The number of fed bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The walk over a file of boxes; `None` before the format is known, and for other formats.
    pub(crate) fn walk(&self) -> Option<&Walk> {
        self.reader.walk()
    }

    /// The number of buffered bytes.
    pub(crate) fn buffered(&self) -> usize {
        self.window.buffered()
    }

    /// Returns the result. If more bytes are needed, its problems say what is unknown.
    pub fn finish(self) -> MediaInfo {
        let mut problems = self.problems;
        let unread = match self.want {
            None => None,
            Some(_) if self.bytes >= self.limits.bytes || self.requests >= self.limits.requests => {
                Some(Unread::Limit)
            }
            Some(_) => Some(Unread::Source),
        };
        let mut probed = self.reader.conclude(unread, &mut problems);
        probed.bytes = self.total;
        if self.total.is_none() && (probed.video.is_some() || probed.image.is_some()) {
            problems.unknown(
                Code::LengthUnknown,
                "the length of the file is unknown, so it may be truncated",
            );
        }
        probed.with_problems(problems)
    }

    /// The needed bytes that are not buffered.
    fn range(&self) -> Option<Range<u64>> {
        let want = self.want?;
        let start = want.at.max(self.window.end());
        let left = self.limits.bytes.saturating_sub(self.bytes);
        let end = want.end().min(start.saturating_add(left));
        let end = self.total.map_or(end, |total| end.min(total));
        (start < end).then_some(start..end)
    }

    /// Advances the reader as far as the buffered bytes allow.
    fn advance_reader(&mut self) {
        while let Some(want) = self.want {
            let view = View {
                window: &self.window,
                total: self.total,
                limits: self.limits,
            };
            let is_buffered = self.window.end() >= want.at.saturating_add(want.min);
            if !is_buffered && !view.has_end() && self.total.is_none_or(|total| want.at < total) {
                return;
            }
            match self.reader.advance(view, &mut self.problems) {
                Next::Want(next) => {
                    self.window.move_to(next);
                    self.want = Some(next);
                }
                Next::Done => {
                    self.want = None;
                    self.window = Window::default();
                }
            }
        }
    }
}
